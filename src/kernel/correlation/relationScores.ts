/**
 * Scores of words' vectors in two models: how alike their neighbours are, and how the relations between them stand to
 * each other. Null runs are drawn one after the other and computed apart, so that tasks may share them.
 */
import type { CallOptions } from '../compute/call.js';
import { row, type Matrix } from '../compute/matrix.js';
import { Random } from '../compute/random.js';
import { centredSquares, cosine, mean, pearson } from '../compute/statistics.js';
import { plainNumber, type Remember } from '../verb/remember.js';
import { bootstrap, bootstrapMean, INTERVAL, plainInterval, readInterval, type Interval } from './bootstrap.js';
import { nullRunNames, nullRuns } from './nullRuns.js';
import { besideNull } from './nulls.js';
import type { SimilarityScore } from './types.js';

/** What the scores are computed with. */
export interface RelationSettings {
  /** Nearest words compared for each word. */
  readonly neighbors: number;
  /** Null runs. */
  readonly runs: number;
  readonly seed: number;
}

/** Scores that share their null runs and their interval. */
export interface DrawnScores {
  /** How many scores. */
  readonly size: number;
  /** Draws the next null run; what it gives computes the run's values, one a score. */
  draw(): () => number[];
  interval(): Interval | undefined;
  /** @param nulls of each score, the values of its runs */
  scores(nulls: readonly Float64Array[], interval: Interval | undefined): SimilarityScore[];
}

const INTERVALS = 'intervals';

/** Runs that drawnScores asks `remember` for. */
export const relationRunNames = ({ runs }: Pick<RelationSettings, 'runs'>): string[] => [
  ...nullRunNames(runs),
  INTERVALS,
];

/** Scores beside their null runs; `remember` gives runs that are made already, see relationRunNames. */
export async function drawnScores(
  drawn: readonly DrawnScores[],
  { runs }: Pick<RelationSettings, 'runs'>,
  { remember = (_, make) => make(), ...call }: CallOptions & { remember?: Remember } = {},
): Promise<SimilarityScore[][]> {
  const draw = () => {
    const jobs = drawn.map((one) => one.draw());
    return () => jobs.map((job) => job().map(plainNumber));
  };
  const made = await nullRuns(runs, draw, { what: 'relations', remember, ...call });
  const intervals = await remember(INTERVALS, () => Promise.resolve(drawn.map((one) => plainInterval(one.interval()))));
  const nullsOf = (i: number): Float64Array[] =>
    Array.from({ length: drawn[i].size }, (_, k) => Float64Array.from(made, (run) => Number(run[i][k])));
  return drawn.map((one, i) => one.scores(nullsOf(i), readInterval(intervals[i])));
}

/** Vectors of the words, one a row, in the order of the words. */
export interface WordVectors {
  /** What they are: "decoder rows". */
  readonly vectors: string;
  readonly a: Matrix;
  readonly b: Matrix;
}

/** Relations by the rows of their words. */
type Steps = ReadonlyArray<readonly [from: number, to: number]>;

/** Cosines between relation vectors, row by row; NaN for a relation of length 0. */
export function relationGram(vectors: Matrix, steps: Steps, at: (word: number) => number = (w) => w): Float64Array {
  const differences = steps.map(([from, to]) => {
    const [x, y] = [row(vectors, at(from)), row(vectors, at(to))];
    return Float64Array.from(x, (v, j) => y[j] - v);
  });
  const m = steps.length;
  const out = new Float64Array(m * m);
  for (let i = 0; i < m; i++) for (let j = 0; j < m; j++) out[i * m + j] = cosine(differences[i], differences[j]);
  return out;
}

/** Entries above the diagonal, rows and columns in another order. */
function triangle(gram: Float64Array, m: number, order: ArrayLike<number>): number[] {
  const out: number[] = [];
  for (let i = 0; i < m; i++) for (let j = i + 1; j < m; j++) out.push(gram[order[i] * m + order[j]]);
  return out;
}

const identity = (n: number): Uint32Array => Uint32Array.from({ length: n }, (_, i) => i);

/** Draws of mismatched words before one that has relations of length 0 is taken as it is. */
const TRIES = 1000;

/**
 * Draws B's words in another order, such that no relation joins two words of one feature: it would have length 0 and no
 * cosine, as those that are left out before.
 */
function mismatchedWords(b: Matrix, steps: Steps, random: Random): () => Uint32Array {
  const same = (x: number, y: number): boolean => row(b, x).every((v, j) => v === row(b, y)[j]);
  const feature = Array.from({ length: b.rows }, (_, w) => Array.from({ length: w }, (_, v) => v).find((v) => same(v, w)) ?? w); // prettier-ignore
  return () => {
    for (let tries = 1; ; tries++) {
      const words = random.permutation(b.rows);
      if (tries === TRIES || steps.every(([from, to]) => feature[words[from]] !== feature[words[to]])) return words;
    }
  };
}

/** Relations below which a draw with replacement can hold too few different ones for an r. */
const LEAST_FOR_INTERVAL = 4;

/** r of weighted entries; NaN where a side does not vary. */
function weightedPearson(x: ArrayLike<number>, y: ArrayLike<number>, w: ArrayLike<number>): number {
  let [n, sx, sy, xx, yy, xy] = [0, 0, 0, 0, 0, 0];
  for (let i = 0; i < x.length; i++) {
    n += w[i];
    sx += w[i] * x[i];
    sy += w[i] * y[i];
    xx += w[i] * x[i] * x[i];
    yy += w[i] * y[i] * y[i];
    xy += w[i] * x[i] * y[i];
  }
  const squares = centredSquares(sx, xx, n) * centredSquares(sy, yy, n);
  return squares > 0 ? (xy - (sx * sy) / n) / Math.sqrt(squares) : NaN;
}

/**
 * Interval over relations. A relation that is drawn twice would meet itself at a cosine of 1 in both models: such
 * entries are left out, as rsatoolbox does (Schütt et al. 2023), and entry i, j counts as often as i times j was drawn.
 * A draw has three different relations at least, the fewest that have an r.
 */
export function gramInterval(a: Float64Array, b: Float64Array, m: number, random: Random): Interval {
  const order = identity(m);
  const [x, y] = [triangle(a, m, order), triangle(b, m, order)];
  const weights = new Float64Array(x.length);
  return bootstrap(
    m,
    (times) => {
      let at = 0;
      for (let i = 0; i < m; i++) for (let j = i + 1; j < m; j++) weights[at++] = times[i] * times[j];
      return weightedPearson(x, y, weights);
    },
    random,
    { ...INTERVAL, least: 3 },
  );
}

/**
 * r of the two Gram matrices above the diagonal, beside two nulls: the relations of B in another order (Mantel), and
 * B's relations between mismatched words. Needs 4 relations at least: with 3 there are 6 orders. The interval is over
 * relations; fewer than 4 have none.
 */
export function relationDraws({ vectors, a, b }: WordVectors, steps: Steps, seed: number): DrawnScores {
  const m = steps.length;
  const [gramA, gramB] = [relationGram(a, steps), relationGram(b, steps)];
  const own = triangle(gramA, m, identity(m));
  const value = pearson(own, triangle(gramB, m, identity(m)));
  const random = new Random(seed).fork(`relations ${vectors}`);
  const drawWords = mismatchedWords(b, steps, random);
  return {
    size: 2,
    draw() {
      const [order, words] = [random.permutation(m), drawWords()];
      const mismatched = (): Float64Array => relationGram(b, steps, (w) => words[w]);
      return () => [pearson(own, triangle(gramB, m, order)), pearson(own, triangle(mismatched(), m, identity(m)))];
    },
    interval: () =>
      m < LEAST_FOR_INTERVAL ? undefined : gramInterval(gramA, gramB, m, random.fork('interval')), // prettier-ignore
    scores([shuffled, mismatched], around) {
      const about = { metric: 'relations', n: m, seed };
      const warning =
        m < 6 ? { warning: `${m} relations are few: ${m < 4 ? 'p cannot be small' : 'r varies widely'}` } : {};
      const variant = `r of the cosines between relations in A and in B, ${vectors}`;
      const interval = around ? { interval: around } : {};
      return [
        { ...besideNull(value, shuffled, { ...about, variant, kind: 'relations of B shuffled', ...warning }), ...interval }, // prettier-ignore
        { ...besideNull(value, mismatched, { ...about, variant, kind: 'mismatched words in B', ...warning }), ...interval }, // prettier-ignore
      ];
    },
  };
}

/** [words × words] cosines of rows. */
function cosinesOf(m: Matrix): Float64Array {
  const out = new Float64Array(m.rows * m.rows);
  for (let i = 0; i < m.rows; i++) for (let j = 0; j < m.rows; j++) out[i * m.rows + j] = cosine(row(m, i), row(m, j));
  return out;
}

/** The k nearest others of a word, nearest first; ties to the earlier word. */
function nearest(cosines: Float64Array, n: number, word: number, k: number): number[] {
  const others = Array.from({ length: n }, (_, i) => i).filter((i) => i !== word);
  return others.sort((x, y) => cosines[word * n + y] - cosines[word * n + x] || x - y).slice(0, k);
}

export const jaccard = (x: readonly number[], y: readonly number[]): number => {
  const common = x.filter((v) => y.includes(v)).length;
  return common / (x.length + y.length - common);
};

/** The nearest words of every word in both models, and the score of how alike they are. */
export interface Near {
  readonly a: number[][];
  readonly b: number[][];
  readonly draws: DrawnScores;
}

/** Neighbours of every word in both models, and their mean overlap beside words of B in another order. */
export function neighbourDraws({ vectors, a, b }: WordVectors, s: Pick<RelationSettings, 'neighbors' | 'seed'>): Near {
  const n = a.rows;
  const k = Math.max(1, Math.min(s.neighbors, n - 2));
  const [inA, inB] = [cosinesOf(a), cosinesOf(b)];
  const lists = (cosines: Float64Array): number[][] => Array.from({ length: n }, (_, w) => nearest(cosines, n, w, k));
  const [nearA, nearB] = [lists(inA), lists(inB)];
  const values = nearA.map((list, w) => jaccard(list, nearB[w]));
  const random = new Random(s.seed).fork(`neighbours ${vectors}`);
  const draws: DrawnScores = {
    size: 1,
    draw() {
      const order = random.permutation(n);
      const place = new Uint32Array(n);
      order.forEach((w, i) => (place[w] = i));
      // Word w of A is given the neighbours of another word of B, told by the words that stand in their place.
      return () => [
        mean(
          nearA.map((list, w) =>
            jaccard(
              list,
              nearB[order[w]].map((v) => place[v]),
            ),
          ),
        ),
      ];
    },
    interval: () => bootstrapMean(values, random.fork('interval')),
    scores: ([nulls], interval) => [
      {
        ...besideNull(mean(values), nulls, {
          ...{ metric: 'neighbours', variant: `mean Jaccard of the ${k} nearest words, ${vectors}`, n, seed: s.seed },
          kind: 'words of B shuffled',
        }),
        ...(interval ? { interval } : {}),
      },
    ],
  };
  return { a: nearA, b: nearB, draws };
}
