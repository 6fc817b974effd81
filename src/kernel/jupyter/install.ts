/** Installs the description of our kernel where Jupyter looks for kernels. */
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { writeFileAtomic } from '../io/files.js';
import { isJsonObject } from '../../protocol/objects.js';
import type { JsonObject } from '../../protocol/notebook.js';
import { KERNEL_NAME, KERNELSPEC } from '../convert/jupyter.js';

const SPEC_FILE = 'kernel.json';

/** Jupyter's data folder of this user (jupyter_core.paths). */
function userData(): string {
  const { JUPYTER_DATA_DIR, APPDATA, XDG_DATA_HOME } = process.env;
  if (JUPYTER_DATA_DIR) return JUPYTER_DATA_DIR;
  if (process.platform === 'darwin') return path.join(os.homedir(), 'Library', 'Jupyter');
  if (process.platform === 'win32') return path.join(APPDATA ?? path.join(os.homedir(), '.jupyter'), 'jupyter');
  return path.join(XDG_DATA_HOME || path.join(os.homedir(), '.local', 'share'), 'jupyter');
}

/** Folder of our kernelspec: the user's, or that of an environment such as sys.prefix of Python. */
export const specFolder = (prefix?: string): string =>
  path.join(prefix === undefined ? userData() : path.join(prefix, 'share', 'jupyter'), 'kernels', KERNEL_NAME);

/** The kernelspec: how Jupyter starts `program` (the command line's file) with this Node. */
export function kernelSpec(program: string, device: string): JsonObject {
  const { display_name, language } = KERNELSPEC;
  return {
    argv: [process.execPath, program, 'jupyter', 'kernel', '{connection_file}', '--device', device],
    display_name,
    language,
    interrupt_mode: 'message',
    // Electron runs as Node only with this variable.
    env: process.versions.electron ? { ELECTRON_RUN_AS_NODE: '1' } : {},
    metadata: { debugger: false },
  };
}

/** Whether the folder holds the kernelspec that `install` writes. */
function isOurs(folder: string): boolean {
  try {
    const spec: unknown = JSON.parse(fs.readFileSync(path.join(folder, SPEC_FILE), 'utf8'));
    const { argv } = isJsonObject(spec) ? spec : {};
    return Array.isArray(argv) && argv[2] === 'jupyter' && argv[3] === 'kernel';
  } catch {
    // The folder is missing, or not readable as a kernelspec.
    return false;
  }
}

/** @returns the folder. @throws Error when it holds another kernel, or cannot be written */
export async function install(program: string, device: string, prefix?: string): Promise<string> {
  const folder = specFolder(prefix);
  if (fs.existsSync(folder) && fs.readdirSync(folder).length > 0 && !isOurs(folder))
    throw new Error(`${folder} holds another kernel; remove it first`);
  fs.mkdirSync(folder, { recursive: true });
  await writeFileAtomic(
    path.join(folder, SPEC_FILE),
    `${JSON.stringify(kernelSpec(path.resolve(program), device), null, 2)}\n`,
  );
  return folder;
}

/** @returns the folder. @throws Error when our kernel is not in it */
export function uninstall(prefix?: string): string {
  const folder = specFolder(prefix);
  if (!isOurs(folder)) throw new Error(`the kernel is not installed in ${folder}`);
  fs.rmSync(folder, { recursive: true });
  return folder;
}
