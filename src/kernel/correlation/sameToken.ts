/** Are matched features called by the same tokens? Each score beside the same score of shuffled pairs. */
import { USUAL } from './usual.js';
import { labelWords, normalizeToken, type PointLabel } from '../../protocol/tokens.js';
import type { CallOptions } from '../compute/call.js';
import { Random } from '../compute/random.js';
import { bootstrapMean, INTERVAL, plainInterval, readInterval, type Interval, type PlainInterval } from './bootstrap.js'; // prettier-ignore
import { plainNumber, type Remember } from '../verb/remember.js';
import type { NullsApart } from '../verb/nulls.js';
import type { Given } from '../verb/option.js';
import type { SAME_TOKEN } from './options.js';
import { nullRunNames, nullRuns } from './nullRuns.js';
import { besideNull } from './nulls.js';
import type { SimilarityScore } from './types.js';

/** Labels are compared by 'mass' unless said otherwise. */
interface SameTokenOptions extends Partial<NullsApart<Given<typeof SAME_TOKEN>>>, CallOptions {
  /** Draws of an interval of each score over the pairs; default 500, 0: none. */
  intervals?: number;
  /** Gives runs that are made already; see sameTokenRunNames. */
  remember?: Remember;
}

const intervalRun = (score: number): string => `interval ${score}`;
const SCORES = [0, 1, 2, 3];

/** Runs that sameTokenScore asks `remember` for: the null runs, and an interval for each of its four scores. */
export const sameTokenRunNames = ({ nulls = USUAL.nulls }: Pick<SameTokenOptions, 'nulls'>): string[] => [
  ...nullRunNames(nulls),
  ...SCORES.map(intervalRun),
];

export interface SameTokenScore {
  /** Pairs counted: both features fire. */
  pairs: number;
  /** Pairs left out because a feature is dead. */
  excluded: number;
  /** Share of pairs whose normalised tokens have one in common. */
  shared: SimilarityScore;
  /** Mean Jaccard index of the two sets of normalised tokens. */
  jaccard: SimilarityScore;
  /** Share of pairs whose first normalised token is the same. */
  top: SimilarityScore;
  /**
   * Share with a raw peak token in common, case and spaces kept, whatever `labels` is: the rule of the published
   * pipeline.
   */
  raw: SimilarityScore;
  /** The same of the map's baselines, by kind, where they were asked for. */
  baselines?: Readonly<Record<string, SameTokenScore>>;
}

/** Tokens as numbers, equal for equal text; a row per pair, without repeats, best first. */
type TokenRows = Int32Array[];

const peaksOf = (label: PointLabel): readonly string[] => ('tokens' in label ? label.peaks : label);

/** The tokens of both sides' labels as numbers. */
function intern(
  sides: ReadonlyArray<readonly PointLabel[]>,
  tokensOf: (label: PointLabel) => readonly string[],
  normalize: (token: string) => string,
): TokenRows[] {
  const ids = new Map<string, number>();
  const idOf = (t: string): number => ids.get(t) ?? (ids.set(t, ids.size), ids.size - 1);
  return sides.map((labels) => labels.map((label) => Int32Array.from(new Set(tokensOf(label).map(normalize)), idOf)));
}

/** Pairs of which both features fire, by number. @throws RangeError for a pair that the labels do not have */
function countedPairs(
  labelsA: readonly PointLabel[],
  labelsB: readonly PointLabel[],
  pairs: { a: ArrayLike<number>; b: ArrayLike<number> },
  words: (label: PointLabel) => readonly string[],
): number[] {
  const counted: number[] = [];
  for (let i = 0; i < pairs.a.length; i++) {
    const [a, b] = [labelsA[pairs.a[i]], labelsB[pairs.b[i]]];
    if (!a || !b)
      throw new RangeError(
        `pair ${i} (${pairs.a[i]}, ${pairs.b[i]}) has no entry in the labels; give the labels of all features of both stores`,
      );
    if (words(a).length > 0 && words(b).length > 0) counted.push(i);
  }
  return counted;
}

/**
 * labelsA and labelsB are labels by feature id (featureLabels), or lists of tokens, best first; [] = dead. The null
 * shuffles which B belongs to which A among the counted pairs. Without countable pairs the values are NaN and p is 1,
 * with a warning.
 */
export async function sameTokenScore(
  labelsA: readonly PointLabel[],
  labelsB: readonly PointLabel[],
  pairs: { a: ArrayLike<number>; b: ArrayLike<number> },
  options: SameTokenOptions = {},
): Promise<SameTokenScore> {
  const { nulls: runs = USUAL.nulls, seed = USUAL.seed, remember = (_, make) => make() } = options;
  const words = options.labels === 'peaks' ? peaksOf : labelWords;
  const counted = countedPairs(labelsA, labelsB, pairs, words);
  const sides = [counted.map((i) => labelsA[pairs.a[i]]), counted.map((i) => labelsB[pairs.b[i]])];
  const [a, b] = intern(sides, words, normalizeToken);
  const [rawA, rawB] = intern(sides, peaksOf, (token) => token);
  const n = counted.length;
  const measure = (order: Uint32Array): [number, number, number, number] => [
    ...compare(a, b, order),
    compare(rawA, rawB, order)[0],
  ];
  const values = measure(Uint32Array.from({ length: n }, (_, i) => i));
  const random = new Random(seed).fork('same token');
  const draw = () => {
    const order = random.permutation(n);
    return () => measure(order).map(plainNumber);
  };
  const { signal, onProgress } = options;
  const call = { ...(signal ? { signal } : {}), ...(onProgress ? { onProgress } : {}) };
  const drawn = await nullRuns(runs, draw, { what: 'same-token', unit: 'shuffles', remember, ...call });
  const of = options.labels === 'peaks' ? 'peak' : 'label';
  const draws = options.intervals ?? INTERVAL.runs;
  const each = draws > 0 && n > 0 ? ofEachPair([a, b], [rawA, rawB]) : undefined;
  // The same draws of pairs for all four.
  const around = (i: number): Interval | undefined => each && bootstrapMean(each[i], new Random(seed).fork('same token intervals'), { ...INTERVAL, runs: draws }); // prettier-ignore
  const intervals: Array<PlainInterval | null> = [];
  for (const i of SCORES)
    intervals.push(await remember(intervalRun(i), () => Promise.resolve(plainInterval(around(i)))));
  const warning = n === 0 ? 'no pair has two features that fire' : undefined;
  const score = (i: number, metric: string, variant: string): SimilarityScore => {
    const interval = readInterval(intervals[i]);
    const nulls = Float64Array.from(drawn, (run) => Number(run[i]));
    return {
      ...besideNull(values[i], nulls, { metric, variant, n, seed, kind: 'shuffle', ...(warning ? { warning } : {}) }),
      ...(interval ? { interval } : {}),
    };
  };
  return {
    pairs: n,
    excluded: pairs.a.length - n,
    shared: score(0, 'same token', `share of pairs with a common ${of} token, normalised`),
    jaccard: score(1, 'same token, Jaccard', `mean Jaccard of ${of} token sets, normalised`),
    top: score(2, 'same token, top', `share of pairs with the same top ${of} token, normalised`),
    raw: score(3, 'same token, raw', 'share of pairs with a common peak token, raw (case and spaces kept)'),
  };
}

/** What each of the four scores is the mean of: one value a pair. */
function ofEachPair([a, b]: TokenRows[], [rawA, rawB]: TokenRows[]): Float64Array[] {
  const alone = new Uint32Array(1);
  const each = a.map((x, i) => [...compare([x], [b[i]], alone), compare([rawA[i]], [rawB[i]], alone)[0]]);
  return SCORES.map((k) => Float64Array.from(each, (values) => values[k]));
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
