/**
 * Centred kernel alignment with linear kernels, Kornblith et al. 2019 (arXiv 1905.00414), and its debiased form, which
 * puts the unbiased HSIC of Song et al. 2012 in its place. Kernels K = X Xᵀ are never built: ⟨K, L⟩ = ‖Xᵀ Y‖².
 */
import { crossProduct, crossProductOfNull, type Side } from './coordinates.js';
import type { Metric } from './metric.js';

interface Coordinates {
  n: number;
  d: number;
  /** n × k: principal coordinates, which have the same Gram matrix as the centred rows in fewer columns. */
  Z: Float64Array;
  k: number;
  /** ‖Xᵀ X‖². */
  own: number;
  /** Squared length of each row, the diagonal of K. */
  lengths: Float64Array;
}

async function coordinates(side: Side): Promise<Coordinates> {
  const { n, d } = side;
  const { U, S, rank } = await side.principal();
  const Z = U.map((v, i) => v * S[i % rank]);
  const lengths = new Float64Array(n);
  for (let i = 0; i < Z.length; i++) lengths[Math.floor(i / rank)] += Z[i] * Z[i];
  return { n, d, Z, k: rank, own: S.reduce((sum, s) => sum + s ** 4, 0), lengths };
}

async function crossSquares(x: Coordinates, y: Coordinates, order: Uint32Array, isNull: boolean): Promise<number> {
  const m = await (isNull ? crossProductOfNull : crossProduct)(x.Z, x.k, y.Z, y.k, x.n, order);
  return m.reduce((sum, v) => sum + v * v, 0);
}

export const cka: Metric<Coordinates> = {
  prepare: coordinates,
  value: async (x, y, order, isNull) => (await crossSquares(x, y, order, isNull)) / Math.sqrt(x.own * y.own),
  describe: () => 'linear',
  warning: (x, y, n) =>
    n <= Math.max(x.d, y.d)
      ? `${n} pairs in ${x.d} and ${y.d} dimensions: linear CKA is biased upwards, see its null`
      : undefined,
};

/** n (n − 3) · HSIC₁ of centred rows: their K has zero row sums, which leaves these three terms. */
function unbiasedHsic(n: number, cross: number, sumX: number, sumY: number, diagonal: number): number {
  return cross - diagonal + (sumX * sumY) / ((n - 1) * (n - 2)) - (2 * diagonal) / (n - 2);
}

const total = (v: Float64Array): number => v.reduce((s, x) => s + x, 0);
const squares = (v: Float64Array): number => v.reduce((s, x) => s + x * x, 0);

export const ckaDebiased: Metric<Coordinates> = {
  async prepare(side) {
    if (side.n < 4) throw new RangeError(`debiased CKA needs at least 4 pairs but got ${side.n}`);
    return coordinates(side);
  },
  async value(x, y, order, isNull) {
    const { n } = x;
    let diagonal = 0;
    for (let i = 0; i < n; i++) diagonal += x.lengths[i] * y.lengths[order[i]];
    const [sumX, sumY] = [total(x.lengths), total(y.lengths)];
    const both = unbiasedHsic(n, await crossSquares(x, y, order, isNull), sumX, sumY, diagonal);
    const onlyX = unbiasedHsic(n, x.own, sumX, sumX, squares(x.lengths));
    const onlyY = unbiasedHsic(n, y.own, sumY, sumY, squares(y.lengths));
    return both / Math.sqrt(onlyX * onlyY);
  },
  describe: () => 'linear, debiased',
};
