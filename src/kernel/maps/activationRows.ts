/**
 * The features of a store as rows over its tokens, with the cosine between them, without a dense row: memory is that of
 * the firings, and time the sum over tokens of the square of how many features fire there.
 */
import { everyFiring } from '../activations/firings.js';
import type { SparseActivations } from '../activations/types.js';
import { pauses, type CallOptions } from '../compute/call.js';
import type { Neighbors } from '../compute/knn.js';
import { matrix, type Matrix } from '../compute/matrix.js';
import { requireMemory } from '../compute/memory.js';

/** Columns of the sketch; a multiple of 32. */
const SKETCH = 128;

/** Entries by row: row i holds entries starts[i] … starts[i+1]-1. */
interface Entries {
  starts: Uint32Array;
  others: Int32Array;
  values: Float32Array;
}

/** Entries of rows of known sizes, to be filled in any order. */
function entriesOf(sizes: Uint32Array, total: number): Entries & { put(row: number, other: number, v: number): void } {
  const starts = new Uint32Array(sizes.length + 1);
  for (let i = 0; i < sizes.length; i++) starts[i + 1] = starts[i] + sizes[i];
  const next = starts.slice(0, sizes.length);
  const [others, values] = [new Int32Array(total), new Float32Array(total)];
  const put = (row: number, other: number, v: number): void => {
    others[next[row]] = other;
    values[next[row]++] = v;
  };
  return { starts, others, values, put };
}

export class ActivationRows {
  private readonly cosines: Float64Array;
  private readonly touched: Int32Array;

  private constructor(
    /** Ids of the features that fire; the rows, in this order. */
    readonly features: Int32Array,
    private readonly byFeature: Entries,
    private readonly byToken: Entries,
    private readonly lengths: Float64Array,
  ) {
    this.cosines = new Float64Array(features.length);
    this.touched = new Int32Array(features.length);
  }

  get rows(): number {
    return this.features.length;
  }

  /** Reads a store. Dead features have no row. */
  static async read(activations: SparseActivations, call: CallOptions = {}): Promise<ActivationRows> {
    const { features, tokens, nonZeros } = activations.meta;
    requireMemory(`cosines of ${features} features on ${nonZeros} firings`, 16 * nonZeros + 4 * tokens + 8 * features);
    const [fires, holds] = [new Uint32Array(features), new Uint32Array(tokens)];
    await everyFiring(activations, 'firings by feature', call, (f, t) => {
      fires[f]++;
      holds[t]++;
    });
    const live = Int32Array.from([...fires.keys()].filter((f) => fires[f] > 0));
    const rowOf = new Int32Array(features);
    live.forEach((f, i) => (rowOf[f] = i));
    const byFeature = entriesOf(Uint32Array.from(live, (f) => fires[f]), nonZeros); // prettier-ignore
    const byToken = entriesOf(holds, nonZeros);
    const squares = new Float64Array(live.length);
    await everyFiring(activations, 'firings by feature', call, (f, t, v) => {
      byFeature.put(rowOf[f], t, v);
      byToken.put(t, rowOf[f], v);
      squares[rowOf[f]] += v * v;
    });
    return new ActivationRows(live, byFeature, byToken, squares.map(Math.sqrt));
  }

  /**
   * Cosines of row i with all rows that fire where it does: `touched` lists these (itself included), `cosines` holds
   * them by row. Both are overwritten by the next call.
   */
  private with(i: number): { touched: Int32Array; cosines: Float64Array } {
    const { byFeature, byToken, cosines, touched, lengths } = this;
    cosines.fill(NaN);
    let count = 0;
    for (let e = byFeature.starts[i]; e < byFeature.starts[i + 1]; e++) {
      const t = byFeature.others[e];
      const v = byFeature.values[e];
      for (let q = byToken.starts[t]; q < byToken.starts[t + 1]; q++) {
        const j = byToken.others[q];
        // NaN: not met before.
        if (cosines[j] !== cosines[j]) {
          cosines[j] = 0;
          touched[count++] = j;
        }
        cosines[j] += v * byToken.values[q];
      }
    }
    for (let c = 0; c < count; c++) {
      const j = touched[c];
      cosines[j] = Math.max(-1, Math.min(1, cosines[j] / (lengths[i] * lengths[j])));
    }
    return { touched: touched.subarray(0, count), cosines };
  }

  /**
   * The k nearest other rows of each by 1 − cosine, exactly; equal distances in order of row. Rows that never fire
   * together are at distance 1.
   */
  async neighbours(k: number, call: CallOptions = {}): Promise<Neighbors> {
    const n = this.rows;
    const out: Neighbors = { indices: new Int32Array(n * k), distances: new Float32Array(n * k) };
    const pause = pauses(call.signal, 'nearest neighbours');
    for (let i = 0; i < n; i++) {
      const { touched, cosines } = this.with(i);
      const near = Array.from(touched).filter((j) => j !== i);
      // Of the rows that never fire with this one, all at distance 1, the first k are enough.
      for (let j = 0, taken = 0; j < n && taken < k; j++) {
        if (!Number.isNaN(cosines[j])) continue;
        cosines[j] = 0;
        near.push(j);
        taken++;
      }
      near.sort((p, q) => cosines[q] - cosines[p] || p - q);
      for (let p = 0; p < k; p++) {
        out.indices[i * k + p] = near[p];
        out.distances[i * k + p] = 1 - cosines[near[p]];
      }
      if (await pause())
        call.onProgress?.({ label: 'nearest neighbours by activations', done: i + 1, total: n, unit: 'features' });
    }
    return out;
  }

  /** Ranks by distance (compute/ranks.ts) of k rows from each of some. */
  async ranks(of: Uint32Array, near: Int32Array, call: CallOptions = {}): Promise<Int32Array> {
    const k = near.length / of.length;
    const ranks = new Int32Array(near.length);
    const pause = pauses(call.signal, 'ranks');
    for (let q = 0; q < of.length; q++) {
      const i = of[q];
      const { cosines } = this.with(i);
      for (let j = 0; j < cosines.length; j++) if (Number.isNaN(cosines[j])) cosines[j] = 0;
      for (let p = q * k; p < (q + 1) * k; p++) {
        const j = near[p];
        let rank = 1;
        for (let o = 0; o < cosines.length; o++)
          if (o !== i && o !== j && (cosines[o] > cosines[j] || (cosines[o] === cosines[j] && o < j))) rank++;
        ranks[p] = rank;
      }
      if (await pause()) call.onProgress?.({ label: 'ranks', done: q + 1, total: of.length, unit: 'features' });
    }
    return ranks;
  }

  /**
   * Rows of length one, their tokens drawn onto a few columns by signs (Achlioptas 2003): distances stay about the same,
   * so that the principal axes of the sketch are a start for the layout.
   */
  sketch(): Matrix {
    const { byFeature, lengths } = this;
    const out = matrix(this.rows, SKETCH);
    for (let i = 0; i < this.rows; i++)
      for (let e = byFeature.starts[i]; e < byFeature.starts[i + 1]; e++) {
        const v = byFeature.values[e] / lengths[i];
        for (let c = 0, bits = 0; c < SKETCH; c++, bits >>>= 1) {
          if (c % 32 === 0) bits = mixed(byFeature.others[e], c);
          out.data[i * SKETCH + c] += (bits & 1) === 1 ? v : -v;
        }
      }
    return out;
  }
}

/** 32 bits of a token and a column. */
function mixed(token: number, column: number): number {
  let h = Math.imul(token + 1, 0x9e3779b1) ^ Math.imul(column + 1, 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 16), 0x7feb352d);
  h = Math.imul(h ^ (h >>> 15), 0x846ca68b);
  return (h ^ (h >>> 16)) >>> 0;
}
