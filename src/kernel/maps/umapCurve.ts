/**
 * The curve 1 / (1 + a·d^2b) of UMAP's layout, fitted to its membership 1 up to min_dist and exp(-(d - min_dist) /
 * spread) beyond, at umap-learn's 300 distances from 0 to 3·spread (umap_.py, find_ab_params).
 */
import { findABParams } from 'umap-js/dist/umap.js';

const POINTS = 300;

interface Curve {
  a: number;
  b: number;
}

/** Distances in units of spread: where the fit does not depend on spread. */
const DISTANCES = Float64Array.from({ length: POINTS }, (_, i) => (3 * i) / (POINTS - 1));

/**
 * Root mean square of curve − membership; `ratio` is min_dist / spread, and a belongs to distances in units of spread.
 */
function residual({ a, b }: Curve, ratio: number): number {
  let sum = 0;
  for (const t of DISTANCES) sum += (1 / (1 + a * t ** (2 * b)) - (t < ratio ? 1 : Math.exp(ratio - t))) ** 2;
  return Math.sqrt(sum / POINTS);
}

/**
 * Least squares by Levenberg and Marquardt over log a and log b, so that both stay above 0. At distances in units of
 * spread, one valley leads to the minimum for every ratio from 0 to 1.
 */
function leastSquares(ratio: number): Curve {
  let [logA, logB] = [0, 0];
  let best = residual({ a: 1, b: 1 }, ratio);
  let damping = 1e-3;
  for (let step = 0; step < 200 && damping < 1e12; step++) {
    const [a, b] = [Math.exp(logA), Math.exp(logB)];
    let [aa, ab, bb, ga, gb] = [0, 0, 0, 0, 0];
    for (const t of DISTANCES) {
      if (t === 0) continue;
      const power = a * t ** (2 * b);
      const y = 1 / (1 + power);
      const byA = -y * y * power;
      const byB = byA * 2 * b * Math.log(t);
      const error = y - (t < ratio ? 1 : Math.exp(ratio - t));
      aa += byA * byA;
      ab += byA * byB;
      bb += byB * byB;
      ga += byA * error;
      gb += byB * error;
    }
    const [daa, dbb] = [aa * (1 + damping), bb * (1 + damping)];
    const determinant = daa * dbb - ab * ab;
    const [da, db] = [(ab * gb - dbb * ga) / determinant, (ab * ga - daa * gb) / determinant];
    const next = residual({ a: Math.exp(logA + da), b: Math.exp(logB + db) }, ratio);
    if (next < best) {
      [logA, logB, best, damping] = [logA + da, logB + db, next, damping / 10];
      if (Math.abs(da) + Math.abs(db) < 1e-12) break;
    } else damping *= 10;
  }
  return { a: Math.exp(logA), b: Math.exp(logB) };
}

/** umap-js's fit stands where its residual is at most this much above the least. */
const GOOD = 1.005;

/**
 * The parameters of the curve for 0 ≤ minDist ≤ spread: umap-js's where its fit is good (it is for the defaults), else
 * the least squares of umap-learn's points; umap-js starts from one point and gives up far from the minimum, with b
 * below 0, for many settings.
 *
 * @throws RangeError where spread is so small or large that the parameters are no numbers above 0
 */
export function curveParameters(spread: number, minDist: number): Curve {
  const ratio = minDist / spread;
  const best = leastSquares(ratio);
  const theirs = findABParams(spread, minDist);
  const inUnits = { a: theirs.a * spread ** (2 * theirs.b), b: theirs.b };
  if (theirs.a > 0 && theirs.b > 0 && residual(inUnits, ratio) <= GOOD * residual(best, ratio)) return theirs;
  const a = best.a * spread ** (-2 * best.b);
  if (!(a > 0 && Number.isFinite(a))) {
    throw new RangeError(`UMAP's spread is ${spread}, for which the curve has no parameters; expected a number near 1`);
  }
  return { a, b: best.b };
}
