/**
 * What a pass of a training step reads and writes for a block of rows, in memory that workers share: work is in proportion
 * to the entries that count. Every thread that works in a phase has a place of its own for sums.
 */
import { CONTROL } from '../shared/pieces.js';
import { exportsOf, fitsMemory, shareMemory, viewsOf, type Fields, type SharedMemory, type Views } from '../shared/memory.js'; // prettier-ignore
import { KERNELS } from './kernels.js';

export interface PassShape {
  /** Of a block, at most. */
  readonly rows: number;
  readonly dIn: number;
  readonly dOut: number;
  readonly features: number;
  /** Prefixes of the features that have an error of their own. */
  readonly prefixes: number;
  /** Entries that there is room for. */
  readonly room: number;
  /** Threads that may work at once. */
  readonly threads: number;
}

/** Rows that are decoded together; sums over rows are sums of such pieces, in their order. */
export const PIECE_ROWS = 64;
/** Floats of the sums of one piece of features, and its entries: they stay in a core's own cache. */
const PART = 2 ** 15;

/** Places of `control` beyond those of a phase: threads that came, and whether entries found no room. */
const CAME = 3;
export const FULL = 4;

/** Floats that a thread has for sums, and entries of a piece of features, at most. */
export const partOf = ({ rows, dIn, dOut }: PassShape): number => Math.max(PART, rows, dIn, dOut);

export function passFields(shape: PassShape) {
  const { rows, dIn, dOut, features, prefixes, room, threads } = shape;
  const part = partOf(shape);
  return {
    control: ['i32', CONTROL],
    // What the encoder sees, what is to be predicted, and of every prefix x̂, then x̂ − x, then dL/dx̂.
    input: ['f32', rows * dIn],
    target: ['f32', rows * dOut],
    errors: ['f32', prefixes * rows * dOut],
    decoder: ['f32', features * dOut],
    // ‖x̂ − x‖² of rows, and sums of dL/dx̂ over pieces of rows, of every prefix.
    squares: ['f64', prefixes * rows],
    columns: ['f64', prefixes * Math.ceil(rows / PIECE_ROWS) * dOut],
    // The entries by row and by feature.
    counts: ['i32', rows],
    byRow: ['i32', rows + 1],
    features: ['i32', room],
    values: ['f32', room],
    byFeature: ['i32', features + 1],
    rowsOf: ['i32', room],
    sorted: ['f32', room],
    // dL/df, later dL/dz, of the entries by feature; the sums of features, and where pieces of features begin.
    slopes: ['f32', room],
    toBias: ['f64', features],
    cuts: ['i32', features + 1],
    // Of every thread; after the others, since products are written from where the entries of a piece would begin.
    lists: ['i32', threads * 16],
    sums: ['f32', threads * part],
    products: ['f32', threads * (part + 16)],
  } as const satisfies Fields;
}

export type PassViews = Views<ReturnType<typeof passFields>>;

interface Kernels {
  gather(n: number, p: number, which: number, weights: number, from: number, d: number, to: number): void;
  dots(n: number, p: number, which: number, from: number, d: number, rows: number, out: number): void;
}
export const kernelsOf = exportsOf<Kernels>(KERNELS);

/** What a thread works with in a phase. */
export interface Bench extends PassViews {
  readonly kernels: Kernels;
  /** Its own part of lists, sums and products. */
  readonly own: Pick<PassViews, 'lists' | 'sums' | 'products'>;
}

export function benchOf(memory: SharedMemory, shape: PassShape): Bench {
  const views = viewsOf(memory, passFields(shape));
  const part = partOf(shape);
  const seat = Atomics.add(views.control, CAME, 1) % shape.threads;
  const { lists, sums, products } = views;
  const own = {
    lists: lists.subarray(16 * seat, 16 * (seat + 1)),
    sums: sums.subarray(part * seat, part * (seat + 1)),
    products: products.subarray((part + 16) * seat, (part + 16) * (seat + 1)),
  };
  return { ...views, kernels: kernelsOf(memory), own };
}

/** @throws RangeError where it takes more than 4 GiB */
export function passMemory(shape: PassShape): { memory: SharedMemory; views: PassViews } {
  const fields = passFields(shape);
  if (!fitsMemory(fields))
    throw new RangeError(
      `${shape.rows} rows of ${shape.features} features are more than 4 GiB at once; give smaller batches or fewer features`,
    );
  const memory = shareMemory(fields);
  return { memory, views: viewsOf(memory, fields) };
}
