/**
 * A vertex range of an epoch of UMAP's layout in three dimensions: the steps of the kernel `epoch` (kernels.wat), which is
 * of the plane, in plain code.
 */
import type { LayoutViews } from './layout.js';

export interface SpaceEpoch {
  low: number;
  high: number;
  alpha: number;
  damping: number;
  points: number;
  /** Vertices below this one have moved in this epoch. */
  fresh: number;
  key: number;
  from: Float32Array;
  into: Float32Array;
}

const AXES = 3;

/** The top 16 bits of the next float, an entry of the tables. */
const float = new Float32Array(1);
const bits = new Int32Array(float.buffer);
function entry(squared: number): number {
  float[0] = squared;
  return bits[0] >>> 16;
}

const clipped = (v: number): number => Math.max(-4, Math.min(4, v));

/** The generator of a vertex's negative samples in an epoch. */
function keyed(key: number, i: number): number {
  let r = (key ^ Math.imul(i, 0x85ebca6b)) + 0x1b873593;
  r = Math.imul(r ^ (r >>> 16), 0x7feb352d);
  r = Math.imul(r ^ (r >>> 15), 0x846ca68b);
  return (r ^ (r >>> 16)) | 1;
}

/** Moves vertices low … high − 1. */
export function spaceEpoch(m: LayoutViews, e: SpaceEpoch): void {
  const at = new Float64Array(AXES);
  for (let i = e.low; i < e.high; i++) {
    for (let c = 0; c < AXES; c++) at[c] = e.from[AXES * i + c];
    push(m, e, i, at, pull(m, e, i, at));
    for (let c = 0; c < AXES; c++) e.into[AXES * i + c] = at[c];
  }
}

/** By all edges at once; gives the damped step. */
function pull(m: LayoutViews, e: SpaceEpoch, i: number, at: Float64Array): number {
  let [sx, sy, sz, sum] = [0, 0, 0, 0];
  for (let p = m.first[i]; p < m.first[i + 1]; p++) {
    const j = m.to[p];
    const y = j < e.fresh ? e.into : e.from;
    const [dx, dy, dz] = [at[0] - y[AXES * j], at[1] - y[AXES * j + 1], at[2] - y[AXES * j + 2]];
    const q = m.attract[entry(dx * dx + dy * dy + dz * dz)] * m.weight[p];
    sum += q;
    sx += q * dx;
    sy += q * dy;
    sz += q * dz;
  }
  const step = e.alpha / (1 + e.damping * e.alpha * sum);
  at[0] -= 2 * step * sx;
  at[1] -= 2 * step * sy;
  at[2] -= 2 * step * sz;
  return step;
}

/** Off negative samples, one after the other. */
function push(m: LayoutViews, e: SpaceEpoch, i: number, at: Float64Array, step: number): void {
  let credit = m.credit[i] + m.increment[i];
  let r = keyed(e.key, i);
  for (; credit >= 1; credit--) {
    r ^= r << 13;
    r ^= r >>> 17;
    r ^= r << 5;
    const j = Math.floor(((r >>> 0) / 2 ** 32) * e.points);
    if (j === i) continue;
    const y = j < e.fresh ? e.into : e.from;
    const [dx, dy, dz] = [at[0] - y[AXES * j], at[1] - y[AXES * j + 1], at[2] - y[AXES * j + 2]];
    const d2 = dx * dx + dy * dy + dz * dz;
    const q = m.repel[entry(d2)];
    // Points on top of each other: the clipped maximum.
    at[0] += step * (d2 > 0 ? clipped(q * dx) : 4);
    at[1] += step * (d2 > 0 ? clipped(q * dy) : 4);
    at[2] += step * (d2 > 0 ? clipped(q * dz) : 4);
  }
  m.credit[i] = credit;
}
