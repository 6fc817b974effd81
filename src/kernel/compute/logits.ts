/** Sums over the logits of one position, in float64. Natural logarithms, so divergences are in nats. */

/** log Σ exp(x), without overflow; logits of −∞ add nothing. */
export function logSumExp(row: ArrayLike<number>): number {
  let top = -Infinity;
  for (let v = 0; v < row.length; v++) if (row[v] > top) top = row[v];
  // All −∞, or nothing: the difference below would be NaN.
  if (top === -Infinity) return -Infinity;
  let sum = 0;
  for (let v = 0; v < row.length; v++) sum += Math.exp(row[v] - top);
  return top + Math.log(sum);
}

/** Log probabilities of logits. */
export function logSoftmax(row: ArrayLike<number>): Float64Array {
  const total = logSumExp(row);
  return Float64Array.from(row, (v) => v - total);
}

/**
 * KL(p ‖ q) = Σ p (log p − log q), in nats, of two rows of logits with their log Σ exp (0 for rows of log
 * probabilities). Entries of probability 0 under p add nothing; an entry that p gives and q does not makes it ∞. Cut
 * off at 0, below which only rounding could take it.
 */
export function divergence(p: ArrayLike<number>, totalP: number, q: ArrayLike<number>, totalQ: number): number {
  let sum = 0;
  for (let v = 0; v < p.length; v++) {
    if (p[v] === -Infinity) continue;
    const logP = p[v] - totalP;
    sum += Math.exp(logP) * (logP - q[v] + totalQ);
  }
  return Math.max(0, sum);
}
