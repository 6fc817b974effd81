/**
 * Writes PyTorch checkpoints: a state dict of plain tensors in the zip format of PyTorch 1.6 and later, which
 * torch.load also reads with weights_only. Source: torch/serialization.py.
 */
import { crc32 } from 'node:zlib';
import type { Dtype, NdArray } from './ndarray.js';

const STORAGE: Partial<Record<Dtype, string>> = {
  F64: 'DoubleStorage',
  F32: 'FloatStorage',
  I64: 'LongStorage',
  I32: 'IntStorage',
};
const ROOT = 'archive';
/** Largest size of stored entries and offsets in a zip without zip64. */
const MAX_BYTES = 0xffffffff;

/** The bytes of a .pt file. @throws RangeError above 4 GiB, TypeError for a dtype that cannot be written */
export function torchCheckpoint(tensors: Record<string, NdArray>): Uint8Array {
  const entries: Array<[name: string, bytes: Uint8Array]> = [
    [`${ROOT}/data.pkl`, pickleOf(tensors)],
    [`${ROOT}/byteorder`, new TextEncoder().encode('little')],
    ...Object.values(tensors).map(({ data }, i): [string, Uint8Array] => [
      `${ROOT}/data/${i}`,
      new Uint8Array(data.buffer, data.byteOffset, data.byteLength),
    ]),
    [`${ROOT}/version`, new TextEncoder().encode('3\n')],
  ];
  return zipOf(entries);
}

/** Protocol 2: { name: torch._utils._rebuild_tensor_v2(storage, 0, size, stride, False, OrderedDict()), … }. */
function pickleOf(tensors: Record<string, NdArray>): Uint8Array {
  const out: number[] = [0x80, 2, 0x7d, 0x28]; // PROTO 2, EMPTY_DICT, MARK
  const add = (bytes: Uint8Array): void => {
    for (const byte of bytes) out.push(byte);
  };
  const ascii = (value: string): void => add(new TextEncoder().encode(value));
  const global = (module: string, name: string): void => ascii(`c${module}\n${name}\n`);
  const int = (n: number): void => void out.push(0x4a, n & 255, (n >> 8) & 255, (n >> 16) & 255, (n >> 24) & 255);
  const text = (value: string): void => {
    const bytes = new TextEncoder().encode(value);
    out.push(0x58, bytes.length & 255, (bytes.length >> 8) & 255, 0, 0);
    add(bytes);
  };
  const tuple = (values: readonly number[]): void => {
    out.push(0x28); // MARK
    for (const value of values) int(value);
    out.push(0x74); // TUPLE
  };
  Object.entries(tensors).forEach(([name, { dtype, shape, data }], i) => {
    const storage = STORAGE[dtype];
    if (!storage) throw new TypeError(`${name}: tensors of ${dtype} are not written to checkpoints`);
    text(name);
    global('torch._utils', '_rebuild_tensor_v2');
    out.push(0x28, 0x28); // arguments, persistent id
    text('storage');
    global('torch', storage);
    text(String(i));
    text('cpu');
    int(data.length);
    out.push(0x74, 0x51); // TUPLE, BINPERSID
    int(0);
    tuple(shape);
    tuple(shape.map((_, axis) => shape.slice(axis + 1).reduce((a, b) => a * b, 1)));
    out.push(0x89); // NEWFALSE: requires_grad
    global('collections', 'OrderedDict');
    out.push(0x29, 0x52, 0x74, 0x52); // (), REDUCE, TUPLE, REDUCE
  });
  out.push(0x75, 0x2e); // SETITEMS, STOP
  return Uint8Array.from(out);
}

/** A zip of stored entries, the data of each at a multiple of 64 bytes, as PyTorch writes them. */
function zipOf(entries: ReadonlyArray<[name: string, bytes: Uint8Array]>): Uint8Array {
  const parts: Uint8Array[] = [];
  const central: Uint8Array[] = [];
  let at = 0;
  for (const [name, bytes] of entries) {
    const label = new TextEncoder().encode(name);
    const pad = (64 - ((at + 30 + label.length + 4) % 64)) % 64;
    const header = record(0x04034b50, 30, label, bytes, pad + 4);
    const extra = new Uint8Array(pad + 4);
    new DataView(extra.buffer).setUint16(0, 0x4246, true);
    new DataView(extra.buffer).setUint16(2, pad, true);
    parts.push(header, label, extra, bytes);
    const entry = record(0x02014b50, 46, label, bytes, 0);
    new DataView(entry.buffer).setUint32(42, at, true);
    central.push(entry, label);
    at += header.length + label.length + extra.length + bytes.length;
  }
  const size = central.reduce((sum, part) => sum + part.length, 0);
  if (at + size > MAX_BYTES)
    throw new RangeError('a checkpoint above 4 GiB is not written; save the SAE as safetensors');
  const end = new Uint8Array(22);
  const view = new DataView(end.buffer);
  view.setUint32(0, 0x06054b50, true);
  view.setUint16(8, entries.length, true);
  view.setUint16(10, entries.length, true);
  view.setUint32(12, size, true);
  view.setUint32(16, at, true);
  return Buffer.concat([...parts, ...central, end]);
}

/** A local or central header of a stored entry; they differ by the version that made it. */
function record(magic: number, length: number, label: Uint8Array, bytes: Uint8Array, extra: number): Uint8Array {
  const header = new Uint8Array(length);
  const view = new DataView(header.buffer);
  const from = length === 46 ? 2 : 0;
  view.setUint32(0, magic, true);
  if (from) view.setUint16(4, 20, true);
  view.setUint16(from + 4, 20, true);
  view.setUint32(from + 14, crc32(bytes), true);
  view.setUint32(from + 18, bytes.length, true);
  view.setUint32(from + 22, bytes.length, true);
  view.setUint16(from + 26, label.length, true);
  view.setUint16(from + 28, extra, true);
  return header;
}
