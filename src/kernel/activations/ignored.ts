/**
 * Rows of a store that are no text: padding, and tokens that were left out. They have no entries and count in no
 * figure.
 */
import { breathe, checkAborted, type CallOptions } from '../compute/call.js';
import type { SparseRows } from '../compute/sparse.js';
import { addRows, emptyStatistics } from './statistics.js';
import type { SparseActivations } from './types.js';

/** The same rows, those of the mask (1) without entries. */
export function emptied(block: SparseRows, mask: Uint8Array): SparseRows {
  if (!mask.includes(1)) return block;
  const { rows, cols, indptr, indices, values } = block;
  const ends = new Uint32Array(rows + 1);
  const entries: number[] = [];
  for (let t = 0; t < rows; t++) {
    for (let p = indptr[t]; mask[t] === 0 && p < indptr[t + 1]; p++) entries.push(p);
    ends[t + 1] = entries.length;
  }
  const taken =
    indices instanceof Uint16Array
      ? Uint16Array.from(entries, (p) => indices[p])
      : Int32Array.from(entries, (p) => indices[p]);
  return { rows, cols, indptr: ends, indices: taken, values: Float32Array.from(entries, (p) => values[p]) };
}

/**
 * Both stores with the rows that either of them ignores left out of both, so that figures over tokens are of the same
 * rows. A store that ignores all of these already is given back as it is; another is read once, for its statistics.
 * The stores must hold the same tokens.
 */
export async function sameRows(
  a: SparseActivations,
  b: SparseActivations,
  call: CallOptions = {},
): Promise<[SparseActivations, SparseActivations]> {
  const either = await ignoredByEither(a, b);
  if (!either) return [a, b];
  return [await leavingOut(a, either, call), await leavingOut(b, either, call)];
}

/** sameRows() for readers of rows alone: nothing is read, and figures and statistics stay those of the stores. */
export async function sameRowsToRead(
  a: SparseActivations,
  b: SparseActivations,
): Promise<[SparseActivations, SparseActivations]> {
  const either = await ignoredByEither(a, b);
  if (!either) return [a, b];
  return [
    { ...a, shards: rowsWithout(a, either) },
    { ...b, shards: rowsWithout(b, either) },
  ];
}

/** Rows that one of two stores ignores (1), [tokens]; undefined when there are none. */
async function ignoredByEither(a: SparseActivations, b: SparseActivations): Promise<Uint8Array | undefined> {
  const masks = [await a.ignored(), await b.ignored()];
  if (!masks[0] && !masks[1]) return undefined;
  const either = new Uint8Array(a.meta.tokens);
  for (const mask of masks) mask?.forEach((one, t) => (either[t] |= one));
  return either;
}

/** Reads a store without the entries of the rows of a mask (1). */
const rowsWithout = (activations: SparseActivations, mask: Uint8Array): SparseActivations['shards'] =>
  async function* (within) {
    for await (const { firstToken, rows } of activations.shards(within))
      yield { firstToken, rows: emptied(rows, mask.subarray(firstToken, firstToken + rows.rows)) };
  };

/** A store without the entries of more rows. `mask` holds all that the store ignores itself. */
export async function leavingOut(
  activations: SparseActivations,
  mask: Uint8Array,
  { signal, onProgress }: CallOptions,
): Promise<SparseActivations> {
  const { meta } = activations;
  const count = mask.reduce((sum, one) => sum + one, 0);
  if (count === (meta.ignored ?? 0)) return activations;
  const statistics = emptyStatistics(meta.features);
  const shards: typeof meta.shards = [];
  const rowsLeft = rowsWithout(activations, mask);
  for await (const { firstToken, rows } of rowsLeft()) {
    checkAborted(signal, 'leaving ignored rows out');
    addRows(statistics, rows, firstToken);
    shards.push({ ...meta.shards[shards.length], nonZeros: rows.values.length });
    onProgress?.({ label: 'ignored rows', done: firstToken + rows.rows, total: meta.tokens, unit: 'tokens' });
    await breathe();
  }
  const nonZeros = shards.reduce((sum, shard) => sum + shard.nonZeros, 0);
  return {
    ...activations,
    meta: { ...meta, ignored: count, nonZeros, shards },
    statistics,
    ignored: () => Promise.resolve(mask),
    shards: rowsLeft,
  };
}
