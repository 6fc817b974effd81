import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { safeJoin, writeFileAtomic } from '#kernel/io/files.js';
import { matchFiles } from '#kernel/io/glob.js';
import { canonicalJson, sha256 } from '#kernel/io/hash.js';
import { ndarray, toFloat32, toFloat64, toInt32 } from '#kernel/io/ndarray.js';
import { testFolder } from '#test/kit/folder.js';

const folder = testFolder();

describe('writeFileAtomic', () => {
  it('replaces a file whole, and keeps the old one when writing fails', async () => {
    const path = join(folder, 'a.txt');
    await writeFileAtomic(path, 'one');
    await writeFileAtomic(path, new TextEncoder().encode('two'));
    expect(readFileSync(path, 'utf8')).toBe('two');
    const failing = writeFileAtomic(path, async (handle) => {
      await handle.writeFile('half');
      throw new Error('disk full');
    });
    await expect(failing).rejects.toThrow('disk full');
    expect(readFileSync(path, 'utf8')).toBe('two');
    expect(readdirSync(folder)).toEqual(['a.txt']);
  });

  it('lets concurrent writers leave one of their contents', async () => {
    const path = join(folder, 'b.txt');
    const contents = Array.from({ length: 8 }, (_, i) => String(i).repeat(10_000));
    await Promise.all(contents.map((content) => writeFileAtomic(path, content)));
    expect(contents).toContain(readFileSync(path, 'utf8'));
    writeFileSync(path, '');
  });
});

describe('safeJoin', () => {
  it('joins what stays inside', () => {
    expect(safeJoin('/root/x', 'a/b.txt')).toBe('/root/x/a/b.txt');
    expect(safeJoin('/root/x', 'a/../b')).toBe('/root/x/b');
    expect(safeJoin('/root/x', '..a')).toBe('/root/x/..a');
  });
  it.each(['..', '../y', 'a/../../y', '/etc/passwd', 'C:\\x', 'a\0b', '../xy/../../etc'])(
    'refuses the path %j',
    (path) => {
      expect(() => safeJoin('/root/x', path)).toThrow(/leaves its folder/);
    },
  );
});

describe('sha256', () => {
  it('is SHA-256 of the parts behind their kind and length', () => {
    const reference = createHash('sha256')
      .update('s3:äb')
      .update('b4:')
      .update(Uint8Array.of(0, 0, 128, 63))
      .digest('hex');
    expect(sha256(['äb', Float32Array.of(1)])).toBe(reference);
  });
  it('keeps parts apart, and sees only what a view shows', () => {
    expect(sha256(['ab', 'c'])).not.toBe(sha256(['a', 'bc']));
    expect(sha256(['a'])).not.toBe(sha256([new TextEncoder().encode('a')]));
    const bytes = Uint8Array.of(9, 1, 2, 9);
    expect(sha256([bytes.subarray(1, 3)])).toBe(sha256([Uint8Array.of(1, 2)]));
  });
});

describe('canonicalJson', () => {
  it('sorts keys at every depth, by code unit', () => {
    expect(canonicalJson({ b: [{ d: 1, c: null }], a: 'x', Z: true, é: 1e21 })).toBe(
      '{"Z":true,"a":"x","b":[{"c":null,"d":1}],"é":1e+21}',
    );
  });
});

describe('matchFiles', () => {
  const names = [
    'config.json',
    'model.safetensors',
    'data/train-0.parquet',
    'data/deep/train-1.parquet',
    'a+b.txt',
    'axb.txt',
  ];
  it.each<[string, string[]]>([
    ['config.json', ['config.json']],
    ['*.json', ['config.json']],
    ['*.parquet', []],
    ['data/*.parquet', ['data/train-0.parquet']],
    ['**/*.parquet', ['data/train-0.parquet', 'data/deep/train-1.parquet']],
    ['**/*.json', ['config.json']],
    ['a+b.txt', ['a+b.txt']],
    ['a?b.txt', ['a+b.txt', 'axb.txt']],
    ['pytorch_model.bin|model.safetensors|config.json', ['model.safetensors']],
  ])('finds the files of the pattern %s', (pattern, expected) => expect(matchFiles(names, pattern)).toEqual(expected));
});

describe('conversions of numbers', () => {
  it('of wide types are exact or refused', () => {
    expect([...toFloat32(ndarray('I64', [2], BigInt64Array.of(-3n, 2n ** 40n)))]).toEqual([-3, 2 ** 40]);
    expect([...toFloat64(ndarray('BF16', [1], Uint16Array.of(0x4049)))]).toEqual([3.140625]);
    expect([...toInt32(ndarray('I64', [2], BigInt64Array.of(-3n, 7n)))]).toEqual([-3, 7]);
    expect(() => toInt32(ndarray('I64', [1], BigInt64Array.of(2n ** 31n)))).toThrow('value 2147483648 at 0 of I64 [1]');
    expect(() => toInt32(ndarray('F32', [1], Float32Array.of(1)))).toThrow(/expected integers/);
    expect(() => ndarray('F32', [2], new Float32Array(3))).toThrow(
      'F32 [2] needs a Float32Array of 2 but got a Float32Array of 3',
    );
    expect(() => ndarray('F32', [2], new Int32Array(2))).toThrow(/got a Int32Array/);
  });
});
