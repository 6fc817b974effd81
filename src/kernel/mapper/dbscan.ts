/** DBSCAN with scikit-learn's labels: neighbours as bits, from float32 products re-checked in float64 near eps. */
import { breathe, checkAborted, type CallOptions } from '../compute/call.js';
import { gemm } from '../compute/gemm.js';
import { requireMemory } from '../compute/memory.js';
import { exactScore, prepare, type Prepared, type Space } from './space.js';

/** A symmetric relation of m points, 32 to a word. */
export class Bits {
  readonly stride: number;
  readonly words: Uint32Array;

  constructor(readonly size: number) {
    this.stride = (size + 31) >> 5;
    if (size > 8192) requireMemory(`neighbours among ${size} points`, 4 * size * this.stride);
    this.words = new Uint32Array(size * this.stride);
  }

  /** Both ways. */
  join(i: number, j: number): void {
    this.words[i * this.stride + (j >> 5)] |= 1 << (j & 31);
    this.words[j * this.stride + (i >> 5)] |= 1 << (i & 31);
  }
}

/** Entries of one product; also a bound on native work (0.1 s at d = 1,024). */
const BLOCK = 2 ** 23;
let block = new Float32Array(0);

/** Memory for `length` entries, kept from one product to the next. */
export function blockOf(length: number): Float32Array {
  if (block.length < length) block = new Float32Array(length);
  return block.subarray(0, length);
}

/** The largest score that eps admits; scores are squared distances under euclidean. */
const limitOf = (space: Space, eps: number): number => (space.metric === 'euclidean' ? eps * eps : eps);

/** Rows i0 … i1-1 of the upper triangle, from a product block whose columns start at i0. */
function scan(
  space: Space,
  ids: Int32Array,
  p: Prepared,
  c: Float32Array,
  i0: number,
  i1: number,
  limit: number,
  bits: Bits,
): void {
  const m = ids.length;
  const cosine = space.metric === 'cosine';
  const { squares, error } = p;
  for (let i = i0; i < i1; i++) {
    const at = (i - i0) * (m - i0) - i0;
    if (cosine) {
      const sure = 1 - limit + error;
      const never = 1 - limit - error;
      for (let j = i + 1; j < m; j++) {
        const v = c[at + j];
        if (v > never && (v >= sure || exactScore(space, ids[i], ids[j]) <= limit)) bits.join(i, j);
      }
    } else {
      const q = squares[i];
      for (let j = i + 1; j < m; j++) {
        const score = q + squares[j] - 2 * c[at + j];
        if (score <= limit + error && (score <= limit - error || exactScore(space, ids[i], ids[j]) <= limit))
          bits.join(i, j);
      }
    }
  }
}

/** Which of some points are within eps of each other; a point is its own neighbour. */
export async function neighbourBits(space: Space, ids: Int32Array, eps: number, call: CallOptions): Promise<Bits> {
  const m = ids.length;
  const bits = new Bits(m);
  for (let i = 0; i < m; i++) bits.join(i, i);
  const limit = limitOf(space, eps);
  if (space.metric === 'precomputed') {
    for (let i = 0; i < m; i++)
      for (let j = i + 1; j < m; j++) if (exactScore(space, ids[i], ids[j]) <= limit) bits.join(i, j);
    return bits;
  }
  const d = space.x.cols;
  const p = prepare(space, ids);
  for (let i0 = 0; i0 < m;) {
    checkAborted(call.signal, 'DBSCAN');
    // Narrow blocks waste what lies below the diagonal least.
    const i1 = Math.min(m, i0 + Math.max(1, Math.min(512, Math.floor(BLOCK / (m - i0)))));
    const out = blockOf((i1 - i0) * (m - i0));
    gemm(p.rows.subarray(i0 * d, i1 * d), p.rows.subarray(i0 * d), i1 - i0, m - i0, d, { transB: true, out });
    scan(space, ids, p, out, i0, i1, limit, bits);
    i0 = i1;
    if (m > 512) await breathe();
  }
  return bits;
}

function popcount(words: Uint32Array, from: number, to: number): number {
  let count = 0;
  for (let k = from; k < to; k++) {
    let v = words[k];
    v -= (v >>> 1) & 0x55555555;
    v = (v & 0x33333333) + ((v >>> 2) & 0x33333333);
    count += Math.imul((v + (v >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
  }
  return count;
}

/**
 * Labels as scikit-learn gives them: clusters numbered by their first core point, a border point in the first cluster
 * that reaches it, noise -1.
 */
export function labelsOf(bits: Bits, minSamples: number): Int32Array {
  const { size: m, stride, words } = bits;
  const core = new Uint8Array(m);
  for (let i = 0; i < m; i++) core[i] = popcount(words, i * stride, (i + 1) * stride) >= minSamples ? 1 : 0;
  const labels = new Int32Array(m).fill(-1);
  const free = new Uint32Array(stride).fill(0xffffffff);
  const stack = new Int32Array(m);
  let label = 0;
  for (let first = 0; first < m; first++) {
    if (!core[first] || labels[first] >= 0) continue;
    let top = 0;
    stack[top++] = first;
    labels[first] = label;
    free[first >> 5] &= ~(1 << (first & 31));
    while (top > 0) {
      const at = stack[--top] * stride;
      for (let w = 0; w < stride; w++) {
        let fresh = words[at + w] & free[w];
        if (fresh === 0) continue;
        free[w] &= ~fresh;
        while (fresh !== 0) {
          const low = fresh & -fresh;
          fresh ^= low;
          const j = (w << 5) + 31 - Math.clz32(low);
          labels[j] = label;
          if (core[j]) stack[top++] = j;
        }
      }
    }
    label++;
  }
  return labels;
}

/** DBSCAN of some points of a space. */
export async function dbscan(
  space: Space,
  ids: Int32Array,
  options: { eps: number; minSamples: number },
  call: CallOptions = {},
): Promise<Int32Array> {
  return labelsOf(await neighbourBits(space, ids, options.eps, call), options.minSamples);
}
