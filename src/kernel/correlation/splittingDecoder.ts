/**
 * Splitting by decoder rows alone: a feature of the large SAE belongs to the feature of the small one that it has the
 * largest cosine with. The null turns the large decoder by a random rotation, which keeps all that it is in itself, and
 * chooses the children again.
 */
import { breathe, type CallOptions } from '../compute/call.js';
import { bestOfRows, cosines, unitRows, type Best } from '../compute/cosines.js';
import { gemm } from '../compute/gemm.js';
import { matrix, row, type Matrix } from '../compute/matrix.js';
import { drawnRows } from '../compute/orthonormal.js';
import { Random } from '../compute/random.js';
import { mean } from '../compute/statistics.js';
import { bootstrapMean } from './bootstrap.js';
import { plainNumber, type Remember } from '../verb/remember.js';
import { nullRuns } from './nullRuns.js';
import { besideNull } from './nulls.js';
import { orthonormal } from './subspace.js';
import { byChildren, entropyOf, type SplitParent, type Splitting, type SplittingSettings } from './splittingTypes.js';
import type { SimilarityScore } from './types.js';

/** Rows of the large decoder whose cosines are held at once. */
const BLOCK = 1024;

const NAMES = ['large', 'small'] as const;

/** The nearest row of the small decoder for every row of the large one; -1 for a zero row. */
export async function nearestRows(large: Matrix, small: Matrix, call: CallOptions): Promise<Best> {
  const best: Best = { index: new Int32Array(large.rows).fill(-1), cosine: new Float32Array(large.rows) };
  for (let first = 0; first < large.rows; first += BLOCK) {
    const rows = Math.min(BLOCK, large.rows - first);
    const block = matrix(rows, large.cols, large.data.subarray(first * large.cols, (first + rows) * large.cols));
    const { index, cosine } = bestOfRows(await cosines(block, small, call, NAMES), false);
    best.index.set(index, first);
    best.cosine.set(cosine, first);
  }
  for (let i = 0; i < large.rows; i++) if (row(large, i).every((v) => v === 0)) best.index[i] = -1;
  return best;
}

/**
 * Rows turned by one random rotation of their space (Haar). The random numbers are drawn at once, the work is done when
 * the result is called.
 */
export function turned(rows: Matrix, random: Random): () => Matrix {
  const rotation = drawnRows(rows.cols, rows.cols, random);
  return () => timesRotation(rows, rotation());
}

function timesRotation(rows: Matrix, q: Matrix): Matrix {
  return matrix(rows.rows, rows.cols, gemm(rows.data, q.data, rows.rows, rows.cols, rows.cols));
}

/** Children of each row: rows of the large decoder at a cosine of at least `least`, ascending. */
function childrenOf({ index, cosine }: Best, parents: number, least: number): number[][] {
  const children: number[][] = Array.from({ length: parents }, () => []);
  index.forEach((p, c) => void (p >= 0 && cosine[c] >= least && children[p].push(c)));
  return children;
}

/** Squared length of a unit vector inside the span of rows. */
export function inSpan(unit: Float32Array, rows: readonly Float32Array[]): number {
  const inside = orthonormal(rows).reduce((sum, b) => {
    let part = 0;
    for (let j = 0; j < b.length; j++) part += b[j] * unit[j];
    return sum + part * part;
  }, 0);
  return Math.min(1, inside);
}

interface Measured {
  best: Best;
  children: number[][];
  /** [parents] */
  coverage: Float64Array;
}

async function measure(small: Matrix, large: Matrix, least: number, call: CallOptions): Promise<Measured> {
  const best = await nearestRows(large, small, call);
  const children = childrenOf(best, small.rows, least);
  const coverage = new Float64Array(small.rows);
  for (let p = 0; p < small.rows; p++) {
    const rows = children[p].map((c) => row(large, c));
    coverage[p] = inSpan(row(small, p), rows);
    if (p % 256 === 255) await breathe();
  }
  return { best, children, coverage };
}

const assigned = ({ children }: Measured): number => children.reduce((n, list) => n + list.length, 0);

function parentOf(
  p: number,
  { best, children, coverage }: Measured,
  nullCoverage: number,
  k: number,
  runs: number,
): SplitParent {
  const squares = children[p].map((c) => best.cosine[c] ** 2);
  const total = squares.reduce((s, v) => s + v, 0);
  const list = children[p].map((child, i) => ({
    child,
    cosine: best.cosine[child],
    r: NaN,
    share: squares[i] / total,
    outside: NaN,
  }));
  return {
    parent: p,
    children: list.sort((a, b) => b.share - a.share || a.child - b.child),
    coverage: coverage[p],
    nullCoverage,
    p: (k + 1) / (runs + 1),
    entropy: entropyOf(list.map(({ share }) => share)),
  };
}

/** A null run as it is remembered: coverage of each parent, and the three scores. */
interface DrawnRun {
  readonly coverage: ReadonlyArray<number | string>;
  readonly scores: ReadonlyArray<number | string>;
}

const drawnRun = (drawn: Measured, { rows }: Matrix): DrawnRun => ({
  coverage: Array.from(drawn.coverage, plainNumber),
  scores: [mean(drawn.coverage), mean(drawn.best.cosine), assigned(drawn) / rows].map(plainNumber),
});

/**
 * `remember` gives null runs that are made already, see nullRuns.
 * @throws RangeError on different widths, NaN and decoders without rows
 */
export async function splittingByDecoder(
  givenSmall: Matrix,
  givenLarge: Matrix,
  { least, runs, seed }: SplittingSettings,
  { remember = (_, make) => make(), ...call }: CallOptions & { remember?: Remember } = {},
): Promise<Splitting> {
  const [small, large] = [unitRows(givenSmall, 'small dictionary'), unitRows(givenLarge, 'large dictionary')];
  const random = new Random(seed).fork('splitting by decoder');
  const draw = () => {
    const rows = turned(large, random);
    return async () => drawnRun(await measure(small, rows(), least, call), large);
  };
  const drawn = await nullRuns(runs, draw, { what: 'splitting', remember, ...call });
  const found = await measure(small, large, least, call);
  const sums = new Float64Array(small.rows);
  const reached = new Uint32Array(small.rows);
  const nulls = [0, 1, 2].map(() => new Float64Array(runs));
  drawn.forEach(({ coverage, scores }, run) => {
    coverage.map(Number).forEach((v, p) => {
      sums[p] += v;
      if (v >= found.coverage[p]) reached[p]++;
    });
    scores.forEach((v, i) => (nulls[i][run] = Number(v)));
  });
  const about = { seed, kind: 'the large decoder turned at random, its children chosen again' };
  const draws = random.fork('intervals');
  const has = Float64Array.from(found.best.index, (p, c) => Number(p >= 0 && found.best.cosine[c] >= least));
  const scored = (i: number, metric: string, variant: string, values: ArrayLike<number>): SimilarityScore => ({
    ...besideNull(mean(values), nulls[i], { ...about, metric, variant, n: values.length }),
    interval: bootstrapMean(values, draws.fork(metric)),
  });
  return {
    by: 'decoder',
    small: small.rows,
    large: large.rows,
    parents: Array.from({ length: small.rows }, (_, p) => parentOf(p, found, sums[p] / runs, reached[p], runs)).sort(byChildren), // prettier-ignore
    parentOf: found.best.index.map((p, c) => (found.best.cosine[c] >= least ? p : -1)),
    least,
    tokens: { chose: 0, judged: 0 },
    scores: [
      scored(0, 'coverage', "mean share of a small row in the span of its children's rows", found.coverage),
      scored(1, 'nearest cosine', 'mean over the large rows of the largest cosine with a small one', found.best.cosine),
      scored(2, 'children', `share of the large rows with a parent at cosine ≥ ${least}`, has),
    ],
    absorption: [],
    notes: ['Absorption is seen in activations: give { activations: { small, large } }.'],
  };
}
