/**
 * A vertex range of an epoch of UMAP's layout in three dimensions, or of two layouts that are tied to each other: the
 * steps of the kernel `epoch` (kernels.wat), which is of one layout in the plane, in plain code.
 */
import type { LayoutViews } from './layout.js';

export interface SpaceEpoch {
  axes: 2 | 3;
  /** Vertices are tied (`tie…` of the views), and pushed off those of their own layout alone. */
  tied: boolean;
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
  const at = new Float64Array(3);
  for (let i = e.low; i < e.high; i++) {
    for (let c = 0; c < e.axes; c++) at[c] = e.from[e.axes * i + c];
    push(m, e, i, at, pull(m, e, i, at));
    for (let c = 0; c < e.axes; c++) e.into[e.axes * i + c] = at[c];
  }
}

/** By all edges at once, and all ties; gives the damped step. */
function pull(m: LayoutViews, e: SpaceEpoch, i: number, at: Float64Array): number {
  const { axes } = e;
  const space = axes === 3;
  let [sx, sy, sz, sum, ties] = [0, 0, 0, 0, 0];
  for (let p = m.first[i]; p < m.first[i + 1]; p++) {
    const j = m.to[p];
    const y = j < e.fresh ? e.into : e.from;
    const [dx, dy] = [at[0] - y[axes * j], at[1] - y[axes * j + 1]];
    const dz = space ? at[2] - y[axes * j + 2] : 0;
    const q = m.attract[entry(dx * dx + dy * dy + dz * dz)] * m.weight[p];
    sum += q;
    sx += q * dx;
    sy += q * dy;
    sz += q * dz;
  }
  for (let p = e.tied ? m.tieFirst[i] : 0, end = e.tied ? m.tieFirst[i + 1] : 0; p < end; p++) {
    const j = m.tieTo[p];
    const y = j < e.fresh ? e.into : e.from;
    const q = m.tieWeight[p];
    ties += q;
    sx += q * (at[0] - y[axes * j]);
    sy += q * (at[1] - y[axes * j + 1]);
    if (space) sz += q * (at[2] - y[axes * j + 2]);
  }
  // Ties are as stiff as they are told to be: with twice their sum no weight throws two vertices past each other.
  const step = e.alpha / (1 + e.alpha * (e.damping * sum + 2 * ties));
  at[0] -= 2 * step * sx;
  at[1] -= 2 * step * sy;
  at[2] -= 2 * step * sz;
  return step;
}

/** Off negative samples, one after the other. */
function push(m: LayoutViews, e: SpaceEpoch, i: number, at: Float64Array, step: number): void {
  const { axes } = e;
  const space = axes === 3;
  let credit = m.credit[i] + m.increment[i];
  let r = keyed(e.key, i);
  for (; credit >= 1; credit--) {
    r ^= r << 13;
    r ^= r >>> 17;
    r ^= r << 5;
    const j = Math.floor(((r >>> 0) / 2 ** 32) * e.points);
    // `increment` counts in that samples of the other layout push nothing.
    if (j === i || (e.tied && m.side[j] !== m.side[i])) continue;
    const y = j < e.fresh ? e.into : e.from;
    const [dx, dy] = [at[0] - y[axes * j], at[1] - y[axes * j + 1]];
    const dz = space ? at[2] - y[axes * j + 2] : 0;
    const d2 = dx * dx + dy * dy + dz * dz;
    const q = m.repel[entry(d2)];
    // Points on top of each other: the clipped maximum.
    at[0] += step * (d2 > 0 ? clipped(q * dx) : 4);
    at[1] += step * (d2 > 0 ? clipped(q * dy) : 4);
    if (space) at[2] += step * (d2 > 0 ? clipped(q * dz) : 4);
  }
  m.credit[i] = credit;
}
