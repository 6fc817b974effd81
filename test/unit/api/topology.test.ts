import fs from 'node:fs';
import path from 'node:path';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { show } from '#kernel/show/fg.js';
import { bindCall } from '#kernel/verb/called.js';
import { Environment } from '#kernel/verb/environment.js';
import { DISPLAY } from '#kernel/present/items.js';
import { bind } from '#kernel/verb/namespace.js';
import { resumable, unfinishedFile } from '#kernel/verb/resume.js';
import type { PairedMap } from '#kernel/correlation/types.js';
import { initDevice } from '#kernel/compute/device.js';
import { matrix } from '#kernel/compute/matrix.js';
import { mapper } from '#kernel/mapper/fg.js';
import type { MapperOptions } from '#kernel/mapper/options.js';
import type { ChartDescriptor, TableDescriptor } from '#protocol/display.js';
import { MIME } from '#protocol/mime.js';
import type { OutputItem } from '#protocol/notebook.js';
import { collectingContext, type CollectedContext } from '#test/kit/context.js';
import { blobs, circle } from '#test/kit/shapes.js';

const OPTIONS: MapperOptions = {
  lens: { kind: 'dimensions', columns: [0] },
  cover: { cubes: 8, overlap: 0.35 },
  clusterer: { kind: 'agglomerative', metric: 'euclidean', linkage: 'single', distanceThreshold: 0.4 },
};

let context: CollectedContext;
let env: Environment;
beforeAll(() => initDevice({ device: 'cpu' }));
beforeEach(() => {
  context = collectingContext();
  env = new Environment(context);
});
afterEach(() => context.remove());

const itemsOf = (value: object): OutputItem[] => (value as { [DISPLAY]: () => OutputItem[] })[DISPLAY]();
const textOf = (items: readonly OutputItem[]): string =>
  [items.find((i) => i.mime === MIME.text)?.text ?? ''].flat().join('');
const tableIn = (items: readonly OutputItem[]): TableDescriptor =>
  items.find((i) => i.mime === MIME.table)!.json as unknown as TableDescriptor;
const chartIn = (items: readonly OutputItem[]): ChartDescriptor =>
  items.find((i) => i.mime === MIME.chart)!.json as unknown as ChartDescriptor;

describe('fg.mapper.persistence', () => {
  it('is kept, and shown as barcode and diagram with a table for readers of text', async () => {
    const api = bind(env, mapper);
    const x = circle(60, 1);
    const first = await api.persistence(x, { nulls: 9, landmarks: 40, seed: 3 });
    expect(first.dims[1].p[0]).toBe(0.1);
    const items = itemsOf(first);
    expect(JSON.stringify(chartIn(items).vegaLite)).toContain('"hconcat"');
    expect(textOf(items)).toMatch(/H1 loops/);
    expect(textOf(items)).toMatch(/40 landmarks of 60 points \(maxmin, seed 3\); covering radius/);
    expect(textOf(items)).toMatch(/9 runs; seed 3; p = \(k \+ 1\)\/\(R \+ 1\)/);
    const again = await api.persistence(x, { nulls: 9, landmarks: 40, seed: 3 });
    expect(again).toEqual(first);
    expect(context.printed.join()).toMatch(/loaded from cache/);
    const look = bindCall(env, show);
    look(again, { as: 'barcode' });
    look(again, { as: 'diagram', title: 'Mine' });
    const [bars, diagram] = context.shown.map(
      ([item]) => [item.mime, (item.json as unknown as ChartDescriptor).title?.split(':')[0]] as const,
    );
    expect(bars).toEqual([MIME.chart, 'Barcode']);
    expect(diagram).toEqual([MIME.chart, 'Mine']);
  });

  it('refuses misspelt options and what is no matrix', async () => {
    const api = bind(env, mapper);
    await expect(api.persistence(circle(9, 1), { landmark: 4 } as never)).rejects.toThrow(/no option "landmark"/);
    await expect(api.persistence({ rows: 2 } as never)).rejects.toThrow(/matrix/);
    await expect(api.sweep(circle(9, 1), { cover: {} } as never)).rejects.toThrow(
      "fg.mapper.sweep: cover is an object; expected 'cubes' or 'balanced'",
    );
    await expect(api.nulls(circle(9, 1), { ...OPTIONS, distances: matrix(9, 9) })).rejects.toThrow(/no null data/);
  });
});

describe('fg.mapper.nulls and findings', () => {
  it('a loop is found with its p, and the null graph goes to fg.show', async () => {
    const api = bind(env, mapper);
    const x = circle(250, 2);
    const graph = await bind(env, mapper).graph(x, OPTIONS);
    const nulls = await api.nulls(x, { ...OPTIONS, nulls: { kind: 'gaussian', runs: 9, seed: 1 } });
    const table = tableIn(itemsOf(nulls));
    expect(table.title).toBe('Mapper graph beside null graphs: Gaussian, same covariance');
    expect(table.note).toMatch(/^9 runs, seed 1; p = /);
    expect(table.rows.find((r) => r.statistic === 'longest loop')).toMatchObject({ 'p more': 0.1 });
    const [loop] = api.findings(graph, { beside: nulls });
    expect(loop).toMatchObject({ kind: 'loop', p: 0.1, runs: 9, seed: 1 });
    expect(textOf(itemsOf(api.findings(graph)))).toMatch(/no null was run/);
    await bindCall(env, show)(graph, { beside: [nulls], findings: [loop] });
    expect(context.shown.at(-1)!.some((i) => i.mime === MIME.graph)).toBe(true);

    const again = await api.nulls(x, { ...OPTIONS, nulls: { kind: 'gaussian', runs: 9, seed: 1 } });
    expect(again).toEqual(nulls);
    const other = await api.nulls(x, {
      ...OPTIONS,
      nulls: { kind: 'shuffled', runs: 1 },
      by: Float64Array.from(x.data.slice(0, 250)),
    });
    expect(() => api.findings(graph, { beside: other })).toThrow(/measured by given values/);
    expect(itemsOf(api.extended(graph))[0].mime).toBe(MIME.table);
    expect(textOf(itemsOf(api.extended(graph)))).toMatch(/1 components, 1 loops/);
  });
});

describe('fg.mapper.sweep and stability', () => {
  it('a sweep is shown as heatmaps', async () => {
    const x = circle(120, 2);
    const { lens, clusterer } = OPTIONS;
    const sweep = await bind(env, mapper).sweep(x, {
      lens,
      clusterer,
      cubes: [4, 8],
      overlaps: [0.3, 0.4],
      draws: 1,
      nulls: 1,
    });
    const items = itemsOf(sweep);
    for (const title of [
      'components',
      'loops (b1)',
      'noise share',
      'stability (bootstrap Jaccard)',
      'null: loops, mean',
    ])
      expect(JSON.stringify(chartIn(items).vegaLite)).toContain(title);
    expect(textOf(items)).toMatch(/p loops/);
    expect(textOf(items)).toMatch(/1 bootstrap draws; null: rotated/);
  });

  it('one that is stopped goes on where it was, to the same result', async () => {
    const x = blobs(90, 2);
    const options = { ...OPTIONS, draws: { runs: 6, seed: 4 }, pairs: 50 };
    const whole = await bind(env, mapper).stability(x, options);
    const other = collectingContext();
    try {
      const second = new Environment(other);
      const stop = new AbortController();
      const onProgress = (p: { label: string; done: number }): void => {
        if (p.label === 'Stability' && p.done === 3) stop.abort();
      };
      await expect(bind(second, mapper).stability(x, { ...options, signal: stop.signal, onProgress })).rejects.toThrow(
        /cancelled/,
      );
      const folder = path.join(other.artifactFolder, 'unfinished');
      expect(fs.readdirSync(folder).length).toBe(1);
      const resumed = await bind(second, mapper).stability(x, options);
      expect(other.printed.join()).toMatch(/going on after 3 finished runs/);
      expect(resumed).toEqual(whole);
      expect(fs.readdirSync(folder)).toEqual([]);
      expect(textOf(itemsOf(resumed))).toMatch(/6 runs \(bootstrap\), seed 4/);
    } finally {
      other.remove();
    }
  });

  it.each<[string, (text: string) => string | Buffer]>([
    ['cut off at its end', (text) => text.slice(0, -9)],
    ['cut off in its first line', (text) => text.slice(7)],
    ['whose first line is zeros', (text) => text.replace(/^.*/, (line) => '\0'.repeat(line.length))],
    ['whose first line has a changed number', (text) => text.replace('"value":1', '"value":3')],
    [
      'whose first line has no bytes of text',
      (text) => Buffer.concat([Buffer.from([0xff, 0xfe, 10]), Buffer.from(text)]),
    ],
    ['of the version before', () => '{"run":"a","value":1}\n'],
  ])('a file of finished runs %s is repaired with a word, and what it lost made again', async (_, damage) => {
    const file = unfinishedFile(env, 'x-1');
    const stop = new Error('stop');
    const work = (made: string[], last: string): Promise<number[]> =>
      resumable(env, file, false, async (remember) => {
        const values: number[] = [];
        for (const name of ['a', 'b', 'c']) {
          const make = () => (made.push(name), Promise.resolve({ a: 1, b: 2, c: 4 }[name] as number));
          values.push(await remember(name, make));
          if (name === last) throw stop;
        }
        return values;
      });
    await expect(work([], 'b')).rejects.toBe(stop);
    fs.writeFileSync(file, damage(fs.readFileSync(file, 'utf8')));
    const made: string[] = [];
    expect(await work(made, '')).toEqual([1, 2, 4]);
    expect(made.length).toBeGreaterThan(0);
    expect(made).toContain('c');
    expect(context.printed.join('\n')).toMatch(/x-1\.jsonl: 1 damaged or unfinished lines are left out/);
    // Repaired: the next call has all of them, and says nothing of damage.
    context.printed.length = 0;
    const again: string[] = [];
    expect(await work(again, '')).toEqual([1, 2, 4]);
    expect(again).toEqual([]);
    expect(context.printed.join('\n')).not.toMatch(/damaged/);
  });

  it('fresh uses nothing of what a stopped call left', async () => {
    const file = unfinishedFile(env, 'x-2');
    const run = (fresh: boolean, value: number): Promise<number> =>
      resumable(env, file, fresh, (remember) => remember('a', () => Promise.resolve(value)));
    expect(await run(false, 1)).toBe(1);
    expect(await run(false, 2)).toBe(1);
    expect(await run(true, 2)).toBe(2);
  });
});

describe('fg.mapper.overlap', () => {
  it('shows the best node of B for each of A, and refuses a graph of other rows', async () => {
    const x = blobs(60, 1);
    const a = await bind(env, mapper).graph(x, {
      ...OPTIONS,
      clusterer: { kind: 'dbscan', metric: 'euclidean', eps: 1 },
    });
    const own = Int32Array.from({ length: 60 }, (_, i) => i);
    const side = { meta: { sae: { name: 'tiny', id: 'x', decoder: a.rows } } };
    const map = {
      id: 'map',
      a: side,
      b: side,
      featuresA: 60,
      featuresB: 60,
      counterparts: 1,
      bestAofB: own,
      bestBofA: own,
      rAofB: new Float32Array(60).fill(1),
      rBofA: new Float32Array(60).fill(1),
      pairs: { a: own, b: own, r: new Float32Array(60).fill(1) },
    } as unknown as PairedMap;
    const overlap = await bind(env, mapper).overlap(a, a, map, { nulls: 19 });
    expect(overlap.best.every((m) => m.overlap === 1)).toBe(true);
    expect(tableIn(itemsOf(overlap)).title).toMatch(/mean best overlap 1, null .*, p 0.05/);
    const foreign = { ...a, rows: 'other' };
    await expect(bind(env, mapper).overlap(foreign, a, map)).rejects.toThrow(/other rows than the decoder/);
  });
});
