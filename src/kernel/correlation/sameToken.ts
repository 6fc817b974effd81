/** Do matched features peak on the same tokens? Each score beside the same score of shuffled pairs. */
import { breathe, checkAborted, type CallOptions } from '../compute/call.js';
import { Random } from '../compute/random.js';
import { besideNull, requireRuns } from './nulls.js';
import type { SimilarityScore } from './types.js';

export interface SameTokenOptions extends CallOptions {
  /** Shuffles of the pairing; default 100. */
  nulls?: number;
  /** Default 0. */
  seed?: number;
}

export interface SameTokenScore {
  /** Pairs counted: both features have peak tokens. */
  pairs: number;
  /** Pairs left out because a feature is dead. */
  excluded: number;
  /** Share of pairs whose normalised peak tokens have one in common. */
  shared: SimilarityScore;
  /** Mean Jaccard index of the two sets of normalised peak tokens. */
  jaccard: SimilarityScore;
  /** Share of pairs whose best example peaks on the same normalised token. */
  top: SimilarityScore;
  /** `shared` on raw tokens, case and spaces kept: the rule of the published pipeline. */
  raw: SimilarityScore;
}

/** Spaces trimmed, lower case, Unicode NFKC. A token of spaces alone stays what it is. */
export function normalizeToken(token: string): string {
  return token.trim() === '' ? token : token.trim().normalize('NFKC').toLowerCase();
}

/** Peak tokens as numbers, equal for equal text; a row per pair, without repeats, best first. */
type TokenRows = Int32Array[];

/**
 * labelsA and labelsB are peak tokens by feature id (featureLabels), best first; [] = dead. The null shuffles which B
 * belongs to which A among the counted pairs. Without countable pairs the values are NaN and p is 1, with a warning.
 */
export async function sameTokenScore(
  labelsA: ReadonlyArray<readonly string[]>,
  labelsB: ReadonlyArray<readonly string[]>,
  pairs: { a: ArrayLike<number>; b: ArrayLike<number> },
  options: SameTokenOptions = {},
): Promise<SameTokenScore> {
  const runs = options.nulls ?? 100;
  const seed = options.seed ?? 0;
  requireRuns(runs);
  const counted: number[] = [];
  for (let i = 0; i < pairs.a.length; i++) {
    const [a, b] = [labelsA[pairs.a[i]], labelsB[pairs.b[i]]];
    if (!a || !b) throw new RangeError(`pair ${i} (${pairs.a[i]}, ${pairs.b[i]}) has no entry in the labels`);
    if (a.length > 0 && b.length > 0) counted.push(i);
  }
  const intern = (normalize: (token: string) => string): [TokenRows, TokenRows] => {
    const ids = new Map<string, number>();
    const row = (label: readonly string[]): Int32Array =>
      Int32Array.from(new Set(label.map(normalize)), (t) => ids.get(t) ?? (ids.set(t, ids.size), ids.size - 1));
    return [counted.map((i) => row(labelsA[pairs.a[i]])), counted.map((i) => row(labelsB[pairs.b[i]]))];
  };
  const [a, b] = intern(normalizeToken);
  const [rawA, rawB] = intern((token) => token);
  const n = counted.length;
  const measure = (order: Uint32Array): [number, number, number, number] => [
    ...compare(a, b, order),
    compare(rawA, rawB, order)[0],
  ];
  const values = measure(Uint32Array.from({ length: n }, (_, i) => i));
  const nulls = values.map(() => new Float64Array(runs));
  const random = new Random(seed).fork('same token');
  for (let run = 0; run < runs; run++) {
    checkAborted(options.signal, 'sameTokenScore');
    measure(random.permutation(n)).forEach((v, i) => (nulls[i][run] = v));
    options.onProgress?.({ label: 'same-token null', done: run + 1, total: runs, unit: 'shuffles' });
    await breathe();
  }
  const warning = n === 0 ? 'no pair has two features that fire' : undefined;
  const score = (i: number, metric: string, variant: string): SimilarityScore =>
    besideNull(values[i], nulls[i], { metric, variant, n, seed, kind: 'shuffle', ...(warning ? { warning } : {}) });
  return {
    pairs: n,
    excluded: pairs.a.length - n,
    shared: score(0, 'same token', 'share of pairs with a common peak token, normalised'),
    jaccard: score(1, 'same token', 'mean Jaccard of peak token sets, normalised'),
    top: score(2, 'same token', 'share of pairs with the same top peak token, normalised'),
    raw: score(3, 'same token', 'share of pairs with a common peak token, raw (case and spaces kept)'),
  };
}

/** Share with a common token, mean Jaccard, share with the same first token; row i of a against row order[i] of b. */
function compare(a: TokenRows, b: TokenRows, order: Uint32Array): [number, number, number] {
  let shared = 0;
  let jaccard = 0;
  let top = 0;
  for (let i = 0; i < a.length; i++) {
    const x = a[i];
    const y = b[order[i]];
    let common = 0;
    for (let k = 0; k < x.length; k++) if (y.includes(x[k])) common++;
    if (common > 0) shared++;
    jaccard += common / (x.length + y.length - common);
    if (x[0] === y[0]) top++;
  }
  return [shared / a.length, jaccard / a.length, top / a.length];
}
