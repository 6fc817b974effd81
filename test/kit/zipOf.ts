/** A zip archive of given entries, as PyTorch lays one out (without its padding). */
import { crc32, deflateRawSync } from 'node:zlib';

export interface ZipPart {
  name: string;
  data: Uint8Array;
  deflate?: boolean;
}

/** The archive's bytes; entries are stored unless `deflate`. */
export function zipOf(parts: readonly ZipPart[]): Uint8Array {
  const out: Buffer[] = [];
  const directory: Buffer[] = [];
  let at = 0;
  const put = (bytes: Buffer): void => {
    out.push(bytes);
    at += bytes.length;
  };
  for (const { name, data, deflate } of parts) {
    const packed = deflate ? deflateRawSync(data) : Buffer.from(data);
    const sizes = Buffer.alloc(16);
    sizes.writeUInt32LE(crc32(data), 0);
    sizes.writeUInt32LE(packed.length, 4);
    sizes.writeUInt32LE(data.length, 8);
    sizes.writeUInt16LE(name.length, 12);
    const local = Buffer.alloc(14);
    local.writeUInt32LE(0x04034b50, 0);
    local.writeUInt16LE(20, 4);
    local.writeUInt16LE(deflate ? 8 : 0, 8);
    const central = Buffer.alloc(16);
    central.writeUInt32LE(0x02014b50, 0);
    central.writeUInt16LE(20, 6);
    central.writeUInt16LE(deflate ? 8 : 0, 10);
    const tail = Buffer.alloc(14);
    tail.writeUInt32LE(at, 10);
    directory.push(central, sizes, tail, Buffer.from(name));
    put(local);
    put(sizes);
    put(Buffer.from(name));
    put(packed);
  }
  const head = Buffer.concat(directory);
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt16LE(parts.length, 8);
  end.writeUInt16LE(parts.length, 10);
  end.writeUInt32LE(head.length, 12);
  end.writeUInt32LE(at, 16);
  return Buffer.concat([...out, head, end]);
}
