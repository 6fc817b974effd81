/** Windows of tokens around a peak, and what is shown of them. */
import type { ExampleBand, FeatureExample } from '../../protocol/bundle.js';
import { breathe, checkAborted, type CallOptions } from '../compute/call.js';
import type { SparseRows } from '../compute/sparse.js';
import type { Window } from './options.js';
import type { SparseActivations } from './types.js';

/** The contexts of a store's tokens: windows that end where their sequence does. */
export class Contexts {
  constructor(
    readonly tokenIds: Int32Array,
    readonly context: number,
    private readonly window: Window,
    /** Equal contexts count as one; otherwise only a place is equal to itself. */
    private readonly dedupe: boolean,
  ) {}

  /** First token of the window around a peak. */
  start(token: number): number {
    return Math.max(token - this.window.before, token - (token % this.context));
  }

  /** One past the window's last token. */
  end(token: number): number {
    return Math.min(token + this.window.after + 1, token - (token % this.context) + this.context);
  }

  /** Whether two peaks have the same tokens around them. */
  same(a: number, b: number): boolean {
    if (!this.dedupe) return a === b;
    const { tokenIds } = this;
    if (tokenIds[a] !== tokenIds[b]) return false;
    const startA = this.start(a);
    const startB = this.start(b);
    const length = this.end(a) - startA;
    if (a - startA !== b - startB || length !== this.end(b) - startB) return false;
    for (let i = 0; i < length; i++) if (tokenIds[startA + i] !== tokenIds[startB + i]) return false;
    return true;
  }

  /** 32 bits of a hash, equal for peaks that are `same` (FNV-1a over whole tokens, ended by murmur3's finalizer). */
  hash(token: number, seed: number): number {
    let h = 0x811c9dc5 ^ seed;
    const step = (v: number): number => (h = Math.imul(h ^ v, 0x01000193) ^ (h >>> 15));
    if (!this.dedupe) step(token);
    else {
      const start = this.start(token);
      step(token - start);
      for (let t = start, end = this.end(token); t < end; t++) step(this.tokenIds[t]);
    }
    return finished(h);
  }
}

/** Spreads every bit of h over all 32 (murmur3). */
export function finished(h: number): number {
  let x = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35);
  return (x ^ (x >>> 16)) >>> 0;
}

/** Which token of the store is an example of which feature. */
export interface Peak {
  feature: number;
  token: number;
  value: number;
  band?: ExampleBand;
}

/** Windows read at once between two looks at the signal. */
const PIECE = 32_768;

/** The peaks with their windows, in the order given; one pass over the shards reads the windows' activations. */
export async function readExamples(
  activations: SparseActivations,
  contexts: Contexts,
  peaks: readonly Peak[],
  options: CallOptions,
): Promise<FeatureExample[]> {
  // Window of peak i: values[at[i]] … values[at[i + 1] - 1].
  const at = new Uint32Array(peaks.length + 1);
  peaks.forEach(({ token }, i) => (at[i + 1] = at[i] + contexts.end(token) - contexts.start(token)));
  const values = new Float32Array(at[peaks.length]);
  const starts = Int32Array.from(peaks, ({ token }) => contexts.start(token));
  const order = Uint32Array.from(peaks.keys()).sort((a, b) => starts[a] - starts[b]);
  for await (const { firstToken, rows } of activations.shards()) {
    const end = firstToken + rows.rows;
    for (let k = 0; k < order.length; k++) {
      if (k % PIECE === 0) {
        checkAborted(options.signal, 'dataset examples');
        await breathe();
      }
      const i = order[k];
      if (starts[i] >= end) break;
      const stop = Math.min(end, starts[i] + at[i + 1] - at[i]);
      for (let t = Math.max(starts[i], firstToken); t < stop; t++)
        values[at[i] + t - starts[i]] = valueAt(rows, t - firstToken, peaks[i].feature);
    }
  }
  const pieces = new Map<number, string>();
  const piece = (id: number): string => {
    let text = pieces.get(id);
    if (text === undefined) pieces.set(id, (text = activations.piece(id)));
    return text;
  };
  return peaks.map(({ token, value, band }, i) => ({
    sequence: Math.floor(token / contexts.context),
    position: token % contexts.context,
    value,
    tokens: Array.from(contexts.tokenIds.subarray(starts[i], contexts.end(token)), piece),
    peak: token - starts[i],
    activations: Array.from(values.subarray(at[i], at[i + 1])),
    ...(band && { band }),
  }));
}

/** Value of a feature in a row, 0 when it does not fire there: binary search in the row's ascending indices. */
function valueAt(rows: SparseRows, row: number, feature: number): number {
  let low = rows.indptr[row];
  let high = rows.indptr[row + 1];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (rows.indices[middle] < feature) low = middle + 1;
    else high = middle;
  }
  return low < rows.indptr[row + 1] && rows.indices[low] === feature ? rows.values[low] : 0;
}
