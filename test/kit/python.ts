/** The Python that has PyTorch, numpy and Jupyter's libraries, for files that only they write or read. */
import { execFileSync } from 'node:child_process';

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

/** Runs a script in a folder. */
export function python(folder: string, script: string): string {
  return execFileSync(PYTHON, ['-c', script], { cwd: folder, encoding: 'utf8' });
}
