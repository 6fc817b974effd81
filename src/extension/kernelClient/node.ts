/** Finds the Node that runs the kernel and the command line: the setting, else the PATH's, else the editor's own. */
import { execFile } from 'node:child_process';

/** Oldest Node that runs the kernel. */
export const MINIMUM_NODE = [20, 19, 0] as const;

export interface NodeChoice {
  path: string;
  version: string;
  /** Environment that the executable needs to behave as Node. */
  env: Record<string, string>;
  from: 'setting' | 'PATH' | 'editor';
}

/** Whether a version such as "20.20.2" or "v20.20.2" is new enough. */
export function isSupportedNode(version: string): boolean {
  const parts = /^v?(\d+)\.(\d+)\.(\d+)/.exec(version.trim())?.slice(1).map(Number);
  if (!parts) return false;
  for (let i = 0; i < 3; i++) if (parts[i] !== MINIMUM_NODE[i]) return parts[i] > MINIMUM_NODE[i];
  return true;
}

function versionOf(path: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    execFile(path, ['--version'], { timeout: 10_000, env: cleanEnv(process.env) }, (error, stdout) =>
      resolve(error ? undefined : stdout.trim()),
    );
  });
}

/** The environment without what belongs to the editor and would change how Node behaves. */
export function cleanEnv(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const kept = Object.entries(env).filter(([key]) => !/^(VSCODE_|ELECTRON_|npm_|NODE_OPTIONS$|NODE_PATH$)/.test(key));
  return Object.fromEntries(kept);
}

const wanted = MINIMUM_NODE.join('.');

/** @throws with what was found and what to set, when no suitable Node is there. */
export async function findNode(setting: string): Promise<NodeChoice> {
  if (setting) {
    const version = await versionOf(setting);
    if (!version)
      throw new Error(`The setting fgnb.nodePath names ${setting}, which does not run. Correct it or empty it.`);
    if (!isSupportedNode(version))
      throw new Error(`The setting fgnb.nodePath names Node ${version}; the kernel needs ${wanted} or newer.`);
    return { path: setting, version, env: {}, from: 'setting' };
  }
  const onPath = await versionOf('node');
  if (onPath && isSupportedNode(onPath)) return { path: 'node', version: onPath, env: {}, from: 'PATH' };
  if (isSupportedNode(process.versions.node)) {
    // The desktop editor is Electron, which is Node only when asked; a remote server is Node itself and ignores this.
    return {
      path: process.execPath,
      version: `v${process.versions.node}`,
      env: { ELECTRON_RUN_AS_NODE: '1' },
      from: 'editor',
    };
  }
  throw new Error(
    `The kernel needs Node ${wanted} or newer. ${onPath ? `The PATH has ${onPath}` : 'No node is on the PATH'} and the editor's own is ${process.versions.node}. Install Node and set fgnb.nodePath to it.`,
  );
}
