/** Every firing of a store, one after the other. */
import { breathe, checkAborted, type CallOptions } from '../compute/call.js';
import type { SparseActivations } from './types.js';

/** Rows between two looks at the clock and the signal. */
const PIECE = 8192;

/**
 * One pass over the shards that hands on every firing: feature, token (its number in the store) and activation.
 */
export async function everyFiring(
  activations: SparseActivations,
  label: string,
  { signal, onProgress }: CallOptions,
  each: (feature: number, token: number, value: number) => void,
): Promise<void> {
  for await (const { firstToken, rows } of activations.shards()) {
    const { indptr, indices, values } = rows;
    for (let from = 0; from < rows.rows; from += PIECE) {
      checkAborted(signal, label);
      const to = Math.min(rows.rows, from + PIECE);
      for (let t = from; t < to; t++)
        for (let p = indptr[t]; p < indptr[t + 1]; p++) each(indices[p], firstToken + t, values[p]);
      await breathe();
    }
    onProgress?.({ label, done: firstToken + rows.rows, total: activations.meta.tokens, unit: 'tokens' });
  }
}
