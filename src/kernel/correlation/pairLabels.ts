/** What a pair of features does together: the tokens by share of Σ a·b. */
import type { TokenShare } from '../../protocol/tokens.js';
import { sumPairs } from '../activations/pairSums.js';
import { tokenColumns, type MassOptions } from '../activations/tokenMass.js';
import type { SparseActivations } from '../activations/types.js';
import { breathe, checkAborted, type CallOptions } from '../compute/call.js';
import { pairedSpans, type TokenSpan } from './spans.js';

/** Pairs by their feature of A: pair order[i] for i from starts[a] to starts[a + 1]. */
function byFeature(a: ArrayLike<number>, features: number): { starts: Uint32Array; order: Uint32Array } {
  const starts = new Uint32Array(features + 1);
  for (let i = 0; i < a.length; i++) starts[a[i] + 1]++;
  for (let f = 0; f < features; f++) starts[f + 1] += starts[f];
  const next = starts.slice();
  const order = new Uint32Array(a.length);
  for (let i = 0; i < a.length; i++) order[next[a[i]]++] = i;
  return { starts, order };
}

function requirePairs(
  { a, b }: { a: ArrayLike<number>; b: ArrayLike<number> },
  featuresA: number,
  featuresB: number,
): void {
  if (a.length !== b.length) throw new RangeError(`${a.length} features of A do not pair with ${b.length} of B`);
  for (let i = 0; i < a.length; i++) {
    const fits = a[i] >= 0 && a[i] < featuresA && b[i] >= 0 && b[i] < featuresB;
    if (!fits)
      throw new RangeError(`pair ${i} (${a[i]}, ${b[i]}) is outside 0 to ${featuresA - 1} and 0 to ${featuresB - 1}`);
  }
}

/**
 * Calls `each` for every token on which both features of a pair fire, with the two activations. The stores hold the
 * same tokens. A token costs (what fires in A) × (pairs of that).
 */
export async function everyTogether(
  activationsA: SparseActivations,
  activationsB: SparseActivations,
  pairs: { a: ArrayLike<number>; b: ArrayLike<number> },
  { signal, onProgress, label }: CallOptions & { label: string },
  each: (pair: number, token: number, a: number, b: number) => void,
): Promise<void> {
  const [featuresA, featuresB] = [activationsA.meta.features, activationsB.meta.features];
  requirePairs(pairs, featuresA, featuresB);
  const of = byFeature(pairs.a, featuresA);
  const row = new Float32Array(featuresB);
  const { tokens } = activationsA.meta;
  let token = 0;
  for await (const span of pairedSpans(activationsA, activationsB)) {
    checkAborted(signal, label);
    addSpan(span, token, { of, b: pairs.b, row }, each);
    token += span.query.rows;
    onProgress?.({ label, done: token, total: tokens, unit: 'tokens' });
    await breathe();
  }
}

/**
 * By pair: the words of its label, by share of Σ over tokens of (activation in A) · (activation in B), float64; [] for
 * a pair that never fires together. One pass over both stores while the pairs of features and tokens fit `limit`.
 */
export async function pairLabels(
  activationsA: SparseActivations,
  activationsB: SparseActivations,
  pairs: { a: ArrayLike<number>; b: ArrayLike<number> },
  { limit, ...call }: MassOptions = {},
): Promise<TokenShare[][]> {
  requirePairs(pairs, activationsA.meta.features, activationsB.meta.features);
  const columns = await tokenColumns(activationsA);
  const labels: TokenShare[][] = [];
  const how = { ...call, label: 'labels of pairs' };
  await sumPairs(
    pairs.a.length,
    (add) =>
      everyTogether(activationsA, activationsB, pairs, how, (pair, token, a, b) => add(pair, columns.at[token], a * b)),
    (_, sums) => labels.push(columns.label(sums)),
    limit,
  );
  return labels;
}

interface Work {
  of: ReturnType<typeof byFeature>;
  b: ArrayLike<number>;
  /** [features of B]: zeros, between two tokens. */
  row: Float32Array;
}

/** `first`: the span's first token in the store. */
function addSpan(
  { query, base }: TokenSpan,
  first: number,
  { of: { starts, order }, b, row }: Work,
  each: (pair: number, token: number, a: number, b: number) => void,
): void {
  for (let t = 0; t < query.rows; t++) {
    const [from, to] = [base.indptr[base.first + t], base.indptr[base.first + t + 1]];
    for (let p = from; p < to; p++) row[base.indices[p]] = base.values[p];
    for (let p = query.indptr[query.first + t]; p < query.indptr[query.first + t + 1]; p++) {
      const a = query.indices[p];
      for (let i = starts[a]; i < starts[a + 1]; i++) {
        const other = row[b[order[i]]];
        if (other > 0) each(order[i], first + t, query.values[p], other);
      }
    }
    for (let p = from; p < to; p++) row[base.indices[p]] = 0;
  }
}
