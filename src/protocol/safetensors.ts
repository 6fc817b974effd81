/**
 * The safetensors container, on bytes alone: runs in the kernel, the extension host and webviews.
 *
 *   u64 LE header length | JSON header { name: { dtype, shape, data_offsets: [begin, end] }, __metadata__? } | data
 *
 * Offsets count from the end of the header. As the format's own library demands, tensors cover the data without
 * overlaps or holes. Source: https://github.com/huggingface/safetensors (README, "Format").
 */

import { clip } from './clip.js';
import { isRecord } from './objects.js';

export type Dtype =
  'F64' | 'F32' | 'F16' | 'BF16' | 'I64' | 'I32' | 'I16' | 'I8' | 'U64' | 'U32' | 'U16' | 'U8' | 'BOOL';

export type TypedArray =
  | Float64Array
  | Float32Array
  | BigInt64Array
  | BigUint64Array
  | Int32Array
  | Uint32Array
  | Int16Array
  | Uint16Array
  | Int8Array
  | Uint8Array;

/** A dense row-major array. F16 and BF16 are raw bits in a Uint16Array, BOOL is 0 or 1 in a Uint8Array. */
export interface NdArray {
  dtype: Dtype;
  shape: number[];
  data: TypedArray;
}

/** Where a tensor lies: `begin` and `end` in bytes from the start of the data. */
export interface TensorEntry {
  name: string;
  dtype: Dtype;
  shape: number[];
  begin: number;
  end: number;
}

export interface SafetensorsHeader {
  /** By name, in the header's order. */
  tensors: Map<string, TensorEntry>;
  metadata: Record<string, string>;
  /** Bytes before the data: 8 + header length. */
  dataStart: number;
}

/** The limit of the format's own library. */
export const MAX_HEADER_BYTES = 100_000_000;
/** Far above what any array has; a message or a loop over more would be long. */
const MAX_DIMENSIONS = 64;

// Text coding is in every runtime this file runs in, but in no type library they share.
declare const TextDecoder: new (label: string, options: { fatal: boolean }) => { decode(bytes: Uint8Array): string };
declare const TextEncoder: new () => { encode(text: string): Uint8Array };

type ArrayMaker = {
  new (buffer: ArrayBufferLike, offset: number, length: number): TypedArray;
  BYTES_PER_ELEMENT: number;
};

/** In the order in which the format's library lays tensors out, last first: wide types lead, so all stay aligned. */
const ARRAYS: Record<Dtype, ArrayMaker> = {
  BOOL: Uint8Array,
  U8: Uint8Array,
  I8: Int8Array,
  I16: Int16Array,
  U16: Uint16Array,
  F16: Uint16Array,
  BF16: Uint16Array,
  I32: Int32Array,
  U32: Uint32Array,
  F32: Float32Array,
  F64: Float64Array,
  I64: BigInt64Array,
  U64: BigUint64Array,
};
const DTYPES = Object.keys(ARRAYS) as Dtype[];

/** Bytes of one element. */
export function dtypeBytes(dtype: Dtype): number {
  return ARRAYS[dtype].BYTES_PER_ELEMENT;
}

/** Product of a shape; 1 for the 0-d shape []. Throws on sizes that are not exact in float64. */
export function elementCount(shape: readonly number[], what = 'tensor'): number {
  let count = 1;
  for (const size of shape) {
    if (!Number.isSafeInteger(size) || size < 0)
      throw new RangeError(`${what} has shape [${shape.join(', ')}]: sizes are whole numbers ≥ 0`);
    count *= size;
  }
  // An empty tensor may have any other sizes; 0 × huge is 0.
  if (!Number.isSafeInteger(count)) throw new RangeError(`${what} has shape [${shape.join(', ')}]: too many elements`);
  return count;
}

/**
 * Elements of `bytes` as the dtype's typed array. Shares memory where the offset is aligned, copies where it is not.
 * `bytes.length` must be a multiple of the element size.
 */
export function typedView(dtype: Dtype, bytes: Uint8Array): TypedArray {
  const maker = ARRAYS[dtype];
  const aligned = bytes.byteOffset % maker.BYTES_PER_ELEMENT === 0 ? bytes : bytes.slice();
  return new maker(aligned.buffer, aligned.byteOffset, aligned.byteLength / maker.BYTES_PER_ELEMENT);
}

/** Header length from the first 8 bytes, checked against the file's length before anything is allocated. */
export function headerLength(first8: Uint8Array, fileBytes: number, what = 'safetensors'): number {
  if (fileBytes < 8 || first8.length < 8)
    throw new Error(`${what}: ${fileBytes} bytes are too few for a safetensors file`);
  const length = Number(new DataView(first8.buffer, first8.byteOffset, 8).getBigUint64(0, true));
  if (length > MAX_HEADER_BYTES) {
    throw new Error(
      `${what}: header of ${length} bytes is over the limit of ${MAX_HEADER_BYTES}; this is not a safetensors file`,
    );
  }
  if (8 + length > fileBytes) {
    throw new Error(
      `${what}: header of ${length} bytes but the file has ${fileBytes}; it is truncated or not safetensors`,
    );
  }
  return length;
}

/**
 * Parses the JSON header (without its 8 length bytes) of a file of `fileBytes` bytes.
 * Throws on anything the format forbids: duplicate names, unknown dtypes, bad shapes, offsets that overlap, leave holes
 * or leave the file, byte lengths that do not fit the shape.
 */
export function parseHeader(header: Uint8Array, fileBytes: number, what = 'safetensors'): SafetensorsHeader {
  let json: unknown;
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(header);
    json = JSON.parse(text);
    refuseDuplicateKeys(text, what);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    throw message.startsWith(what) ? error : new Error(`${what}: header is not UTF-8 JSON: ${clip(message, 200)}`);
  }
  if (!isRecord(json)) throw new Error(`${what}: header is not a JSON object`);
  const dataBytes = fileBytes - 8 - header.length;
  const tensors = new Map<string, TensorEntry>();
  let metadata: Record<string, string> = {};
  // Object.entries sees own keys only, "__proto__" included: JSON.parse makes that an own key.
  for (const [name, value] of Object.entries(json)) {
    if (name === '__metadata__') metadata = parseMetadata(value, what);
    else tensors.set(name, parseEntry(name, value, dataBytes, what));
  }
  checkCoverage([...tensors.values()], dataBytes, what);
  return { tensors, metadata, dataStart: 8 + header.length };
}

function parseMetadata(value: unknown, what: string): Record<string, string> {
  if (!isRecord(value) || Object.values(value).some((v) => typeof v !== 'string')) {
    throw new Error(`${what}: __metadata__ must map strings to strings`);
  }
  return value as Record<string, string>;
}

function parseEntry(name: string, value: unknown, dataBytes: number, what: string): TensorEntry {
  const where = `${what}: tensor "${clip(name)}"`;
  if (!isRecord(value)) throw new Error(`${where} has no description`);
  const { dtype, shape, data_offsets: offsets } = value;
  if (!DTYPES.includes(dtype as Dtype)) {
    throw new Error(`${where} has dtype ${clip(String(JSON.stringify(dtype)))}; known are ${DTYPES.join(', ')}`);
  }
  if (!Array.isArray(shape)) throw new Error(`${where} has no shape`);
  if (shape.length > MAX_DIMENSIONS)
    throw new Error(`${where} has ${shape.length} dimensions; ${MAX_DIMENSIONS} are the most`);
  const count = elementCount(shape as number[], where);
  if (!Array.isArray(offsets) || offsets.length !== 2) throw new Error(`${where} has no data_offsets`);
  const [begin, end] = offsets as [number, number];
  if (!Number.isSafeInteger(begin) || !Number.isSafeInteger(end) || begin < 0 || end < begin || end > dataBytes) {
    throw new Error(
      `${where} has data_offsets [${begin}, ${end}] in a file with ${dataBytes} bytes of data; it is truncated or damaged`,
    );
  }
  const bytes = count * dtypeBytes(dtype as Dtype);
  if (end - begin !== bytes) {
    throw new Error(`${where} has ${end - begin} bytes but ${dtype as Dtype} [${shape.join(', ')}] needs ${bytes}`);
  }
  return { name, dtype: dtype as Dtype, shape: shape as number[], begin, end };
}

function checkCoverage(entries: TensorEntry[], dataBytes: number, what: string): void {
  const sorted = entries.sort((a, b) => a.begin - b.begin || a.end - b.end);
  let at = 0;
  let before = 'the header';
  for (const { name, begin, end } of sorted) {
    if (begin !== at) {
      throw new Error(
        `${what}: tensor "${clip(name)}" begins at byte ${begin} but ${before} ends at ${at}: ${begin < at ? 'they overlap' : 'there is a hole'}`,
      );
    }
    at = end;
    before = `"${clip(name)}"`;
  }
  if (at !== dataBytes) throw new Error(`${what}: tensors end at byte ${at} of ${dataBytes} bytes of data`);
}

/** JSON.parse keeps the last of two equal keys without a word. `text` is known to be valid JSON. */
function refuseDuplicateKeys(text: string, what: string): void {
  const seen: Array<Set<string> | undefined> = [];
  for (let i = 0; i < text.length; i++) {
    const c = text[i];
    if (c === '{') seen.push(new Set());
    else if (c === '[') seen.push(undefined);
    else if (c === '}' || c === ']') seen.pop();
    else if (c === '"') {
      const start = i;
      for (i++; text[i] !== '"'; i++) if (text[i] === '\\') i++;
      let next = i + 1;
      while (/\s/.test(text.charAt(next))) next++;
      if (text[next] !== ':') continue;
      const key = JSON.parse(text.slice(start, i + 1)) as string;
      const keys = seen.at(-1);
      if (keys?.has(key)) throw new Error(`${what}: the header names "${clip(key)}" twice`);
      // As a key of a plain object it would change the object's prototype.
      if (key === '__proto__') throw new Error(`${what}: the header names "__proto__", which is no name for data`);
      keys?.add(key);
    }
  }
}

export interface SafetensorsPlan {
  /** Length bytes and padded JSON header. */
  head: Uint8Array;
  /** Data to write after the head, in order. */
  parts: Array<{ name: string; data: TypedArray }>;
  totalBytes: number;
}

/**
 * Lays out a file. Equal input gives equal bytes: tensors are sorted by type (widest first, so every tensor is aligned
 * to its element) and then name, metadata by key; the header is padded with spaces to 8 bytes.
 */
export function planSafetensors(
  tensors: Record<string, NdArray>,
  metadata: Record<string, string> = {},
): SafetensorsPlan {
  const sorted = Object.entries(tensors).sort(
    ([nameA, a], [nameB, b]) => DTYPES.indexOf(b.dtype) - DTYPES.indexOf(a.dtype) || (nameA < nameB ? -1 : 1),
  );
  const fields: string[] = [];
  const notes = Object.entries(metadata).sort(([a], [b]) => (a < b ? -1 : 1));
  if (notes.length > 0) {
    fields.push(
      `"__metadata__":{${notes.map(([k, v]) => `${JSON.stringify(k)}:${JSON.stringify(String(v))}`).join(',')}}`,
    );
  }
  const parts: SafetensorsPlan['parts'] = [];
  let at = 0;
  for (const [name, { dtype, shape, data }] of sorted) {
    const where = `safetensors: tensor "${name}"`;
    if (name === '__metadata__' || name === '__proto__') throw new Error(`${where}: this name is reserved`);
    if (!DTYPES.includes(dtype))
      throw new Error(`${where} has dtype ${JSON.stringify(dtype)}; known are ${DTYPES.join(', ')}`);
    const bytes = elementCount(shape, where) * dtypeBytes(dtype);
    if (data.byteLength !== bytes || data.BYTES_PER_ELEMENT !== dtypeBytes(dtype)) {
      throw new Error(
        `${where}: ${dtype} [${shape.join(', ')}] needs ${bytes} bytes but the data has ${data.byteLength} of ${data.BYTES_PER_ELEMENT} each`,
      );
    }
    fields.push(
      `${JSON.stringify(name)}:{"dtype":"${dtype}","shape":[${shape.join(',')}],"data_offsets":[${at},${at + bytes}]}`,
    );
    parts.push({ name, data });
    at += bytes;
  }
  const json = new TextEncoder().encode(`{${fields.join(',')}}`);
  const padded = Math.ceil(json.length / 8) * 8;
  if (padded > MAX_HEADER_BYTES)
    throw new Error(`safetensors: header of ${padded} bytes is over the limit of ${MAX_HEADER_BYTES}`);
  const head = new Uint8Array(8 + padded).fill(0x20);
  new DataView(head.buffer).setBigUint64(0, BigInt(padded), true);
  head.set(json, 8);
  return { head, parts, totalBytes: head.length + at };
}

/** A whole file as bytes. */
export function encodeSafetensors(tensors: Record<string, NdArray>, metadata?: Record<string, string>): Uint8Array {
  const { head, parts, totalBytes } = planSafetensors(tensors, metadata);
  const out = new Uint8Array(totalBytes);
  out.set(head);
  let at = head.length;
  for (const { data } of parts) {
    out.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), at);
    at += data.byteLength;
  }
  return out;
}

/** Reads a whole file in memory. Arrays share its memory where alignment allows. */
export function decodeSafetensors(
  file: Uint8Array,
  what = 'safetensors',
): { tensors: Map<string, NdArray>; metadata: Record<string, string> } {
  const length = headerLength(file.subarray(0, 8), file.length, what);
  const { tensors, metadata, dataStart } = parseHeader(file.subarray(8, 8 + length), file.length, what);
  const arrays = new Map<string, NdArray>();
  for (const { name, dtype, shape, begin, end } of tensors.values()) {
    arrays.set(name, { dtype, shape, data: typedView(dtype, file.subarray(dataStart + begin, dataStart + end)) });
  }
  return { tensors: arrays, metadata };
}
