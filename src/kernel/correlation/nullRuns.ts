/** Null runs of a call: drawn one after the other, computed apart, so that tasks may share them and none is made twice. */
import { breathe, checkAborted, type CallOptions } from '../compute/call.js';
import type { Remember } from '../verb/remember.js';

const nullRun = (run: number): string => `null ${run}`;

/** Names of runs, as nullRuns asks `remember` for them. */
export const nullRunNames = (runs: number): string[] => Array.from({ length: runs }, (_, run) => nullRun(run));

interface NullRuns extends CallOptions {
  /** Whose null it is, in progress and when it is cancelled. */
  what: string;
  /** What a run is; default 'runs'. */
  unit?: string;
  /** Gives runs that are made already; default: all are made. */
  remember?: Remember | undefined;
}

/**
 * The values of all runs, in their order. `draw` is called once a run in every call, so that run i is the same whichever
 * runs are made here; what it gives computes the run, as plain JSON.
 */
export async function nullRuns<T>(
  runs: number,
  draw: () => () => T | Promise<T>,
  { what, unit = 'runs', remember = (_, make) => make(), ...call }: NullRuns,
): Promise<T[]> {
  const drawn: T[] = [];
  for (let run = 0; run < runs; run++) {
    checkAborted(call.signal, what);
    const compute = draw();
    drawn.push(await remember(nullRun(run), async () => compute()));
    call.onProgress?.({ label: `${what} null`, done: run + 1, total: runs, unit });
    await breathe();
  }
  return drawn;
}
