import { describe, expect, it } from 'vitest';
import type { ChartDescriptor, TableDescriptor } from '#protocol/display.js';
import { MIME } from '#protocol/mime.js';
import type { OutputItem } from '#protocol/notebook.js';
import { memoryActivations } from '#kernel/activations/store.js';
import { DISPLAY } from '#kernel/present/items.js';
import type { SparseRows } from '#kernel/compute/sparse.js';
import { shownJson } from '#test/kit/context.js';
import { handSae } from '#test/kit/sae.js';
import { basis, directions, handWorld, independent } from '#test/kit/world.js';
import { freshFg, lmA } from '#test/kit/fg.js';

const session = freshFg();
const printed = (): string => session.context.printed.join('\n');
const shown = (value: object): OutputItem[] => (value as { [DISPLAY](): OutputItem[] })[DISPLAY]();
const tableOf = (value: object): TableDescriptor =>
  shown(value).find((i) => i.mime === MIME.table)!.json as unknown as TableDescriptor;
const textOf = (value: object): string => [shown(value).find((i) => i.mime === MIME.text)?.text ?? []].flat().join('');
/** What a call shows: a chart that compiles to Vega without a warning. */
const drawn = (call: () => void): ChartDescriptor => {
  const warned: unknown[] = [];
  const warn = console.warn;
  console.warn = (...args: unknown[]) => void warned.push(args);
  try {
    call();
  } finally {
    console.warn = warn;
  }
  expect(warned).toEqual([]);
  const [item] = session.context.shown.at(-1)!;
  expect(item.mime).toBe(MIME.chart);
  return item.json as unknown as ChartDescriptor;
};

const world = handWorld({ dictionary: basis(10, 12), codes: independent(10, 0.15) });
const quick = { samples: 300, nulls: 3 };

describe('fg.synthetic.recovery', () => {
  it('is shown with floors, kept, and loaded by the same call', async () => {
    const { synthetic } = session.fg;
    const found = await synthetic.recovery(world, handSae(world.dictionary), quick);
    const table = tableOf(found);
    expect(table.columns.map((c) => c.title)).toEqual(
      expect.arrayContaining(['score', 'value', 'floor or null', 'p', 'n']),
    );
    const mcc = table.rows.find((row) => row.score === 'MCC (dictionary)')!;
    expect(mcc.value).toBeCloseTo(1, 6);
    expect(mcc['floor or null']).toBeLessThan(0.8);
    expect(table.note).toContain('3 runs of random dictionary, seed 0');
    expect(table.rows.map((row) => row.score)).toContain('absorptionRate');
    const again = await synthetic.recovery(world, handSae(world.dictionary), quick);
    expect(again).toEqual(found);
    expect(tableOf(again)).toEqual(table);
    expect(printed()).toContain('loaded from cache');
  });

  it('takes a bare dictionary, compares, and refuses what was not awaited or is misspelt', async () => {
    const { synthetic } = session.fg;
    const random = await synthetic.recovery(world, directions(10, 12, 3), quick);
    expect(random.figures).toBeUndefined();
    const exact = await synthetic.recovery(world, world.dictionary, quick);
    session.fg.show({ random, exact });
    const side = shownJson<TableDescriptor>(session.context, MIME.table);
    expect(side.columns.map((c) => c.title)).toEqual(['score', 'random', 'floor of random', 'exact', 'floor of exact']);
    expect(() => session.fg.show({ random, one: world } as never)).toThrow('x.one is no recovery');
    expect(() => session.fg.show({ random, one: Promise.resolve(exact) } as never)).toThrow('write "await"');
    await expect(synthetic.recovery(world, directions(4, 12, 1), { sample: 3 } as object)).rejects.toThrow(
      'no option "sample"',
    );
    const promise = Promise.resolve(world.dictionary);
    await expect(synthetic.recovery(world, promise as never)).rejects.toThrow('write "await"');
  });
});

describe('what fg.synthetic asks of chance', () => {
  it('is as many dictionaries as shuffles, unless floors says otherwise', async () => {
    const { synthetic } = session.fg;
    const of = async (nulls: number | { runs?: number; floors?: number; seed?: number }): Promise<number[]> => {
      const { scores } = await synthetic.recovery(world, handSae(world.dictionary), { samples: 300, nulls });
      const runs = (metric: string): number => scores.find((s) => s.metric === metric)!.null.runs;
      return [runs('MCC (dictionary)'), runs('F1 of features'), scores[0].seed];
    };
    expect(await of(4)).toEqual([4, 4, 0]);
    expect(await of({ runs: 2, floors: 3, seed: 5 })).toEqual([3, 2, 5]);
    expect(await of({ floors: 3 })).toEqual([3, 20, 0]);
  });

  it('has a seed of its own in the response of scores, which is the seed where none is given', async () => {
    const base = handWorld({ dictionary: directions(60, 6, 1), codes: independent(60, 0.1) });
    const of = async (options: object): Promise<number[]> => {
      const how = { fractions: [0.5], metrics: ['cka'], twins: { features: 30 }, ...options } as const;
      const [row] = (await session.fg.synthetic.scoreResponse(base, how)).rows;
      return [row.seed, row.value, row.null.mean];
    };
    const [seed, value, chance] = await of({ nulls: 5, seed: 3 });
    expect(seed).toBe(3);
    expect(await of({ nulls: { runs: 5, seed: 3 }, seed: 3 })).toEqual([3, value, chance]);
    const [other, same, moved] = await of({ nulls: { runs: 5, seed: 4 }, seed: 3 });
    expect([other, same]).toEqual([4, value]);
    expect(moved).not.toBe(chance);
  });
});

describe('things of another kind given to fg.synthetic', () => {
  it('are refused by name, with what is expected', async () => {
    const { synthetic } = session.fg;
    const twins = await synthetic.twins(world, { features: 4 });
    const refused: Array<[() => unknown, string]> = [
      [() => synthetic.recovery({} as never, world.dictionary), 'fg.synthetic.recovery: world is no world'],
      [() => synthetic.report(twins.a as never), 'fg.synthetic.report: world has no law of its own'],
      [() => synthetic.calibrate(world as never), 'fg.synthetic.calibrate: twins is no pair of twins'],
      [() => synthetic.calibrate(twins, { saes: { a: world } as never }), 'saes.a is an object; expected an SAE'],
    ];
    for (const [call, message] of refused) await expect((async () => call())()).rejects.toThrow(message);
    await expect(synthetic.concepts({} as never, {} as never, { labels: true as never })).rejects.toThrow(
      'labels: options are an object such as { minF1: … } but got true',
    );
  });
});

describe('fg.synthetic.train', () => {
  it('trains on a world, and loads the same SAE the next time', async () => {
    const options = {
      features: 12,
      architecture: 'topk',
      k: 2,
      steps: 4,
      trainBatchSizeTokens: 64,
      samples: 256,
    } as const;
    const sae = await session.fg.synthetic.train(world, options);
    expect(sae.history.length).toBeGreaterThan(0);
    expect((await session.fg.synthetic.train(world, options)).id).toBe(sae.id);
    expect(printed()).toContain('loaded from cache');
    await expect(session.fg.synthetic.train(world, { hook: 'x' } as object)).rejects.toThrow('no option "hook"');
  });
});

describe('twins of fg.synthetic', () => {
  it('are calibrated with tables and charts, from codes and from SAEs', async () => {
    const { synthetic } = session.fg;
    const base = handWorld({ dictionary: directions(24, 8, 1), codes: independent(24, 0.12) });
    const twins = await synthetic.twins(base, { features: 12, shared: 0.5, splits: 1, absorptions: 1, dimB: 10 });
    expect(textOf(twins)).toContain("50 % of A's are shared: 3 one to one, 1 split, 1 absorbed");
    const found = await synthetic.calibrate(twins, { samples: 2000, nulls: 10 });
    const table = tableOf(found);
    expect(table.rows.map((row) => row.matcher)).toEqual(['argmax', 'mutual', 'one-to-one']);
    expect(table.rows[0]['split found']).toBe('2 of 2');
    const { fg } = session;
    expect(drawn(() => fg.show(found, { as: 'reliability' })).title).toBe('What an r is worth');
    expect(drawn(() => fg.show(found, { as: 'thresholds', title: 'Mine' })).title).toBe('Mine');
    fg.show(found);
    expect(session.context.shown.at(-1)).toEqual(shown(found));
    expect(() => fg.show(found, { title: 'lost' })).toThrow('title is over a chart, but the table was asked for');
    const saes = { a: handSae(twins.a.dictionary), b: handSae(twins.b.dictionary) };
    const through = await synthetic.calibrate(twins, { samples: 500, nulls: 5, saes });
    expect(through.from).toContain('SAEs');
    expect((await synthetic.calibrate(twins, { samples: 2000, nulls: 10 })).summaries).toEqual(found.summaries);
    await expect(synthetic.twins(base, { fraction: 1 } as object)).rejects.toThrow('no option "fraction"');
  });

  it('enter the store: their activations correlate to the true pairs, and load again', async () => {
    const { synthetic, correlation } = session.fg;
    const base = handWorld({ dictionary: directions(24, 8, 1), codes: independent(24, 0.12) });
    const twins = await synthetic.twins(base, { features: 12, shared: 0.5, dimB: 10 });
    const { a, b } = await synthetic.twinActivations(twins, { samples: 1500 });
    expect([a.meta.features, b.meta.features, a.meta.tokens]).toEqual([12, 12, 1500]);
    const { pairs } = await correlation.map(a, b, { match: 'mutual', minR: 0.9 });
    const byA = Array.from(pairs.a.keys()).sort((i, j) => pairs.a[i] - pairs.a[j]);
    expect(byA.map((i) => [pairs.a[i], pairs.b[i]])).toEqual(
      Array.from(twins.truth.pairs.a, (f, i) => [f, twins.truth.pairs.b[i]]),
    );
    const saes = { a: handSae(twins.a.dictionary), b: handSae(twins.b.dictionary) };
    expect((await synthetic.twinActivations(twins, { samples: 300, saes })).b.meta.sae.id).toBe(saes.b.id);
    expect((await synthetic.twinActivations(twins, { samples: 1500 })).a.id).toBe(a.id);
    expect(printed()).toContain('Activations of twin A: loaded from cache');
    await expect(synthetic.twinActivations(twins, { saes: { a: saes.b, b: saes.a } })).rejects.toThrow('width');
  });

  it('give the response of scores, kept', async () => {
    const base = handWorld({ dictionary: directions(60, 6, 1), codes: independent(60, 0.1) });
    const options = { fractions: [0, 1], metrics: ['cka', 'rsa'], nulls: 5, twins: { features: 30 } } as const;
    const found = await session.fg.synthetic.scoreResponse(base, options);
    expect(tableOf(found).rows).toHaveLength(4);
    drawn(() => session.fg.show(found, { as: 'chart' }));
    expect((await session.fg.synthetic.scoreResponse(base, options)).rows).toEqual(found.rows);
    await expect(session.fg.synthetic.scoreResponse(base, { twins: { shared: 0.3 } as object })).rejects.toThrow(
      'no option "shared"',
    );
  });
});

describe('fg.synthetic.sweep', () => {
  it('says what is missing, runs it, and draws a heatmap', async () => {
    const { synthetic } = session.fg;
    const worldOf = (correlation: number) =>
      handWorld({ dictionary: basis(6, 8), codes: independent(6, 0.2 + correlation / 10), id: `w${correlation}` });
    const plan = {
      correlations: [0, 1],
      saes: [{ architecture: 'topk', steps: 3, trainBatchSizeTokens: 32 }] as const,
      widths: [6, 8],
      ks: [1, 2],
      samples: 128,
      recovery: quick,
    };
    expect(tableOf(await synthetic.sweep(worldOf, { ...plan, run: false })).title).toBe(
      'Sweep: 0 of 8 cells done, 8 missing or failed',
    );
    const rows = await synthetic.sweep(worldOf, plan);
    const table = tableOf(rows);
    expect(table.title).toBe('Sweep: 8 of 8 cells done');
    expect(table.rows[0]).toMatchObject({ SAE: 'topk', latents: 6, k: 1, correlation: 0, status: 'done' });
    expect((await synthetic.sweep(worldOf, { ...plan, run: false })).every((row) => row.status === 'done')).toBe(true);
    expect(drawn(() => session.fg.show(rows, { score: 'MCC (dictionary)' })).title).toBe('MCC (dictionary)');
    session.fg.show(rows);
    expect(session.context.shown.at(-1)).toEqual(shown(rows));
    await expect(synthetic.sweep(world as never, plan)).rejects.toThrow('give a function of the correlation');
  });
});

describe('fg.synthetic.mutualRegularization', () => {
  it('trains with and without coupling and shows both beside the floor', async () => {
    const options = { steps: 5, batchSize: 32, samples: 128, k: 2, recovery: quick };
    const found = await session.fg.synthetic.mutualRegularization(world, options);
    expect(found.runs.map((run) => run.coupling)).toEqual([0, 0.01]);
    const table = tableOf(found);
    expect(table.rows).toHaveLength(4);
    expect(table.rows[0]['its floor']).toBeLessThan(1);
    drawn(() => session.fg.show(found, { as: 'agreement' }));
    const again = await session.fg.synthetic.mutualRegularization(world, options);
    expect(again.runs.map((run) => run.saes.map((s) => s.id))).toEqual(
      found.runs.map((run) => run.saes.map((s) => s.id)),
    );
  });
});

describe('fg.synthetic.concepts', () => {
  it('holds features of stories against their concepts', async () => {
    const { synthetic } = session.fg;
    // The tiny model reads numbers; concepts by hand: 1 = even.
    const data = session.fg.datasets.fromTexts(
      Array.from({ length: 30 }, (_, i) => Array.from({ length: 10 }, (_, j) => 1 + ((i + 3 * j) % 9)).join(' ')),
      { context: 10 },
    );
    const tokens = data.tokens(lmA);
    const ids = Uint8Array.from(tokens.tokens, (t) => t % 2);
    const withConcepts = { ...tokens, concepts: { names: ['none', 'odd'], ids } };
    const n = tokens.tokens.length;
    const firing = Array.from({ length: n }, (_, t) => ids[t] === 1);
    const rows: SparseRows = {
      rows: n,
      cols: 2,
      indptr: Uint32Array.from({ length: n + 1 }, (_, t) => firing.slice(0, t).filter(Boolean).length),
      indices: new Int32Array(firing.filter(Boolean).length).fill(1),
      values: new Float32Array(firing.filter(Boolean).length).fill(2),
    };
    const activations = memoryActivations(rows, {
      tokenIds: tokens.tokens,
      context: tokens.context,
      meta: { tokenSet: { id: tokens.id, tokenizer: tokens.tokenizer.id } },
    });
    const found = await synthetic.concepts(activations, withConcepts, { nulls: 5 });
    expect(found.concepts[0]).toMatchObject({ concept: 'odd', feature: 1, f1: 1 });
    expect(found.labels!.score.value).toBe(1);
    expect(textOf(found)).toContain('Labels by dataset examples name the concept of 100 % of 1 features');
    drawn(() => session.fg.show(found, { as: 'confusion' }));
    session.fg.show(found);
    expect(session.context.shown.at(-1)).toEqual(shown(found));
    expect((await synthetic.concepts(activations, withConcepts, { nulls: 5 })).concepts).toEqual(found.concepts);
    // A dataset without concepts is refused; one of another text names both.
    await expect(synthetic.concepts(activations, data)).rejects.toThrow('carry no concepts');
    const other = session.fg.datasets.fromTexts(['1 2 3 4 5 6 7 8 9 10'], { context: 5 });
    await expect(synthetic.concepts(activations, other)).rejects.toThrow('was not tokenized');
  });
});
