/**
 * Starting positions of UMAP: the leading eigenvectors of the graph's normalised adjacency D^-½ W D^-½ beside the known
 * √degree, by subspace iteration with Chebyshev filters (Zhou and others 2006) on all cores.
 *
 * The more points a sheet has, the closer its eigenvalues crowd below 1 (a distance of about 3 / n): what counts as
 * found is measured by that distance. A start that mixes higher eigenvectors in is folded, and the layout does not
 * unfold it.
 */
import type { CallOptions } from '../compute/call.js';
import { symmetricEigen } from '../compute/linalg.js';
import { requireMemory } from '../compute/memory.js';
import type { Random } from '../compute/random.js';
import { BLOCK, chebyshev, chebyshevFields, filtered, type ChebyshevViews } from '../compute/shared/chebyshev.js';
import { bytesOf, kernelsOf, shareMemory, viewsOf, type SharedMemory } from '../compute/shared/memory.js';
import { runPhase, type TeamOptions } from '../compute/shared/phases.js';
import type { FuzzyGraph } from './fuzzyGraph.js';

/** Up to so many points all eigenvectors are found at once. */
const DENSE = 64;
/** Accepted ‖A v − λ v‖ as a share of 1 − λ; v then has about this share of eigenvectors whose λ is clearly smaller. */
const RESIDUAL = 0.05;
/** Products with the block, after which the start counts as not found. */
const MOST_PRODUCTS = 4_000;
/** A filter enlarges the first eigenvector by at most e to this: beyond, the others would drown in its rounding. */
const GAIN = 16;
/** Below this many products of an entry with the block, workers cost more than they save. */
const SHARED_PRODUCTS = 3e5;

interface Block {
  memory: SharedMemory;
  m: ChebyshevViews;
  sizes: { points: number; entries: number };
  /** √degree, of length 1: the eigenvector of eigenvalue 1. */
  trivial: Float64Array;
}

function degrees(graph: FuzzyGraph): Float64Array {
  const degree = new Float64Array(graph.points);
  for (let e = 0; e < graph.head.length; e++) {
    degree[graph.head[e]] += graph.weight[e];
    degree[graph.tail[e]] += graph.weight[e];
  }
  return degree;
}

function trivialVector(degree: Float64Array): Float64Array {
  let sum = 0;
  for (const d of degree) sum += d;
  return degree.map((d) => Math.sqrt(d / sum));
}

/** The normalised adjacency by rows, in shared memory. */
function open(graph: FuzzyGraph): Block {
  const degree = degrees(graph);
  const { points, head, tail, weight } = graph;
  const sizes = { points, entries: 2 * head.length };
  const fields = chebyshevFields(sizes);
  requireMemory(`the spectral start of ${points} points`, bytesOf(fields));
  const memory = shareMemory(fields);
  const m = viewsOf(memory, fields);
  for (let e = 0; e < head.length; e++) {
    m.first[head[e] + 1]++;
    m.first[tail[e] + 1]++;
  }
  for (let i = 0; i < points; i++) m.first[i + 1] += m.first[i];
  const next = m.first.slice(0, points);
  for (let e = 0; e < head.length; e++) {
    const entry = weight[e] / Math.sqrt(degree[head[e]] * degree[tail[e]]);
    for (const [i, j] of [
      [head[e], tail[e]],
      [tail[e], head[e]],
    ]) {
      m.to[next[i]] = j;
      m.entries[next[i]++] = entry;
    }
  }
  return { memory, m, sizes, trivial: trivialVector(degree) };
}

/** Vectors of a block, each by itself: sums along them would else skip from cache line to cache line. */
type Vectors = readonly Float64Array[];

const vectorsOf = (points: number): Vectors => Array.from({ length: BLOCK }, () => new Float64Array(points));

function fromBlock(block: Float64Array, to: Vectors): void {
  to.forEach((v, c) => {
    for (let i = 0; i < v.length; i++) v[i] = block[BLOCK * i + c];
  });
}

function toBlock(from: Vectors, block: Float64Array): void {
  from.forEach((v, c) => {
    for (let i = 0; i < v.length; i++) block[BLOCK * i + c] = v[i];
  });
}

function product(x: Float64Array, y: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < x.length; i++) sum += x[i] * y[i];
  return sum;
}

/** Orthonormal, and orthogonal to the trivial vector: Gram and Schmidt twice, which is enough (Kahan, Parlett). */
function orthonormalise(x: Vectors, trivial: Float64Array): void {
  x.forEach((v, c) => {
    for (let pass = 0; pass < 2; pass++)
      for (const other of [trivial, ...x.slice(0, c)]) {
        const share = product(other, v);
        for (let i = 0; i < v.length; i++) v[i] -= share * other[i];
      }
    const length = Math.sqrt(product(v, v));
    for (let i = 0; i < v.length; i++) v[i] /= length;
  });
}

/** x ← x · q for q of BLOCK × BLOCK, row-major. */
function rotate(x: Vectors, q: Float64Array): void {
  const turned = vectorsOf(x[0].length);
  turned.forEach((to, c) =>
    x.forEach((from, b) => {
      const share = q[b * BLOCK + c];
      for (let i = 0; i < to.length; i++) to[i] += from[i] * share;
    }),
  );
  turned.forEach((v, c) => x[c].set(v));
}

/**
 * Rayleigh and Ritz: turns the vectors of x into the best eigenvectors of their span, the largest value first.
 * @returns their values, and the largest residual of the first `wanted` beside its distance from 1.
 */
function ritz(
  { memory, m, sizes, trivial }: Block,
  x: Vectors,
  wanted: number,
): { values: Float64Array; rest: number } {
  orthonormalise(x, trivial);
  toBlock(x, m.x0);
  m.x1.fill(0);
  kernelsOf(memory).filter(
    0,
    sizes.points,
    m.first.byteOffset,
    m.to.byteOffset,
    m.entries.byteOffset,
    m.x0.byteOffset,
    m.x1.byteOffset,
    1,
    0,
  );
  const image = vectorsOf(sizes.points);
  fromBlock(m.x1, image);
  const small = new Float64Array(BLOCK * BLOCK);
  for (let a = 0; a < BLOCK; a++)
    for (let b = 0; b <= a; b++) small[a * BLOCK + b] = (product(x[a], image[b]) + product(x[b], image[a])) / 2;
  const { values, vectors } = symmetricEigen(small, BLOCK);
  rotate(x, vectors);
  rotate(image, vectors);
  let rest = 0;
  for (let c = 0; c < wanted; c++) {
    let sum = 0;
    for (let i = 0; i < sizes.points; i++) sum += (image[c][i] - values[c] * x[c][i]) ** 2;
    rest = Math.max(rest, Math.sqrt(sum) / Math.max(Number.EPSILON, 1 - values[c]));
  }
  return { values, rest };
}

/** The vectors side by side, each with its entry of largest size positive: the picture is not turned over by the seed. */
function oriented(vectors: Vectors): Float32Array {
  const [dimensions, points] = [vectors.length, vectors[0].length];
  const out = new Float32Array(points * dimensions);
  vectors.forEach((v, c) => {
    let most = 0;
    for (const e of v) if (Math.abs(e) > Math.abs(most)) most = e;
    for (let i = 0; i < points; i++) out[dimensions * i + c] = most < 0 ? -v[i] : v[i];
  });
  return out;
}

function denseLayout(graph: FuzzyGraph, dimensions: number): Float32Array {
  const n = graph.points;
  const degree = degrees(graph);
  const trivial = trivialVector(degree);
  const a = new Float64Array(n * n);
  // The trivial vector goes to the end: its eigenvalue of 1 becomes −2.
  for (let i = 0; i < n; i++) for (let j = 0; j < n; j++) a[i * n + j] = -3 * trivial[i] * trivial[j];
  for (let e = 0; e < graph.head.length; e++) {
    const [i, j] = [graph.head[e], graph.tail[e]];
    const entry = graph.weight[e] / Math.sqrt(degree[i] * degree[j]);
    a[i * n + j] += entry;
    a[j * n + i] += entry;
  }
  const { vectors } = symmetricEigen(a, n);
  return oriented(Array.from({ length: dimensions }, (_, c) => vectors.filter((_, at) => at % n === c)));
}

/**
 * The first non-trivial eigenvectors of a connected graph of more points than dimensions, points × dimensions; the same
 * bits for any number of workers. undefined when they were not found within 4,000 products (a thread of 10,000 points,
 * say), so that the caller takes another start and says so.
 */
export async function spectralLayout(
  graph: FuzzyGraph,
  random: Random,
  call: CallOptions & TeamOptions & { dimensions?: number } = {},
): Promise<Float32Array | undefined> {
  const { dimensions = 2 } = call;
  if (graph.points <= DENSE) return denseLayout(graph, dimensions);
  const block = open(graph);
  const { memory, m, sizes } = block;
  m.x0.forEach((_, i) => (m.x0[i] = random.normal()));
  const x = vectorsOf(graph.points);
  fromBlock(m.x0, x);
  const alone = sizes.entries * BLOCK < SHARED_PRODUCTS;
  for (let products = 0; ;) {
    const { values, rest } = ritz(block, x, dimensions);
    if (rest <= RESIDUAL) return oriented(x.slice(0, dimensions));
    if (products >= MOST_PRODUCTS) return undefined;
    // Bipartite graphs have eigenvalues down to −1, where the interval would have no length.
    const cut = Math.max(-0.9, values[BLOCK - 1]);
    const gain = Math.acosh((3 - cut) / (1 + cut));
    const degree = Math.max(1, Math.min(Math.floor(GAIN / gain), MOST_PRODUCTS - products));
    toBlock(x, m.x0);
    m.x1.fill(0);
    await runPhase({ phase: 'chebyshev', memory, parameters: { ...sizes, degree, low: -1, cut } }, chebyshev, {
      ...call,
      label: 'UMAP start',
      unit: 'products',
      workers: call.workers ?? (alone ? 0 : undefined),
    });
    fromBlock(filtered(m, degree), x);
    products += degree;
  }
}
