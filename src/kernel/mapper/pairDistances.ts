/** All distances among some points, for clusterers that need more than "within eps". */
import { breathe, checkAborted, type CallOptions } from '../compute/call.js';
import { gemm } from '../compute/gemm.js';
import { memoryBudget, requireMemory } from '../compute/memory.js';
import { blockOf } from './dbscan.js';
import { exactDistance, prepare, type Space } from './space.js';

/** Multiplications up to which every distance of an element is summed in float64 (about a second). */
const EXACT = 2e9;
const BLOCK = 2 ** 22;

/**
 * Float64 distances kept from one cover to the next, each summed when an element first asks for it: one triangle of the
 * matrix, 4·n² bytes, touched where distances are.
 */
export class KeptDistances {
  readonly #values: Float64Array;

  private constructor(private readonly space: Space) {
    this.#values = new Float64Array((space.points * (space.points - 1)) / 2);
  }

  /** Undefined where they would take more than a quarter of the memory budget. */
  static of(space: Space): KeptDistances | undefined {
    return 4 * space.points * space.points <= memoryBudget() / 4 ? new KeptDistances(space) : undefined;
  }

  /** As exactDistance, of two different points. */
  between(i: number, j: number): number {
    const at = i < j ? (j * (j - 1)) / 2 + i : (i * (i - 1)) / 2 + j;
    const value = this.#values[at];
    // 0 is "not yet": points that coincide are compared again.
    return value === 0 ? (this.#values[at] = exactDistance(this.space, i, j)) : value;
  }
}

/**
 * m × m distances, symmetric, diagonal 0. Summed in float64 and exact to rounding while m²·d/2 ≤ 2e9 (2,000 points of
 * 1,000 dimensions); beyond that from a float32 product of centred rows, relative error about 1e-6 of the longest.
 * @param kept where float64 distances are looked up first
 */
export async function pairDistances(
  space: Space,
  ids: Int32Array,
  call: CallOptions,
  kept?: KeptDistances,
): Promise<Float64Array> {
  checkAborted(call.signal, 'distances');
  const m = ids.length;
  const d = space.x.cols;
  requireMemory(`distances among ${m} points`, 8 * m * m);
  const out = new Float64Array(m * m);
  if (space.metric === 'precomputed' || (m * m * d) / 2 <= EXACT) {
    for (let i = 0, work = 0; i < m; i++) {
      for (let j = i + 1; j < m; j++)
        out[i * m + j] = out[j * m + i] = kept?.between(ids[i], ids[j]) ?? exactDistance(space, ids[i], ids[j]);
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
