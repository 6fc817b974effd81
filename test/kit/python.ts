/** The Python that has PyTorch, numpy and Jupyter's libraries, for files that only they write or read. */
import { execFile, execFileSync } from 'node:child_process';
import { promisify } from 'node:util';

const PYTHON = '/usr/bin/python3';

/** Why it has not all of these modules; undefined when it has. Printed once, so that skipped tests say why. */
function without(modules: string, names: string): string | undefined {
  try {
    execFileSync(PYTHON, ['-c', `import ${modules}`], { stdio: 'pipe' });
    return undefined;
  } catch (error) {
    const why = `${PYTHON} with ${names} is not here: ${(error as Error).message.split('\n').at(-1)}`;
    process.stderr.write(`skipped: ${why}\n`);
    return why;
  }
}

export const noTorch = (): string | undefined => without('torch, numpy, scipy.sparse', 'torch, numpy and scipy');
/** Debian's python3-nbformat and python3-nbconvert. */
export const noJupyter = (): string | undefined => without('nbformat, nbconvert', 'nbformat and nbconvert');

/** Debian's python3-jupyter-client, python3-nbclient and python3-nbconvert. */
export const noJupyterClient = (): string | undefined =>
  without('jupyter_client, nbclient, nbconvert', 'jupyter-client, nbclient and nbconvert');

/** Runs a script in a folder. */
export function python(folder: string, script: string): string {
  return execFileSync(PYTHON, ['-c', script], { cwd: folder, encoding: 'utf8' });
}

/** Runs a script beside the test, for at most a minute: it starts kernels, which have its output too. */
export async function pythonBeside(folder: string, script: string, env: NodeJS.ProcessEnv): Promise<string> {
  const { stdout } = await promisify(execFile)(PYTHON, ['-c', script], {
    ...{ cwd: folder, encoding: 'utf8', env: { ...process.env, ...env } },
    ...{ timeout: 60_000, killSignal: 'SIGKILL', maxBuffer: 64 * 2 ** 20 },
  });
  return stdout;
}
