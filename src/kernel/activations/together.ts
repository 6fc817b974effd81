/** Features that fire with a feature: how often, how often by chance, and phi. */
import { breathe, checkAborted, type CallOptions } from '../compute/call.js';
import type { SparseActivations } from './types.js';

/** A feature that fires where another does. */
export interface FiresTogether {
  readonly feature: number;
  /** Tokens on which both fire. */
  readonly both: number;
  /** Expected tokens on which both fire if they fire independently: the product of their firings over the tokens. */
  readonly expected: number;
  /** Pearson's r of firing or not. */
  readonly phi: number;
}

/** Firings held at once: 128 MB with their index. */
const LIMIT = 1 << 24;

/** Firings of a store by token and by feature; of every s-th sequence where all would be more than `limit`. */
export class CoFirings {
  private constructor(
    private readonly features: number,
    /** Tokens counted. */
    readonly tokens: number,
    /** Every `stride`-th sequence was counted; 1 = all. */
    readonly stride: number,
    private readonly rowAt: Uint32Array,
    private readonly featureOf: Int32Array,
    private readonly featureAt: Uint32Array,
    private readonly rowOf: Uint32Array,
  ) {}

  static async read(activations: SparseActivations, call: CallOptions = {}, limit = LIMIT): Promise<CoFirings> {
    const { features, context, nonZeros, sequences } = activations.meta;
    const stride = Math.max(1, Math.min(sequences, Math.ceil(nonZeros / limit)));
    const taken = (token: number): boolean => stride === 1 || Math.floor(token / context) % stride === 0;
    const featureOf: Int32Array[] = [];
    const ends = [0];
    for await (const { firstToken, rows } of activations.shards()) {
      checkAborted(call.signal, 'firing together');
      const own = new Int32Array(rows.indptr[rows.rows]);
      let used = 0;
      for (let t = 0; t < rows.rows; t++) {
        if (!taken(firstToken + t)) continue;
        for (let e = rows.indptr[t]; e < rows.indptr[t + 1]; e++) own[used++] = rows.indices[e];
        ends.push(ends[ends.length - 1] + rows.indptr[t + 1] - rows.indptr[t]);
      }
      featureOf.push(own.subarray(0, used));
      call.onProgress?.({ label: 'firing together', done: firstToken + rows.rows, total: activations.meta.tokens });
      await breathe();
    }
    const all = new Int32Array(ends[ends.length - 1]);
    let at = 0;
    for (const part of featureOf) {
      all.set(part, at);
      at += part.length;
    }
    const tokens = await countedIn(activations, taken);
    return new CoFirings(features, tokens, stride, Uint32Array.from(ends), all, ...transposed(features, ends, all));
  }

  /** Tokens on which it fires, among those counted. */
  firings(feature: number): number {
    return this.featureAt[feature + 1] - this.featureAt[feature];
  }

  /**
   * The `top` features of highest phi above 0, best first, ties to the lower feature. A feature that fires on no token
   * or on all has no phi, and fires with none.
   * @throws RangeError for a feature outside the store
   */
  of(feature: number, top: number): FiresTogether[] {
    const { features, tokens, rowAt, featureOf, featureAt, rowOf } = this;
    if (!Number.isInteger(feature) || feature < 0 || feature >= features)
      throw new RangeError(`feature ${feature} does not exist: features are 0 to ${features - 1}`);
    const both = new Uint32Array(features);
    for (let i = featureAt[feature]; i < featureAt[feature + 1]; i++)
      for (let e = rowAt[rowOf[i]]; e < rowAt[rowOf[i] + 1]; e++) both[featureOf[e]]++;
    const own = this.firings(feature);
    const found: FiresTogether[] = [];
    for (let f = 0; f < features; f++) {
      if (f === feature || both[f] === 0) continue;
      const other = this.firings(f);
      const spread = Math.sqrt(own * (tokens - own)) * Math.sqrt(other * (tokens - other));
      const phi = (tokens * both[f] - own * other) / spread;
      if (phi > 0 && Number.isFinite(phi))
        found.push({ feature: f, both: both[f], expected: (own * other) / tokens, phi });
    }
    return found.sort((a, b) => b.phi - a.phi || a.feature - b.feature).slice(0, top);
  }
}

/** Tokens that are text, of the sequences that are taken. */
async function countedIn(activations: SparseActivations, taken: (token: number) => boolean): Promise<number> {
  const { tokens } = activations.meta;
  const ignored = await activations.ignored();
  let count = 0;
  for (let t = 0; t < tokens; t++) if (taken(t) && !ignored?.[t]) count++;
  return count;
}

/** Where each feature's rows begin, and the rows. */
function transposed(features: number, ends: readonly number[], all: Int32Array): [Uint32Array, Uint32Array] {
  const at = new Uint32Array(features + 1);
  for (const f of all) at[f + 1]++;
  for (let f = 0; f < features; f++) at[f + 1] += at[f];
  const next = at.slice();
  const rowOf = new Uint32Array(all.length);
  for (let t = 0; t + 1 < ends.length; t++) for (let e = ends[t]; e < ends[t + 1]; e++) rowOf[next[all[e]]++] = t;
  return [at, rowOf];
}
