/**
 * TensorBoard's event files, as much of them as scalars need: TFRecords of protocol buffers (tensorflow/core/util/event.proto,
 * tensorflow/core/framework/summary.proto).
 *
 *   record = length u64 | masked crc32c(length) u32 | event | masked crc32c(event) u32        little-endian
 *   Event: wall_time = 1 (double), step = 2 (int64), file_version = 3 (string), summary = 5 { value = 1 { tag = 1, simple_value = 2 } }
 */

/** Figures of one step. */
export interface ScalarEvent {
  /** Seconds since 1970. */
  readonly wallTime: number;
  readonly step: number;
  /** By tag, such as "train/loss". */
  readonly scalars: Readonly<Record<string, number>>;
}

const TABLE = Uint32Array.from({ length: 256 }, (_, n) => {
  let c = n;
  for (let bit = 0; bit < 8; bit++) c = c & 1 ? (c >>> 1) ^ 0x82f63b78 : c >>> 1;
  return c;
});

/** CRC-32C (Castagnoli) of bytes. */
export function crc32c(bytes: Uint8Array): number {
  let c = 0xffffffff;
  for (const byte of bytes) c = TABLE[(c ^ byte) & 0xff] ^ (c >>> 8);
  return (c ^ 0xffffffff) >>> 0;
}

/** TFRecord's mask: checksums of what holds checksums are otherwise weak. */
const masked = (crc: number): number => (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0;

function varint(value: number): Buffer {
  const out: number[] = [];
  let rest = BigInt(value);
  for (; rest > 0x7fn; rest >>= 7n) out.push(Number(rest & 0x7fn) | 0x80);
  out.push(Number(rest));
  return Buffer.from(out);
}

/** A field whose content has a length: text, bytes, a message. */
const sized = (field: number, content: Buffer): Buffer =>
  Buffer.concat([varint((field << 3) | 2), varint(content.length), content]);

function double(field: number, value: number): Buffer {
  const out = Buffer.alloc(9);
  out[0] = (field << 3) | 1;
  out.writeDoubleLE(value, 1);
  return out;
}

function float(field: number, value: number): Buffer {
  const out = Buffer.alloc(5);
  out[0] = (field << 3) | 5;
  out.writeFloatLE(value, 1);
  return out;
}

function record(event: Buffer): Buffer {
  const out = Buffer.alloc(16 + event.length);
  out.writeBigUInt64LE(BigInt(event.length), 0);
  out.writeUInt32LE(masked(crc32c(out.subarray(0, 8))), 8);
  event.copy(out, 12);
  out.writeUInt32LE(masked(crc32c(event)), 12 + event.length);
  return out;
}

/** The first record of a file. */
export const eventFileHeader = (wallTime: number): Buffer =>
  record(Buffer.concat([double(1, wallTime), sized(3, Buffer.from('brain.Event:2'))]));

/** The record of one step; figures that are not finite are written as they are. */
export function scalarRecord({ wallTime, step, scalars }: ScalarEvent): Buffer {
  const values = Object.entries(scalars).map(([tag, value]) =>
    sized(1, Buffer.concat([sized(1, Buffer.from(tag)), float(2, value)])),
  );
  const at = Buffer.concat([Buffer.from([(2 << 3) | 0]), varint(step)]);
  return record(Buffer.concat([double(1, wallTime), at, sized(5, Buffer.concat(values))]));
}
