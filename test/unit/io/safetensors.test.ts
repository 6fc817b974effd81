import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ndarray, toFloat32, type NdArray } from '#kernel/io/ndarray.js';
import { SafetensorsFile, writeSafetensors } from '#kernel/io/safetensors.js';
import { decodeSafetensors, encodeSafetensors } from '#protocol/safetensors.js';
import { testFolder } from '#test/kit/folder.js';

const folder = testFolder();

const all: Record<string, NdArray> = {
  bool: ndarray('BOOL', [3], Uint8Array.of(1, 0, 1)),
  u8: ndarray('U8', [1], Uint8Array.of(255)),
  i8: ndarray('I8', [2], Int8Array.of(-128, 127)),
  u16: ndarray('U16', [1], Uint16Array.of(65535)),
  i16: ndarray('I16', [1], Int16Array.of(-32768)),
  f16: ndarray('F16', [3], Uint16Array.of(0x3c00, 0xc000, 0x0001)),
  bf16: ndarray('BF16', [2], Uint16Array.of(0x3f80, 0xc040)),
  u32: ndarray('U32', [1], Uint32Array.of(2 ** 32 - 1)),
  i32: ndarray('I32', [1], Int32Array.of(-(2 ** 31))),
  f32: ndarray('F32', [2, 2], Float32Array.of(1.5, NaN, -0, Infinity)),
  f64: ndarray('F64', [1], Float64Array.of(Math.PI)),
  i64: ndarray('I64', [1], BigInt64Array.of(-(2n ** 63n))),
  u64: ndarray('U64', [1], BigUint64Array.of(2n ** 64n - 1n)),
  scalar: ndarray('F32', [], Float32Array.of(7)),
  empty: ndarray('F32', [0, 5], new Float32Array(0)),
  'päth/名 "q"\n': ndarray('U8', [1], Uint8Array.of(1)),
};

/** A file with the given header (text or object) and so many bytes of data. */
function file(header: unknown, dataBytes = 0, declared?: number): Uint8Array {
  const json = new TextEncoder().encode(typeof header === 'string' ? header : JSON.stringify(header));
  const out = new Uint8Array(8 + json.length + dataBytes);
  new DataView(out.buffer).setBigUint64(0, BigInt(declared ?? json.length), true);
  out.set(json, 8);
  return out;
}
const entry = (shape: unknown, begin: number, end: number, dtype = 'F32') => ({
  dtype,
  shape,
  data_offsets: [begin, end],
});

describe('reader and writer of safetensors', () => {
  it('gives back every dtype, shape, name and note as written', async () => {
    const path = join(folder, 'all.safetensors');
    await writeSafetensors(path, all, { format: 'pt', note: 'zwölf' });
    const opened = await SafetensorsFile.open(path);
    expect(opened.names().sort()).toEqual(Object.keys(all).sort());
    expect(opened.metadata).toEqual({ format: 'pt', note: 'zwölf' });
    for (const [name, array] of Object.entries(all)) {
      const back = await opened.read(name);
      expect(back).toEqual(array);
      expect(back.data.constructor).toBe(array.data.constructor);
      expect(opened.info(name)).toEqual({ dtype: array.dtype, shape: array.shape, byteLength: array.data.byteLength });
    }
    await opened.close();
    const decoded = decodeSafetensors(new Uint8Array(readFileSync(path)));
    expect(Object.fromEntries([...decoded.tensors].map(([k, v]) => [k, [...v.data].map(String)]))).toEqual(
      Object.fromEntries(Object.entries(all).map(([k, v]) => [k, [...v.data].map(String)])),
    );
  });

  it('lays a file out byte by byte as the format says', () => {
    const bytes = encodeSafetensors({
      b: ndarray('U8', [1], Uint8Array.of(7)),
      a: ndarray('F32', [1], Float32Array.of(1)),
    });
    const header =
      '{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"U8","shape":[1],"data_offsets":[4,5]}}';
    const padded = header.padEnd(Math.ceil(header.length / 8) * 8);
    const expected = [padded.length, 0, 0, 0, 0, 0, 0, 0, ...new TextEncoder().encode(padded), 0, 0, 0x80, 0x3f, 7];
    expect([...bytes]).toEqual(expected);
  });

  it('has the same bytes whatever the order of tensors and notes', () => {
    const [a, b] = [ndarray('F32', [1], Float32Array.of(1)), ndarray('I64', [1], BigInt64Array.of(2n))];
    expect(encodeSafetensors({ a, b }, { x: '1', y: '2' })).toEqual(encodeSafetensors({ b, a }, { y: '2', x: '1' }));
  });

  it('reads some rows without the others', async () => {
    const path = join(folder, 'rows.safetensors');
    await writeSafetensors(path, {
      m: ndarray(
        'I16',
        [4, 3],
        Int16Array.from({ length: 12 }, (_, i) => i),
      ),
      s: all.scalar,
      e: all.empty,
    });
    const opened = await SafetensorsFile.open(path);
    expect(await opened.readRows('m', 1, 2)).toEqual(ndarray('I16', [2, 3], Int16Array.of(3, 4, 5, 6, 7, 8)));
    expect(await opened.readRows('m', 4, 0)).toEqual(ndarray('I16', [0, 3], new Int16Array(0)));
    expect((await opened.readRows('e', 0, 0)).shape).toEqual([0, 5]);
    await expect(opened.readRows('m', 3, 2)).rejects.toThrow('rows 3 to 5 of tensor "m", which has 4');
    await expect(opened.readRows('m', -1, 1)).rejects.toThrow(RangeError);
    await expect(opened.readRows('s', 0, 1)).rejects.toThrow('0-d');
    await expect(opened.read('none')).rejects.toThrow('no tensor "none"; it has e, s, m');
    await opened.close();
  });

  it('reads tensors that are not aligned to their element', () => {
    const bytes = file({ a: entry([1], 0, 1, 'U8'), b: entry([2], 1, 9) }, 9);
    const view = new DataView(bytes.buffer, bytes.length - 8);
    view.setFloat32(0, 1.25, true);
    view.setFloat32(4, -2, true);
    expect([...(decodeSafetensors(bytes).tensors.get('b')?.data ?? [])]).toEqual([1.25, -2]);
  });

  it.each<[string, Uint8Array, RegExp]>([
    ['nothing', new Uint8Array(0), /too few/],
    ['a cut length', new Uint8Array(5), /too few/],
    ['a header beyond the file', file('{}', 0, 100), /100 bytes but the file has 10.*truncated/],
    ['a header over 100 MB', file('{}', 0, 100_000_001), /over the limit/],
    ['a header length of 2^63', file('{}', 0, 2 ** 63), /over the limit/],
    ['a header that is no JSON', file('{"a":'), /not UTF-8 JSON/],
    [
      'a header that is no UTF-8',
      (() => {
        const f = file('{"aa":1}');
        f[10] = 0xff;
        return f;
      })(),
      /not UTF-8 JSON/,
    ],
    ['a header that is no object', file('[1]'), /not a JSON object/],
    ['an unknown dtype', file({ a: entry([1], 0, 4, 'F7') }, 4), /"a" has dtype "F7"; known are/],
    [
      'a name that would be a prototype',
      file('{"__proto__":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}', 4),
      /names "__proto__", which is no name for data/,
    ],
    [
      'a note that would be a prototype, its name escaped',
      file('{"__metadata__":{"\\u005f_proto__":"x"}}'),
      /names "__proto__", which is no name for data/,
    ],
    [
      'a name twice, once escaped',
      file(
        '{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"\\u0061":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}}',
        2,
      ),
      /names "a" twice/,
    ],
    ['a dtype from the prototype', file({ a: entry([1], 0, 4, 'constructor') }, 4), /has dtype "constructor"/],
    ['a negative size', file({ a: entry([-1], 0, 4) }, 4), /shape \[-1\]/],
    ['a broken size', file({ a: entry([1.5], 0, 6) }, 6), /shape \[1.5\]/],
    ['a size that is text', file({ a: entry(['1'], 0, 4) }, 4), /sizes are whole numbers/],
    ['sizes whose product overflows', file({ a: entry([2 ** 40, 2 ** 40], 0, 4) }, 4), /too many elements/],
    ['no shape', file({ a: { dtype: 'F32', data_offsets: [0, 4] } }, 4), /no shape/],
    ['no offsets', file({ a: { dtype: 'F32', shape: [1] } }, 4), /no data_offsets/],
    ['no entry', file({ a: null }, 4), /no description/],
    ['bytes that do not fit the shape', file({ a: entry([2], 0, 4) }, 4), /has 4 bytes but F32 \[2\] needs 8/],
    ['offsets beyond the file', file({ a: entry([2], 0, 8) }, 4), /data_offsets \[0, 8\] in a file with 4 bytes/],
    ['offsets the wrong way round', file({ a: entry([0], 4, 0) }, 4), /data_offsets \[4, 0\]/],
    [
      'overlapping tensors',
      file({ a: entry([2], 0, 8), b: entry([1], 4, 8) }, 8),
      /"b" begins at byte 4 but "a" ends at 8: they overlap/,
    ],
    ['a hole', file({ a: entry([1], 0, 4), b: entry([1], 8, 12) }, 12), /there is a hole/],
    ['data that no tensor covers', file({ a: entry([1], 0, 4) }, 8), /end at byte 4 of 8/],
    [
      'a name twice',
      file(
        '{"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0]},"\\u0061":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}}',
      ),
      /names "a" twice/,
    ],
    ['metadata that is no text', file({ __metadata__: { a: 1 } }), /must map strings to strings/],
  ])('refuses %s', async (_, bytes, message) => {
    expect(() => decodeSafetensors(bytes)).toThrow(message);
    const path = join(folder, 'bad.safetensors');
    writeFileSync(path, bytes);
    await expect(SafetensorsFile.open(path)).rejects.toThrow(message);
  });

  it('writes no name that would be a prototype', async () => {
    const tensors = Object.fromEntries([['__proto__', ndarray('U8', [1], Uint8Array.of(9))]]);
    await expect(writeSafetensors(join(folder, 'proto.safetensors'), tensors)).rejects.toThrow(/name is reserved/);
  });

  it('writes nothing when data does not fit its shape, and keeps the old file', async () => {
    const path = join(folder, 'kept.safetensors');
    await writeSafetensors(path, { a: all.u8 });
    const before = readFileSync(path);
    const wrong = { a: { dtype: 'F32' as const, shape: [3], data: new Float32Array(2) } };
    await expect(writeSafetensors(path, wrong)).rejects.toThrow(/F32 \[3\] needs 12 bytes but the data has 8/);
    const type = { a: { dtype: 'F32' as const, shape: [1], data: Uint16Array.of(1, 2) } };
    await expect(writeSafetensors(path, type)).rejects.toThrow(/2 each/);
    await expect(writeSafetensors(path, { __metadata__: all.u8 })).rejects.toThrow(/reserved/);
    expect(readFileSync(path)).toEqual(before);
    expect(readdirSync(folder).filter((name) => name.endsWith('.tmp'))).toEqual([]);
  });
});

describe('half floats', () => {
  it('convert exactly for all 65,536 half values', () => {
    const bits = Uint16Array.from({ length: 65536 }, (_, i) => i);
    const values = toFloat32(ndarray('F16', [65536], bits));
    for (let i = 0; i < 65536; i++) {
      const [exponent, fraction] = [(i >> 10) & 31, i & 1023];
      const magnitude =
        exponent === 31
          ? fraction
            ? NaN
            : Infinity
          : exponent === 0
            ? fraction / 2 ** 24
            : ((1024 + fraction) * 2 ** exponent) / 2 ** 25;
      if (!Object.is(values[i], i >> 15 ? -magnitude : magnitude) && !Number.isNaN(magnitude))
        throw new Error(`bits ${i}: ${values[i]}`);
    }
    expect(values[0x7bff]).toBe(65504);
  });

  it('convert exactly for bfloat16', () => {
    const given = Uint16Array.of(0x3f80, 0xbf80, 0x7f80, 0xff80, 0x0001, 0x8000, 0x4049);
    expect([...toFloat32(ndarray('BF16', [7], given))]).toEqual([1, -1, Infinity, -Infinity, 2 ** -133, -0, 3.140625]);
    expect(toFloat32(ndarray('BF16', [1], Uint16Array.of(0x7fc1)))[0]).toBeNaN();
  });
});
