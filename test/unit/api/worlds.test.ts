/** fg.synthetic's worlds: how they show themselves, their report, true activations as artifacts, presets, what is refused. */
import { describe, expect, it } from 'vitest';
import { DISPLAY } from '#kernel/present/items.js';
import type { ChartDescriptor } from '#protocol/display.js';
import { MIME } from '#protocol/mime.js';
import type { OutputItem } from '#protocol/notebook.js';
import { freshFg } from '#test/kit/fg.js';

const session = freshFg();
const small = { features: 12, dim: 6, frequencies: 0.1, seed: 3 } as const;

const display = async (value: object): Promise<OutputItem[]> =>
  await (value as { [DISPLAY]: () => OutputItem[] | Promise<OutputItem[]> })[DISPLAY]();
const textOf = (items: readonly OutputItem[]): string =>
  items
    .filter((item) => item.mime === MIME.text)
    .map((item) => (Array.isArray(item.text) ? item.text.join('') : item.text))
    .join('\n');

describe('fg.synthetic.world', () => {
  it('shows itself by its description, and a published one by its known faults', async () => {
    const { fg } = session;
    const world = await fg.synthetic.world(small);
    const shown = textOf(await display(world));
    expect(shown).toBe(world.description);
    expect(shown).toContain('12 features in 6 dimensions');
    expect(shown).toContain('mean L0 1.20');
    const marks = await fg.synthetic.preset('marks-2024', { features: 48, dim: 8, groups: 4, k: 3 });
    const lines = textOf(await display(marks)).split('\n');
    expect(lines[0]).toBe(marks.description);
    expect(lines.slice(1)).toEqual(marks.faults.map((fault) => `  known fault: ${fault}`));
    expect(lines.length).toBeGreaterThan(1);
  });

  it('refuses misspelt options, of worlds and of presets', async () => {
    const { fg } = session;
    await expect(fg.synthetic.world(undefined as never)).rejects.toThrow('fg.synthetic.world: features is missing');
    await expect(fg.synthetic.world({ ...small, frequency: 0.1 } as never)).rejects.toThrow('no option "frequency"');
    await expect(fg.synthetic.preset('lan-2024', { groups: 4 })).rejects.toThrow(
      'has no option "groups"; it has features',
    );
    await expect(fg.synthetic.preset('lan-2023' as never)).rejects.toThrow(
      'name is "lan-2023"; expected \'sharkey-2022\'',
    );
    const world = await fg.synthetic.world(small);
    await expect(fg.synthetic.report(world, { sample: 10 } as never)).rejects.toThrow('no option "sample"');
    await expect(fg.synthetic.activations(world, { samples: 10, seeds: 1 } as never)).rejects.toThrow(
      'no option "seeds"',
    );
    await expect(fg.synthetic.sample(world, { samples: 10, batch: 5 } as never)).rejects.toThrow('no option "batch"');
  });
});

describe('fg.synthetic.report', () => {
  it('draws three charts, and is a table of what was asked and realised', async () => {
    const { fg, context } = session;
    const world = await fg.synthetic.world({ ...small, correlations: { kind: 'block', size: 3, correlation: 0.2 } });
    const report = await fg.synthetic.report(world, { samples: 3000 });
    const charts = context.shown.map(
      (items) => items.find((item) => item.mime === MIME.chart)!.json as unknown as ChartDescriptor,
    );
    const titles = charts.map((chart) => chart.title);
    expect(titles).toEqual([
      'Frequencies, asked and realised',
      'Active features in a sample',
      'Pairs farthest from the request',
    ]);
    interface Drawn {
      data: { values: Array<Record<string, number>> };
      layer: Drawn[];
    }
    const [frequencies, l0] = charts.map(({ vegaLite }) => vegaLite as unknown as Drawn);
    // The diagonal lies below the points.
    expect(frequencies.layer[1].data.values.map((row) => row.realised)).toEqual(Array.from(report.realized));
    expect(l0.data.values.reduce((sum, row) => sum + row.samples, 0)).toBe(3000);
    for (const items of context.shown) expect(textOf(items)).not.toBe('');

    const text = textOf(await display(report));
    expect(text).toContain(world.description);
    expect(text).toMatch(/mean L0\s.*1\.2/);
    expect(text).toContain('frequency farthest off');
    expect(text).toContain('co-firing farthest off');
    expect(text).toContain('3,000 samples, seed 3');
  });

  it('names the faults of a published generator, and asks its pairs for nothing', async () => {
    const { fg, context } = session;
    const options = { features: 48, dim: 8, groups: 4, k: 3, publishedBatch: 500 };
    const report = await fg.synthetic.report(await fg.synthetic.preset('marks-2024', options), { samples: 500 });
    const text = textOf(await display(report));
    expect(report.faults.length).toBeGreaterThan(0);
    for (const fault of report.faults) expect(text).toContain(`Known fault: ${fault}`);
    // One batch: the same three of each group of twelve fire throughout.
    const never = report.realized.filter((p, f) => p === 0 && report.asked[f] > 0).length;
    expect(never).toBe(36);
    expect(JSON.stringify(context.shown)).toContain(`not drawn: ${never} that never fired`);
    expect(text).toContain('no closed law to hold it against');
    expect(context.shown.map(textOf).join()).toContain('Pairs of the largest correlation');
  });
});

describe('the report of a published generator at other sizes', () => {
  it('names the features that its own groups leave over, and none where they leave none', async () => {
    const { fg } = session;
    const faultsOf = async (features: number, groups: number, perPoint = false): Promise<string> =>
      (await fg.synthetic.preset('marks-2024', { features, groups, perPoint, dim: 8, k: 3 })).faults.join('; ');
    const of256 = await faultsOf(256, 12);
    expect(of256).toContain('features past 12 × 21 (252 to 255) never fire');
    expect(of256).toContain('at k = 21 a whole group fires');
    expect(of256).not.toMatch(/504|511|42/);
    expect(await faultsOf(49, 4)).toContain('features past 4 × 12 (48) never fires');
    expect(await faultsOf(256, 16)).not.toContain('never fire');
    expect(await faultsOf(256, 12, true)).not.toContain('once per group and batch');
    await expect(faultsOf(10, 11)).rejects.toThrow('groups is 11; expected a whole number from 1 to 10');
  });

  it('is 0 standard errors from its L0 where every sample has just that many, whatever the frequencies sum to', async () => {
    const { fg } = session;
    for (const [features, k] of [
      [256, 16],
      [256, 7],
      [128, 10],
    ] as const) {
      // prettier-ignore
      const world = await fg.synthetic.preset('marks-2024', { features, dim: 16, k, publishedBatch: 500 });
      const report = await fg.synthetic.report(world, { samples: 500 });
      expect(report.l0).toMatchObject({ mean: k, sd: 0, z: 0 });
      expect(textOf(await display(report))).not.toContain('Infinity');
    }
  });

  it('says in words that what is asked never or always cannot vary', async () => {
    const { fg } = session;
    // One group of which all fire: frequencies are 1, but for rounding.
    const all = await fg.synthetic.preset('marks-2024', { features: 6, groups: 1, k: 6, dim: 4 });
    expect((await fg.synthetic.report(all, { samples: 50 })).marginals.maxZ).toBe(0);
    const world = await fg.synthetic.preset('marks-2024', { features: 6, groups: 1, k: 2, dim: 4 });
    world.frequencies.fill(0);
    const report = await fg.synthetic.report(world, { samples: 50 });
    expect(report.marginals.maxZ).toBe(Infinity);
    expect(report.l0.z).toBe(Infinity);
    const text = textOf(await display(report));
    expect(text).toContain('not by chance: as asked it cannot vary');
    expect(text).not.toContain('Infinity');
  });
});

describe('fg.synthetic.activations', () => {
  it('are an artifact of the true codes: the same call loads it, another seed is another', async () => {
    const { fg, context } = session;
    const world = await fg.synthetic.world(small);
    const made = await fg.synthetic.activations(world, { samples: 300 });
    expect(context.printed.join()).not.toContain('loaded from cache');
    const { codes } = await fg.synthetic.sample(world, { samples: 300 });
    expect(made.meta.nonZeros).toBe(codes.values.length);
    expect([made.meta.tokens, made.meta.features]).toEqual([300, 12]);
    expect(textOf(await display(made))).toContain(`300 samples, ${codes.values.length} non-zeros, true activations`);

    const again = await fg.synthetic.activations(await fg.synthetic.world(small), { samples: 300 });
    expect(context.printed.join()).toContain('True activations: loaded from cache');
    expect(again.id).toBe(made.id);
    const other = await fg.synthetic.activations(world, { samples: 300, seed: 4 });
    expect(other.id).not.toBe(made.id);
    expect((await fg.artifacts.list()).map((r) => r.kind)).toEqual(['activations', 'activations', 'world']);
  });
});

describe('fg.synthetic.sample', () => {
  it('is the start of the stream, and refuses what is no number of samples', async () => {
    const { fg } = session;
    const world = await fg.synthetic.world(small);
    const { x, codes } = await fg.synthetic.sample(world, { samples: 50 });
    for await (const batch of world.sample(50)) {
      expect(x.data).toEqual(batch.x.data);
      expect(codes.indices).toEqual(batch.codes.indices);
    }
    for (const n of [0, 1.5, Number.NaN])
      await expect(fg.synthetic.sample(world, { samples: n })).rejects.toThrow('expected a whole number of at least 1');
  });
});

describe('fg.synthetic.presets', () => {
  it('lists every published generator with what is wrong, and its corrected form', async () => {
    const { fg } = session;
    const presets = fg.synthetic.presets();
    const text = textOf(await display(presets));
    for (const { name, faults, source } of presets) {
      expect(text).toContain(name);
      expect(text).toContain(source);
      for (const fault of faults) expect(text).toContain(fault);
      if (name.endsWith('-corrected')) expect(text).toContain('nothing known');
      else expect(presets.map((p) => p.name)).toContain(`${name}-corrected`);
    }
    expect(presets.length).toBeGreaterThanOrEqual(8);
  });
});
