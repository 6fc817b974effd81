/**
 * Σ x_q x_a over tokens, by rows of query features. Products of float32 values are exact in float64. Their sums are
 * made by blocks of tokens: within a block in the order of the tokens from zero, then block after block. So blocks whose
 * sums were made apart come to the bits of one pass.
 */
import { breathe } from '../compute/call.js';
import { columnsOf, type Columns, type Rows, type TokenSpan } from './spans.js';

/** Spans held in memory with their columns, or a source that reads them again for each block of queries. */
export type Spans = readonly Required<TokenSpan>[] | (() => AsyncIterable<TokenSpan>);

/** Bytes that a base feature takes in a row of sums: over one block of tokens, and over several. */
export const rowBytes = (tokens: number, tokenBlock: number): number => (tokens > tokenBlock ? 20 : 12);

/** Bytes of rows that are held at once where a caller does not say. */
const DEFAULT_BYTES = 2 ** 28;

/** Milliseconds of work between two looks at the signal. */
const PIECE_MS = 200;

/** Σ x_q x_a of one query feature q with every base feature a, and which of them are not zero. */
export class ProductRow {
  /** [base features]; whole after end(). */
  readonly products: Float64Array;
  /** The base features that fire together with q, in no order. */
  readonly touched: Int32Array;
  count = 0;
  /** The block of tokens that is under way; -1 = none yet. */
  private block = -1;
  /** Sums of that block, where it is not the first. */
  private partial?: Float64Array;
  private pending = false;

  constructor(features: number) {
    this.products = new Float64Array(features);
    this.touched = new Int32Array(features);
  }

  /** Adds the products of one span. Spans come in the order of their tokens. */
  add(columns: Columns, feature: number, { base, block }: Pick<TokenSpan, 'base' | 'block'>): void {
    if (this.block === -1) this.block = block;
    if (this.block === block && !this.pending) return this.addFirst(columns, feature, base);
    if (this.block !== block) {
      this.end();
      this.block = block;
    }
    this.addLater(columns, feature, base);
  }

  private addFirst({ starts, tokens, values }: Columns, feature: number, base: Rows): void {
    const { products, touched } = this;
    const { first, indptr, indices, values: activations } = base;
    let count = this.count;
    for (let c = starts[feature]; c < starts[feature + 1]; c++) {
      const t = first + tokens[c];
      const weight = values[c];
      const end = indptr[t + 1];
      for (let p = indptr[t]; p < end; p++) {
        const a = indices[p];
        const before = products[a];
        // Activations are positive, so a sum of their products is zero only before the first.
        if (before === 0) touched[count++] = a;
        products[a] = before + weight * activations[p];
      }
    }
    this.count = count;
  }

  private addLater({ starts, tokens, values }: Columns, feature: number, base: Rows): void {
    const partial = (this.partial ??= new Float64Array(this.products.length));
    const { first, indptr, indices, values: activations } = base;
    // From here on spans of this block go on in `partial`, even when this one holds nothing of the feature.
    this.pending = true;
    for (let c = starts[feature]; c < starts[feature + 1]; c++) {
      const t = first + tokens[c];
      const weight = values[c];
      const end = indptr[t + 1];
      for (let p = indptr[t]; p < end; p++) partial[indices[p]] += weight * activations[p];
    }
  }

  /** Adds the sums of a block that were made before: base features and their Σ x_q x_a. */
  addSums(indices: Int32Array, sums: Float64Array): void {
    for (let i = 0; i < indices.length; i++) this.addSum(indices[i], sums[i]);
  }

  private addSum(a: number, sum: number): void {
    const before = this.products[a];
    if (before === 0) this.touched[this.count++] = a;
    this.products[a] = before + sum;
  }

  /** Adds the block that is under way to the sums of those before. */
  end(): void {
    const { partial } = this;
    if (!this.pending || !partial) return;
    this.pending = false;
    for (let a = 0; a < partial.length; a++) {
      if (partial[a] === 0) continue;
      this.addSum(a, partial[a]);
      partial[a] = 0;
    }
  }

  clear(): void {
    for (let i = 0; i < this.count; i++) this.products[this.touched[i]] = 0;
    this.count = 0;
    this.block = -1;
  }
}

export interface ProductPass {
  /** Query features in the order in which their rows are wanted. */
  readonly queries: Int32Array;
  readonly queryFeatures: number;
  readonly baseFeatures: number;
  /** Tokens of all spans. */
  readonly tokens: number;
  readonly spans: Spans;
  /** Rows held at once where spans are read for each block of queries. */
  readonly rows?: number;
  /** Is given the whole row of query i; the row is cleared behind it. */
  readonly take: (row: ProductRow, i: number) => void;
  /** Is called and waited for often, with the number of rows that are done. */
  readonly pause?: (done: number) => void | Promise<void>;
}

/** The rows of all queries, one after the other. Spans that are no array are read once for each `rows` queries. */
export async function eachProductRow(pass: ProductPass): Promise<void> {
  const { queries, spans, baseFeatures } = pass;
  const total = queries.length;
  const pause = async (done: number): Promise<void> => {
    await pass.pause?.(done);
    await breathe();
  };
  await pause(0);
  if (typeof spans !== 'function') {
    const row = new ProductRow(baseFeatures);
    for (let i = 0; i < total; await pause(i)) i = wholeRows(pass, row, spans, i);
    return;
  }
  const most = pass.rows ?? Math.floor(DEFAULT_BYTES / (12 * Math.max(1, baseFeatures)));
  const perBlock = Math.max(1, Math.min(most, total));
  const rows = Array.from({ length: perBlock }, () => new ProductRow(baseFeatures));
  for (let from = 0; from < total; from += perBlock) {
    const to = Math.min(total, from + perBlock);
    let read = 0;
    for await (const span of spans()) {
      const columns = columnsOf(span.query, pass.queryFeatures, queries.subarray(from, to));
      read += span.query.rows;
      // Progress within a block is the share of the tokens that were read.
      const done = from + Math.floor((to - from) * Math.min(1, read / pass.tokens));
      for (let i = from; i < to; await pause(done)) {
        i = until(i, to, (j) => rows[j - from].add(columns, queries[j], span));
      }
    }
    for (let i = from; i < to; await pause(i)) i = until(i, to, (j) => taken(pass, rows[j - from], j));
  }
}

/** Queries from `i`, each from start to end, for a piece of time. */
function wholeRows(pass: ProductPass, row: ProductRow, spans: readonly Required<TokenSpan>[], from: number): number {
  return until(from, pass.queries.length, (i) => {
    for (const span of spans) row.add(span.columns, pass.queries[i], span);
    taken(pass, row, i);
  });
}

function taken({ take }: ProductPass, row: ProductRow, i: number): void {
  row.end();
  take(row, i);
  row.clear();
}

/** Works on from … to − 1 for a piece of time; how far it came. */
function until(from: number, to: number, work: (i: number) => void): number {
  const deadline = performance.now() + PIECE_MS;
  let i = from;
  do {
    if (i < to) work(i++);
  } while (i < to && performance.now() < deadline);
  return i;
}
