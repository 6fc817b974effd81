/**
 * UMAP's stochastic gradient layout in two dimensions over typed arrays (umap-learn layouts.py,
 * optimize_layout_euclidean): one thread, so the same seed gives the same layout.
 *
 * The gradient coefficients depend on the squared distance alone; a table over the top 15 bits of the float32 takes
 * the place of Math.pow (relative step 1/128, below the noise of sampling).
 */
import { breathe, checkAborted, type CallOptions } from '../compute/call.js';
import type { FuzzyGraph } from './fuzzyGraph.js';

export interface LayoutParameters {
  a: number;
  b: number;
  epochs: number;
  learningRate: number;
  negativeSampleRate: number;
  repulsionStrength: number;
  /** Non-zero 32-bit seed of the negative samples. */
  seed: number;
}

interface Edges {
  head: Int32Array;
  tail: Int32Array;
  /** Epochs between samples of each edge. */
  every: Float32Array;
}

/** Both directions of every edge that is sampled at least once. */
function sampledEdges(graph: FuzzyGraph, epochs: number): Edges {
  let heaviest = 0;
  for (const w of graph.weight) if (w > heaviest) heaviest = w;
  let kept = 0;
  for (const w of graph.weight) if (w >= heaviest / epochs) kept++;
  const edges = { head: new Int32Array(2 * kept), tail: new Int32Array(2 * kept), every: new Float32Array(2 * kept) };
  // Ordered by head, as umap-learn's matrix is, so that neighbouring updates touch neighbouring memory.
  const start = new Int32Array(graph.points + 1);
  graph.weight.forEach((w, e) => {
    if (w < heaviest / epochs) return;
    start[graph.head[e] + 1]++;
    start[graph.tail[e] + 1]++;
  });
  for (let i = 0; i < graph.points; i++) start[i + 1] += start[i];
  graph.weight.forEach((w, e) => {
    if (w < heaviest / epochs) return;
    for (const [from, to] of [
      [graph.head[e], graph.tail[e]],
      [graph.tail[e], graph.head[e]],
    ]) {
      const at = start[from]++;
      edges.head[at] = from;
      edges.tail[at] = to;
      edges.every[at] = heaviest / w;
    }
  });
  return edges;
}

const TABLE = 32768;

function coefficientTables({ a, b, repulsionStrength }: LayoutParameters): {
  attract: Float32Array;
  repel: Float32Array;
} {
  const attract = new Float32Array(TABLE);
  const repel = new Float32Array(TABLE);
  const float = new Float32Array(1);
  const bits = new Int32Array(float.buffer);
  for (let q = 0; q < TABLE; q++) {
    bits[0] = (q << 16) | 0x8000;
    const d2 = float[0];
    if (!(d2 > 0) || !Number.isFinite(d2)) continue;
    const power = Math.pow(d2, b);
    attract[q] = (-2 * a * b * power) / d2 / (a * power + 1);
    repel[q] = (2 * repulsionStrength * b) / ((0.001 + d2) * (a * power + 1));
  }
  return { attract, repel };
}

/** Moves `y` (n × 2, changed in place) through all epochs. */
export async function optimizeLayout(
  y: Float32Array,
  graph: FuzzyGraph,
  parameters: LayoutParameters,
  call: CallOptions = {},
): Promise<void> {
  if (graph.head.length === 0) return;
  const edges = sampledEdges(graph, parameters.epochs);
  const state = {
    edges,
    ...coefficientTables(parameters),
    next: edges.every.slice(),
    nextNegative: edges.every.map((e) => e / parameters.negativeSampleRate),
  };
  let breath = performance.now();
  for (let epoch = 1; epoch <= parameters.epochs; epoch++) {
    runEpoch(y, graph.points, state, epoch, parameters);
    if (performance.now() - breath > 100) {
      checkAborted(call.signal, 'UMAP');
      call.onProgress?.({ label: 'UMAP layout', done: epoch, total: parameters.epochs, unit: 'epochs' });
      await breathe();
      breath = performance.now();
    }
  }
}

interface LayoutState {
  edges: Edges;
  attract: Float32Array;
  repel: Float32Array;
  next: Float32Array;
  nextNegative: Float32Array;
}

const clip = (x: number): number => (x > 4 ? 4 : x < -4 ? -4 : x);
const float = new Float32Array(1);
const bits = new Int32Array(float.buffer);

function runEpoch(y: Float32Array, points: number, state: LayoutState, epoch: number, p: LayoutParameters): void {
  const { attract, repel, next, nextNegative } = state;
  const { head, tail, every } = state.edges;
  const alpha = p.learningRate * (1 - (epoch - 1) / p.epochs);
  let random = (Math.imul(epoch, 2654435761) ^ p.seed) | 1;
  const scale = points / 2 ** 32;
  for (let e = 0; e < head.length; e++) {
    if (next[e] > epoch) continue;
    const i = head[e] << 1;
    const j = tail[e] << 1;
    let xi = y[i];
    let yi = y[i + 1];
    let dx = xi - y[j];
    let dy = yi - y[j + 1];
    let d2 = dx * dx + dy * dy;
    if (d2 > 0) {
      float[0] = d2;
      const c = attract[bits[0] >>> 16];
      const gx = clip(c * dx) * alpha;
      const gy = clip(c * dy) * alpha;
      xi += gx;
      yi += gy;
      y[j] -= gx;
      y[j + 1] -= gy;
    }
    next[e] += every[e];
    const perNegative = every[e] / p.negativeSampleRate;
    const negatives = ((epoch - nextNegative[e]) / perNegative) | 0;
    // All negatives push from where the edge has moved the point to: one after the other would wait for each other.
    let pushX = 0;
    let pushY = 0;
    for (let s = 0; s < negatives; s++) {
      random ^= random << 13;
      random ^= random >>> 17;
      random ^= random << 5;
      const r = ((random >>> 0) * scale) << 1;
      if (r === i) continue;
      dx = xi - y[r];
      dy = yi - y[r + 1];
      d2 = dx * dx + dy * dy;
      if (d2 > 0) {
        float[0] = d2;
        const c = repel[bits[0] >>> 16];
        pushX += clip(c * dx);
        pushY += clip(c * dy);
      } else {
        // Points on top of each other are pushed apart by the clipped maximum, as umap-learn does.
        pushX += 4;
        pushY += 4;
      }
    }
    xi += pushX * alpha;
    yi += pushY * alpha;
    nextNegative[e] += negatives * perNegative;
    y[i] = xi;
    y[i + 1] = yi;
  }
}
