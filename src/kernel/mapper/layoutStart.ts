/** Where a force layout starts: graph distances in the plane, so that loops start open and branches straight. */
import { symmetricEigen } from '../compute/linalg.js';
import type { Random } from '../compute/random.js';

const PIVOTS = 50;

/** Steps from one node to all others of a connected graph in CSR. */
function steps(from: number, at: Int32Array, to: Int32Array, out: Float64Array): void {
  out.fill(-1);
  out[from] = 0;
  const queue = new Int32Array(out.length);
  queue[0] = from;
  let end = 1;
  for (let k = 0; k < end; k++)
    for (let e = at[queue[k]]; e < at[queue[k] + 1]; e++)
      if (out[to[e]] < 0) {
        out[to[e]] = out[queue[k]] + 1;
        queue[end++] = to[e];
      }
}

/** Neighbours of nodes 0 … n−1, both ways. */
function neighbours(n: number, edges: ReadonlyArray<readonly [number, number]>): { at: Int32Array; to: Int32Array } {
  const at = new Int32Array(n + 1);
  for (const [a, b] of edges) {
    at[a + 1]++;
    at[b + 1]++;
  }
  for (let i = 0; i < n; i++) at[i + 1] += at[i];
  const next = at.slice();
  const to = new Int32Array(at[n]);
  for (const [a, b] of edges) {
    to[next[a]++] = b;
    to[next[b]++] = a;
  }
  return { at, to };
}

/** Squared distances to pivots that lie far from each other, n × k. */
function toPivots(n: number, edges: ReadonlyArray<readonly [number, number]>): Float64Array[] {
  const { at, to } = neighbours(n, edges);
  const near = new Float64Array(n).fill(Infinity);
  const columns: Float64Array[] = [];
  let pivot = 0;
  while (columns.length < Math.min(PIVOTS, n)) {
    const column = new Float64Array(n);
    steps(pivot, at, to, column);
    columns.push(column);
    pivot = 0;
    for (let i = 0; i < n; i++) {
      near[i] = Math.min(near[i], column[i]);
      if (near[i] > near[pivot]) pivot = i;
    }
  }
  for (const column of columns) for (let i = 0; i < n; i++) column[i] *= column[i];
  return columns;
}

/**
 * Coordinates of the nodes of a connected graph, n × 2: classical scaling of the steps between them, through pivots
 * (Brandes and Pich 2007, PivotMDS). Nodes in one place, such as the leaves of one node, part by a seeded jitter.
 * Scaled so that an edge is about `edge` long.
 */
export function pivotLayout(
  n: number,
  edges: ReadonlyArray<readonly [number, number]>,
  edge: number,
  random: Random,
): Float64Array {
  const columns = toPivots(n, edges);
  const k = columns.length;
  const rowMean = new Float64Array(n);
  let mean = 0;
  for (const column of columns) {
    const columnMean = column.reduce((s, v) => s + v, 0) / n;
    for (let i = 0; i < n; i++) {
      column[i] -= columnMean;
      rowMean[i] += column[i] / k;
    }
    mean += columnMean / k;
  }
  for (const column of columns) for (let i = 0; i < n; i++) column[i] -= rowMean[i];
  const gram = new Float64Array(k * k);
  for (let p = 0; p < k; p++)
    for (let q = 0; q <= p; q++) {
      let s = 0;
      for (let i = 0; i < n; i++) s += columns[p][i] * columns[q][i];
      gram[p * k + q] = gram[q * k + p] = s;
    }
  const { vectors } = symmetricEigen(gram, k);
  const out = new Float64Array(2 * n);
  for (let c = 0; c < Math.min(2, k); c++)
    for (let p = 0; p < k; p++) for (let i = 0; i < n; i++) out[2 * i + c] += columns[p][i] * vectors[p * k + c];
  let length = 0;
  for (const [a, b] of edges) length += Math.hypot(out[2 * a] - out[2 * b], out[2 * a + 1] - out[2 * b + 1]);
  const scale = length > 0 && mean > 0 ? (edge * edges.length) / length : 0;
  for (let i = 0; i < 2 * n; i++) out[i] = out[i] * scale + 0.2 * edge * (random.next() - 0.5);
  return out;
}
