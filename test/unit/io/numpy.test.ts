import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { toFloat64 } from '#kernel/io/ndarray.js';
import { decodeNpy } from '#kernel/io/npy.js';
import { NpzFile } from '#kernel/io/npz.js';
import { ZipFile } from '#kernel/io/zip.js';
import { testFolder } from '#test/kit/folder.js';
import { fromBase64, goldens } from '#test/kit/ioGoldens.js';

const folder = testFolder();
const write = (name: string, bytes: Uint8Array): string => {
  const path = join(folder, name);
  writeFileSync(path, bytes);
  return path;
};

describe('the reader of .npy', () => {
  it.each(goldens.npy)('reads what numpy wrote: $name', ({ bytes, shape, values }) => {
    const array = decodeNpy(fromBase64(bytes));
    expect(array.shape).toEqual(shape);
    expect([...toFloat64(array)]).toEqual(values);
  });

  it('reads arrays from memory that is not aligned', () => {
    const { bytes, values } = goldens.npy[0];
    const npy = fromBase64(bytes);
    const shifted = new Uint8Array(npy.length + 3);
    shifted.set(npy, 3);
    expect([...toFloat64(decodeNpy(shifted.subarray(3)))]).toEqual(values);
  });

  it.each(goldens.npyRefused)('refuses $name', ({ name, bytes }) => {
    expect(() => decodeNpy(fromBase64(bytes), 'x.npy')).toThrow(
      name === 'objects' ? /x.npy.*Python objects/ : /x.npy: array of dtype/,
    );
  });

  it('refuses cut, swollen and foreign files', () => {
    const npy = fromBase64(goldens.npy[1].bytes);
    expect(() => decodeNpy(npy.subarray(0, npy.length - 1))).toThrow('F32 [3, 4] needs 48 bytes but the array has 47');
    expect(() => decodeNpy(npy.subarray(0, 40))).toThrow(/cut off/);
    expect(() => decodeNpy(Uint8Array.from([...npy, 0]))).toThrow(/has 49/);
    expect(() => decodeNpy(new Uint8Array(20))).toThrow(/no .npy array/);
    const version = npy.slice();
    version[6] = 9;
    expect(() => decodeNpy(version)).toThrow(/version 9/);
    const text = Buffer.from(npy).toString('latin1');
    const huge = Buffer.from(text.replace('(3, 4), ', '(9e99,), ').slice(0), 'latin1');
    expect(() => decodeNpy(new Uint8Array(huge))).toThrow(/not readable/);
  });
});

describe('the reader of .npz', () => {
  it.each(goldens.npz)('reads $name archives', async ({ name, bytes }) => {
    const npz = await NpzFile.open(write(`${name}.npz`, fromBase64(bytes)));
    expect(npz.names()).toEqual(Object.keys(goldens.npzArrays));
    for (const [array, { shape, values }] of Object.entries(goldens.npzArrays)) {
      expect(npz.info(array).shape).toEqual(shape);
      expect([...toFloat64(await npz.read(array))]).toEqual(values);
    }
    await expect(npz.read('none')).rejects.toThrow('no array "none"; it has W_enc');
    await npz.close();
  });

  it('reads zip64 archives', async () => {
    const npz = await NpzFile.open(write('zip64.npz', fromBase64(goldens.zip64)));
    expect([...(await npz.read('a')).data]).toEqual([0, 1, 2]);
    await npz.close();
  });

  it('serves the plain arrays of an archive that also holds Python objects', async () => {
    const npz = await NpzFile.open(write('objects.npz', fromBase64(goldens.npzObjects)));
    expect([...(await npz.read('good')).data]).toEqual([1, 1]);
    await expect(npz.read('bad')).rejects.toThrow(/Python objects/);
    await npz.close();
  });

  it('refuses damaged archives wherever they are cut or changed', async () => {
    const good = fromBase64(goldens.npz[1].bytes);
    for (let cut = 0; cut < good.length; cut += 37) {
      await expect(NpzFile.open(write('cut.npz', good.subarray(0, cut)))).rejects.toThrow(/cut.npz/);
    }
    const reference = new Map<string, string>();
    const npz = await NpzFile.open(write('good.npz', good));
    for (const name of npz.names()) reference.set(name, String((await npz.read(name)).data));
    await npz.close();
    // Any changed byte either does no harm to the values or is noticed.
    for (let at = 0; at < good.length; at += 11) {
      const changed = good.slice();
      changed[at] ^= 0x55;
      try {
        const opened = await NpzFile.open(write('changed.npz', changed));
        try {
          for (const name of opened.names()) {
            const values = String((await opened.read(name)).data);
            if (reference.has(name)) expect(values).toBe(reference.get(name));
          }
        } finally {
          await opened.close();
        }
      } catch (error) {
        expect(String(error)).toMatch(/changed\.npz/);
      }
    }
  });

  it('refuses an entry that claims more than its bytes can hold', async () => {
    const bomb = fromBase64(goldens.npz[1].bytes);
    const directory = Buffer.from(bomb.buffer).indexOf('PK\x01\x02');
    new DataView(bomb.buffer).setUint32(directory + 24, 0xfffffff0, true);
    await expect(ZipFile.open(write('bomb.npz', bomb))).rejects.toThrow(/claims 4294967280 bytes/);
  });
});
