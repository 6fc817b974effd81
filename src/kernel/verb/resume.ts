/**
 * Lets calls of many runs go on after a stop: finished runs are kept in a file beside the artifacts until the call
 * ends.
 */
import fs from 'node:fs/promises';
import path from 'node:path';
import { readText, writeError, writeFileAtomic } from '../io/files.js';
import { sha256 } from '../io/hash.js';
import type { Environment } from './environment.js';
import type { Remember } from './remember.js';

/** One line of the file. `check` is a hash of the rest: a truncated or damaged line is not used. */
function lineOf(run: string, value: unknown): string {
  const json = JSON.stringify({ run, value });
  return `${JSON.stringify({ check: sha256([json]).slice(0, 32) }).slice(0, -1)},${json.slice(1)}\n`;
}

function parseLine(line: string): { run: string; value: unknown } | undefined {
  try {
    const { run, value } = JSON.parse(line) as { run: string; value: unknown };
    return `${line}\n` === lineOf(run, value) ? { run, value } : undefined;
  } catch {
    return undefined;
  }
}

/** The intact runs of a file, and the number of damaged lines. */
async function finishedRuns(file: string): Promise<{ runs: Map<string, unknown>; damaged: number }> {
  const text = await readText(file).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return '';
    throw error;
  });
  const lines = text.split('\n').filter((line) => line !== '');
  const parsed = lines.map(parseLine).filter((line) => line !== undefined);
  return { runs: new Map(parsed.map(({ run, value }) => [run, value])), damaged: lines.length - parsed.length };
}

/** The file for the finished runs of a result; `name`: its kind and identity. */
export function unfinishedFile(env: Environment, name: string): string {
  return path.join(env.context.artifactFolder, 'unfinished', `${name}.jsonl`);
}

/** Adds a line and flushes it: a run that is reported as kept must be on the disk. */
async function append(file: string, line: string): Promise<void> {
  await fs.mkdir(path.dirname(file), { recursive: true });
  const handle = await fs.open(file, 'a');
  try {
    await handle.writeFile(line);
    await handle.datasync();
  } catch (error) {
    throw writeError(file, error);
  } finally {
    await handle.close();
  }
}

/**
 * Runs `work`, which asks for its runs through `remember`. When it is cancelled or the process dies, the finished runs
 * stay in the file and the next call uses them. Damaged lines are left out with a message, and their runs are made
 * again. The caller owns the file while this runs, and deletes it when the result is safe (ComputeOptions.unfinished).
 * @param file from unfinishedFile
 * @param fresh true: runs of an earlier call are not used
 */
export async function resumable<T>(
  env: Environment,
  file: string,
  fresh: boolean | undefined,
  work: (remember: Remember) => Promise<T>,
): Promise<T> {
  if (fresh) await fs.rm(file, { force: true });
  const { runs, damaged } = await finishedRuns(file);
  // A truncated last line must not run into the next.
  if (damaged > 0) {
    await writeFileAtomic(file, [...runs].map(([run, value]) => lineOf(run, value)).join(''));
    env.context.print(`${file}: ${damaged} damaged or unfinished lines are left out, and their runs made again`);
  }
  if (runs.size > 0) env.context.print(`going on after ${runs.size} finished runs of a call that was stopped`);
  const remember: Remember = async <V>(run: string, make: () => Promise<V>): Promise<V> => {
    if (!runs.has(run)) {
      const line = lineOf(run, await make());
      await append(file, line);
      // As JSON returns it, so that a resumed call gives the same result as one that was never stopped.
      runs.set(run, (JSON.parse(line) as { value: unknown }).value);
    }
    return runs.get(run) as V;
  };
  return work(remember);
}
