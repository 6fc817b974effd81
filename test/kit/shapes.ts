/** Point clouds with a known shape. */
import { matrix, type Matrix } from '#kernel/compute/matrix.js';
import { Random } from '#kernel/compute/random.js';

function cloud(n: number, d: number, seed: number, noise: number, at: (i: number, random: Random) => number[]): Matrix {
  const random = new Random(seed);
  const x = matrix(n, d);
  for (let i = 0; i < n; i++) {
    const point = at(i, random);
    for (let j = 0; j < d; j++) x.data[i * d + j] = (point[j] ?? 0) + noise * random.normal();
  }
  return x;
}

/** A unit circle in the first two of d dimensions. */
export const circle = (n: number, seed: number, noise = 0.04, d = 3): Matrix =>
  cloud(n, d, seed, noise, (_, random) => {
    const t = 2 * Math.PI * random.next();
    return [Math.cos(t), Math.sin(t)];
  });

/** Two circles that touch at the origin. */
export const figureEight = (n: number, seed: number, noise = 0.03): Matrix =>
  cloud(n, 2, seed, noise, (i, random) => {
    const t = 2 * Math.PI * random.next();
    return i % 2 ? [1 + Math.cos(t), Math.sin(t)] : [-1 - Math.cos(t), Math.sin(t)];
  });

/** Normal clouds of deviation 0.5 around centres; point i belongs to centre i mod their number. */
export const blobs = (
  n: number,
  seed: number,
  centres: readonly number[][] = [
    [0, 0],
    [8, 0],
    [0, 9],
  ],
): Matrix => cloud(n, centres[0].length, seed, 0.5, (i) => centres[i % centres.length]);

/** Uniform on the unit sphere in 3 dimensions. */
export const sphere = (n: number, seed: number): Matrix =>
  cloud(n, 3, seed, 0, (_, random) => {
    const v = [random.normal(), random.normal(), random.normal()];
    const length = Math.hypot(...v);
    return v.map((c) => c / length);
  });

/** Standard normal points in d dimensions. */
export const ball = (n: number, d: number, seed: number): Matrix =>
  cloud(n, d, seed, 1, () => new Array<number>(d).fill(0));
