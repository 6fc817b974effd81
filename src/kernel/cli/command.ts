/** What a command of `fgnb` is, and what commands share. */
import path from 'node:path';
import type { parseArgs } from 'node:util';

/** Options by name, as parseArgs of Node takes them. */
export type Options = Record<string, { type: 'string' | 'boolean'; multiple?: boolean; default?: string }>;
type Values<O extends Options> = ReturnType<typeof parseArgs<{ options: O; allowPositionals: true }>>['values'];

export interface Command<O extends Options = Options> {
  /** Usage and what it does, as `fgnb --help` prints it. */
  help: string;
  /** Its options: others are refused. */
  options: O;
  /** How many arguments beside them, at least and at most, and what is missing when there are fewer. */
  takes: readonly [least: number, most: number, words: string];
  /** Gives the exit code. */
  run(this: void, values: Values<O>, given: string[]): Promise<number>;
}

/** A command among others: `run` is given the values of its own options alone (kernel/cli.ts). */
export const command = <const O extends Options>(of: Command<O>): Command => of as unknown as Command;

/** The command line is wrong: exit code 2. */
export class UsageError extends Error {}

// Taken before a session redirects what cells print.
export const write = process.stdout.write.bind(process.stdout);
export const writeError = process.stderr.write.bind(process.stderr);
export const print = (text: string): void => void write(`${text}\n`);

/** Where the shell was: the kernel goes to the notebook's folder. */
export const shellFolder = process.cwd();
export const shownPath = (file: string): string => path.relative(shellFolder, path.resolve(shellFolder, file)) || '.';
