/** What every reader of foreign files does: Git LFS pointers, pipes, errors with their path, lists of any length. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openData, readJson, writeError, writeFileAtomic } from '#kernel/io/files.js';
import { NpzFile } from '#kernel/io/npz.js';
import { SafetensorsFile } from '#kernel/io/safetensors.js';
import { readTexts } from '#kernel/io/texts.js';
import { readTokenRows } from '#kernel/io/tokenRows.js';
import { TorchFile } from '#kernel/io/torchFile.js';
import { openWeights } from '#kernel/io/weights.js';
import { loadModel } from '#kernel/models/load.js';
import { loadTokenizer } from '#kernel/models/tokenizerFiles.js';
import { loadSae } from '#kernel/sae/load.js';
import { maxOf, minOf, pushAll } from '#protocol/lists.js';
import { testFolder } from '#test/kit/folder.js';

const folder = testFolder();
const POINTER = 'version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 12\n';
let count = 0;
const place = (name: string, text: string): string => {
  const at = join(folder, String(count++));
  mkdirSync(at);
  writeFileSync(join(at, name), text);
  return join(at, name);
};

/** Readers by the file that they are given; each is handed its path. */
const readers: Array<[file: string, read: (path: string) => Promise<unknown>]> = [
  ['model.safetensors', SafetensorsFile.open],
  ['model.safetensors', openWeights],
  ['model.safetensors', (path) => openWeights(join(path, '..'))],
  ['model.safetensors.index.json', openWeights],
  ['pytorch_model.bin', TorchFile.open],
  ['pytorch_model.bin', openWeights],
  ['ae.pt', loadSae],
  ['params.npz', NpzFile.open],
  ['params.npz', openWeights],
  ['tokenizer.json', (path) => loadTokenizer(join(path, '..'))],
  ['vocab.json', (path) => loadTokenizer(join(path, '..'))],
  ['config.json', (path) => loadModel(join(path, '..'))],
  ['texts.jsonl', (path) => readTexts(path)],
  ['texts.json', (path) => readTexts(path)],
  ['texts.txt', (path) => readTexts(path)],
  ['texts.parquet', (path) => readTexts(path)],
  ['rows.parquet', (path) => readTokenRows(path)],
];

describe('a Git LFS pointer', () => {
  it.each(readers)('in the place of %s is named as such, with its path', async (file, read) => {
    const path = place(file, POINTER);
    await expect(read(path)).rejects.toThrow(
      new RegExp(`${path.replaceAll('.', '\\.')} is a Git LFS pointer, not the file itself: run "git lfs pull"`),
    );
  });

  it('as cfg.json or weights of an SAE folder is named as such', async () => {
    const cfg = place('cfg.json', POINTER);
    writeFileSync(join(cfg, '..', 'sae_weights.safetensors'), POINTER);
    await expect(loadSae(join(cfg, '..'))).rejects.toThrow(/cfg\.json is a Git LFS pointer/);
    writeFileSync(
      cfg,
      JSON.stringify({ architecture: 'standard', d_in: 2, d_sae: 3, metadata: {}, activation_fn: 'relu' }),
    );
    await expect(loadSae(join(cfg, '..'))).rejects.toThrow(/sae_weights\.safetensors is a Git LFS pointer/);
  });
});

describe('a pipe', () => {
  it.each(readers)('in the place of %s is refused, not waited for', { timeout: 20_000 }, async (file, read) => {
    const path = place(file, '');
    execFileSync('sh', ['-c', `rm "$0" && mkfifo "$0"`, path]);
    // A folder of a model is listed first, and a pipe is no file of it.
    await expect(read(path)).rejects.toThrow(/no regular file|lacks config\.json/);
  });

  it('or a folder is no file', async () => {
    await expect(openData(folder)).rejects.toThrow(/is a folder; a file is expected/);
    await expect(openData('/dev/zero')).rejects.toThrow(/\/dev\/zero is no regular file/);
  });
});

describe('errors of reading and writing', () => {
  it('of JSON name the file and little of its text', async () => {
    const path = place('a.json', `{"a": ${'x'.repeat(100_000)}`);
    const error = await readJson(path).then(
      () => undefined,
      (e: Error) => e,
    );
    expect(error?.message).toMatch(/a\.json is not JSON: /);
    expect(error?.message.length).toBeLessThan(folder.length + 300);
    await expect(readTexts(place('b.json', '['))).rejects.toThrow(/b\.json is not JSON/);
  });

  it('of a full disk name the file and say what to do', async () => {
    // /dev/full answers every write as a full disk does.
    const path = join(folder, 'full.bin');
    const written = writeFileAtomic(path, async () => {
      const { open } = await import('node:fs/promises');
      const full = await open('/dev/full', 'w');
      await full.writeFile('x').finally(() => full.close());
    });
    await expect(written).rejects.toThrow(/full\.bin was not written: the disk is full; free some space.*ENOSPC/);
    await expect(written).rejects.toMatchObject({ code: 'ENOSPC' });
  });

  it('of other kinds stay as they are', () => {
    const error = Object.assign(new Error('getaddrinfo ENOTFOUND hub'), { code: 'ENOTFOUND' });
    expect(writeError('/x', error)).toBe(error);
    const readOnly = Object.assign(new Error('EROFS: read-only file system, write'), { code: 'EROFS' });
    expect(writeError('/x/y', readOnly)).toMatchObject({
      message: expect.stringMatching(/^\/x\/y was not written: the file system is read-only/),
    });
  });
});

describe('rows of texts', () => {
  it('that are null are left out and counted, whatever the format', async () => {
    const rows = ['{"text":"a"}', '{"text":"b"}', '{"text":null}', '{"text":"c"}'];
    for (const options of [{}, { column: 'text' }]) {
      const read = await readTexts(place('t.jsonl', rows.join('\n')), options);
      expect(read).toMatchObject({ texts: ['a', 'b', 'c'], nullRows: 1, source: { texts: 3, nullRows: 1 } });
    }
    expect((await readTexts(place('t.jsonl', rows.join('\n')), { limit: 3 })).texts).toEqual(['a', 'b', 'c']);
    expect(await readTexts(place('t.jsonl', '"a"\nnull\n'))).toMatchObject({ texts: ['a'], nullRows: 1 });
    const stories = await readTexts(place('t.jsonl', '{"story":"a"}\n{"story":null}'));
    expect(stories).toMatchObject({ texts: ['a'], nullRows: 1 });
    const list = await readTexts(place('t.json', '[{"text":"a"},{"text":null}]'));
    expect(list).toMatchObject({ texts: ['a'], nullRows: 1 });
    expect((await readTexts(place('t.jsonl', '"a"'))).source).not.toHaveProperty('nullRows');
    await expect(readTexts(place('t.jsonl', 'null\nnull'))).rejects.toThrow(
      /holds no text: all of its 2 rows are null/,
    );
    await expect(readTexts(place('t.jsonl', '{"text":3}'))).rejects.toThrow(/line 1: "text" is number, not text/);
  });

  it('of 300,000 parts are read', async () => {
    const { texts } = await readTexts(place('t.txt', 'ab\n\n'.repeat(300_000)), { splitAt: 'blank-lines' });
    expect(texts).toHaveLength(300_000);
  });
});

describe('long lists', () => {
  it('of a million numbers have a largest and a smallest, and are appended', () => {
    const numbers = Float64Array.from({ length: 1_000_000 }, (_, i) => (i * 7919) % 1_000_003);
    const sorted = numbers.slice().sort();
    expect(maxOf(numbers)).toBe(sorted.at(-1));
    expect(minOf(numbers, [-1])).toBe(-1);
    expect([maxOf(), minOf([]), maxOf([1, NaN, 2]), minOf([NaN])]).toEqual([-Infinity, Infinity, NaN, NaN]);
    const target = [0];
    pushAll(target, numbers);
    expect(target).toHaveLength(1_000_001);
  });
});
