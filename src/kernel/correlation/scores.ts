/** Similarity of two sets of paired rows (decoder directions of matched features), each score beside its null. */
import { breathe, checkAborted, type CallOptions } from '../compute/call.js';
import { matrix, row, type Matrix } from '../compute/matrix.js';
import { Random } from '../compute/random.js';
import { shuffledNorms, type ShuffledProduct } from '../compute/shuffledNorms.js';
import { mean } from '../compute/statistics.js';
import { cca, pwcca, svcca, svccaPublished } from './cca.js';
import { cka, ckaDebiased } from './cka.js';
import { Side } from './coordinates.js';
import type { Metric } from './metric.js';
import { jaccard } from './neighbours.js';
import { intervalOf, type Interval } from './bootstrap.js';
import { plainNumber, type Remember } from '../verb/remember.js';
import type { NullsApart, Renamed } from '../verb/nulls.js';
import type { Given } from '../verb/option.js';
import type { SCORES } from './options.js';
import { besideNull } from './nulls.js';
import { rsa } from './rsa.js';
import type { SimilarityScore } from './types.js';
import { SCORE_NULLS, USUAL, type METRICS } from './usual.js';

export type MetricName = (typeof METRICS)[number];

/** The options of fg.correlation.scores as similarityScores() takes them. */
type Asked = Renamed<NullsApart<Omit<Given<typeof SCORES>, 'metrics' | 'pools'>>, { neighbors: 'neighbours' }>;

export interface ScoreOptions extends Asked, CallOptions {
  readonly metrics: readonly MetricName[];
  /** As matrices. */
  readonly pools?: { readonly x: Matrix; readonly y: Matrix };
  /** Makes large null runs elsewhere, to the same bits; default: on this thread, one by one. */
  shareNulls?: ShareNulls;
  /** Gives runs that are made already; see scoreRunNames. */
  remember?: Remember;
}

/** Sums of singular values of `runs` shuffles in the order of nextOrder(); tells how many are done. */
export type ShareNulls = (
  product: ShuffledProduct,
  runs: number,
  nextOrder: () => Uint32Array,
  call: { signal?: AbortSignal; done(runs: number): void },
) => Promise<Float64Array>;

const oneByOne: ShareNulls = async (product, runs, nextOrder, { signal, done }) => {
  const sums = new Float64Array(runs);
  for (let run = 0; run < runs; run++) {
    checkAborted(signal, 'null runs');
    [sums[run]] = await shuffledNorms(product, nextOrder());
    done(run + 1);
  }
  return sums;
};

/**
 * Scores n paired rows, X [n × dX] and Y [n × dY]; the widths may differ. Sums are float64. Every score comes with the
 * variant computed, n, its null (mean, standard deviation, maximum) and p = (k + 1) / (R + 1). Each metric has random
 * numbers of its own: adding one leaves the others as they were. Throws on NaN (with its place), fewer than 3 pairs,
 * another number of rows on each side, and sides whose rows are all equal.
 */
export async function similarityScores(X: Matrix, Y: Matrix, options: ScoreOptions): Promise<SimilarityScore[]> {
  const runs = options.nulls ?? USUAL.nulls;
  const seed = options.seed ?? USUAL.seed;
  if (X.rows !== Y.rows) throw new RangeError(`rows are paired, but X has ${X.rows} and Y has ${Y.rows}`);
  if (options.null === 'random-features') requirePools(X, Y, options.pools);
  const metrics = options.metrics.map((name) => ({ name, metric: metricOf(name, options, seed) }));
  const sides = { x: new Side('X', X), y: new Side('Y', Y) };
  const scores: SimilarityScore[] = [];
  for (const { name, metric } of metrics) {
    const made = await score(name, metric, sides, { ...options, nulls: runs, seed });
    if (made) scores.push(made);
  }
  return scores;
}

function metricOf(name: MetricName, options: ScoreOptions, seed: number): Metric {
  // Each metric meets only what its own prepare() returned.
  switch (name) {
    case 'svcca':
      return svcca as Metric;
    case 'svcca-published':
      return svccaPublished as Metric;
    case 'cca':
      return cca as Metric;
    case 'pwcca':
      return pwcca as Metric;
    case 'rsa':
      return rsa(options.rsaRows ?? USUAL.rsaRows, seed) as Metric;
    case 'cka':
      return cka as Metric;
    case 'cka-debiased':
      return ckaDebiased as Metric;
    case 'jaccard':
      return jaccard(options.neighbours ?? USUAL.neighbors) as Metric;
  }
}

/** A null run and a draw of an interval, as they are remembered. */
const nullRun = (metric: MetricName, run: number): string => `${metric} ${run}`;
const intervalRun = (metric: MetricName, run: number): string => `${metric} interval ${run}`;

/** Pairs of a half-sample; fewer than 4 make no interval. */
const halfOf = (n: number): number => n >> 1;
const drawsOf = (n: number, intervals: number = USUAL.intervals): number => (halfOf(n) < 4 ? 0 : intervals);

/** Runs that similarityScores asks `remember` for, over n pairs: of each metric its null runs, then its intervals. */
export const scoreRunNames = (
  n: number,
  { metrics, nulls = USUAL.nulls, intervals }: Pick<ScoreOptions, 'metrics' | 'nulls' | 'intervals'>,
): string[] =>
  metrics.flatMap((name) => [
    ...Array.from({ length: nulls }, (_, run) => nullRun(name, run)),
    ...Array.from({ length: drawsOf(n, intervals) }, (_, run) => intervalRun(name, run)),
  ]);

/** The score of a metric beside its null; undefined in a shard. */
async function score(
  name: MetricName,
  metric: Metric,
  { x, y }: { x: Side; y: Side },
  options: ScoreOptions & { nulls: number; seed: number },
): Promise<SimilarityScore | undefined> {
  const { seed, signal } = options;
  const { n } = x;
  checkAborted(signal, name);
  const px = await metric.prepare(x);
  checkAborted(signal, name);
  const py = await metric.prepare(y);
  const identity = Uint32Array.from({ length: n }, (_, i) => i);
  const value = await metric.value(px, py, identity, false);
  const asked = await nullValues(name, metric, { x: px, y: py, n }, options);
  const draws = await halfDraws(name, metric, { x, y }, options);
  // A shard makes its runs of all metrics and finishes none.
  if (options.remember?.partial) return undefined;
  const values = Float64Array.from(asked, Number);
  const warning = metric.warning?.(px, py, n);
  const interval = draws.length > 0 ? aroundScore(value, Float64Array.from(draws, Number)) : undefined;
  const beside = besideNull(value, values, {
    metric: name,
    variant: metric.describe(px, py),
    n,
    seed,
    kind: options.null ?? SCORE_NULLS[0],
    ...(warning ? { warning } : {}),
  });
  return interval ? { ...beside, interval } : beside;
}

/** The score of every null run, in the order of the runs, as plainNumber writes it. */
async function nullValues(
  name: MetricName,
  metric: Metric,
  { x, y, n }: { x: unknown; y: unknown; n: number },
  {
    nulls: runs,
    seed,
    signal,
    pools,
    onProgress,
    remember,
    ...options
  }: ScoreOptions & { nulls: number; seed: number },
): Promise<Array<number | string>> {
  const random = new Random(seed).fork(name);
  const done = (count: number): void => onProgress?.({ label: `${name} null`, done: count, total: runs, unit: 'runs' });
  const drawn = options.null === 'random-features' ? pools : undefined;
  const norms = drawn ? undefined : metric.norms?.(x, y);
  if (norms && (!remember || remember.plain)) {
    const share = options.shareNulls ?? oneByOne;
    const sums = await share(norms.product, runs, () => random.permutation(n), { signal, done });
    return Array.from(sums.map(norms.value));
  }
  const identity = Uint32Array.from({ length: n }, (_, i) => i);
  const valueOf = async (draw: Draw): Promise<number> => {
    if ('y' in draw) {
      const rx = await metric.prepare(randomSide('random X', draw.x, draw.idsX));
      const ry = await metric.prepare(randomSide('random Y', draw.y, draw.idsY));
      return metric.value(rx, ry, identity, true);
    }
    if (!norms) return metric.value(x, y, draw.order, true);
    const sums = await oneByOne(norms.product, 1, () => draw.order, { signal, done: () => undefined });
    return sums.map(norms.value)[0];
  };
  const values: Array<number | string> = [];
  for (let run = 0; run < runs; run++) {
    checkAborted(signal, name);
    // Drawn in every call, so that run i is the same whichever runs are made here.
    const draw: Draw = drawn
      ? { ...drawn, idsX: randomIds(drawn.x, n, random), idsY: randomIds(drawn.y, n, random) }
      : { order: random.permutation(n) };
    const make = async (): Promise<number | string> => plainNumber(await valueOf(draw));
    values.push(remember ? await remember(nullRun(name, run), make) : await make());
    done(run + 1);
    await breathe();
  }
  return values;
}

/** What a null run pairs: the same rows in another order, or random rows of both pools. */
type Draw = { order: Uint32Array } | { x: Matrix; y: Matrix; idsX: Uint32Array; idsY: Uint32Array };

/** Level of the intervals of scores. */
const LEVEL = 0.95;

/**
 * The score of half the pairs, drawn without replacement, as often as there are `intervals`; as plainNumber writes it.
 */
async function halfDraws(
  name: MetricName,
  metric: Metric,
  { x, y }: { x: Side; y: Side },
  { intervals, seed, signal, onProgress, remember }: ScoreOptions & { seed: number },
): Promise<Array<number | string>> {
  const half = halfOf(x.n);
  const total = drawsOf(x.n, intervals);
  const random = new Random(seed).fork(`${name} interval`);
  const identity = Uint32Array.from({ length: half }, (_, i) => i);
  const part = (side: Side, ids: Uint32Array): Side => {
    const data = new Float32Array(half * side.d);
    ids.forEach((id, i) => data.set(side.rows.subarray(id * side.d, (id + 1) * side.d), i * side.d));
    return new Side('half of the pairs', matrix(half, side.d, data));
  };
  const draws: Array<number | string> = [];
  for (let run = 0; run < total; run++) {
    checkAborted(signal, 'intervals');
    // Drawn in every call, so that run i is the same whichever runs are made here.
    const ids = random.permutation(x.n).slice(0, half).sort();
    const make = async (): Promise<number | string> => {
      const px = await metric.prepare(part(x, ids));
      const py = await metric.prepare(part(y, ids));
      return plainNumber(await metric.value(px, py, identity, true));
    };
    draws.push(remember ? await remember(intervalRun(name, run), make) : await make());
    onProgress?.({ label: 'intervals', done: run + 1, total, unit: 'runs' });
    await breathe();
  }
  return draws;
}

/**
 * An interval over pairs by half-samples: the score of n/2 pairs drawn without replacement spreads as the score of n
 * pairs does over samples (the delete-half jackknife, Efron 1982). A bootstrap with replacement would repeat pairs, and
 * a pair is its own nearest neighbour and adds a canonical correlation of 1. The spread is put around the score itself,
 * since half the pairs score otherwise where n is small beside the widths.
 */
function aroundScore(value: number, draws: Float64Array): Interval {
  const centre = mean(draws);
  return intervalOf(
    draws.map((v) => value + v - centre),
    LEVEL,
  );
}

function requirePools(X: Matrix, Y: Matrix, pools: ScoreOptions['pools']): void {
  if (!pools) throw new Error("the null 'random-features' draws rows from { pools: { x, y } }: give both decoders");
  for (const [name, own, pool] of [
    ['x', X, pools.x],
    ['y', Y, pools.y],
  ] as const) {
    if (pool.cols === own.cols && pool.rows >= own.rows) continue;
    throw new RangeError(
      `pool ${name} is ${pool.rows} × ${pool.cols}; ${own.rows} rows or more of width ${own.cols} are needed`,
    );
  }
}

/** n different rows of the pool, by number. */
const randomIds = (pool: Matrix, n: number, random: Random): Uint32Array =>
  random.permutation(pool.rows).subarray(0, n);

function randomSide(name: string, pool: Matrix, ids: Uint32Array): Side {
  const data = new Float32Array(ids.length * pool.cols);
  ids.forEach((id, i) => data.set(row(pool, id), i * pool.cols));
  return new Side(name, matrix(ids.length, pool.cols, data));
}
