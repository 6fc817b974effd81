/**
 * Which entries of a block count: pre-activations x̃·W_enc + b_enc of some rows after the other, in each thread's own memory
 * (ONNX Runtime takes no shared one), looked through while they lie in its cache. They are written nowhere else.
 */
import { EntryMemory } from '../entries/memory.js';
import { finderOf, putEntries, type RowFinder, type RowRule } from '../entries/firing.js';
import { gemm, isShared } from '../gemm.js';
import type { SharedMemory } from '../shared/memory.js';
import type { Phase } from '../shared/pieces.js';
import { lentOf } from './lent.js';
import { benchOf, FULL, type Bench, type PassShape } from './memory.js';

export interface RowsParameters {
  readonly shape: PassShape;
  readonly rows: number;
  readonly rule: RowRule;
  /** Multiplied into pre-activations before the rule, divided out of the values. */
  readonly scale: Float64Array | undefined;
  /** [features × d_in] */
  readonly encoder: Float32Array;
  readonly bias: Float32Array;
  /** Subtracted from the input first. */
  readonly shift: Float32Array | undefined;
  /** [features × d_out]: copied to where passes read it. */
  readonly decoder: Float32Array;
}

/** Floats of the pre-activations that a thread has at a time: 16 MB, and rows of them. */
const PIECE_FLOATS = 2 ** 22;
const MOST_ROWS = 512;

type Width = Pick<PassShape, 'features'>;
const rowsOfPiece = ({ features }: Width): number =>
  Math.max(16, Math.min(MOST_ROWS, Math.floor(PIECE_FLOATS / features)));

/** Pieces of so many rows. A single row is never one: its product would be summed in another order. */
export const rowPieces = (shape: Width, rows: number): number =>
  Math.max(1, Math.ceil((rows - 1) / rowsOfPiece(shape)));

/** Rows of a piece, at most. */
export const mostRows = (shape: Width): number => rowsOfPiece(shape) + 1;

/** Rows of the copied decoder of one piece. */
const COPIED = 1024;

export function rows(memory: SharedMemory, p: RowsParameters): Phase {
  const bench = benchOf(memory, p.shape);
  const products = rowPieces(p.shape, p.rows);
  // Made by a thread that works: the one that waits for the others needs none.
  let tools: Tools | undefined;
  return {
    control: bench.control,
    pieces: products + Math.ceil(p.shape.features / COPIED),
    work(piece) {
      if (piece < products) return entriesOf(bench, p, (tools ??= toolsOf(p)), piece, products);
      const first = (piece - products) * COPIED * p.shape.dOut;
      bench.decoder.set(p.decoder.subarray(first, first + COPIED * p.shape.dOut), first);
    },
  };
}

interface Tools extends Lent {
  readonly encoder: Float32Array;
  readonly find: RowFinder;
}

function toolsOf(p: RowsParameters): Tools {
  const own = lend(p.shape);
  const encoder = unshared(p.encoder, own);
  own.memory.shifted(p.bias, p.scale);
  return { ...own, encoder, find: finderOf(p.rule, own.memory) };
}

function entriesOf(
  { input, features, values, counts, control }: Bench,
  { shape, rows, shift, rule, scale }: RowsParameters,
  { find, encoder, ...own }: Tools,
  piece: number,
  pieces: number,
): void {
  const { dIn } = shape;
  const first = piece * rowsOfPiece(shape);
  const last = piece === pieces - 1 ? rows : first + rowsOfPiece(shape);
  const n = last - first;
  const seen = input.subarray(first * dIn, last * dIn);
  if (shift) subtract(seen, shift);
  const x = own.input.subarray(0, n * dIn);
  x.set(seen);
  const z = own.memory.z.subarray(0, n * shape.features);
  gemm(x, encoder, n, shape.features, dIn, { transB: true, out: z });
  const room = Math.floor(shape.room / pieces);
  let at = piece * room;
  const end = at + room;
  // A bound of the whole batch is one of scaled values.
  const divisor = rule.kind === 'above' ? undefined : scale;
  for (let i = 0; i < n; i++) {
    const count = find(i);
    if (at + count <= end) putEntries(own.memory, count, features, values, at, divisor);
    at += count;
    counts[first + i] = count;
  }
  if (at > end) Atomics.store(control, FULL, 1);
}

/** Subtracts `shift` from each row. */
export function subtract(rows: Float32Array, shift: Float32Array): void {
  for (let at = 0; at < rows.length;) for (let j = 0; j < shift.length; j++, at++) rows[at] -= shift[j];
}

/** Memory of this thread alone. */
interface Lent {
  input: Float32Array;
  memory: EntryMemory;
  copy?: Float32Array;
}

function lend(shape: PassShape): Lent {
  const { dIn, features } = shape;
  return lentOf(`rows ${dIn} ${features}`, () => {
    const most = mostRows(shape);
    return { input: new Float32Array(most * dIn), memory: new EntryMemory(most, features) };
  });
}

/** The encoder where ONNX Runtime can read it. */
function unshared(encoder: Float32Array, own: Lent): Float32Array {
  if (!isShared(encoder)) return encoder;
  own.copy ??= new Float32Array(encoder.length);
  own.copy.set(encoder);
  return own.copy;
}
