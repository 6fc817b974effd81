/** x[row] += Σ value · direction: sparse codes times a dictionary, by a SIMD kernel where rows are whole vectors. */

interface Rows {
  indptr: Uint32Array;
  indices: Uint16Array | Int32Array;
  values: Float32Array;
}

interface Kernel {
  memory: { buffer: ArrayBuffer; grow(pages: number): number };
  /** Places, values and end of places of a row's entries; address and bytes of its x. */
  row(entry: number, value: number, end: number, x: number, bytes: number): void;
}

// The types of Node's WebAssembly come with the DOM's, which the kernel does not have.
declare const WebAssembly: {
  Module: new (bytes: Uint8Array) => object;
  Instance: new (module: object) => { exports: Kernel };
};

const get = (i: number): number[] => [0x20, i];
const set = (i: number): number[] => [0x21, i];
const add = (i: number, by: number): number[] => [...get(i), 0x41, by, 0x6a, ...set(i)];
const LOAD = [0xfd, 0x00, 0x02, 0x00];

/**
 * row(e, v, end, x, bytes): for each entry from e to end, a = splat(f32 at v), p = address at e; then 16 bytes at a
 * time x += a · p. Locals: 5 = offset, 6 = p, 7 = a.
 */
const BODY = [
  ...[0x02, 2, 0x7f, 1, 0x7b],
  ...[0x02, 0x40, 0x03, 0x40],
  ...[...get(0), ...get(2), 0x4f, 0x0d, 1],
  ...[...get(1), 0x2a, 0x02, 0x00, 0xfd, 0x13, ...set(7)],
  ...[...get(0), 0x28, 0x02, 0x00, ...set(6)],
  ...[0x41, 0, ...set(5), 0x03, 0x40],
  ...[...get(3), ...get(5), 0x6a],
  ...[...get(3), ...get(5), 0x6a, ...LOAD],
  ...[...get(7), ...get(6), ...get(5), 0x6a, ...LOAD, 0xfd, 0xe6, 0x01, 0xfd, 0xe4, 0x01],
  ...[0xfd, 0x0b, 0x02, 0x00],
  ...[...add(5, 16), ...get(5), ...get(4), 0x49, 0x0d, 0, 0x0b],
  ...[...add(0, 4), ...add(1, 4), 0x0c, 0, 0x0b, 0x0b, 0x0b],
];
const name = (text: string): number[] => [text.length, ...Buffer.from(text)];
const section = (id: number, content: number[]): number[] => [id, ...leb(content.length), ...content];
const leb = (n: number): number[] => (n < 128 ? [n] : [(n & 127) | 128, ...leb(n >>> 7)]);

function compileKernel(): Kernel {
  const bytes = [
    ...[0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(1, [1, 0x60, 5, 0x7f, 0x7f, 0x7f, 0x7f, 0x7f, 0]),
    ...section(3, [1, 0]),
    ...section(5, [1, 0, 1]),
    ...section(7, [2, ...name('memory'), 2, 0, ...name('row'), 0, 0]),
    ...section(10, [1, ...leb(BODY.length), ...BODY]),
  ];
  return new WebAssembly.Instance(new WebAssembly.Module(Uint8Array.from(bytes))).exports;
}

let kernel: Kernel | undefined;
/** A larger dictionary is not copied into the kernel's memory. */
const MOST_BYTES = 2 ** 30;

/** Entry by entry in float32, in the order of the SIMD kernel. */
function addPlain({ indptr, indices, values }: Rows, dictionary: Float32Array, d: number, x: Float32Array): void {
  for (let s = 0; s + 1 < indptr.length; s++) {
    for (let e = indptr[s]; e < indptr[s + 1]; e++) {
      const a = values[e];
      const p = indices[e] * d;
      for (let j = 0, to = s * d; j < d; j++) x[to + j] += Math.fround(a * dictionary[p + j]);
    }
  }
}

/**
 * Adds to x (rows × d) the directions that fire, in float32, entry by entry: the same numbers with the kernel and
 * without it.
 */
export function addDirections(rows: Rows, dictionary: Float32Array, d: number, x: Float32Array): void {
  const { indptr, indices, values } = rows;
  const count = indptr.length - 1;
  const entries = indptr[count];
  const total = 4 * (dictionary.length + 2 * entries + x.length);
  if (d % 4 !== 0 || total > MOST_BYTES || entries === 0) {
    addPlain(rows, dictionary, d, x);
    return;
  }
  kernel ??= compileKernel();
  const missing = Math.ceil(total / 65_536) - kernel.memory.buffer.byteLength / 65_536;
  if (missing > 0) kernel.memory.grow(missing);
  const floats = new Float32Array(kernel.memory.buffer);
  const places = new Uint32Array(kernel.memory.buffer);
  const toX = dictionary.length;
  const toPlaces = toX + x.length;
  const toValues = toPlaces + entries;
  floats.set(dictionary);
  floats.set(x, toX);
  for (let e = 0; e < entries; e++) places[toPlaces + e] = 4 * d * indices[e];
  floats.set(values.subarray(0, entries), toValues);
  for (let s = 0; s < count; s++) {
    const [from, to] = [indptr[s], indptr[s + 1]];
    if (to > from)
      kernel.row(4 * (toPlaces + from), 4 * (toValues + from), 4 * (toPlaces + to), 4 * (toX + s * d), 4 * d);
  }
  x.set(floats.subarray(toX, toX + x.length));
}
