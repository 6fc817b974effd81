/** Starting positions of UMAP: leading eigenvectors of the graph's normalised adjacency by Lanczos iteration. */
import { symmetricEigen } from '../compute/linalg.js';
import type { Random } from '../compute/random.js';
import type { FuzzyGraph } from './fuzzyGraph.js';

/** y = D^-½ W D^-½ x. */
function multiply(graph: FuzzyGraph, inverseRoot: Float64Array, x: Float64Array, y: Float64Array): void {
  y.fill(0);
  const { head, tail, weight } = graph;
  for (let e = 0; e < head.length; e++) {
    const i = head[e];
    const j = tail[e];
    const w = weight[e] * inverseRoot[i] * inverseRoot[j];
    y[i] += w * x[j];
    y[j] += w * x[i];
  }
}

const dot = (a: Float64Array, b: Float64Array): number => {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i] * b[i];
  return sum;
};
const addScaled = (a: Float64Array, s: number, b: Float64Array): void => {
  for (let i = 0; i < a.length; i++) a[i] += s * b[i];
};

/**
 * Two non-trivial eigenvectors, n × 2, of a connected graph; undefined when Lanczos has not settled (residual above
 * 1e-3 after `steps`), so that the caller takes another start and says so.
 */
export function spectralLayout(graph: FuzzyGraph, random: Random, steps = 160): Float32Array | undefined {
  const n = graph.points;
  const degree = new Float64Array(n);
  for (let e = 0; e < graph.head.length; e++) {
    degree[graph.head[e]] += graph.weight[e];
    degree[graph.tail[e]] += graph.weight[e];
  }
  const inverseRoot = degree.map((d) => (d > 0 ? 1 / Math.sqrt(d) : 0));
  // The first eigenvector is known: √degree, eigenvalue 1. It is kept out from the start.
  const trivial = degree.map(Math.sqrt);
  const length = Math.sqrt(dot(trivial, trivial));
  for (let i = 0; i < n; i++) trivial[i] /= length;
  const basis: Float64Array[] = [trivial];
  const diagonal: number[] = [];
  const offDiagonal: number[] = [];
  let v = Float64Array.from({ length: n }, () => random.normal());
  const orthogonalise = (x: Float64Array): number => {
    // Twice is enough (Kahan, Parlett).
    for (let pass = 0; pass < 2; pass++) for (const b of basis) addScaled(x, -dot(x, b), b);
    return Math.sqrt(dot(x, x));
  };
  let norm = orthogonalise(v);
  const most = Math.min(steps, n - 1);
  for (let s = 0; s < most && norm > 1e-12; s++) {
    for (let i = 0; i < n; i++) v[i] /= norm;
    basis.push(v);
    const w = new Float64Array(n);
    multiply(graph, inverseRoot, v, w);
    diagonal.push(dot(w, v));
    norm = orthogonalise(w);
    offDiagonal.push(norm);
    v = w;
  }
  return ritzVectors(basis, diagonal, offDiagonal, n);
}

function ritzVectors(
  basis: Float64Array[],
  diagonal: number[],
  offDiagonal: number[],
  n: number,
): Float32Array | undefined {
  const m = diagonal.length;
  if (m < 2) return undefined;
  const t = new Float64Array(m * m);
  for (let i = 0; i < m; i++) {
    t[i * m + i] = diagonal[i];
    if (i + 1 < m) t[i * m + i + 1] = t[(i + 1) * m + i] = offDiagonal[i];
  }
  const { vectors } = symmetricEigen(t, m);
  const out = new Float32Array(n * 2);
  for (let c = 0; c < 2; c++) {
    const residual = Math.abs(offDiagonal[m - 1] * vectors[(m - 1) * m + c]);
    if (m < n - 1 && residual > 1e-3) return undefined;
    const sum = new Float64Array(n);
    for (let s = 0; s < m; s++) addScaled(sum, vectors[s * m + c], basis[s + 1]);
    for (let i = 0; i < n; i++) out[2 * i + c] = sum[i];
  }
  return out;
}
