/** The Python that has PyTorch and numpy, for files that only they write. */
import { execFileSync } from 'node:child_process';

const PYTHON = '/usr/bin/python3';

/** Why there is none; undefined when there is. Printed once, so that skipped tests say why. */
export function noTorch(): string | undefined {
  try {
    execFileSync(PYTHON, ['-c', 'import torch, numpy, scipy.sparse'], { stdio: 'pipe' });
    return undefined;
  } catch (error) {
    const why = `${PYTHON} with torch, numpy and scipy is not here: ${(error as Error).message.split('\n').at(-1)}`;
    process.stderr.write(`skipped: ${why}\n`);
    return why;
  }
}

/** Runs a script in a folder. */
export function python(folder: string, script: string): string {
  return execFileSync(PYTHON, ['-c', script], { cwd: folder, encoding: 'utf8' });
}
