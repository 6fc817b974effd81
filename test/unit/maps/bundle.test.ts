import fs from 'node:fs';
import path from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { SafetensorsFile } from '#kernel/io/safetensors.js';
import { writeMapBundle, type BundleSet } from '#kernel/maps/bundle.js';
import type { Layout } from '#kernel/maps/types.js';
import type { FeatureExample } from '#protocol/bundle.js';
import { MAP_BUNDLE, type MapMeta } from '#protocol/map.js';
import { BundleReader } from '#webviews/ui/bundle.js';
import { testFolder } from '#test/kit/folder.js';

let folder: string;
beforeEach(() => void (folder = testFolder('bundle')));

const read = (name: string): string => fs.readFileSync(path.join(folder, name), 'utf8');

async function columns(): Promise<{ [name: string]: { dtype: string; shape: number[]; data: ArrayLike<unknown> } }> {
  const file = await SafetensorsFile.open(path.join(folder, 'columns.safetensors'));
  try {
    const entries = await Promise.all(file.names().map(async (name) => [name, await file.read(name)] as const));
    return Object.fromEntries(entries);
  } finally {
    await file.close();
  }
}

function layout(points: number): Layout {
  return {
    id: `layout ${points}`,
    coordinates: Float32Array.from({ length: 2 * points }, (_, i) => i / 4),
    points,
    method: 'pca',
    description: 'PCA',
    parameters: {},
    excluded: 0,
  };
}

/** Text that takes one, two, three and four bytes a character in UTF-8, and a line break. */
const WORDS = [' king', ' né', ' 日本', ' 👑', '\n', ' "q"'];

function examples(points: number): FeatureExample[][] {
  return Array.from({ length: points }, (_, i) =>
    Array.from({ length: i % 4 }, (_, k) => ({
      sequence: i,
      position: k,
      value: 1 / (k + 1),
      tokens: [WORDS[(i + k) % WORDS.length], ' x'],
      peak: 0,
      activations: [1 / (k + 1), 0],
    })),
  );
}

/** Features 0, 4, 8 … have no example: they are dead. */
function set(name: string, points: number, more: Partial<BundleSet> = {}): BundleSet {
  const list = examples(points);
  return {
    name,
    title: `SAE ${name}`,
    layout: layout(points),
    firings: Uint32Array.from(list, (e) => 3 * e.length),
    tokens: 12,
    labels: list.map((e) => e.map((one) => one.tokens[one.peak])),
    examples: list,
    ...more,
  };
}

describe('map bundle', () => {
  it('is laid out as the protocol says', async () => {
    const a = set('A', 7, {
      columns: { partner: Int32Array.of(4, -1, 0, 1, 2, 3, 4), r: Float32Array.of(1, NaN, 0.5, 0, -1, 1, 1) },
    });
    const b = set('B', 5, {
      columns: { partner: Int32Array.of(6, 0, 1, -1, 2), r: Float32Array.of(1, 1, 0.25, NaN, 1) },
    });
    const pairing = { method: 'Pearson r', pairs: 6, tokens: 12, meanR: 0.4 };
    const groups = [{ name: 'royalty', words: ['king'] }];
    const meta = await writeMapBundle(folder, [a, b], { title: 'A ↔ B', pairing, groups });
    expect(fs.readdirSync(folder).sort()).toEqual([
      '0.examples.jsonl',
      '0.labels.json',
      '1.examples.jsonl',
      '1.labels.json',
      'columns.safetensors',
      'map.json',
    ]);
    const expected: MapMeta = {
      version: 1,
      title: 'A ↔ B',
      sets: [
        { name: 'A', title: 'SAE A', points: 7, dead: 2, layout: 'PCA' },
        { name: 'B', title: 'SAE B', points: 5, dead: 2, layout: 'PCA' },
      ],
      pairing,
      groups,
    };
    expect(JSON.parse(read('map.json'))).toEqual(expected);
    expect(meta).toEqual(expected);
    const c = await columns();
    const names = ['examplesAt', 'feature', 'firingRate', 'firings', 'partner', 'r', 'x', 'y'];
    expect(Object.keys(c).sort()).toEqual([...names.map((n) => `0.${n}`), ...names.map((n) => `1.${n}`)]);
    for (const [s, n] of [[0, 7] as const, [1, 5] as const]) {
      for (const [name, dtype] of [
        ['x', 'F32'],
        ['y', 'F32'],
        ['r', 'F32'],
        ['firingRate', 'F32'],
        ['feature', 'I32'],
        ['firings', 'I32'],
        ['partner', 'I32'],
      ])
        expect([name, c[`${s}.${name}`].dtype, c[`${s}.${name}`].shape]).toEqual([name, dtype, [n]]);
      expect([c[`${s}.examplesAt`].dtype, c[`${s}.examplesAt`].shape]).toEqual(['I64', [n + 1]]);
      expect(Array.from(c[`${s}.feature`].data)).toEqual([...Array(n).keys()]);
    }
    expect(Array.from(c['1.x'].data)).toEqual([0, 0.5, 1, 1.5, 2]);
    expect(Array.from(c['1.y'].data)).toEqual([0.25, 0.75, 1.25, 1.75, 2.25]);
    expect(Array.from(c['0.firings'].data)).toEqual([0, 3, 6, 9, 0, 3, 6]);
    expect(Array.from(c['0.firingRate'].data)).toEqual([0, 0.25, 0.5, 0.75, 0, 0.25, 0.5]);
    expect(Array.from(c['0.partner'].data)).toEqual([4, -1, 0, 1, 2, 3, 4]);
    expect(Array.from(c['1.r'].data)).toEqual([1, 1, 0.25, NaN, 1]);
  });

  it('cuts the examples of any point out of the file by its offsets', async () => {
    // More than one write of a megabyte.
    const long = Array.from({ length: 40 }, (_, i): FeatureExample[] =>
      i % 3 === 0
        ? []
        : [{ sequence: i, position: 0, value: 1, tokens: ['日'.repeat(20_000)], peak: 0, activations: [i] }],
    );
    const one = set('A', 40, { examples: long, labels: long.map((e) => e.map(() => 'x')) });
    await writeMapBundle(folder, [one], { title: 'one' });
    const at = (await columns())['0.examplesAt'].data as BigInt64Array;
    const bytes = fs.readFileSync(path.join(folder, '0.examples.jsonl'));
    expect([at[0], Number(at[40])]).toEqual([0n, bytes.length]);
    long.forEach((list, i) => {
      const line = bytes.subarray(Number(at[i]), Number(at[i + 1])).toString('utf8');
      expect(line.endsWith('\n')).toBe(true);
      expect(JSON.parse(line)).toEqual(list);
    });
  });

  it('has [] for the labels and examples of dead features, and no partner columns in a map of one set', async () => {
    const meta = await writeMapBundle(folder, [set('A', 6)], { title: 'one' });
    expect(JSON.parse(read('0.labels.json'))).toEqual([
      [],
      [' né'],
      [' 日本', ' 👑'],
      [' 👑', '\n', ' "q"'],
      [],
      [' "q"'],
    ]);
    expect(read('0.examples.jsonl').split('\n')[4]).toBe('[]');
    expect(meta.sets[0].dead).toBe(2);
    expect(meta).not.toHaveProperty('pairing');
    expect(Object.keys(await columns()).filter((name) => /partner|r$/.test(name))).toEqual([]);
  });

  it('takes a set without points and one over no tokens', async () => {
    await writeMapBundle(folder, [set('A', 0), set('B', 2, { tokens: 0, firings: new Uint32Array(2) })], {
      title: 'e',
    });
    expect(read('0.examples.jsonl')).toBe('');
    const c = await columns();
    expect(Array.from(c['0.examplesAt'].data)).toEqual([0n]);
    expect(Array.from(c['1.firingRate'].data)).toEqual([0, 0]);
  });

  it.each<[string, Partial<BundleSet>]>([
    ['5 firings', { firings: new Uint32Array(5) }],
    ['3 labels', { labels: [[], [], []] }],
    ['7 examples', { examples: examples(7) }],
    ['2 partner', { columns: { partner: Int32Array.of(-1, -1) } }],
    ['3 delta', { columns: { delta: new Float32Array(3) } }],
    ['1 r', { columns: { r: Float32Array.of(1) } }],
    ['2 values of column "age"', { added: [{ name: 'age', values: [1, 2] }] }],
    ['8 coordinate pairs', { layout: { ...layout(8), points: 6 } }],
  ])('refuses sizes that disagree: 6 points but %s', async (what, more) => {
    const wrong = writeMapBundle(folder, [set('A', 6, more), set('B', 4)], { title: 'x' });
    await expect(wrong).rejects.toThrow(`map set A has 6 points but ${what}`);
    expect(fs.readdirSync(folder)).toEqual([]);
  });

  it('refuses partners outside the other set, and partners in a map of one set', async () => {
    const partner = (p: number) => set('A', 2, { columns: { partner: Int32Array.of(-1, p) } });
    await expect(writeMapBundle(folder, [partner(4), set('B', 4)], { title: 'x' })).rejects.toThrow(
      'map set A: point 1 has partner 4; expected -1 (none) or a point of B, 0 to 3',
    );
    await expect(writeMapBundle(folder, [partner(-2), set('B', 4)], { title: 'x' })).rejects.toThrow('partner -2');
    await expect(writeMapBundle(folder, [partner(0)], { title: 'x' })).rejects.toThrow('in a map of one set');
    await expect(writeMapBundle(folder, [], { title: 'x' })).rejects.toThrow('one or two sets but 0');
  });
  it('carries the decoder rows of both sets, which live scores take, in one file', async () => {
    const rows = (n: number, d: number, at: number) => ({
      rows: n,
      cols: d,
      data: Float32Array.from({ length: n * d }, (_, i) => at + i),
    });
    const [a, b] = [rows(3, 2, 0), rows(4, 5, 100)];
    const meta = await writeMapBundle(folder, [set('A', 3, { decoder: a }), set('B', 4, { decoder: b })], {
      title: 't',
    });
    expect(meta.sets.map(({ width }) => width)).toEqual([2, 5]);
    const bytes = (file: string, begin = 0, end?: number): Uint8Array =>
      new Uint8Array(fs.readFileSync(path.join(folder, file))).slice(begin, end);
    const reader = new BundleReader(MAP_BUNDLE, { read: (...of) => Promise.resolve(bytes(...of)) }, 'x');
    expect([...(await reader.matrix())!]).toEqual([...a.data, ...b.data]);
    await expect(writeMapBundle(folder, [set('A', 3, { decoder: b })], { title: 't' })).rejects.toThrow(
      '4 decoder rows',
    );
  });
});
