/** All distances among some points, for clusterers that need more than "within eps". */
import { breathe, checkAborted, type CallOptions } from '../compute/call.js';
import { gemm } from '../compute/gemm.js';
import { requireMemory } from '../compute/memory.js';
import { blockOf } from './dbscan.js';
import { exactDistance, prepare, type Space } from './space.js';

/** Multiplications up to which every distance of an element is summed in float64 (about a second). */
const EXACT = 2e9;
const BLOCK = 2 ** 22;

/**
 * m × m distances, symmetric, diagonal 0. Summed in float64 and exact to rounding while m²·d/2 ≤ 2e9 (2,000 points of
 * 1,000 dimensions); beyond that from a float32 product of centred rows, relative error about 1e-6 of the longest.
 */
export async function pairDistances(space: Space, ids: Int32Array, call: CallOptions): Promise<Float64Array> {
  const m = ids.length;
  const d = space.x.cols;
  requireMemory(`distances among ${m} points`, 8 * m * m);
  const out = new Float64Array(m * m);
  if (space.metric === 'precomputed' || (m * m * d) / 2 <= EXACT) {
    for (let i = 0, work = 0; i < m; i++) {
      for (let j = i + 1; j < m; j++) out[i * m + j] = out[j * m + i] = exactDistance(space, ids[i], ids[j]);
      if ((work += (m - i) * d) > 5e7) {
        work = 0;
        checkAborted(call.signal, 'distances');
        await breathe();
      }
    }
    return out;
  }
  const p = prepare(space, ids);
  const cosine = space.metric === 'cosine';
  for (let i0 = 0; i0 < m;) {
    checkAborted(call.signal, 'distances');
    const i1 = Math.min(m, i0 + Math.max(1, Math.floor(BLOCK / (m - i0))));
    const c = blockOf((i1 - i0) * (m - i0));
    gemm(p.rows.subarray(i0 * d, i1 * d), p.rows.subarray(i0 * d), i1 - i0, m - i0, d, { transB: true, out: c });
    for (let i = i0; i < i1; i++)
      for (let j = i + 1; j < m; j++) {
        const v = c[(i - i0) * (m - i0) + j - i0];
        const distance = cosine
          ? Math.min(2, Math.max(0, 1 - v))
          : Math.sqrt(Math.max(0, p.squares[i] + p.squares[j] - 2 * v));
        out[i * m + j] = out[j * m + i] = distance;
      }
    i0 = i1;
    await breathe();
  }
  return out;
}
