/** Dataset examples: the tokens on which a feature fires most, each in its context. */
import type { FeatureExample } from '../../protocol/bundle.js';
import { breathe, checkAborted, type CallOptions } from '../compute/call.js';
import type { SparseRows } from '../compute/sparse.js';
import type { SparseActivations } from './types.js';

export interface TopExamplesOptions extends CallOptions {
  /** Features asked for; default all. */
  features?: ArrayLike<number>;
  /** Examples per feature, default 5. */
  k?: number;
  /** Tokens shown before the peak, default 5; fewer at the start of a sequence. */
  before?: number;
  /** Tokens shown after the peak, default 4; fewer at the end of a sequence. */
  after?: number;
  /** Show identical contexts (the same tokens around the same peak) once. Default true. */
  dedupe?: boolean;
}

/**
 * The k largest activations of each feature with their windows, best first; ties go to the earlier token. The result
 * is indexed by feature id: dead features and features not asked for have []. With dedupe the k best distinct
 * contexts are exact, each shown at its best (then earliest) place. Two passes over the shards: one selects, one reads
 * the windows' activations. Memory: 12 bytes per feature and example, and the token ids.
 */
export async function topExamples(
  activations: SparseActivations,
  options: TopExamplesOptions = {},
): Promise<FeatureExample[][]> {
  const { features, tokens } = activations.meta;
  const window = { before: options.before ?? 5, after: options.after ?? 4 };
  const k = options.k ?? 5;
  for (const [name, n] of Object.entries({ k, ...window })) {
    if (!Number.isInteger(n) || n < 0) throw new RangeError(`${name} must be a whole number ≥ 0 but is ${n}`);
  }
  const wanted = wantedFeatures(features, options.features);
  const tokenIds = await activations.tokenIds();
  const best = new BestTokens(features, k, tokenIds, activations.meta.context, window, options.dedupe ?? true);
  for await (const { firstToken, rows } of activations.shards()) {
    await best.addShard(rows, firstToken, wanted, options);
    options.onProgress?.({ label: 'dataset examples', done: firstToken + rows.rows, total: tokens, unit: 'tokens' });
  }
  const windows = new Windows(best);
  for await (const { firstToken, rows } of activations.shards()) await windows.readShard(rows, firstToken, options);
  return windows.examples((id) => activations.piece(id));
}

function wantedFeatures(features: number, ids: ArrayLike<number> | undefined): Uint8Array {
  const wanted = new Uint8Array(features);
  if (!ids) return wanted.fill(1);
  for (let i = 0; i < ids.length; i++) {
    if (!Number.isInteger(ids[i]) || ids[i] < 0 || ids[i] >= features) {
      throw new RangeError(`feature ${ids[i]} does not exist: features are 0 to ${features - 1}`);
    }
    wanted[ids[i]] = 1;
  }
  return wanted;
}

/** Rows between two looks at the clock and the signal. */
const PIECE = 8192;

/** Slots f·k … f·k + count[f] - 1 hold the best tokens of feature f so far, best first. */
class BestTokens {
  readonly value: Float32Array;
  readonly token: Int32Array;
  readonly count: Int32Array;
  /** Value a token must beat once the slots are full. */
  private readonly bar: Float32Array;

  constructor(
    readonly features: number,
    readonly k: number,
    readonly tokenIds: Int32Array,
    readonly context: number,
    readonly window: { before: number; after: number },
    private readonly dedupe: boolean,
  ) {
    this.value = new Float32Array(features * k);
    this.token = new Int32Array(features * k);
    this.count = new Int32Array(features);
    this.bar = new Float32Array(features).fill(k === 0 ? Infinity : 0);
  }

  async addShard(rows: SparseRows, firstToken: number, wanted: Uint8Array, options: CallOptions): Promise<void> {
    const { indptr, indices, values } = rows;
    for (let from = 0; from < rows.rows; from += PIECE) {
      checkAborted(options.signal, 'topExamples');
      const to = Math.min(rows.rows, from + PIECE);
      for (let t = from; t < to; t++) {
        for (let p = indptr[t]; p < indptr[t + 1]; p++) {
          const f = indices[p];
          // Tokens come in order, so an equal value later in the text never replaces an earlier one.
          if (values[p] > this.bar[f] && wanted[f]) this.insert(f, values[p], firstToken + t);
        }
      }
      await breathe();
    }
  }

  /** First token of the window around a peak. */
  start(token: number): number {
    return Math.max(token - this.window.before, token - (token % this.context));
  }

  /** One past the window's last token. */
  end(token: number): number {
    return Math.min(token + this.window.after + 1, token - (token % this.context) + this.context);
  }

  private insert(f: number, value: number, token: number): void {
    const { k } = this;
    const base = f * k;
    let last = base + this.count[f];
    if (this.dedupe) {
      for (let s = base; s < last; s++) {
        if (!this.sameContext(this.token[s], token)) continue;
        if (value <= this.value[s]) return;
        // The context is known at a lower value: it moves up from its slot.
        this.place(base, s, value, token);
        this.bar[f] = this.count[f] === k ? this.value[base + k - 1] : 0;
        return;
      }
    }
    if (this.count[f] < k) {
      this.count[f]++;
      last++;
    }
    this.place(base, last - 1, value, token);
    if (this.count[f] === k) this.bar[f] = this.value[base + k - 1];
  }

  /** Puts a token above all lower values, dropping what was in `slot`. */
  private place(base: number, slot: number, value: number, token: number): void {
    while (slot > base && this.value[slot - 1] < value) {
      this.value[slot] = this.value[slot - 1];
      this.token[slot] = this.token[slot - 1];
      slot--;
    }
    this.value[slot] = value;
    this.token[slot] = token;
  }

  private sameContext(a: number, b: number): boolean {
    const { tokenIds } = this;
    if (tokenIds[a] !== tokenIds[b]) return false;
    const startA = this.start(a);
    const startB = this.start(b);
    const length = this.end(a) - startA;
    if (a - startA !== b - startB || length !== this.end(b) - startB) return false;
    for (let i = 0; i < length; i++) if (tokenIds[startA + i] !== tokenIds[startB + i]) return false;
    return true;
  }
}

/** Activations of every token of every chosen window, gathered shard by shard. */
class Windows {
  /** Slots in order of their window's first token. */
  private readonly order: Uint32Array;
  /** Window of slot s: activations[at[s]] … activations[at[s + 1] - 1]. */
  private readonly at: Uint32Array;
  private readonly activations: Float32Array;

  constructor(private readonly best: BestTokens) {
    const { k, count, token } = best;
    const slots: number[] = [];
    this.at = new Uint32Array(token.length + 1);
    for (let s = 0; s < token.length; s++) {
      const used = s % k < count[Math.floor(s / k)];
      if (used) slots.push(s);
      this.at[s + 1] = this.at[s] + (used ? best.end(token[s]) - best.start(token[s]) : 0);
    }
    this.activations = new Float32Array(this.at[token.length]);
    this.order = Uint32Array.from(slots).sort((a, b) => best.start(token[a]) - best.start(token[b]));
  }

  async readShard(rows: SparseRows, firstToken: number, options: CallOptions): Promise<void> {
    const { best, order } = this;
    const end = firstToken + rows.rows;
    for (let i = 0; i < order.length; i++) {
      if (i % (4 * PIECE) === 0) {
        checkAborted(options.signal, 'topExamples');
        await breathe();
      }
      const s = order[i];
      const start = best.start(best.token[s]);
      if (start >= end) break;
      const feature = Math.floor(s / best.k);
      const stop = Math.min(end, best.end(best.token[s]));
      for (let t = Math.max(start, firstToken); t < stop; t++) {
        this.activations[this.at[s] + t - start] = valueAt(rows, t - firstToken, feature);
      }
    }
  }

  examples(pieceOf: (tokenId: number) => string): FeatureExample[][] {
    const { best } = this;
    const pieces = new Map<number, string>();
    const piece = (id: number): string => {
      let text = pieces.get(id);
      if (text === undefined) pieces.set(id, (text = pieceOf(id)));
      return text;
    };
    return Array.from({ length: best.features }, (_, f) =>
      Array.from({ length: best.count[f] }, (_, i) => {
        const s = f * best.k + i;
        const token = best.token[s];
        const start = best.start(token);
        return {
          sequence: Math.floor(token / best.context),
          position: token % best.context,
          value: best.value[s],
          tokens: Array.from(best.tokenIds.subarray(start, best.end(token)), piece),
          peak: token - start,
          activations: Array.from(this.activations.subarray(this.at[s], this.at[s + 1])),
        };
      }),
    );
  }
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
