/**
 * The sparse work of a pass over a block, on the memory that workers share (compute/passes/): which features fire, decoding
 * and gradients. All cores take part where arrays are shared and the work is worth calling them; no bit depends on that.
 */
import os from 'node:os';
import type { RowEntries, RowRule } from '../compute/entries/firing.js';
import { hasNativeProduct, isShared } from '../compute/gemm.js';
import { backward, cutFeatures, type BackwardParameters } from '../compute/passes/backward.js';
import { decode, errorsOf, type DecodeParameters } from '../compute/passes/decode.js';
import { largestPieces, largestRows } from '../compute/passes/largest.js';
import { ESTIMATED_ROWS, FULL, LIKELY, passFits, passMemory, PIECE_ROWS, type PassShape, type PassViews } from '../compute/passes/memory.js'; // prettier-ignore
import { mostRows, rowPieces, rows, type RowsParameters } from '../compute/passes/rows.js';
import type { SharedMemory } from '../compute/shared/memory.js';
import { wholes } from '../compute/passes/wholes.js';
import { runPhase, type TeamOptions } from '../compute/shared/phases.js';
import { largestWhole, MOST_COLUMNS } from '../compute/shared/wholes.js';
import type { Parameters } from './parameters.js';

/** Multiply-adds that calling the workers is worth, where it is not said who does the work: about a millisecond's. */
const WORTH = 4e6;
/** Bytes of copies of the encoder that workers may have together. */
const COPIES = 2 ** 31;

/** Multiply-adds of a row above which the k largest are found by estimates. */
const ESTIMATED = 2 ** 22;
/** Estimates leave some times as many of a row in doubt, for which there must be room. */
const MOST_K = LIKELY / ESTIMATED_ROWS / 4;
/** Blocks in which float32 takes the place of 8 bits that did not suffice. */
const FLOATS = 64;

/** A block of rows: what is read and what is to be predicted. */
export interface PassRows {
  readonly rows: number;
  readonly x: Float32Array;
  readonly target: Float32Array;
}

export class PassWork {
  #held: { shape: PassShape; memory: SharedMemory; views: PassViews } | undefined;
  #byRow: RowEntries | undefined;
  /** Blocks to come in which estimates are products of float32; no bit depends on it. */
  #floats = 0;

  constructor(private readonly team: TeamOptions = {}) {}

  /** Memory for blocks of the rows that `p` and `prefixes` say, and for so many entries. */
  #room(p: Parameters, rows: number, prefixes: number, room: number, estimates = false): PassViews {
    const held = this.#held?.shape;
    const same = held && held.dIn === p.dIn && held.dOut === p.dOut && held.features === p.dSae;
    const fits = same && held.rows >= rows && held.prefixes >= prefixes && held.room >= room;
    if (!fits || (estimates && !held.estimates)) {
      const { dIn, dOut, dSae: features } = p;
      const most = (name: 'rows' | 'prefixes', wanted: number): number =>
        same ? Math.max(held[name], wanted) : wanted;
      const shape = {
        rows: most('rows', rows),
        prefixes: most('prefixes', prefixes),
        ...{ dIn, dOut, features, room, threads: this.#threads },
        estimates: estimates || held?.estimates,
      };
      this.#held = undefined;
      this.#held = { shape, ...passMemory(shape) };
    }
    return this.#held!.views;
  }

  get #threads(): number {
    return Math.max(os.availableParallelism(), this.team.workers ?? 0);
  }

  #workers(cost: number, arrays: readonly Float32Array[]): number | undefined {
    if (!arrays.every(isShared)) return 0;
    return this.team.workers ?? (cost < WORTH ? 0 : undefined);
  }

  async #run<P>(
    phase: string,
    open: (memory: SharedMemory, p: P) => ReturnType<typeof decode>,
    parameters: P,
    workers: number | undefined,
    meanwhile?: () => void,
  ) {
    // prettier-ignore
    const { memory, shape } = this.#held!;
    // Each has a place of its own there.
    const options = {
      ...this.team,
      workers: Math.min(workers ?? Infinity, shape.threads),
      label: 'a training step',
      unit: 'pieces',
    };
    const done = runPhase({ phase, memory, parameters }, open, options);
    try {
      meanwhile?.();
    } finally {
      await done;
    }
  }

  /**
   * The entries of a block by a rule, its pre-activations computed on the way; undefined where there are more than `room`.
   * They lie in the shared memory, with input and target. `meanwhile` runs on this thread while the workers are at it.
   */
  async find(
    p: Parameters,
    block: PassRows,
    { rule, scale, shift, prefixes, room, meanwhile }: { rule: RowRule; scale?: Float64Array; shift?: Float32Array; prefixes: number; room: number; meanwhile?: () => void }, // prettier-ignore
  ): Promise<RowEntries | undefined> {
    const { dIn, dOut, dSae } = p;
    const shape = { dIn, dOut, features: dSae };
    if (rule.kind === 'largest' && this.#estimates(p, block.rows, prefixes, rule.k))
      return this.#largest(p, block, rule, scale, shift, prefixes);
    const pieces = rowPieces(shape, block.rows);
    const wanted = rule.kind === 'largest' ? pieces * mostRows(shape) * rule.k : pieces * Math.ceil(room / pieces);
    const views = this.#room(p, block.rows, prefixes, wanted);
    views.input.set(block.x);
    const parameters: RowsParameters = {
      ...{ shape: this.#held!.shape, rows: block.rows, rule, scale, shift },
      ...{ encoder: p.W_encT, bias: p.b_enc, decoder: p.W_dec },
    };
    const cost = block.rows * dIn * dSae;
    const most = Math.min(os.availableParallelism(), Math.floor(COPIES / (4 * dIn * dSae)));
    const workers = hasNativeProduct() ? this.#workers(cost, [p.flat]) : 0;
    await this.#run('passRows', rows, parameters, workers ?? most, () => {
      views.target.set(block.target);
      meanwhile?.();
    });
    if (views.control[FULL] !== 0) return undefined;
    this.#byRow = closeUp(views, block.rows, Math.floor(this.#held!.shape.room / pieces), pieces, mostRows(shape) - 1);
    return this.#byRow;
  }

  /** Whether the k largest of a row are so few of so many that estimates find them faster. Sizes alone say it, since bits depend on it. */
  #estimates({ dIn, dOut, dSae }: Parameters, rows: number, prefixes: number, k: number): boolean {
    const few = 32 * k <= dSae && k <= MOST_K;
    if (!hasNativeProduct() || dIn * dSae < ESTIMATED || dIn < 256 || dIn > MOST_COLUMNS || !few) return false;
    const room = largestPieces(rows) * ESTIMATED_ROWS * k;
    return passFits({
      rows,
      dIn,
      dOut,
      features: dSae,
      prefixes,
      room,
      threads: Math.max(64, this.#threads),
      estimates: true,
    });
  }

  /** The k largest of each row by estimates; undefined where their bounds do not tell them from the others. */
  async #largest(
    p: Parameters,
    block: PassRows,
    { k, absolute }: RowRule & { kind: 'largest' },
    scale: Float64Array | undefined,
    shift: Float32Array | undefined,
    prefixes: number,
  ): Promise<RowEntries | undefined> {
    const pieces = largestPieces(block.rows);
    const views = this.#room(p, block.rows, prefixes, pieces * ESTIMATED_ROWS * k, true);
    views.target.set(block.target);
    const { shape } = this.#held!;
    const workers = this.#workers(block.rows * p.dIn * p.dSae, [p.flat]);
    const wholesFirst = this.#floats === 0 && largestWhole() > 0;
    for (const whole of wholesFirst ? [largestWhole(), 0] : [0]) {
      views.input.set(block.x);
      await this.#run('passWholes', wholes, { shape, encoder: p.W_encT, decoder: p.W_dec, whole }, workers);
      const of = { shape, rows: block.rows, k, absolute, scale, bias: p.b_enc, shift, whole };
      await this.#run('passLargest', largestRows, of, workers);
      const found = views.control[FULL] === 0;
      this.#floats = whole > 0 && !found ? FLOATS : Math.max(0, this.#floats - 1);
      if (!found) continue;
      this.#byRow = closeUp(views, block.rows, Math.floor(shape.room / pieces), pieces, ESTIMATED_ROWS);
      return this.#byRow;
    }
    return undefined;
  }

  /** Puts a block there whose entries were found elsewhere. */
  put(p: Parameters, { rows: count, x, target }: PassRows, prefixes: number, entries: RowEntries): void {
    const total = entries.indptr[count];
    const views = this.#room(p, count, prefixes, Math.ceil(1.25 * total));
    views.input.set(x);
    views.target.set(target);
    views.decoder.set(p.W_dec);
    this.replace(entries);
  }

  /** Other entries for the same block. */
  replace(entries: RowEntries): void {
    const { views } = this.#held!;
    const total = entries.indptr[entries.rows];
    views.byRow.set(entries.indptr);
    views.features.set(entries.features.subarray(0, total));
    views.values.set(entries.values.subarray(0, total));
    this.#byRow = { rows: entries.rows, indptr: views.byRow, features: views.features, values: views.values };
  }

  /**
   * x̂ − x of every prefix, or with `weight` dL/dx̂ of every prefix: squared errors, and sums of the columns of each. The
   * entries are grouped by feature for `backward` meanwhile, and `meanwhile` runs.
   */
  async decode(
    p: Parameters,
    { widths, bias, weight }: Pick<DecodeParameters, 'widths' | 'bias' | 'weight'>,
    meanwhile?: () => void,
  ): Promise<{ squares: Float64Array; toBias: Float64Array }> {
    // prettier-ignore
    const { shape, views } = this.#held!;
    const byRow = this.#byRow!;
    const { rows: count, indptr } = byRow;
    const workers = this.#workers(indptr[count] * p.dOut + count * p.dOut, []);
    await this.#run('passDecode', decode, { shape, rows: count, widths, bias, weight }, workers, () => {
      byFeature(byRow, views);
      meanwhile?.();
    });
    const squares = widths.map((_, l) => {
      let sum = 0;
      for (let i = l * shape.rows; i < l * shape.rows + count; i++) sum += views.squares[i];
      return sum;
    });
    const toBias = new Float64Array(p.dOut);
    const [all, pieces] = [Math.ceil(shape.rows / PIECE_ROWS), Math.ceil(count / PIECE_ROWS)];
    if (weight !== undefined)
      for (let l = widths.length - 1; l >= 0; l--)
        for (let piece = l * all; piece < l * all + pieces; piece++)
          for (let j = 0; j < p.dOut; j++) toBias[j] += views.columns[piece * p.dOut + j];
    return { squares: Float64Array.from(squares), toBias };
  }

  /** The error of a prefix, [rows × d_out]. */
  error(prefix: number): Float32Array {
    const { shape, views } = this.#held!;
    return errorsOf(views, shape, prefix, 0, this.#byRow!.rows);
  }

  get input(): Float32Array {
    const { shape, views } = this.#held!;
    return views.input.subarray(0, this.#byRow!.rows * shape.dIn);
  }

  /** Adds the gradients of all features to `g`, or sets them; `change` may change dL/df into dL/dz of all entries. */
  async backward(
    g: Parameters,
    { widths, penalty, fresh }: Pick<BackwardParameters, 'widths' | 'penalty' | 'fresh'>,
    change: ((entries: FeatureEntries) => void) | undefined,
    bias: Float32Array,
  ): Promise<void> {
    const { shape, views } = this.#held!;
    const pieces = cutFeatures(views, shape, widths);
    const common = { shape, widths, pieces, penalty, toDecoder: g.W_dec, toEncoder: g.W_encT, fresh };
    const cost = views.byFeature[g.dSae] * (g.dIn + 2 * g.dOut) + g.flat.length;
    const workers = this.#workers(cost, [g.flat]);
    const half = async (half: BackwardParameters['half']): Promise<void> =>
      this.#run('passBackward', backward, { ...common, half }, workers);
    if (!change) await half('both');
    else {
      await half('dots');
      change({ indptr: views.byFeature, row: views.rowsOf, values: views.sorted, slopes: views.slopes });
      await half('sums');
    }
    for (let f = 0; f < g.dSae; f++) bias[f] += views.toBias[f];
  }
}

/** The entries grouped by feature, and dL/df of each. */
export interface FeatureEntries {
  /** [d_sae + 1] */
  indptr: Int32Array;
  row: Int32Array;
  values: Float32Array;
  slopes: Float32Array;
}

/** Moves the entries of pieces of rows, each of which had its own room, next to each other. */
function closeUp(views: PassViews, rows: number, room: number, pieces: number, each: number): RowEntries {
  const { counts, byRow, features, values } = views;
  let at = 0;
  for (let piece = 0; piece < pieces; piece++) {
    const begin = at;
    for (let i = piece * each; i < (piece === pieces - 1 ? rows : (piece + 1) * each); i++) {
      byRow[i] = at;
      at += counts[i];
    }
    features.copyWithin(begin, piece * room, piece * room + at - begin);
    values.copyWithin(begin, piece * room, piece * room + at - begin);
  }
  byRow[rows] = at;
  return { rows, indptr: byRow, features, values };
}

/** Regroups by a counting sort; rows ascend within a feature. */
function byFeature({ rows, indptr, features, values }: RowEntries, views: PassViews): void {
  const { byFeature: first, rowsOf, sorted } = views;
  const total = indptr[rows];
  first.fill(0);
  for (let e = 0; e < total; e++) first[features[e] + 1]++;
  for (let f = 1; f < first.length; f++) first[f] += first[f - 1];
  const next = first.slice();
  for (let i = 0; i < rows; i++) {
    for (let e = indptr[i]; e < indptr[i + 1]; e++) {
      const at = next[features[e]]++;
      rowsOf[at] = i;
      sorted[at] = values[e];
    }
  }
}
