/** `fgnb jupyter`: the kernel for JupyterLab, nbconvert and other programs of Jupyter. */
import path from 'node:path';
import { deviceChoice } from '../../protocol/device.js';
import { command, print, UsageError, writeError } from './command.js';

const tell = (text: string): void => void writeError(`fgnb: ${text}\n`);

const LOOK_MS = 1000;

/**
 * Calls `end` when the Jupyter program that started this kernel is gone, even if it was killed. JPY_PARENT_PID is its
 * process id.
 */
function whenOrphaned(end: () => void): void {
  const { ppid } = process;
  if (process.env.JPY_PARENT_PID !== String(ppid) || process.platform === 'win32') return;
  const timer = setInterval(() => {
    if (process.ppid === ppid) return;
    clearInterval(timer);
    end();
  }, LOOK_MS);
}

/** Runs until Jupyter ends it. SIGINT interrupts the cell, for front ends that only know this way. */
async function runKernel(file: string | undefined, device: string): Promise<number> {
  if (file === undefined) throw new UsageError('fgnb jupyter kernel needs the connection file that Jupyter writes');
  const [{ readConnection }, { JupyterKernel }] = await Promise.all([
    import('../jupyter/connection.js'),
    import('../jupyter/kernel.js'),
  ]);
  const folder = process.cwd();
  // Jupyter Server names the notebook that a kernel is started for in this variable.
  const notebook = path.basename(process.env.JPY_SESSION_NAME ?? folder);
  const kernel = await JupyterKernel.start(
    await readConnection(file),
    { notebookFolder: folder, notebook, device: deviceChoice(device) },
    tell,
  );
  whenOrphaned(() => void kernel.close(0));
  process.on('SIGINT', () => kernel.interrupt());
  for (const signal of ['SIGTERM', 'SIGHUP'] as const) process.on(signal, () => void kernel.close(0));
  return kernel.ended;
}

export const jupyter = command({
  help: `  fgnb jupyter install [--user | --prefix DIR] [--device DEVICE]
  fgnb jupyter uninstall [--user | --prefix DIR]
      Makes TypeScript cells run in Jupyter, nbclient and nbconvert --execute: writes the kernel "fgnb" where Jupyter
      looks for kernels, of this user (the default) or of an environment such as $VIRTUAL_ENV. It runs this copy of
      fgnb with this Node. DEVICE as in "fgnb run".
  fgnb jupyter kernel CONNECTION_FILE [--device DEVICE]
      What Jupyter starts.`,
  options: {
    user: { type: 'boolean' },
    prefix: { type: 'string' },
    device: { type: 'string', default: 'auto' },
  },
  takes: [1, 2, 'install, uninstall or kernel'],
  async run({ user, prefix, device }, [what, file]) {
    if (user && prefix !== undefined) throw new UsageError('fgnb jupyter takes --user or --prefix, not both');
    if (what === 'kernel') return runKernel(file, device);
    if (file !== undefined) throw new UsageError(`too many arguments: ${file}`);
    const { install, uninstall } = await import('../jupyter/install.js');
    if (what === 'install')
      print(`kernel "fgnb" installed in ${await install(process.argv[1], deviceChoice(device), prefix)}`);
    else if (what === 'uninstall') print(`kernel "fgnb" removed from ${uninstall(prefix)}`);
    else throw new UsageError(`fgnb jupyter ${what}: expected install, uninstall or kernel`);
    return 0;
  },
});
