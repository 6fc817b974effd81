/** Landmarks: points that represent all, and the distance of any point to the nearest of them. */
import { pauses, type CallOptions } from '../compute/call.js';
import type { Matrix } from '../compute/matrix.js';
import { Random } from '../compute/random.js';
import type { Distances } from './ripsSimplices.js';

export type SampleMetric = 'euclidean' | 'cosine';

/** Points with float64 distances. */
export class PointDistances {
  readonly n: number;
  readonly #data: Float32Array;
  readonly #d: number;
  /** 1 / length of each row (0 for a zero row), cosine only. */
  readonly #scale?: Float64Array;

  constructor(
    x: Matrix,
    readonly metric: SampleMetric,
  ) {
    this.n = x.rows;
    this.#data = x.data;
    this.#d = x.cols;
    if (metric === 'cosine') {
      this.#scale = new Float64Array(x.rows);
      for (let i = 0; i < x.rows; i++) {
        let sum = 0;
        for (let e = i * x.cols; e < (i + 1) * x.cols; e++) sum += x.data[e] ** 2;
        this.#scale[i] = sum > 0 ? 1 / Math.sqrt(sum) : 0;
      }
    }
  }

  /**
   * Euclidean distance, or 1 − cosine as half the squared distance of the directions (no cancellation between near
   * ones); a zero row is at cosine distance 1 from every other.
   */
  between(i: number, j: number): number {
    const [data, d, scale] = [this.#data, this.#d, this.#scale];
    const p = i * d;
    const q = j * d;
    const [a, b] = scale ? [scale[i], scale[j]] : [1, 1];
    if (i === j) return 0;
    if (a === 0 || b === 0) return 1;
    let s0 = 0;
    let s1 = 0;
    let s2 = 0;
    let s3 = 0;
    let k = 0;
    for (; k + 3 < d; k += 4) {
      const d0 = data[p + k] * a - data[q + k] * b;
      const d1 = data[p + k + 1] * a - data[q + k + 1] * b;
      const d2 = data[p + k + 2] * a - data[q + k + 2] * b;
      const d3 = data[p + k + 3] * a - data[q + k + 3] * b;
      s0 += d0 * d0;
      s1 += d1 * d1;
      s2 += d2 * d2;
      s3 += d3 * d3;
    }
    for (; k < d; k++) s0 += (data[p + k] * a - data[q + k] * b) ** 2;
    const square = s0 + s1 + (s2 + s3);
    return scale ? Math.min(2, square / 2) : Math.sqrt(square);
  }

  /** All distances between some points. */
  async among(ids: Int32Array, call: CallOptions = {}): Promise<Distances> {
    const n = ids.length;
    const d = new Float64Array(n * n);
    const pause = pauses(call.signal, 'distances');
    for (let i = 0; i < n; i++) {
      for (let j = 0; j < i; j++) d[i * n + j] = d[j * n + i] = this.between(ids[i], ids[j]);
      await pause();
    }
    return { n, d };
  }
}

export interface Landmarks {
  /** Row numbers, ascending. */
  ids: Int32Array;
  /** The largest distance of a point from its nearest landmark; 0 when every point is one. */
  coveringRadius: number;
}

/**
 * `count` points out of n. maxmin: a first one at random, then always the point farthest from those taken (the covering
 * radius is at most twice the least possible: Gonzalez 1985); random: every set equally likely. All n when count ≥ n.
 * Points equal to a landmark are not taken again by maxmin, so that there may be fewer.
 */
export async function landmarks(
  points: { n: number; between(i: number, j: number): number },
  count: number,
  method: 'maxmin' | 'random',
  seed: number,
  call: CallOptions = {},
): Promise<Landmarks> {
  const pause = pauses(call.signal, 'landmarks');
  const { n } = points;
  if (count >= n) return { ids: Int32Array.from({ length: n }, (_, i) => i), coveringRadius: 0 };
  const random = new Random(seed).fork('landmarks');
  const order = method === 'random' ? random.permutation(n).subarray(0, count) : [random.int(n)];
  const nearest = new Float64Array(n).fill(Infinity);
  const ids: number[] = [];
  let farthest = order[0];
  for (let step = 0; step < count; step++) {
    const taken = method === 'random' ? order[step] : farthest;
    ids.push(taken);
    farthest = taken;
    nearest[taken] = 0;
    for (let i = 0; i < n; i++) {
      if (nearest[i] > 0) nearest[i] = Math.min(nearest[i], points.between(taken, i));
      if (nearest[i] > nearest[farthest]) farthest = i;
    }
    if (method === 'maxmin' && nearest[farthest] === 0) break;
    if (await pause()) call.onProgress?.({ label: 'Landmarks', done: step, total: count });
  }
  return { ids: Int32Array.from(ids).sort(), coveringRadius: nearest[farthest] };
}
