/** Gaussian copulas: factor structures whose thresholded normals have the asked correlations and exact marginals. */
import { filled } from '../../verb/filled.js';
import { pushAll } from '../../../protocol/lists.js';
import { symmetricEigen, symmetricEigenvalues } from '../../compute/linalg.js';
import type { Random } from '../../compute/random.js';
import { jointOfLatent, latentOfPhi, normalQuantile } from '../../compute/sampling/normal.js';
import type { CopulaLaw } from '../../compute/sampling/law.js';
import { cholesky } from '../../compute/cholesky.js';
import type { OfKind } from '../../verb/kinds.js';
import { CORRELATIONS, type CorrelationOf } from './options.js';

/** Rows of loadings, each with its factors. */
type Loadings = ReadonlyArray<ReadonlyArray<readonly [factor: number, loading: number]>>;

const TOLERANCE = 1e-8;

function copulaLaw(features: ArrayLike<number>, factors: number, rows: Loadings, p: Float64Array): CopulaLaw {
  const indptr = new Int32Array(rows.length + 1);
  rows.forEach((row, i) => (indptr[i + 1] = indptr[i] + row.length));
  const flat = rows.flat();
  const residual = Float64Array.from(rows, (row) => {
    const rest = 1 - row.reduce((sum, [, a]) => sum + a * a, 0);
    if (rest < -TOLERANCE) throw new RangeError(`loadings of squared length ${1 - rest}: at most 1 is possible`);
    return rest < TOLERANCE ? 0 : Math.sqrt(rest);
  });
  return {
    features: Int32Array.from(features),
    factors,
    indptr,
    factor: Int32Array.from(flat, ([k]) => k),
    loading: Float64Array.from(flat, ([, a]) => a),
    residual,
    threshold: Float64Array.from(features, (f) => -normalQuantile(p[f])),
  };
}

/** Latent correlation of two members, from the law itself. */
export function latentCorrelation(c: CopulaLaw, i: number, j: number): number {
  let sum = 0;
  for (let a = c.indptr[i]; a < c.indptr[i + 1]; a++)
    for (let b = c.indptr[j]; b < c.indptr[j + 1]; b++)
      if (c.factor[a] === c.factor[b]) sum += c.loading[a] * c.loading[b];
  return Math.max(-1, Math.min(1, sum));
}

/** P(both fire) of members i and j of a copula, given the frequencies of all features. */
export function copulaJoint(c: CopulaLaw, i: number, j: number, p: ArrayLike<number>): number {
  return jointOfLatent(p[c.features[i]], p[c.features[j]], latentCorrelation(c, i, j));
}

function smallestEigenvalue(m: Float64Array, n: number): number {
  return symmetricEigenvalues(m, n)[n - 1];
}

function choleskyRows(m: Float64Array, n: number, firstFactor: number): Loadings {
  const l = cholesky(m, n);
  return Array.from({ length: n }, (_, i) =>
    Array.from({ length: i + 1 }, (_, k) => [firstFactor + k, l[i * n + k]] as const).filter(([, a]) => a !== 0),
  );
}

/** Latent matrix of a block in which every pair has correlation r. */
function blockMatrix(block: readonly number[], r: number, of: CorrelationOf, p: Float64Array): Float64Array {
  const n = block.length;
  const m = new Float64Array(n * n);
  const known = new Map<string, number>();
  for (let i = 0; i < n; i++) {
    m[i * n + i] = 1;
    for (let j = 0; j < i; j++) {
      let latent = r;
      if (of === 'firing') {
        const key = `${p[block[i]]} ${p[block[j]]}`;
        latent = known.get(key) ?? latentOfPhi(p[block[i]], p[block[j]], r);
        known.set(key, latent);
      }
      m[i * n + j] = m[j * n + i] = latent;
    }
  }
  return m;
}

/** Largest share of r (to 1e-3) at which the block's latent matrix is positive semidefinite. */
function feasibleShare(block: readonly number[], r: number, of: CorrelationOf, p: Float64Array): number {
  let [low, high] = [0, 1];
  while (high - low > 1e-3) {
    const middle = (low + high) / 2;
    if (smallestEigenvalue(blockMatrix(block, r * middle, of, p), block.length) >= -TOLERANCE) low = middle;
    else high = middle;
  }
  return low;
}

/** Loadings of one block, its factors numbered from `factor`. */
function blockRows(
  block: readonly number[],
  r: number,
  of: CorrelationOf,
  p: Float64Array,
  factor: number,
): { rows: Loadings; factors: number } {
  const same = block.every((f) => p[f] === p[block[0]]);
  if (r >= 0 && (of === 'latent' || same)) {
    const latent = of === 'latent' || block.length < 2 ? r : latentOfPhi(p[block[0]], p[block[0]], r);
    return { rows: block.map(() => [[factor, Math.sqrt(latent)] as const]), factors: 1 };
  }
  const m = blockMatrix(block, r, of, p);
  if (smallestEigenvalue(m, block.length) < -TOLERANCE) {
    const most = r * feasibleShare(block, r, of, p);
    throw new RangeError(
      `${block.length} features (${block.slice(0, 4).join(', ')}${block.length > 4 ? ', …' : ''}) cannot all correlate by ${r} ` +
        `(${of}): no joint distribution of thresholded normals has it. The feasible range on this side is ${r < 0 ? `[${most.toFixed(3)}, 0]` : `[0, ${most.toFixed(3)}]`}`,
    );
  }
  return { rows: choleskyRows(m, block.length, factor), factors: block.length };
}

/** Features in blocks that correlate inside and not between. */
export function blockCopula(
  blocks: ReadonlyArray<readonly number[]>,
  r: number,
  of: CorrelationOf,
  p: Float64Array,
): CopulaLaw {
  let factors = 0;
  const rows: Array<Loadings[number]> = [];
  for (const block of blocks) {
    const made = blockRows(block, r, of, p, factors);
    pushAll(rows, made.rows);
    factors += made.factors;
  }
  return copulaLaw(blocks.flat(), factors, rows, p);
}

/**
 * Random loadings: of squared length `strength`, or entries of deviation `scale` with rows cut to squared length 0.99.
 */
export function lowRankCopula(
  features: readonly number[],
  o: Omit<OfKind<typeof CORRELATIONS, 'low-rank'>, 'kind' | 'features' | 'rank' | 'loadings'> & {
    readonly rank: number;
    readonly loadings?: readonly (readonly number[])[];
  },
  p: Float64Array,
  random: Random,
): CopulaLaw {
  const { loadings, rank } = o;
  const { strength, scale } = filled(CORRELATIONS.table['low-rank'].members, o);
  if (loadings && loadings.length !== features.length)
    throw new RangeError(`loadings has ${loadings.length} rows for ${features.length} features; expected one each`);
  const rows = features.map((_, i) => {
    const row = loadings ? [...loadings[i]] : Array.from({ length: rank }, () => random.normal() * (scale ?? 1));
    if (row.length !== rank || row.some((a) => !Number.isFinite(a)))
      throw new RangeError(`loadings of feature ${i}: ${rank} finite numbers are expected`);
    const length = Math.hypot(...row);
    if (loadings) {
      if (length > 1 + TOLERANCE)
        throw new RangeError(
          `loadings of feature ${i} have squared length ${length * length}: the feasible range is [0, 1]`,
        );
      return row;
    }
    if (scale === undefined) return row.map((a) => (a * Math.sqrt(strength)) / length);
    return length * length > 0.99 ? row.map((a) => (a * Math.sqrt(0.99)) / length) : row;
  });
  return copulaLaw(
    features,
    rank,
    rows.map((row) => row.map((a, k) => [k, a] as const)),
    p,
  );
}

function latentMatrix(
  given: readonly (readonly number[])[],
  features: readonly number[],
  of: CorrelationOf,
  p: Float64Array,
): Float64Array {
  const n = features.length;
  if (given.length !== n || given.some((row) => row.length !== n))
    throw new RangeError(`the correlation matrix must be ${n} × ${n}, as many rows as features`);
  const m = new Float64Array(n * n);
  for (let i = 0; i < n; i++) {
    for (let j = 0; j <= i; j++) {
      const r = given[i][j];
      if (!(r >= -1 && r <= 1) || Math.abs(r - given[j][i]) > TOLERANCE || (i === j && Math.abs(r - 1) > TOLERANCE))
        throw new RangeError(
          `entry [${i}, ${j}] of the correlation matrix is ${r} (and ${given[j][i]} across): it must be symmetric, in [−1, 1], with 1 on the diagonal`,
        );
      m[i * n + j] = m[j * n + i] = i === j ? 1 : of === 'latent' ? r : latentOfPhi(p[features[i]], p[features[j]], r);
    }
  }
  return m;
}

/** Loadings of the nearest correlation matrix of `rank` factors: principal factors, iterated over the communalities. */
function principalFactors(m: Float64Array, n: number, rank: number): Float64Array {
  const reduced = m.slice();
  const loadings = new Float64Array(n * rank);
  for (let round = 0; round < 60; round++) {
    const { values, vectors } = symmetricEigen(reduced, n);
    let moved = 0;
    for (let i = 0; i < n; i++) {
      let length = 0;
      for (let k = 0; k < rank; k++) {
        loadings[i * rank + k] = vectors[i * n + k] * Math.sqrt(Math.max(0, values[k]));
        length += loadings[i * rank + k] ** 2;
      }
      if (length > 1) for (let k = 0; k < rank; k++) loadings[i * rank + k] /= Math.sqrt(length);
      moved = Math.max(moved, Math.abs(reduced[i * n + i] - Math.min(1, length)));
      reduced[i * n + i] = Math.min(1, length);
    }
    if (moved < 1e-6) break;
  }
  return loadings;
}

/** A given correlation matrix; `deviation`: largest difference of a latent correlation from the asked one. */
export function matrixCopula(
  given: readonly (readonly number[])[],
  features: readonly number[],
  o: { of: CorrelationOf; method: 'cholesky' | 'factors'; rank: number },
  p: Float64Array,
): { law: CopulaLaw; deviation: number } {
  const n = features.length;
  const m = latentMatrix(given, features, o.of, p);
  if (o.method === 'cholesky') {
    const least = smallestEigenvalue(m, n);
    if (least < -TOLERANCE)
      throw new RangeError(
        `the ${o.of === 'firing' ? 'latent matrix that the asked firing correlations need' : 'correlation matrix'} is not positive semidefinite: ` +
          `its smallest eigenvalue is ${least.toPrecision(4)}. Correlations times ${(1 / (1 - least)).toFixed(4)} or less (latent) are feasible, or take the nearest with method: 'factors'`,
      );
    return { law: copulaLaw(features, n, choleskyRows(m, n, 0), p), deviation: 0 };
  }
  const { rank } = o;
  if (rank > n) throw new RangeError(`rank is ${rank}; expected at most ${n}, the features`);
  const loadings = principalFactors(m, n, rank);
  const rows = Array.from({ length: n }, (_, i) =>
    Array.from({ length: rank }, (_, k) => [k, loadings[i * rank + k]] as const),
  );
  const law = copulaLaw(features, rank, rows, p);
  let deviation = 0;
  for (let i = 0; i < n; i++)
    for (let j = 0; j < i; j++) deviation = Math.max(deviation, Math.abs(latentCorrelation(law, i, j) - m[i * n + j]));
  return { law, deviation };
}
