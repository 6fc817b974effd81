/** Lenses of one number per row: statistics of the row itself (KeplerMapper's names) and of feature activations. */
import type { Matrix } from '../compute/matrix.js';
import { countedTokens } from '../activations/statistics.js';
import { centredSquares, mean, meanAndStd, median } from '../compute/statistics.js';
import { columnMeans } from '../compute/rows.js';
import type { ActivationLensKind, LensActivations } from './options.js';

function lengthsFrom(x: Matrix, centre: Float64Array | undefined): Float64Array {
  return Float64Array.from({ length: x.rows }, (_, i) => {
    let sum = 0;
    for (let j = 0; j < x.cols; j++) sum += (x.data[i * x.cols + j] - (centre ? centre[j] : 0)) ** 2;
    return Math.sqrt(sum);
  });
}

const STATISTICS: Record<string, (row: Float32Array) => number> = {
  sum: (row) => row.reduce((s, v) => s + v, 0),
  mean,
  median,
  max: (row) => row.reduce((m, v) => Math.max(m, v), -Infinity),
  min: (row) => row.reduce((m, v) => Math.min(m, v), Infinity),
  std: (row) => meanAndStd(row).std,
};

/**
 * A number per row: l2norm, distanceToMean, sum, mean, median, max, min, std (of the row's values, n in the divisor).
 */
export function rowStatistic(kind: string, x: Matrix): { values: Float64Array; name: string } {
  if (kind === 'l2norm') return { values: lengthsFrom(x, undefined), name: 'l2 norm' };
  if (kind === 'distanceToMean') return { values: lengthsFrom(x, columnMeans(x)), name: 'distance to mean' };
  const of = STATISTICS[kind];
  const { data, cols } = x;
  const values = Float64Array.from({ length: x.rows }, (_, i) => of(data.subarray(i * cols, (i + 1) * cols)));
  return { values, name: kind };
}

/** A number per feature from its activations; NaN where there is none (the mean of a dead feature). */
export function activationValues(
  kind: ActivationLensKind,
  activations: LensActivations,
): { values: Float64Array; name: string } {
  const { firings, sum, sumSquares, max } = activations.statistics;
  const tokens = countedTokens(activations.meta);
  switch (kind) {
    case 'firingRate':
      return { values: Float64Array.from(firings, (f) => f / tokens), name: 'firing rate' };
    case 'meanActivation':
      return { values: Float64Array.from(firings, (f, i) => (f > 0 ? sum[i] / f : NaN)), name: 'mean activation' };
    case 'maxActivation':
      return { values: Float64Array.from(max), name: 'max activation' };
    case 'activationStd':
      return {
        values: Float64Array.from(sum, (s, i) => Math.sqrt(centredSquares(s, sumSquares[i], tokens) / tokens)),
        name: 'activation std',
      };
  }
}
