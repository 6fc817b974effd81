/** Random numbers and distances that share no code with the kernel. */

/** A small generator of its own, so that tests do not lean on what they test. */
export function normals(seed: number): () => number {
  let state = seed * 2654435761 + 1;
  const uniform = (): number => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return (((t ^ (t >>> 14)) >>> 0) + 0.5) / 4294967296;
  };
  return () => Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform());
}

/** ‖a − b‖ / ‖b‖; entries that are −Infinity in both count as equal, in one as infinitely far. */
export function relativeError(a: ArrayLike<number>, b: ArrayLike<number>): number {
  if (a.length !== b.length) return Infinity;
  let difference = 0;
  let size = 0;
  for (let i = 0; i < a.length; i++) {
    if (a[i] === -Infinity && b[i] === -Infinity) continue;
    difference += (a[i] - b[i]) ** 2;
    size += b[i] ** 2;
  }
  return Math.sqrt(difference / size);
}

/**
 * How far values are from uniform on [0, 1]: the Kolmogorov-Smirnov distance in units of what uniform ones pass one time in
 * a hundred.
 */
export function fromUniform(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const n = sorted.length;
  const distance = sorted.reduce((d, v, i) => Math.max(d, (i + 1) / n - v, v - i / n), 0);
  return distance / (1.63 / Math.sqrt(n));
}

/** p = k/(R + 1) at a random place of its step: uniform where every rank of the score among its nulls is as likely. */
export const placed = (p: number, runs: number, seed: number): number => p - uniformOf(seed) / (runs + 1);

function uniformOf(seed: number): number {
  const x = Math.sin(12.9898 * (seed + 1)) * 43758.5453;
  return x - Math.floor(x);
}

/** Numbers in [0, 1) that Python makes too: a 32-bit linear congruential generator, as in test/goldens. */
export function lcg(n: number, seed: number): Float64Array {
  let s = seed;
  return Float64Array.from({ length: n }, () => (s = (Math.imul(1664525, s) + 1013904223) >>> 0) / 2 ** 32);
}
