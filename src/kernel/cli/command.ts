/** The type of a command of `fgnb`, and what commands share. */
import path from 'node:path';
import type { parseArgs } from 'node:util';

/** Options by name, in the form of Node's parseArgs. */
export type Options = Record<string, { type: 'string' | 'boolean'; multiple?: boolean; default?: string }>;
type Values<O extends Options> = ReturnType<typeof parseArgs<{ options: O; allowPositionals: true }>>['values'];

export interface Command<O extends Options = Options> {
  /** Usage and purpose, as `fgnb --help` prints them. */
  help: string;
  /** Its options; any others are refused. */
  options: O;
  /** Number of arguments besides options, at least and at most, and what is missing when there are fewer. */
  takes: readonly [least: number, most: number, words: string];
  /** Runs the command. Returns the exit code. */
  run(this: void, values: Values<O>, given: string[]): Promise<number>;
}

/** A command for the list of all: `run` is only given the values of its own options (kernel/cli.ts). */
export const command = <const O extends Options>(of: Command<O>): Command => of as unknown as Command;

/** The command line is wrong; the exit code is 2. */
export class UsageError extends Error {}

// Bound before a session redirects the output of cells.
export const write = process.stdout.write.bind(process.stdout);
export const writeError = process.stderr.write.bind(process.stderr);
export const print = (text: string): void => void write(`${text}\n`);

/** The folder that the command was called from: the kernel changes to the notebook's folder. */
export const shellFolder = process.cwd();
export const shownPath = (file: string): string => path.relative(shellFolder, path.resolve(shellFolder, file)) || '.';
