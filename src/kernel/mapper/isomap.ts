/**
 * Isomap (Tenenbaum, de Silva and Langford 2000) with scikit-learn's definitions; with landmarks, de Silva and
 * Tenenbaum 2003: geodesics from some points alone, the others placed by their distances to these.
 */
import { breathe, checkAborted, type CallOptions } from '../compute/call.js';
import { leadingEigen } from '../compute/leadingEigen.js';
import { symmetricEigen } from '../compute/linalg.js';
import type { Matrix } from '../compute/matrix.js';
import { requireMemory } from '../compute/memory.js';
import { pool, runTask } from '../compute/pool.js';
import { Random } from '../compute/random.js';
import type { DistanceGraph } from '../compute/shortestPaths.js';
import { neighbourGraph } from './isomapGraph.js';
import { LENSES, type IsomapLens } from './options.js';
import { requireWhole } from '../compute/require.js';

export interface IsomapResult {
  /** n × components, float64. */
  values: Float64Array;
  components: number;
  description: string;
  warnings: string[];
}

/** Up to this many points geodesics start from every one. */
const ALL = 1500;
const SOURCES_A_TASK = 16;

/** Geodesics from each source, sources × n, Dijkstra in the workers. */
async function geodesics(graph: DistanceGraph, sources: Int32Array, call: CallOptions): Promise<Float64Array> {
  const n = graph.indptr.length - 1;
  requireMemory(`geodesics of ${sources.length} × ${n} points`, 8 * sources.length * n);
  const out = new Float64Array(sources.length * n);
  let next = 0;
  let done = 0;
  const work = async (): Promise<void> => {
    while (next < sources.length) {
      checkAborted(call.signal, 'Isomap');
      const at = next;
      next += SOURCES_A_TASK;
      const some = sources.slice(at, at + SOURCES_A_TASK);
      out.set(await runTask<Float64Array>('shortestPaths', { graph, sources: some }, { signal: call.signal }), at * n);
      done += some.length;
      call.onProgress?.({ label: 'Isomap geodesics', done, total: sources.length, unit: 'points' });
    }
  };
  // One task waits while another runs, so that no worker idles between two.
  await Promise.all(Array.from({ length: pool().size + 1 }, work));
  return out;
}

/** −½ of the squares, rows and columns centred; also the mean of squares of each column. */
function centred(distances: Float64Array, m: number): { b: Float64Array; means: Float64Array } {
  const b = distances.map((v) => -0.5 * v * v);
  const means = new Float64Array(m);
  let all = 0;
  for (let i = 0; i < m; i++) {
    for (let j = 0; j < m; j++) means[i] += b[i * m + j];
    means[i] /= m;
    all += means[i] / m;
  }
  for (let i = 0; i < m; i++) for (let j = 0; j < m; j++) b[i * m + j] += all - means[i] - means[j];
  return { b, means };
}

/** The largest eigenvalues (negative ones as 0) and k × m unit eigenvectors, the largest entry of each positive. */
async function axesOf(b: Float64Array, m: number, k: number, call: CallOptions) {
  let values: Float64Array;
  let vectors: Float64Array;
  // Krylov spaces of eight times the axes cost more than the whole problem when they are half of it.
  if (m <= 320 || 16 * (k + 2) > m) {
    const whole = symmetricEigen(b, m);
    values = whole.values.slice(0, k);
    vectors = new Float64Array(k * m);
    for (let c = 0; c < k; c++) for (let j = 0; j < m; j++) vectors[c * m + j] = whole.vectors[j * m + c];
  } else ({ values, vectors } = await leadingEigen(b, m, k, call));
  const largest = Math.max(values[0], 0);
  for (let c = 0; c < k; c++) {
    let peak = 0;
    for (let j = 0; j < m; j++) if (Math.abs(vectors[c * m + j]) > Math.abs(peak)) peak = vectors[c * m + j];
    if (peak < 0) for (let j = 0; j < m; j++) vectors[c * m + j] = -vectors[c * m + j];
    if (values[c] <= 1e-12 * largest) values[c] = 0;
  }
  return { values, vectors };
}

/**
 * Isomap of finite rows. With as many landmarks as points the coordinates are scikit-learn's up to the sign of each
 * axis.
 * @throws RangeError for options out of range
 */
export async function isomap(
  x: Matrix,
  o: Omit<IsomapLens, 'kind'> & { seed: number },
  call: CallOptions = {},
): Promise<IsomapResult> {
  const n = x.rows;
  if (n < 3) throw new RangeError(`lens Isomap needs at least 3 points but got ${n}`);
  const components = o.components ?? LENSES.table.isomap.members.components.usual;
  const k = o.nNeighbors ?? LENSES.table.isomap.members.nNeighbors.usual;
  requireWhole('lens Isomap: components', components, 1, n - 1);
  requireWhole('lens Isomap: nNeighbors', k, 1, n - 1);
  const landmarks = o.landmarks ?? (n <= ALL ? n : Math.min(n, Math.max(1000, 5 * components)));
  requireWhole('lens Isomap: landmarks', landmarks, Math.min(n, components + 1), n);
  const { graph, warnings } = await neighbourGraph(x, k, o.metric ?? LENSES.table.isomap.members.metric.usual, call);
  const marks =
    landmarks === n
      ? Int32Array.from({ length: n }, (_, i) => i)
      : Int32Array.from(new Random(o.seed).fork('landmarks').permutation(n).subarray(0, landmarks)).sort();
  const far = await geodesics(graph, marks, call);
  const between = new Float64Array(landmarks * landmarks);
  for (let i = 0; i < landmarks; i++)
    for (let j = 0; j < landmarks; j++) between[i * landmarks + j] = far[i * n + marks[j]];
  const { b, means } = centred(between, landmarks);
  const { values: lambda, vectors } = await axesOf(b, landmarks, components, call);
  const flat = lambda.reduce((s, v) => s + (v === 0 ? 1 : 0), 0);
  if (flat > 0) warnings.push(`Isomap: ${flat} of ${components} components have no extent and are 0`);
  const values = new Float64Array(n * components);
  for (let c = 0; c < components; c++) {
    if (lambda[c] === 0) continue;
    const scale = 1 / Math.sqrt(lambda[c]);
    const v = vectors.subarray(c * landmarks, (c + 1) * landmarks);
    for (let j = 0; j < landmarks; j++) {
      const w = v[j] * scale;
      const row = j * n;
      // Placing a landmark by its own distances gives its classical coordinates.
      for (let i = 0; i < n; i++) values[i * components + c] += w * (-0.5 * far[row + i] * far[row + i] - means[j]);
    }
    if (c % 8 === 7) {
      checkAborted(call.signal, 'Isomap');
      await breathe();
    }
  }
  const some = landmarks === n ? '' : `, ${landmarks} landmarks, seed ${o.seed}`;
  const metric = o.metric === 'cosine' ? ', cosine' : '';
  return { values, components, description: `Isomap(${components}), ${k} neighbours${metric}${some}`, warnings };
}
