/** A block of rows on its way through a training step, and the pieces its work is cut into. */
import { breathe } from '../compute/call.js';
import type { EntryMemory } from '../compute/entries/memory.js';

export interface BlockRows {
  rows: number;
  /** Rows of the whole batch: losses are means over these. */
  batch: number;
  /** [rows × d_out]: what is to be predicted; x itself but for transcoders. */
  x: Float32Array;
  /** Encoder input: x − b_dec, or x itself. */
  input: Float32Array;
}

export interface Block extends BlockRows {
  /** [rows × d_sae]: pre-activations (times decoder norms when rescaled), later features. Lies in `memory`. */
  z: Float32Array;
  memory: EntryMemory;
}

/** Where the error is known. */
export interface DecodedBlock extends BlockRows {
  /** [rows × d_out]: x̂ − x. */
  error: Float32Array;
}

/** Operations of one piece: about 0.15 s of native product on two cores. */
export const PIECE_FLOPS = 1.5e10;

/** Runs `work` over first … last − 1 in pieces of bounded cost, breathing between them; `breakAt` may throw there. */
export async function inPieces(
  count: number,
  costEach: number,
  breakAt: (() => void) | undefined,
  work: (first: number, last: number) => void,
  pieceCost = PIECE_FLOPS,
): Promise<void> {
  const step = Math.max(1, Math.floor(pieceCost / costEach));
  for (let first = 0; first < count; first += step) {
    work(first, Math.min(count, first + step));
    if (first + step < count) {
      await breathe();
      breakAt?.();
    }
  }
}
