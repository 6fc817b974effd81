/** Nearest neighbours of a few rows without a matrix product, for pages. */
import { breathe } from './call.js';
import type { Matrix } from './matrix.js';

/** Multiply-adds between two breaths, about 0.1 s. */
const PIECE = 1e8;

/**
 * [n × k] indices of the k nearest rows by cosine, nearest first, the row itself left out, equal distances in order of
 * index: to the last index those of exactKnn(). A row of zeros is at distance 1 from all. Takes n² · d steps.
 */
export async function smallKnn(x: Matrix, k: number): Promise<{ indices: Int32Array }> {
  const { rows: n, cols: d, data } = x;
  const product = (i: number, j: number): number => {
    let sum = 0;
    for (let c = 0; c < d; c++) sum += data[i * d + c] * data[j * d + c];
    return sum;
  };
  const squares = Float64Array.from({ length: n }, (_, i) => product(i, i));
  const indices = new Int32Array(n * k);
  const distance = new Float64Array(n);
  const perPiece = Math.max(1, Math.floor(PIECE / (n * d)));
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < n; j++) {
      const both = squares[i] * squares[j];
      distance[j] = both > 0 ? 1 - product(i, j) / Math.sqrt(both) : 1;
    }
    const nearest = Array.from({ length: n }, (_, j) => j).filter((j) => j !== i);
    nearest.sort((a, b) => distance[a] - distance[b] || a - b);
    for (let c = 0; c < k; c++) indices[i * k + c] = nearest[c];
    if (i % perPiece === perPiece - 1) await breathe();
  }
  return { indices };
}
