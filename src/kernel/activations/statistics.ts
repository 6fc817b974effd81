/** Firing statistics: sums over tokens, kept while activations stream by, and the figures read off them. */
import { breathe, checkAborted, type CallOptions } from '../compute/call.js';
import type { SparseRows } from '../compute/sparse.js';
import type { ActivationsMeta, FiringStatistics, SparseActivations } from './types.js';

/** Statistics of no tokens yet. */
export function emptyStatistics(features: number): FiringStatistics {
  return {
    firings: new Uint32Array(features),
    sum: new Float64Array(features),
    sumSquares: new Float64Array(features),
    max: new Float32Array(features),
  };
}

/**
 * Checks rows as they are written and as they are read. An entry is a firing: finite and > 0, its feature inside the
 * width, features ascending within a row. Throws with token and feature otherwise. `firstToken` is the index of row 0,
 * for the message; `each` is given every entry once its row is known to be whole up to there.
 */
export function checkRows(rows: SparseRows, firstToken: number, each?: (feature: number, value: number) => void): void {
  const { indptr, indices, values } = rows;
  const entries = Math.min(indices.length, values.length);
  if (indptr.length !== rows.rows + 1 || indptr[0] !== 0 || indptr[rows.rows] > entries) {
    throw new RangeError(
      `sparse rows of ${rows.rows} need indptr of ${rows.rows + 1}, from 0 to the number of entries`,
    );
  }
  for (let t = 0; t < rows.rows; t++) {
    if (indptr[t + 1] < indptr[t] || indptr[t + 1] > entries)
      throw new RangeError(`indptr of token ${firstToken + t} runs from ${indptr[t]} to ${indptr[t + 1]}, not upwards`);
    let before = -1;
    for (let p = indptr[t]; p < indptr[t + 1]; p++) {
      const f = indices[p];
      const v = values[p];
      if (!(v > 0 && v < Infinity) || f <= before || f >= rows.cols)
        refuseEntry(firstToken + t, f, v, before, rows.cols);
      before = f;
      each?.(f, v);
    }
  }
}

/** Checks rows (see checkRows) and adds them to the statistics. Throws before any of the rows is trusted. */
export function addRows(statistics: FiringStatistics, rows: SparseRows, firstToken: number): void {
  const { firings, sum, sumSquares, max } = statistics;
  if (rows.cols !== firings.length) {
    throw new RangeError(`activations of ${rows.cols} features given to a store of ${firings.length} features`);
  }
  checkRows(rows, firstToken, (f, v) => {
    firings[f]++;
    sum[f] += v;
    sumSquares[f] += v * v;
    if (v > max[f]) max[f] = v;
  });
}

/** Room for the rounding of sums. */
const ROUNDING = 1 + 1e-9;

/**
 * Checks statistics that were read against each other and against the store: what no tokens can give is damage.
 * Throws with the feature.
 */
export function checkStatistics(s: FiringStatistics, meta: Pick<ActivationsMeta, 'tokens' | 'nonZeros'>): void {
  let entries = 0;
  for (let f = 0; f < s.firings.length; f++) {
    const [n, sum, squares, max] = [s.firings[f], s.sum[f], s.sumSquares[f], s.max[f]];
    entries += n;
    const dead = n === 0 && sum === 0 && squares === 0 && max === 0;
    const possible =
      max > 0 &&
      max < Infinity &&
      sum >= max / ROUNDING &&
      sum <= n * max * ROUNDING &&
      squares <= max * sum * ROUNDING &&
      squares * n >= (sum * sum) / ROUNDING &&
      n <= meta.tokens;
    if (!dead && !possible)
      throw new RangeError(
        `feature ${f} has ${n} firings, sum ${sum}, sum of squares ${squares} and maximum ${max}: no activations of ${meta.tokens} tokens give these`,
      );
  }
  if (entries !== meta.nonZeros)
    throw new RangeError(`the statistics count ${entries} firings but the shards hold ${meta.nonZeros}`);
}

function refuseEntry(token: number, feature: number, value: number, before: number, features: number): never {
  const at = `activation of feature ${feature} at token ${token}`;
  if (!(feature >= 0 && feature < features)) throw new RangeError(`${at}: features are 0 to ${features - 1}`);
  if (feature <= before) {
    throw new RangeError(`${at}: features ascend within a token, but ${feature} follows ${before}`);
  }
  throw new RangeError(`${at} is ${value}; a stored activation is finite and above 0`);
}

/** Tokens that count: all but those that are ignored. */
export function countedTokens({ tokens, ignored = 0 }: Pick<ActivationsMeta, 'tokens' | 'ignored'>): number {
  return tokens - ignored;
}

/** [features]: share of the counted tokens on which the feature fires. */
export function firingRates(activations: Pick<SparseActivations, 'meta' | 'statistics'>): Float32Array {
  const tokens = countedTokens(activations.meta);
  return Float32Array.from(activations.statistics.firings, (n) => (tokens > 0 ? n / tokens : 0));
}

/** Ids of the features that never fire. */
export function deadFeatures(activations: Pick<SparseActivations, 'statistics'>): Int32Array {
  const { firings } = activations.statistics;
  const dead: number[] = [];
  for (let f = 0; f < firings.length; f++) if (firings[f] === 0) dead.push(f);
  return Int32Array.from(dead);
}

/** Mean number of features that fire on a token that is not ignored. */
export function meanL0(meta: ActivationsMeta): number {
  const counted = countedTokens(meta);
  return counted > 0 ? meta.nonZeros / counted : 0;
}

/** Share of the tokens × features entries that are not zero, 0 to 1. */
export function density(meta: ActivationsMeta): number {
  return meta.features > 0 ? meanL0(meta) / meta.features : 0;
}

export interface PositionShares {
  /** [features]: the largest share of a feature's firings that falls on one position of the sequence; NaN = dead. */
  share: Float32Array;
  /** [features]: that position; -1 = dead. Ties go to the earlier position. */
  position: Int32Array;
}

/**
 * How much of each feature's firing sits on one position. A feature that fires on the first position alone (the mark
 * of a BOS token) correlates at r = 1 with any other such feature and means nothing. One pass over the shards;
 * features × context counts in memory.
 */
export async function positionShares(
  activations: SparseActivations,
  options: CallOptions = {},
): Promise<PositionShares> {
  const { features, context } = activations.meta;
  const counts = new Uint32Array(features * context);
  for await (const { firstToken, rows } of activations.shards()) {
    checkAborted(options.signal, 'positionShares');
    for (let t = 0; t < rows.rows; t++) {
      const position = (firstToken + t) % context;
      for (let p = rows.indptr[t]; p < rows.indptr[t + 1]; p++) counts[rows.indices[p] * context + position]++;
    }
    options.onProgress?.({ label: 'firing positions', done: firstToken + rows.rows, total: activations.meta.tokens });
    await breathe();
  }
  const share = new Float32Array(features).fill(NaN);
  const position = new Int32Array(features).fill(-1);
  const { firings } = activations.statistics;
  for (let f = 0; f < features; f++) {
    if (firings[f] === 0) continue;
    let best = 0;
    for (let p = 1; p < context; p++) if (counts[f * context + p] > counts[f * context + best]) best = p;
    position[f] = best;
    share[f] = counts[f * context + best] / firings[f];
  }
  return { share, position };
}

/**
 * 1 where a feature may take part: at least minFirings firings and no more than maxShareAtOnePosition of them on one
 * position (0.9 keeps all but artefacts of one position; 1 keeps everything).
 */
export function usableFeatures(
  statistics: FiringStatistics,
  options: { minFirings: number; positions?: PositionShares; maxShareAtOnePosition?: number },
): Uint8Array {
  const limit = options.maxShareAtOnePosition ?? 1;
  return Uint8Array.from(statistics.firings, (n, f) => {
    if (n === 0 || n < options.minFirings) return 0;
    return options.positions && options.positions.share[f] > limit ? 0 : 1;
  });
}
