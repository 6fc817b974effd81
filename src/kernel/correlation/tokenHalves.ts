/** Two halves of the tokens of a pair of stores: what is chosen on one is judged on the other. */
import { leavingOut, sameRows } from '../activations/ignored.js';
import { usableFeatures } from '../activations/statistics.js';
import type { SparseActivations } from '../activations/types.js';
import type { CallOptions } from '../compute/call.js';
import { requireMemory } from '../compute/memory.js';
import type { SparseRows } from '../compute/sparse.js';

/** Two stores over the same tokens. */
export type StorePair = readonly [SparseActivations, SparseActivations];

/**
 * Both stores on the even sequences, and on the odd ones: tokens of one text depend on each other and stay together. A
 * single sequence is cut in the middle.
 */
export async function tokenHalves(
  givenA: SparseActivations,
  givenB: SparseActivations,
  call: CallOptions,
): Promise<readonly [StorePair, StorePair]> {
  const [a, b] = await sameRows(givenA, givenB, call);
  const { tokens, context, sequences } = a.meta;
  const ignored = await a.ignored();
  const second = (t: number): number =>
    sequences > 1 ? Math.floor(t / context) % 2 : Number(t >= Math.floor(tokens / 2));
  const without = (half: number): Uint8Array =>
    Uint8Array.from({ length: tokens }, (_, t) => Number(ignored?.[t] === 1 || second(t) === half));
  const pair = async (mask: Uint8Array): Promise<StorePair> => [
    await leavingOut(a, mask, call),
    await leavingOut(b, mask, call),
  ];
  return [await pair(without(1)), await pair(without(0))];
}

/** All firings of a store in memory, by token and by feature. */
export class Firings {
  private constructor(
    readonly store: SparseActivations,
    /** [tokens + 1] and the entries of the rows, features ascending. */
    readonly rows: { indptr: Uint32Array; indices: Int32Array; values: Float32Array },
    /** [features + 1] and the entries of the columns, tokens ascending. */
    readonly columns: { starts: Uint32Array; tokens: Uint32Array; values: Float32Array },
  ) {}

  static async of(store: SparseActivations): Promise<Firings> {
    const { nonZeros, tokens, features } = store.meta;
    requireMemory(`the firings of ${store.meta.sae.name}`, 16 * nonZeros + 4 * (tokens + features));
    const rows = {
      indptr: new Uint32Array(tokens + 1),
      indices: new Int32Array(nonZeros),
      values: new Float32Array(nonZeros),
    };
    const starts = new Uint32Array(features + 1);
    store.statistics.firings.forEach((n, f) => (starts[f + 1] = starts[f] + n));
    const columns = { starts, tokens: new Uint32Array(nonZeros), values: new Float32Array(nonZeros) };
    const next = starts.slice(0, features);
    let entry = 0;
    const add = (shard: SparseRows, firstToken: number): void => {
      for (let t = 0; t < shard.rows; t++) {
        for (let p = shard.indptr[t]; p < shard.indptr[t + 1]; p++) {
          const at = next[shard.indices[p]]++;
          columns.tokens[at] = firstToken + t;
          columns.values[at] = rows.values[entry] = shard.values[p];
          rows.indices[entry++] = shard.indices[p];
        }
        rows.indptr[firstToken + t + 1] = entry;
      }
    };
    for await (const { firstToken, rows: shard } of store.shards()) add(shard, firstToken);
    return new Firings(store, rows, columns);
  }

  /** Tokens on which a feature fires, ascending. */
  tokensOf(feature: number): Uint32Array {
    return this.columns.tokens.subarray(this.columns.starts[feature], this.columns.starts[feature + 1]);
  }
}

/** Features with at least `minFirings` firings, by ascending firings (then id): neighbours in the list fire alike. */
export function byFirings({ statistics }: SparseActivations, minFirings: number): Int32Array {
  const usable = usableFeatures(statistics, { minFirings });
  const { firings } = statistics;
  return Int32Array.from(
    Array.from(firings.keys())
      .filter((f) => usable[f] === 1)
      .sort((x, y) => firings[x] - firings[y] || x - y),
  );
}

/**
 * A store with its sequences in another order: each feature keeps all that it is, but fires elsewhere.
 * @param order [sequences] permutation
 */
export async function shuffledSequences(store: SparseActivations, order: Uint32Array): Promise<SparseActivations> {
  const { tokens, context, features } = store.meta;
  const { rows } = await Firings.of(store);
  const source = (t: number): number => order[Math.floor(t / context)] * context + (t % context);
  const indptr = new Uint32Array(tokens + 1);
  const indices = new Int32Array(rows.indices.length);
  const values = new Float32Array(rows.values.length);
  let entry = 0;
  for (let t = 0; t < tokens; t++) {
    const [from, to] = [rows.indptr[source(t)], rows.indptr[source(t) + 1]];
    indices.set(rows.indices.subarray(from, to), entry);
    values.set(rows.values.subarray(from, to), entry);
    indptr[t + 1] = entry += to - from;
  }
  return {
    ...store,
    async *shards() {
      yield await Promise.resolve({ firstToken: 0, rows: { rows: tokens, cols: features, indptr, indices, values } });
    },
  };
}
