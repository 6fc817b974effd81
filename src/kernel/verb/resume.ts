/** Calls of many runs that go on where they were stopped: finished runs lie in a file beside the artifacts until the end. */
import fs from 'node:fs/promises';
import path from 'node:path';
import type { Environment } from './environment.js';

/** Gives the value of a run, made at most once for a result; values are plain JSON. */
export type Remember = <T>(run: string, make: () => Promise<T>) => Promise<T>;

async function finishedRuns(file: string): Promise<Map<string, unknown>> {
  const runs = new Map<string, unknown>();
  const text = await fs.readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return '';
    throw error;
  });
  // A line that was cut off when the process died has no end; its run is made again.
  for (const line of text.split('\n').slice(0, -1)) {
    const { run, value } = JSON.parse(line) as { run: string; value: unknown };
    runs.set(run, value);
  }
  return runs;
}

/**
 * Runs `work`, which asks for its runs through `remember`. When it is cancelled or the process dies, the finished runs
 * stay in `unfinished/<name>.jsonl` of the artifact folder and the next call with the same name takes them up; the file
 * goes when the work is done.
 * @param name of the result: kind and identity
 * @param fresh true: what an earlier call left is not used
 */
export async function resumable<T>(
  env: Environment,
  name: string,
  fresh: boolean | undefined,
  work: (remember: Remember) => Promise<T>,
): Promise<T> {
  const file = path.join(env.context.artifactFolder, 'unfinished', `${name}.jsonl`);
  if (fresh) await fs.rm(file, { force: true });
  const runs = await finishedRuns(file);
  // A cut-off last line must not run into the next.
  if (runs.size > 0)
    await fs.writeFile(file, [...runs].map(([run, value]) => `${JSON.stringify({ run, value })}\n`).join(''));
  if (runs.size > 0) env.context.print(`going on after ${runs.size} finished runs of a call that was stopped`);
  const remember: Remember = async <V>(run: string, make: () => Promise<V>): Promise<V> => {
    if (!runs.has(run)) {
      const line = JSON.stringify({ run, value: await make() });
      await fs.mkdir(path.dirname(file), { recursive: true });
      await fs.appendFile(file, `${line}\n`);
      // As it will be read: a call that was stopped gives the same result as one that was not.
      runs.set(run, (JSON.parse(line) as { value: unknown }).value);
    }
    return runs.get(run) as V;
  };
  const value = await work(remember);
  await fs.rm(file, { force: true });
  return value;
}
