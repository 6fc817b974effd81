/**
 * Canonical correlation: the singular values of Uxᵀ Uy, where Ux and Uy are orthonormal bases of the two sides' centred
 * columns. Shuffling the pairing permutes the rows of Uy, so a null run is one product and one small decomposition.
 * SVCCA: Raghu et al. 2017 (arXiv 1706.05806). PWCCA: Morcos et al. 2018 (arXiv 1806.05759).
 */
import { shuffledNorms } from '../compute/shuffledNorms.js';
import { complementOf, leavesLess, type Columns } from './complement.js';
import {
  crossProduct,
  crossProductOfNull,
  isLargeNull,
  leftSingular,
  single,
  singleTurned,
  singularValues,
  type Side,
} from './coordinates.js';
import type { Metric, NormNulls } from './metric.js';

interface Basis {
  n: number;
  d: number;
  /** Directions used. */
  k: number;
  /** n × k. */
  U: Float64Array;
  /** What U leaves of the centred space, where that is less. */
  rest?: Columns;
}

interface WeightedBasis extends Basis {
  /** Uᵀ · centred, k × d. */
  loadings: Float64Array;
}

const product = (n: number, x: Columns, y: Columns, order: Uint32Array, isNull: boolean): Promise<Float64Array> =>
  (isNull ? crossProductOfNull : crossProduct)(x.U, x.k, y.U, y.k, n, order);

/** Two sides whose canonical correlations, and `ones` more of 1, add up to those of x and y. */
function angles(x: Basis, y: Basis): { left: Columns; right: Columns; ones: number } {
  return x.rest && y.rest
    ? { left: x.rest, right: y.rest, ones: x.k + y.k - (x.n - 1) }
    : { left: x, right: y, ones: 0 };
}

/** Smaller sides than this have their singular values taken one by one, which is as fast. */
const MANY_DIRECTIONS = 128;

/** Lowest canonical correlation of random data: the edge of Wachter's law (1980) for two random subspaces. */
function lowestByChance(n: number, x: Columns, y: Columns): number {
  const [p, q] = [Math.min(1, x.k / (n - 1)), Math.min(1, y.k / (n - 1))];
  return Math.abs(Math.sqrt(p * (1 - q)) - Math.sqrt(q * (1 - p)));
}

/** Null runs of many directions need only the sum of the correlations, which float32 products give. */
function norms(x: Basis, y: Basis): NormNulls | undefined {
  const { n } = x;
  const { left, right, ones } = angles(x, y);
  if (Math.min(left.k, right.k) < MANY_DIRECTIONS || !isLargeNull(n, left.k, right.k)) return undefined;
  const of = { n, p: left.k, q: right.k, lowest: lowestByChance(n, left, right) };
  return {
    product: { ...of, left: singleTurned(left.U, n, left.k), right: single(right.U) },
    value: (sum) => Math.min(1, (ones + sum) / Math.min(x.k, y.k)),
  };
}

async function meanCorrelation(x: Basis, y: Basis, order: Uint32Array, isNull: boolean): Promise<number> {
  const large = isNull ? norms(x, y) : undefined;
  if (large) return large.value((await shuffledNorms(large.product, order))[0]);
  const { left, right, ones } = angles(x, y);
  let sum = ones;
  if (Math.min(left.k, right.k) > 0)
    for (const r of await singularValues(await product(x.n, left, right, order, isNull), left.k, right.k))
      sum += Math.min(1, r);
  return sum / Math.min(x.k, y.k);
}

/** A basis whose correlations are summed. */
async function basisOf(side: Side, U: Float64Array, k: number): Promise<Basis> {
  const { n, d } = side;
  return { n, d, k, U, ...(leavesLess(n, k) ? { rest: await complementOf(U, n, k) } : {}) };
}

/** The first k columns of a row-major n × rank matrix. */
function firstColumns(U: Float64Array, n: number, rank: number, k: number): Float64Array {
  if (k === rank) return U;
  const out = new Float64Array(n * k);
  for (let i = 0; i < n; i++) out.set(U.subarray(i * rank, i * rank + k), i * k);
  return out;
}

async function truncated(side: Side, choose: (S: Float64Array) => number): Promise<Basis> {
  const { U, S, rank } = await side.principal();
  const k = choose(S);
  return basisOf(side, firstColumns(U, side.n, rank, k), k);
}

/** Smallest k whose directions hold 99 % of the variance. */
function variance99(S: Float64Array): number {
  const total = S.reduce((sum, s) => sum + s * s, 0);
  let held = 0;
  for (let k = 0; k < S.length; k++) {
    held += S[k] * S[k];
    if (held >= 0.99 * total) return k + 1;
  }
  return S.length;
}

/** Two subspaces of n − 1 dimensions meet when their dimensions add up to more: correlations of 1 with no meaning. */
function forcedOnes(x: Basis, y: Basis, n: number): string | undefined {
  const forced = x.k + y.k - (n - 1);
  if (forced <= 0) return undefined;
  const all = Math.min(x.k, y.k);
  const share = forced >= all ? 'all' : `${forced} of ${all}`;
  return `${n} pairs are too few for ${x.k} and ${y.k} directions: ${share} canonical correlations are 1 for any data, random included`;
}

export const svcca: Metric<Basis> = {
  prepare: (side) => truncated(side, variance99),
  value: meanCorrelation,
  norms,
  describe: (x, y) => `corrected, 99 % variance: kX = ${x.k}, kY = ${y.k}`,
  warning: forcedOnes,
};

/** As published with the notebooks: their test for 99 % never passes, so one component a side is left. */
export const svccaPublished: Metric<Basis> = {
  prepare: (side) => truncated(side, () => 1),
  value: meanCorrelation,
  norms,
  describe: () => 'published (first component of each side only): |r| of the two first PCs, kX = kY = 1',
};

export const cca: Metric<Basis> = {
  async prepare(side) {
    const { U, rank } = await side.basis();
    return basisOf(side, U, rank);
  },
  value: meanCorrelation,
  norms,
  describe: (x, y) => `mean of ${Math.min(x.k, y.k)} canonical correlations: rank ${x.k} and ${y.k}`,
  warning: forcedOnes,
};

export const pwcca: Metric<WeightedBasis> = {
  async prepare(side) {
    const { n, d } = side;
    const { U, rank } = await side.basis();
    return { n, d, k: rank, U, loadings: await crossProduct(U, rank, side.centred, d, n) };
  },
  async value(x, y, order, isNull) {
    const { values, vectors } = await leftSingular(await product(x.n, x, y, order, isNull), x.k, y.k);
    const used = Math.min(x.k, y.k);
    // Canonical variate i of X is U · vectors[:, i]; its weight is how much of X's columns it accounts for.
    const accounts = await crossProduct(vectors, x.k, x.loadings, x.d, x.k);
    let sum = 0;
    let weights = 0;
    for (let i = 0; i < used; i++) {
      let weight = 0;
      for (let j = 0; j < x.d; j++) weight += Math.abs(accounts[i * x.d + j]);
      sum += weight * Math.min(1, values[i]);
      weights += weight;
    }
    return sum / weights;
  },
  describe: (x, y) => `weighted by the variates' share of X: rank ${x.k} and ${y.k}`,
  warning: forcedOnes,
};
