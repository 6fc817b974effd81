/** Runs phases of work on shared memory (pieces.ts) in the pool's workers, or in slices on this thread. */
import os from 'node:os';
import { AbortError, breathe, checkAborted, type CallOptions } from '../call.js';
import { pool, type Pool } from '../pool.js';
import type { SharedMemory } from './memory.js';
import { DONE, STOP, takePieces, type Phase, type PhaseRequest } from './pieces.js';

/** Who does the work; no choice changes a bit of the result. */
export interface TeamOptions {
  /** 0 is the calling thread. Default: all cores; none where the pool has no threads. */
  workers?: number;
  /** Default: the kernel's own. */
  pool?: Pool;
}

export interface PhaseOptions extends CallOptions, TeamOptions {
  /** Label of the work, for progress and cancellation. */
  label: string;
  unit: string;
  /** Units of the whole; default the pieces. */
  total?: number;
}

/** Runs a phase that `open` gives, in the pool's workers or, with 0 workers, in slices on this thread. */
export async function runPhase<P>(
  request: PhaseRequest<P>,
  open: (memory: SharedMemory, parameters: P) => Phase,
  options: PhaseOptions,
): Promise<void> {
  checkAborted(options.signal, options.label);
  const phase = open(request.memory, request.parameters);
  const { control, pieces } = phase;
  control.fill(0);
  const team = options.pool ?? pool();
  const most = team.threaded ? (options.workers ?? os.availableParallelism()) : 0;
  const report = (): void => {
    const total = options.total ?? pieces;
    const done = Math.floor((total * Math.min(pieces, Atomics.load(control, DONE))) / Math.max(1, pieces));
    options.onProgress?.({ label: options.label, done, total, unit: options.unit });
  };
  try {
    if (most === 0) await inSlices(phase, options, report);
    else await inWorkers(request, team, Math.min(most, pieces), control, options, report);
  } finally {
    phase.close?.();
  }
}

async function inSlices(phase: Phase, options: PhaseOptions, report: () => void): Promise<void> {
  while (!takePieces(phase, performance.now() + 100)) {
    report();
    await breathe();
    checkAborted(options.signal, options.label);
  }
  report();
}

async function inWorkers(
  request: PhaseRequest,
  team: Pool,
  workers: number,
  control: Int32Array,
  options: PhaseOptions,
  report: () => void,
): Promise<void> {
  const timer = setInterval(report, 100);
  const tasks = Array.from({ length: workers }, () =>
    team.run<undefined>('sharedPhase', request, { signal: options.signal, callerWaits: true }),
  );
  try {
    await Promise.all(tasks);
    report();
  } catch (error) {
    // The others would wait for the pieces of the failed one.
    Atomics.store(control, STOP, 1);
    Atomics.notify(control, DONE);
    await Promise.allSettled(tasks);
    throw error instanceof AbortError ? new AbortError(options.label) : error;
  } finally {
    clearInterval(timer);
  }
}
