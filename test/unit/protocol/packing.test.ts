/** Bundles as pages carry them: nothing that is shown is another after packing, and what is of another form stays as it is. */
import { describe, expect, test } from 'vitest';
import { gunzipSync } from 'node:zlib';
import { mapFiles } from '../../../bench/runs/mapPages.js';
import { Random } from '#kernel/compute/random.js';
import type { FeatureExample, LinkedLabel } from '#protocol/bundle.js';
import { MAP_BUNDLE } from '#protocol/map.js';
import { TEXTS_FILE, unpackFile } from '#protocol/packing/pack.js';
import { PackedTexts } from '#protocol/packing/packedTexts.js';
import { bytesOfText, textOfBytes } from '#protocol/packing/pageText.js';
import { decodeSections, encodeSections, planes } from '#protocol/packing/sections.js';
import { shareCode, shareOfCode, valueCode, valueOfCode } from '#protocol/packing/shown.js';
import { decodeSafetensors, encodeSafetensors } from '#protocol/safetensors.js';
import { shareText } from '#protocol/tokens.js';
import { memoryFiles, pageFilesOf } from '#test/kit/bundleFiles.js';
import { BundleReader } from '#webviews/ui/bundle.js';
import { heat } from '#webviews/ui/examples.js';
import { aligned, number } from '#webviews/ui/format.js';

const random = new Random(3);

/** Files of a page, unpacked. */
async function unpacked(files: Record<string, Uint8Array>): Promise<Map<string, Uint8Array>> {
  const packed = await pageFilesOf({ id: 'm', files });
  return new Map(
    packed.map(({ file, text }) => [file, unpackFile(file, new Uint8Array(gunzipSync(bytesOfText(text))))]),
  );
}

const shownExample = ({ value, activations, band, ...rest }: FeatureExample): unknown => ({
  ...rest,
  value: aligned(value, 3),
  hover: activations.map((a) => number(a, 3)),
  band: band && [aligned(band.from, 3), aligned(band.to, 3), band.firings],
});
const shownLabel = (label: LinkedLabel | readonly string[]): unknown => {
  if (Array.isArray(label)) return label;
  const { tokens, peaks, together } = label as LinkedLabel;
  const words = (list: LinkedLabel['tokens']) => list.map(({ token, share }) => [token, shareText(share)]);
  return { tokens: words(tokens), peaks, together: together && words(together) };
};

/** A bundle of one point for each list of examples. */
function bundleOf(labels: ReadonlyArray<LinkedLabel | string[]>, examples: ReadonlyArray<readonly unknown[]>) {
  const lines = examples.map((own) => Buffer.from(`${JSON.stringify(own)}\n`));
  const at = new BigInt64Array(lines.length + 1);
  lines.forEach((line, i) => (at[i + 1] = at[i] + BigInt(line.length)));
  return {
    'map.json': Buffer.from(JSON.stringify({ version: 1, title: 't', sets: [{ points: lines.length }] })),
    'columns.safetensors': encodeSafetensors({ '0.examplesAt': { dtype: 'I64', shape: [at.length], data: at } }),
    '0.labels.json': Buffer.from(JSON.stringify(labels)),
    '0.examples.jsonl': Buffer.concat(lines),
  };
}

const example = (o: Partial<FeatureExample> = {}): FeatureExample => ({
  ...{ sequence: 3, position: 7, value: 2.5, tokens: ['the', ' king', '.'], peak: 1, activations: [0, 2.5, 0.1] },
  ...o,
});

describe('codes', () => {
  test('keep activations as they are shown, and refuse what is shown with more digits', () => {
    const values = Array.from({ length: 20_000 }, () => Math.fround(10 ** (16 * random.next() - 13.1)));
    for (const value of [...values, 0.9995, 9.995, 0.001, 999.4, 1e-5, 0.125, 1.005, -2.5, 5e-45]) {
      const code = valueCode(value)!;
      const kept = valueOfCode(code);
      expect([number(kept, 3), aligned(kept, 3)], String(value)).toEqual([number(value, 3), aligned(value, 3)]);
      expect(heat(kept, 8 * kept)).toBe(heat(value, 8 * value));
    }
    expect(valueOfCode(valueCode(0)!)).toBe(0);
    for (const value of [1234.5, 999.6, -1e5, NaN, Infinity, 1e-80]) expect(valueCode(value)).toBeNull();
    const codes = [-3, -0.2, 0, 1e-7, 0.2, 0.201, 1, 3.14, 10].map((v) => valueCode(v)!);
    expect(codes).toEqual([...codes].sort((a, b) => a - b));
  });

  test('keep shares as they are shown', () => {
    const shares = Array.from({ length: 20_001 }, (_, i) => i / 20_000);
    for (const share of [...shares, ...shares.map((s) => s * s * s)])
      expect(shareText(shareOfCode(shareCode(share)!)), String(share)).toBe(shareText(share));
    for (const share of [NaN, 1.2]) expect(shareCode(share)).toBeNull();
  });
});

describe('bytes', () => {
  test('are text of harmless characters and come back, whatever their number', () => {
    for (let n = 0; n < 60; n++) {
      const bytes = Uint8Array.from({ length: n }, () => random.int(256));
      const text = textOfBytes(bytes);
      expect(text).not.toMatch(/[\0\s<\x7f-\uffff]/);
      expect(bytesOfText(text)).toEqual(bytes);
      expect(text.length).toBeLessThanOrEqual(Math.ceil((7 * n) / 6));
    }
    for (const text of ['~~', 'é!', 'ab~~~~~', '!!!\n!!!']) expect(() => bytesOfText(text)).toThrow(/damaged: export/);
  });

  test('of columns are planes, and damaged ones are refused', () => {
    expect(planes(Uint8Array.of(1, 2, 3, 4), 2)).toEqual(Uint8Array.of(1, 3, 2, 4));
    const columns = { a: Uint32Array.of(1, 70_000), none: new Uint32Array(0), zeros: new Uint32Array(3), big: Uint32Array.of(2 ** 32 - 1) }; // prettier-ignore
    const bytes = encodeSections({ x: 1 }, columns);
    const read = decodeSections(bytes, 'f');
    for (const [name, values] of Object.entries(columns)) expect(read.column(name)).toEqual(values);
    expect(() => read.column('b')).toThrow('f has no column b');
    for (const cut of [2, 20, bytes.length - 1]) expect(() => decodeSections(bytes.subarray(0, cut), 'f')).toThrow();
  });
});

describe('a bundle in a page', () => {
  test('shows the labels and examples that it shows beside the notebook, and has the same columns', async () => {
    const { files, meta } = mapFiles({ sets: 2, points: 150, examples: 9 });
    const page = await unpacked(files);
    expect([...page.keys()].sort()).toEqual(['columns.safetensors', 'map.json', TEXTS_FILE]);
    const texts = new PackedTexts(page.get(TEXTS_FILE)!, 'm');
    const before = new BundleReader(MAP_BUNDLE, memoryFiles(files), 'm');
    const columns = page.get('columns.safetensors')!;
    const packed = { ...memoryFiles({ 'map.json': page.get('map.json')!, 'columns.safetensors': columns }) };
    const after = new BundleReader(MAP_BUNDLE, { ...packed, texts: () => Promise.resolve(texts) }, 'm');
    for (const s of [0, 1]) {
      const [old, own] = [await before.columns(s), await after.columns(s)];
      expect(own.shares.map((label) => shownLabel(label!))).toEqual(old.shares.map((label) => shownLabel(label!)));
      expect({ ...own, shares: 0 }).toEqual({ ...old, shares: 0 });
      for (let i = 0; i < meta.sets[s].points; i++)
        expect((await after.examples(s, i)).map(shownExample)).toEqual((await before.examples(s, i)).map(shownExample));
    }
    await expect(after.examples(0, 150)).rejects.toThrow('point 150 was asked for');
  });

  test('keeps texts that contradict each other, words alone, other peaks, dead features and negative values', async () => {
    const band = { from: 0.1, to: 0.5, firings: 3 };
    const labels: Array<LinkedLabel | string[]> = [
      ['a', 'text <of> words'],
      { tokens: [{ token: ' king', share: 0.714 }], peaks: [' queen', 'x'], together: [] },
      { tokens: [], peaks: [] },
      { tokens: [{ token: 'é🙂', share: 0.0004 }], peaks: [' king'] },
    ];
    const examples = [
      [example(), example({ tokens: ['the', ' queen', '.'] }), example({ position: 9 })],
      [example({ band, value: 0.4, activations: [0, 0.4, 0] }), example(), example({ band, value: 0.3, activations: [-1, 0.3, 0] })], // prettier-ignore
      [],
      [example({ value: -2.5, activations: [1, -2.5, 900] }), example({ band: { ...band, to: 40 }, value: 30, activations: [0, 30, 0] })], // prettier-ignore
    ];
    const page = await unpacked(bundleOf(labels, examples));
    const texts = new PackedTexts(page.get(TEXTS_FILE)!, 'm');
    expect(texts.labels(0).map(shownLabel)).toEqual(labels.map(shownLabel));
    examples.forEach((own, i) => expect(texts.examples(0, i).map(shownExample)).toEqual(own.map(shownExample)));
  });

  test.each([
    ['an activation that is shown with more digits', [], [example({ value: 1234.5, activations: [0, 1234.5, 0] })]],
    ['an example with more in it', [], [{ ...example(), note: 'x' }]],
    ['a position before the text', [], [example({ position: 0 })]],
    ['a share over 1', { tokens: [{ token: 'a', share: 1.5 }], peaks: [] }, []],
  ])('stays as it is with %s', async (_, label, own) => {
    const files = bundleOf([label as string[]], [own]);
    const page = await unpacked(files);
    expect([...page.keys()].sort()).toEqual(Object.keys(files).sort());
    for (const name of ['map.json', '0.labels.json', '0.examples.jsonl'])
      expect(Buffer.compare(page.get(name)!, files[name as 'map.json'])).toBe(0);
    const columns = decodeSafetensors(page.get('columns.safetensors')!);
    expect(columns).toEqual(decodeSafetensors(files['columns.safetensors']));
  });

  test('says what is damaged or missing', async () => {
    const files = bundleOf([[]], [[example()]]);
    const { '0.labels.json': _, ...less } = files;
    await expect(pageFilesOf({ id: 'm', files: less })).rejects.toThrow('m/0.labels.json is not there');
    const short = { ...files, '0.examples.jsonl': files['0.examples.jsonl'].subarray(0, 9) };
    await expect(pageFilesOf({ id: 'm', files: short })).rejects.toThrow('it is truncated');
    const bytes = (await unpacked(files)).get(TEXTS_FILE)!;
    const { head, column } = decodeSections(bytes, 'm');
    const names = ['label', 'words', 'word', 'share', 'peaks', 'peakWord', 'pairWords', 'pairWord', 'pairShare', 'examples', 'before', 'after', 'value', 'fired', 'firedAt', 'firedValue', 'band', 'bandFrom', 'bandTo', 'bandFirings', 'runSequence', 'runStart', 'runLength', 'pool', 'at']; // prettier-ignore
    const columns = Object.fromEntries(names.map((name) => [name, column(name)]));
    for (const [name, value] of Object.entries({ before: 9, after: 99, at: 77, firedAt: 50, pool: 1000 })) {
      const odd = { ...columns, [name]: columns[name].map(() => value) };
      const texts = new PackedTexts(encodeSections(head as never, odd), 'm');
      expect(() => texts.examples(0, 0), name).toThrow('m is damaged');
    }
    for (const name of ['examples', 'fired', 'words', 'runLength']) {
      const odd = { ...columns, [name]: columns[name].map(() => 2 ** 31) };
      expect(() => new PackedTexts(encodeSections(head as never, odd), 'm'), name).toThrow('m is damaged');
    }
  });
});
