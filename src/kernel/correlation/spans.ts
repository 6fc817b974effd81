/** Runs of tokens that two stores both hold in memory at once, however differently they were cut into shards. */
import type { SparseRows } from '../compute/sparse.js';
import type { SparseActivations, TokenRange } from '../activations/types.js';

/** Rows first … first + rows - 1 of CSR arrays (indptr is not rebased). */
export interface Rows {
  first: number;
  rows: number;
  indptr: Uint32Array;
  indices: Uint16Array | Int32Array;
  values: Float32Array;
}

/**
 * CSC of some rows: feature f fires on tokens[starts[f]] … tokens[starts[f + 1] - 1], counted from the span's start.
 */
export interface Columns {
  starts: Uint32Array;
  tokens: Uint32Array;
  values: Float32Array;
}

export interface TokenSpan {
  query: Rows;
  base: Rows;
  /** The block of tokens that all rows are of. */
  block: number;
  /** CSC of `query`, all features, when it is kept. */
  columns?: Columns;
}

const LEAST_BLOCK = 2 ** 20;
/** Squares of features for each token of a block: the sums of a block then take about as much as its activations. */
const PAIRS_PER_TOKEN = 64;

/**
 * Tokens whose products are added up by themselves (products.ts): a power of two, larger where there are more pairs of
 * features to keep sums of.
 */
export const tokenBlock = (featuresA: number, featuresB: number): number =>
  Math.max(LEAST_BLOCK, 2 ** Math.ceil(Math.log2((featuresA * featuresB) / PAIRS_PER_TOKEN)));

/** Which tokens of two stores are read, and where their spans are cut. */
export interface Cut extends Partial<TokenRange> {
  /** Default tokenBlock(). */
  readonly blockTokens?: number;
}

/**
 * Both stores' rows of the same tokens, in order, of all tokens or of a range. Holds one shard of each. No span goes
 * over the bounds of a block.
 */
export async function* pairedSpans(
  query: SparseActivations,
  base: SparseActivations,
  cut: Cut = {},
): AsyncGenerator<TokenSpan> {
  const { from = 0, to = query.meta.tokens } = cut;
  const blockTokens = cut.blockTokens ?? tokenBlock(query.meta.features, base.meta.features);
  const other = base.shards({ from, to })[Symbol.asyncIterator]();
  let current: { firstToken: number; rows: SparseRows } | undefined;
  try {
    for await (const { firstToken, rows } of query.shards({ from, to })) {
      const end = Math.min(rows.rows, to - firstToken);
      for (let at = Math.max(0, from - firstToken); at < end;) {
        const token = firstToken + at;
        while (!current || current.firstToken + current.rows.rows <= token) {
          const next = await other.next();
          if (next.done) throw new Error(`activations ${base.id} end before token ${token} of ${base.meta.tokens}`);
          current = next.value;
        }
        const skip = token - current.firstToken;
        const block = Math.floor(token / blockTokens);
        const length = Math.min(end - at, current.rows.rows - skip, (block + 1) * blockTokens - token);
        yield { query: view(rows, at, length), base: view(current.rows, skip, length), block };
        at += length;
      }
    }
  } finally {
    await other.return?.();
  }
}

function view({ indptr, indices, values }: SparseRows, first: number, rows: number): Rows {
  return { first, rows, indptr, indices, values };
}

/** CSC by counting sort; with `only`, of these features alone (the others have no entries). */
export function columnsOf(rows: Rows, features: number, only?: Int32Array): Columns {
  const { indptr, indices, values, first } = rows;
  const starts = new Uint32Array(features + 1);
  const wanted = only && new Uint8Array(features);
  if (only && wanted) for (const f of only) wanted[f] = 1;
  const begin = indptr[first];
  const end = indptr[first + rows.rows];
  for (let p = begin; p < end; p++) if (!wanted || wanted[indices[p]]) starts[indices[p] + 1]++;
  for (let f = 0; f < features; f++) starts[f + 1] += starts[f];
  const next = starts.slice(0, features);
  const out: Columns = {
    starts,
    tokens: new Uint32Array(starts[features]),
    values: new Float32Array(starts[features]),
  };
  for (let t = 0; t < rows.rows; t++) {
    for (let p = indptr[first + t]; p < indptr[first + t + 1]; p++) {
      const f = indices[p];
      if (wanted && !wanted[f]) continue;
      const q = next[f]++;
      out.tokens[q] = t;
      out.values[q] = values[p];
    }
  }
  return out;
}
