/** Odd polynomials that are near 1 on an interval: the steps that drive singular values to 1. */

export interface OddPolynomial {
  /** Coefficients of x, x³, x⁵ … */
  readonly coefficients: readonly number[];
  /** Largest distance from 1 on the interval. */
  readonly error: number;
}

/** Points at which the exchange looks for the largest error, dense towards both ends. */
const POINTS = 200;
const ROUNDS = 50;

/**
 * The polynomial c₀ x + c₁ x³ + … of so many terms that is nearest to 1 on [low, 1], by Remez exchange: its error has
 * equal size, of alternating sign, at terms + 1 points. `low` in (0, 1). Where it is so close to 1 that the exchange
 * would divide by differences lost to rounding, the Taylor polynomial at 1 takes its place; its error is below (2 (1 −
 * low))^terms.
 */
export function bestOdd(low: number, terms: number): OddPolynomial {
  if (low > 1 - 10 ** (-9 / terms)) return { coefficients: taylor(terms), error: (2 * (1 - low)) ** terms };
  const x = Float64Array.from(
    { length: POINTS + 1 },
    (_, i) => low + ((1 - low) * (1 - Math.cos((Math.PI * i) / POINTS))) / 2,
  );
  const off = new Float64Array(POINTS + 1);
  let at = Array.from({ length: terms + 1 }, (_, i) => Math.round((POINTS * i) / terms));
  let found: OddPolynomial = { coefficients: [], error: Infinity };
  for (let round = 0; round < ROUNDS; round++) {
    const powers = (v: number): number[] => Array.from({ length: terms }, (_, i) => v ** (2 * i + 1));
    const coefficients = solve(at.map((k, i) => [...powers(x[k]), i % 2 === 0 ? 1 : -1, 1])).slice(0, terms);
    let error = 0;
    for (let k = 0; k <= POINTS; k++) {
      let value = 0;
      for (let i = terms - 1; i >= 0; i--) value = value * x[k] ** 2 + coefficients[i];
      off[k] = 1 - value * x[k];
      error = Math.max(error, Math.abs(off[k]));
    }
    found = { coefficients, error };
    const next = alternating(off);
    if (next.length !== at.length || next.every((k, i) => k === at[i])) break;
    at = next;
  }
  return found;
}

/** The point of the largest error in each run of errors of one sign. */
function alternating(off: Float64Array): number[] {
  const best: number[] = [];
  off.forEach((e, i) => {
    const last = best[best.length - 1];
    if (last === undefined || e > 0 !== off[last] > 0) best.push(i);
    else if (Math.abs(e) > Math.abs(off[last])) best[best.length - 1] = i;
  });
  return best;
}

/** x · Σ (2k choose k) ((1 − x²) / 4)^k, the beginning of x · (x²)^(-½), in powers of x. */
function taylor(terms: number): number[] {
  const out = new Array<number>(terms).fill(0);
  let power = [1];
  let weight = 1;
  for (let k = 0; k < terms; k++) {
    power.forEach((c, i) => (out[i] += weight * c));
    // Times 1 − x².
    power = Array.from({ length: power.length + 1 }, (_, i) => (power[i] ?? 0) - (power[i - 1] ?? 0));
    weight *= (2 * k + 1) / (2 * k + 2);
  }
  return out;
}

/** Gaussian elimination with row exchange; each row ends with its right-hand side. */
function solve(rows: number[][]): number[] {
  const n = rows.length;
  for (let k = 0; k < n; k++) {
    let best = k;
    for (let i = k + 1; i < n; i++) if (Math.abs(rows[i][k]) > Math.abs(rows[best][k])) best = i;
    [rows[k], rows[best]] = [rows[best], rows[k]];
    for (let i = k + 1; i < n; i++) {
      const f = rows[i][k] / rows[k][k];
      for (let j = k; j <= n; j++) rows[i][j] -= f * rows[k][j];
    }
  }
  const x = new Array<number>(n).fill(0);
  for (let k = n - 1; k >= 0; k--) {
    let sum = rows[k][n];
    for (let j = k + 1; j < n; j++) sum -= rows[k][j] * x[j];
    x[k] = sum / rows[k][k];
  }
  return x;
}
