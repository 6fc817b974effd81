/** The command line as a process. */
import { spawn, type ChildProcess } from 'node:child_process';
import { kernelCli } from './kernel.js';

/** A process that ended. */
interface Ended {
  code: number | null;
  stdout: string;
  stderr: string;
}

/** Called when the process has begun, with what it has written so far. */
export type During = (child: ChildProcess, stdout: () => string) => void;

/** Runs `fgnb` with these arguments in a folder until it ends. */
export function runCli(
  cwd: string,
  args: readonly string[],
  { during, env = {} }: { during?: During; env?: Readonly<Record<string, string>> } = {},
): Promise<Ended> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [kernelCli, ...args], {
      cwd,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ...env },
    });
    const ended: Ended = { code: null, stdout: '', stderr: '' };
    child.stdout.on('data', (chunk) => (ended.stdout += String(chunk)));
    child.stderr.on('data', (chunk) => (ended.stderr += String(chunk)));
    during?.(child, () => ended.stdout);
    child.on('close', (code) => resolve({ ...ended, code }));
  });
}
