/** The neighbour graph of Isomap. */
import { breathe, checkAborted, type CallOptions } from '../compute/call.js';
import { gemm, initGemm } from '../compute/gemm.js';
import { exactKnn } from '../compute/knn.js';
import type { Matrix } from '../compute/matrix.js';
import type { DistanceGraph } from '../compute/shortestPaths.js';
import { find, singletons, unite } from '../compute/unionFind.js';
import { exactDistance, openSpace, prepare } from './space.js';

/** Pairs with their weights as a graph of both directions. */
function graphOf(n: number, from: number[], to: number[], weight: number[]): DistanceGraph {
  const indptr = new Int32Array(n + 1);
  for (let e = 0; e < from.length; e++) {
    indptr[from[e] + 1]++;
    indptr[to[e] + 1]++;
  }
  for (let i = 0; i < n; i++) indptr[i + 1] += indptr[i];
  const next = indptr.slice(0, n);
  const indices = new Int32Array(2 * from.length);
  const weights = new Float64Array(2 * from.length);
  for (let e = 0; e < from.length; e++) {
    const [a, b] = [from[e], to[e]];
    indices[next[a]] = b;
    weights[next[a]++] = weight[e];
    indices[next[b]] = a;
    weights[next[b]++] = weight[e];
  }
  return { indptr, indices, weights };
}

const MAX_PIECES = 4000;

/** The shortest bridge between every two pieces of the graph, as scikit-learn joins them. */
async function bridges(
  x: Matrix,
  metric: 'euclidean' | 'cosine',
  piece: Int32Array,
  pieces: number,
  call: CallOptions,
): Promise<{ a: Int32Array; b: Int32Array }> {
  if (pieces > MAX_PIECES)
    throw new RangeError(
      `Isomap: the graph of neighbours falls into ${pieces} pieces, more than ${MAX_PIECES}; use a larger nNeighbors`,
    );
  const { rows: n, cols: d } = x;
  const p = prepare(
    openSpace(x, metric, undefined),
    Int32Array.from({ length: n }, (_, i) => i),
  );
  const best = new Float64Array(pieces * pieces).fill(Infinity);
  const a = new Int32Array(pieces * pieces);
  const b = new Int32Array(pieces * pieces);
  const step = Math.max(1, Math.floor(2 ** 22 / n));
  for (let i0 = 0; i0 < n; i0 += step) {
    checkAborted(call.signal, 'Isomap');
    const i1 = Math.min(n, i0 + step);
    const c = gemm(p.rows.subarray(i0 * d, i1 * d), p.rows, i1 - i0, n, d, { transB: true });
    for (let i = i0; i < i1; i++) {
      const own = piece[i] * pieces;
      const at = (i - i0) * n;
      for (let j = 0; j < n; j++) {
        if (piece[j] <= piece[i]) continue;
        const score = (metric === 'cosine' ? 0 : p.squares[i] + p.squares[j]) - 2 * c[at + j];
        if (score < best[own + piece[j]]) {
          best[own + piece[j]] = score;
          a[own + piece[j]] = i;
          b[own + piece[j]] = j;
        }
      }
    }
    await breathe();
  }
  return { a, b };
}

/**
 * The graph of k nearest neighbours. Where it falls into pieces, the shortest bridge between every two is added, as
 * scikit-learn does, and a warning says so.
 */
export async function neighbourGraph(
  x: Matrix,
  k: number,
  metric: 'euclidean' | 'cosine',
  call: CallOptions,
): Promise<{ graph: DistanceGraph; warnings: string[] }> {
  const n = x.rows;
  await initGemm();
  const { indices } = await exactKnn(x, k, { metric, ...call });
  const space = openSpace(x, metric, undefined);
  const [from, to, weight]: [number[], number[], number[]] = [[], [], []];
  const parent = singletons(n);
  const add = (i: number, j: number): void => {
    from.push(i);
    to.push(j);
    weight.push(exactDistance(space, i, j));
    unite(parent, i, j);
  };
  const has = (i: number, j: number): boolean => {
    for (let e = i * k; e < (i + 1) * k; e++) if (indices[e] === j) return true;
    return false;
  };
  for (let i = 0; i < n; i++)
    for (let e = i * k; e < (i + 1) * k; e++) {
      const j = indices[e];
      // Once for each pair, whichever side named it.
      if (i < j || !has(j, i)) add(i, j);
    }
  const number = new Map<number, number>();
  const piece = Int32Array.from({ length: n }, (_, i) => {
    const root = find(parent, i);
    if (!number.has(root)) number.set(root, number.size);
    return number.get(root)!;
  });
  const pieces = number.size;
  if (pieces === 1) return { graph: graphOf(n, from, to, weight), warnings: [] };
  const { a, b } = await bridges(x, metric, piece, pieces, call);
  for (let p = 0; p < pieces; p++) for (let q = p + 1; q < pieces; q++) add(a[p * pieces + q], b[p * pieces + q]);
  const warning = `Isomap: the graph of ${k} neighbours falls into ${pieces} pieces; the shortest bridge between every two was added, as scikit-learn does. A larger nNeighbors avoids it`;
  return { graph: graphOf(n, from, to, weight), warnings: [warning] };
}
