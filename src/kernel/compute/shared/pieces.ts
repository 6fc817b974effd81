/**
 * Phases of work on shared memory: every worker takes the next piece until none is left. What a piece writes depends on
 * its number alone, so that the result has the same bits for any number of workers, which may begin and end when they
 * like.
 */
import type { SharedMemory } from './memory.js';

/** Places of `control`: the next piece, the pieces done, and whether to stop. */
const NEXT = 0;
export const DONE = 1;
export const STOP = 2;
export const CONTROL = 16;

export interface Phase {
  readonly control: Int32Array;
  readonly pieces: number;
  /** Pieces of a step: those of the next step wait for all of these. Default: no piece waits. */
  readonly step?: number;
  work(piece: number): void;
  /** Frees what the worker opened for the phase. */
  close?(): void;
}

/** A phase by its name in `phaseTable.ts`, the memory, and what its pieces need to know. */
export interface PhaseRequest<Parameters = unknown> {
  phase: string;
  memory: SharedMemory;
  parameters: Parameters;
}

/** Waits until all pieces of earlier steps are done; false when the phase is stopped. */
function earlierStepsDone(control: Int32Array, pieces: number): boolean {
  for (let spins = 0; ; spins++) {
    if (Atomics.load(control, STOP) !== 0) return false;
    const done = Atomics.load(control, DONE);
    if (done >= pieces) return true;
    if (spins > 200) Atomics.wait(control, DONE, done, 20);
  }
}

/** Takes pieces until none is left or the time is up; returns whether none is left. */
export function takePieces(phase: Phase, until = Infinity): boolean {
  const { control, pieces, step = pieces } = phase;
  // One at least: a clock that jumps must not keep the work from going on.
  do {
    const piece = Atomics.add(control, NEXT, 1);
    if (piece >= pieces || !earlierStepsDone(control, piece - (piece % step))) return true;
    phase.work(piece);
    if ((Atomics.add(control, DONE, 1) + 1) % step === 0) Atomics.notify(control, DONE);
  } while (performance.now() < until);
  return false;
}
