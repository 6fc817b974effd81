import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { splitFiles } from '#kernel/io/datasetFiles.js';
import { readTexts, splitText } from '#kernel/io/texts.js';
import { holdsTokenRows, readTokenRows } from '#kernel/io/tokenRows.js';
import { testFolder } from '#test/kit/folder.js';
import { shared, STORIES } from '#test/kit/samples.js';
import { FakeHub } from '#test/kit/hub.js';
import { parquetFile } from '#test/kit/parquetFile.js';

const folder = testFolder();
const write = (name: string, content: string | Uint8Array): string => {
  const path = join(folder, name);
  mkdirSync(resolve(path, '..'), { recursive: true });
  writeFileSync(path, content);
  return path;
};

describe('text files', () => {
  it('are one text, or parted at blank lines or at a separator', async () => {
    const path = write('a.txt', '\ufeffOne\ntwo\n\n \r\nthree\r\n\r\n\r\nfour\n');
    expect((await readTexts(path)).texts).toEqual(['One\ntwo\n\n \r\nthree\r\n\r\n\r\nfour']);
    expect((await readTexts(path, { splitAt: 'blank-lines' })).texts).toEqual(['One\ntwo', 'three', 'four']);
    expect(splitText('a<|endoftext|>\nb<|endoftext|>', '<|endoftext|>')).toEqual(['a', 'b']);
    expect(() => splitText('a', '')).toThrow(/separator is empty/);
  });

  it('say what they are made of', async () => {
    const path = write('b.txt', 'x\n\ny\n\nz');
    expect((await readTexts(path, { splitAt: 'blank-lines', limit: 2 })).source).toEqual({
      dataset: 'b.txt',
      files: ['b.txt'],
      limit: 2,
      separator: 'blank-lines',
      texts: 2,
    });
  });

  it('are limited to the first, or to a seeded sample in their order', async () => {
    const path = write('c.txt', Array.from({ length: 50 }, (_, i) => `t${i}`).join('\n\n'));
    const o = { splitAt: 'blank-lines', limit: 10 };
    expect((await readTexts(path, o)).texts).toEqual(Array.from({ length: 10 }, (_, i) => `t${i}`));
    const sample = (await readTexts(path, { ...o, seed: 1 })).texts;
    expect((await readTexts(path, { ...o, seed: 1 })).texts).toEqual(sample);
    expect((await readTexts(path, { ...o, seed: 2 })).texts).not.toEqual(sample);
    expect(new Set(sample).size).toBe(10);
    const order = sample.map((t) => Number(t.slice(1)));
    expect(order).toEqual([...order].sort((a, b) => a - b));
    await expect(readTexts(path, { limit: 0 })).rejects.toThrow(/limit is 0/);
  });

  it('that are empty, missing or of another kind are refused', async () => {
    await expect(readTexts(write('empty.txt', ' \n'))).rejects.toThrow(/holds no text/);
    await expect(readTexts(write('a.csv', 'x'))).rejects.toThrow(/texts are read from .txt, .jsonl/);
    await expect(readTexts(join(folder, 'none.txt'))).rejects.toThrow(/no folder at .*none.txt/);
  });
});

describe('texts in JSON', () => {
  it('lines give their text column', async () => {
    const path = write('a.jsonl', '\ufeff{"text":"a","n":1}\r\n\n{"text":"b\\n","id":"x"}\n');
    expect((await readTexts(path)).texts).toEqual(['a', 'b\n']);
    expect((await readTexts(path, { limit: 1 })).texts).toEqual(['a']);
    expect((await readTexts(write('b.jsonl', '{"story":"s","n":1}\n"plain"'))).texts).toEqual(['s', 'plain']);
    expect((await readTexts(write('c.jsonl', '{"x":"1","y":"2"}'), { column: 'y' })).texts).toEqual(['2']);
  });

  it('arrays give their texts', async () => {
    expect((await readTexts(write('a.json', '["a",{"text":"b"}]'))).texts).toEqual(['a', 'b']);
    await expect(readTexts(write('b.json', '{"text":"b"}'))).rejects.toThrow(/expected a JSON array/);
  });

  it('that is wrong is refused with its line', async () => {
    await expect(readTexts(write('d.jsonl', '{"text":"a"}\n{"text":'))).rejects.toThrow(/d.jsonl: line 2 is not JSON/);
    await expect(readTexts(write('e.jsonl', '{"x":"1","y":"2"}'))).rejects.toThrow(
      /line 1 has no text column to choose; set { column }: it has x, y/,
    );
    await expect(readTexts(write('f.jsonl', '{"text":3}'), { column: 'text' })).rejects.toThrow(
      /line 1: "text" is number, not text; delete it/,
    );
    await expect(readTexts(write('g.jsonl', '{"text":"a"}'), { column: 'toString' })).rejects.toThrow(
      /no text column "toString"/,
    );
    await expect(readTexts(write('h.jsonl', '[1]'))).rejects.toThrow(/is no text and no object/);
  });
});

describe('a parquet file', () => {
  const stories = ['Once upon a time', 'Ünïcode\n', ''];
  it.each([false, true])('gives its text column (gzip %s)', async (gzip) => {
    const path = write(
      'a.parquet',
      parquetFile(
        [
          { name: 'text', strings: stories },
          { name: 'id', strings: ['1', '2', '3'] },
        ],
        gzip,
      ),
    );
    expect((await readTexts(path)).texts).toEqual(stories);
    expect((await readTexts(path, { column: 'id', limit: 2 })).texts).toEqual(['1', '2']);
    await expect(readTexts(path, { column: 'none' })).rejects.toThrow(/no column "none"; it has text, id/);
  });

  it('takes the only column of strings, and asks when there are several', async () => {
    const tokens = { name: 'input_ids', lists: [[1n], [2n], [3n]] };
    const one = write('one.parquet', parquetFile([tokens, { name: 'story', strings: stories }]));
    expect((await readTexts(one)).texts).toEqual(stories);
    const two = write(
      'two.parquet',
      parquetFile([
        { name: 'x', strings: stories },
        { name: 'y', strings: stories },
      ]),
    );
    await expect(readTexts(two)).rejects.toThrow(/Set { column } to one of x, y/);
    await expect(readTexts(write('no.parquet', parquetFile([tokens])))).rejects.toThrow(/no column of strings/);
    await expect(readTexts(write('bad.parquet', 'PAR1xxxxPAR1'))).rejects.toThrow(/no readable parquet file/);
  });

  it('gives ready rows of token ids', async () => {
    const path = write(
      'ids.parquet',
      parquetFile([
        {
          name: 'input_ids',
          lists: [
            [1n, 2n, 50256n],
            [4n, 5n, 6n],
          ],
        },
      ]),
    );
    const { rows, source } = await readTokenRows(path);
    expect(rows).toEqual({ dtype: 'I32', shape: [2, 3], data: Int32Array.of(1, 2, 50256, 4, 5, 6) });
    expect(source).toMatchObject({ column: 'input_ids', rows: 2 });
    expect((await readTokenRows(path, { limit: 1 })).rows.shape).toEqual([1, 3]);
  });

  it('refuses rows of different lengths and ids that are none', async () => {
    const lengths = write('l.parquet', parquetFile([{ name: 'input_ids', lists: [[1n, 2n], [3n]] }]));
    await expect(readTokenRows(lengths)).rejects.toThrow(/row 1 of "input_ids" has 1 tokens but the first has 2/);
    const negative = write('n.parquet', parquetFile([{ name: 'input_ids', lists: [[-1n]] }]));
    await expect(readTokenRows(negative)).rejects.toThrow(/token id/);
    await expect(readTokenRows(write('s.parquet', parquetFile([{ name: 'text', strings: ['x'] }])))).rejects.toThrow(
      /no column "input_ids"/,
    );
  });
});

describe('files of a split', () => {
  it.each<[string[], string, string[]]>([
    [
      [
        'README.md',
        'data/train-00000-of-00002-ab.parquet',
        'data/train-00001-of-00002-cd.parquet',
        'data/validation-0.parquet',
      ],
      'train',
      ['data/train-00000-of-00002-ab.parquet', 'data/train-00001-of-00002-cd.parquet'],
    ],
    [
      ['default/train/0000.parquet', 'default/validation/0000.parquet'],
      'validation',
      ['default/validation/0000.parquet'],
    ],
    [['train.jsonl', 'test.jsonl'], 'test', ['test.jsonl']],
    [['TinyStories-train.txt', 'TinyStories-valid.txt'], 'valid', ['TinyStories-valid.txt']],
    [['data/training.parquet'], 'train', []],
  ])('are found by their names: %j, %s', (names, split, expected) =>
    expect(splitFiles(names, split)).toEqual(expected),
  );
});

describe('a dataset by hub id', () => {
  let hub: FakeHub;
  beforeEach(async () => {
    hub = new FakeHub();
    await hub.start();
  });
  afterEach(() => hub.stop());
  const repo = (files: Record<string, Uint8Array>, over = {}) => ({
    type: 'dataset' as const,
    id: 'o/d',
    commit: 'e'.repeat(40),
    revisions: ['main'],
    files: Object.fromEntries(Object.entries(files).map(([k, data]) => [k, { data, lfs: true }])),
    ...over,
  });
  const shard = (...strings: string[]) => parquetFile([{ name: 'text', strings }]);
  const options = (cache: string) => ({ endpoint: hub.endpoint, cacheFolder: join(folder, cache) });

  it('gives the split, and downloads no more shards than it needs', async () => {
    hub.repos = [
      repo({
        'data/train-0.parquet': shard('a', 'b'),
        'data/train-1.parquet': shard('c'),
        'data/validation-0.parquet': shard('v'),
      }),
    ];
    const first = await readTexts('o/d', { ...options('c1'), limit: 2 });
    expect(first.texts).toEqual(['a', 'b']);
    expect(hub.storageRequests).toHaveLength(1);
    expect(first.source).toEqual({ dataset: 'o/d', files: ['train-0.parquet'], limit: 2, texts: 2 });
    expect((await readTexts('o/d', options('c1'))).texts).toEqual(['a', 'b', 'c']);
    expect((await readTexts('o/d', { ...options('c1'), split: 'validation' })).texts).toEqual(['v']);
    await expect(readTexts('o/d', { ...options('c1'), split: 'test' })).rejects.toThrow(
      /no files of split "test"; it has data\/train-0.parquet/,
    );
  });

  it('is read from the parquet branch when it has no such files itself', async () => {
    const main = repo({ 'script.py': Uint8Array.of(1) }, { commit: 'f'.repeat(40) });
    const converted = repo({ 'default/train/0000.parquet': shard('p') }, { revisions: ['refs/convert/parquet'] });
    hub.repos = [main];
    await expect(readTexts('o/d', options('c2'))).rejects.toThrow(/no files of split "train"; it has script.py/);
    hub.repos = [main, converted];
    expect((await readTexts('o/d', options('c2'))).texts).toEqual(['p']);
  });

  it('of several configurations asks which', async () => {
    hub.repos = [repo({ 'big/train-0.parquet': shard('b'), 'small/train-0.parquet': shard('s') })];
    await expect(readTexts('o/d', options('c3'))).rejects.toThrow(/in big\/, small\/: set { config }/);
    expect((await readTexts('o/d', { ...options('c3'), config: 'small' })).texts).toEqual(['s']);
  });
});

const sample = join(shared, 'tinystories-sample.txt');
if (!existsSync(sample)) console.warn(`skipped: no ${sample}`);
for (const [name, file] of [
  ['a text of own stories', STORIES],
  ['TinyStories', sample],
])
  it.skipIf(!existsSync(file))(`${name} parted at blank lines loses no word`, async () => {
    const { texts } = await readTexts(file, { splitAt: 'blank-lines' });
    expect(texts.length).toBeGreaterThan(100);
    const words = (text: string) => text.split(/\s+/).filter(Boolean);
    expect(texts.flatMap(words)).toEqual(words(readFileSync(file, 'utf8')));
  });

describe('rows of token ids', () => {
  it('reads them from lines and lists of JSON, with their attention mask', async () => {
    const lines = '{"input_ids":[1,2,3],"attention_mask":[1,1,0]}\n{"input_ids":[4,5,6],"attention_mask":[1,1,1]}';
    for (const path of [write('r.jsonl', lines), write('r.json', `[${lines.replace('\n', ',')}]`)]) {
      expect(await holdsTokenRows(path)).toBe(true);
      const { rows, padding } = await readTokenRows(path);
      expect([...(rows.data as Int32Array)]).toEqual([1, 2, 3, 4, 5, 6]);
      expect([...(padding ?? [])]).toEqual([0, 0, 1, 0, 0, 0]);
    }
    const one = await readTokenRows(write('r.jsonl', lines), { limit: 1, seed: 1 });
    expect(one.rows.shape).toEqual([1, 3]);
    await expect(readTokenRows(write('p.jsonl', '{"input_ids":[1,2],"attention_mask":[0,1]}'))).rejects.toThrow(
      /padding before tokens/,
    );
    await expect(readTokenRows(write('p.jsonl', '{"input_ids":[1,2],"attention_mask":[1]}'))).rejects.toThrow(
      /no list of 2 zeros and ones/,
    );
  });

  it('are what a dataset with input_ids and without text holds', async () => {
    const ids = write('i.parquet', parquetFile([{ name: 'input_ids', lists: [[1n, 2n]] }]));
    expect(await holdsTokenRows(ids)).toBe(true);
    const both = write('b.jsonl', '{"text":"a","input_ids":[1]}');
    expect(await holdsTokenRows(both)).toBe(false);
    expect(await holdsTokenRows(both, { column: 'input_ids' })).toBe(true);
    expect(await holdsTokenRows(write('t.txt', 'a'))).toBe(false);
  });
});
