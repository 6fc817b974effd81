/** Memory for kernels of WebAssembly, such as workers share in a phase: named arrays, one after the other. */
import { KERNELS } from './kernels.js';

/** WebAssembly.Memory, as it is passed to workers. */
export interface SharedMemory {
  /** Really a SharedArrayBuffer: the constructors of typed arrays do not take a union of the two types. */
  readonly buffer: ArrayBuffer;
}

// The types of Node's WebAssembly come with the DOM's, which the kernel does not have.
declare const WebAssembly: {
  Memory: new (size: { initial: number; maximum: number; shared: boolean }) => SharedMemory;
  Module: new (bytes: Uint8Array) => object;
  Instance: new (module: object, imports: object) => { exports: unknown };
};

interface Arrays {
  f32: Float32Array;
  f64: Float64Array;
  i32: Int32Array;
  u8: Uint8Array;
  i8: Int8Array;
}

/** Names, types and lengths of arrays in a memory. */
export type Named = Readonly<Record<string, readonly [type: keyof Arrays, length: number]>>;
/** Those that workers share; phases keep their counts in `control` (pieces.ts). */
export type Fields = Named & { readonly control: readonly ['i32', number] };
export type Views<F extends Named> = { readonly [Name in keyof F]: Arrays[F[Name][0]] };

const TYPES = { f32: Float32Array, f64: Float64Array, i32: Int32Array, u8: Uint8Array, i8: Int8Array } as const;
const PAGE = 65_536;
/** Addresses of WebAssembly end here. */
const MOST_BYTES = PAGE * 65_536;

/**
 * Offsets of the arrays: on cache lines, with one line before the first and one after the last, since fours may be read
 * past an end.
 */
function places(fields: Named): { at: Map<string, number>; bytes: number } {
  const at = new Map<string, number>();
  let bytes = 64;
  for (const [name, [type, length]] of Object.entries(fields)) {
    at.set(name, bytes);
    bytes = 64 * Math.ceil((bytes + length * TYPES[type].BYTES_PER_ELEMENT) / 64);
  }
  return { at, bytes: bytes + 64 };
}

/** Bytes that the arrays take. */
export const bytesOf = (fields: Named): number => places(fields).bytes;

/** Whether the arrays fit one memory of WebAssembly (4 GiB). */
export const fitsMemory = (fields: Named): boolean => places(fields).bytes <= MOST_BYTES;

/** Zeros for all arrays. */
export function shareMemory(fields: Fields): SharedMemory {
  const pages = Math.ceil(places(fields).bytes / PAGE);
  return new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true });
}

/** Zeros for all arrays, of this thread alone: ONNX Runtime takes no shared memory. */
export function ownMemory(fields: Named): SharedMemory {
  const pages = Math.ceil(places(fields).bytes / PAGE);
  return new WebAssembly.Memory({ initial: pages, maximum: pages, shared: false });
}

/** The arrays in a memory that was made for the same fields. */
export function viewsOf<F extends Named>(memory: { readonly buffer: ArrayBuffer }, fields: F): Views<F> {
  const { at } = places(fields);
  const views = Object.entries(fields).map(([name, [type, length]]) => [
    name,
    new TYPES[type](memory.buffer, at.get(name)!, length),
  ]);
  return Object.fromEntries(views) as Views<F>;
}

/** The exports of kernels.wat; arrays are given by the address of their first byte. */
export interface Kernels {
  epoch(
    ...at: readonly [
      low: number,
      high: number,
      alpha: number,
      damping: number,
      n: number,
      fresh: number,
      key: number,
      from: number,
      into: number,
      first: number,
      to: number,
      weight: number,
      increment: number,
      credit: number,
      attract: number,
      repel: number,
    ]
  ): void;
  /** Rows low … high − 1 of y ← scale · A · x − shift · x − y, eight columns of float64. */
  filter(
    ...at: readonly [
      low: number,
      high: number,
      first: number,
      to: number,
      entries: number,
      x: number,
      y: number,
      scale: number,
      shift: number,
    ]
  ): void;
  /** The squared distances (0) or the products (1) of row a and rows b and c, of d float32, to two float64. */
  exact(a: number, b: number, c: number, d: number, product: 0 | 1, out: number): void;
  /** Adds rows of d float32 to `sums` (float64) by column and widens the bounds `least` and `most`; all in fours. */
  columns(x: number, rows: number, d: number, sums: number, least: number, most: number): void;
  /**
   * A row of d float32 times the factor less `shift` (float64), to v, whose last four is filled up with zeros; behind it
   * its largest size. Gives the sum of squares.
   */
  shift(x: number, d: number, shift: number, factor: number, v: number): number;
  /** The whole numbers next to v · to, to q, and with `zero` added to `left`, in fours; to sums Σ v q, Σ q², Σ q. */
  whole(v: number, d: number, to: number, q: number, left: number, zero: number, sums: number): void;
  scan(
    ...at: readonly [
      out: number,
      i0: number,
      rows: number,
      j0: number,
      width: number,
      diagonal: 0 | 1,
      whole: 0 | 1,
      squares: number,
      scaleLeft: number,
      scaleRight: number,
      zero: number,
      limits: number,
      room: number,
      counts: number,
      scores: number,
      found: number,
      scratch: number,
    ]
  ): void;
}

/** What makes the exports of assembled kernels over a memory; they are compiled once, when they are first needed. */
export function exportsOf<K>(kernels: { readonly wasm: string }): (memory: SharedMemory) => K {
  let compiled: object | undefined;
  return (memory) => {
    compiled ??= new WebAssembly.Module(Buffer.from(kernels.wasm, 'base64'));
    return new WebAssembly.Instance(compiled, { e: { m: memory } }).exports as K;
  };
}

/** The kernels over a memory. */
export const kernelsOf = exportsOf<Kernels>(KERNELS);
