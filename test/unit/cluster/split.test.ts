/** Calls in shards: what is merged is what one piece of work gives, to the bit, and nothing else is merged. */
import fs from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { createFg } from '#kernel/api/index.js';
import type { SparseActivations } from '#kernel/activations/types.js';
import { makeShard, mergedResult, missingShards } from '#kernel/cluster/shards.js';
import { planOf, rangesOf, shardKey } from '#kernel/cluster/plan.js';
import { splitCall } from '#kernel/verb/split.js';
import { collectingContext, type CollectedContext } from '#test/kit/context.js';
import { freshFg, lmA, lmB, randomSae, saeA, saeB, texts } from '#test/kit/fg.js';
import { normals } from '#test/kit/numbers.js';

const world = freshFg();

/** Every file of a result, but for its record. */
function filesOf(folder: string): Record<string, string> {
  const names = fs.readdirSync(folder).filter((name) => name !== 'artifact.json');
  return Object.fromEntries(
    names.sort().map((name) => [name, fs.readFileSync(path.join(folder, name)).toString('base64')]),
  );
}

/** The same call in another artifact folder. */
async function elsewhere<T>(work: (fg: typeof world.fg, context: CollectedContext) => Promise<T>): Promise<T> {
  const context = collectingContext();
  try {
    return await work(await createFg(context, { device: 'cpu' }), context);
  } finally {
    context.remove();
  }
}

const own = () => ({ signal: new AbortController().signal, onProgress: () => undefined });
const SAVE = { batchTokens: 30, conformance: false, ignoreTokens: [5] };
const data = () => world.fg.datasets.fromTexts(texts, { context: 10 });
const savedIn = async (
  fg: typeof world.fg,
  cluster?: { engine: 'local'; shards: number },
): Promise<SparseActivations> =>
  fg.activations.save(lmA, saeA, fg.datasets.fromTexts(texts, { context: 10 }), { ...SAVE, cluster });

describe('fg.activations.save in shards', () => {
  it.each([1, 4, 15, 50])('of %i gives the files that one process writes', async (shards) => {
    const split = filesOf((await savedIn(world.fg, { engine: 'local', shards })).folder);
    const whole = await elsewhere(async (fg) => filesOf((await savedIn(fg)).folder));
    expect(Object.keys(whole).length).toBeGreaterThan(2);
    expect(split).toEqual(whole);
    // What was merged is deleted: the result stands by itself.
    expect(fs.readdirSync(world.context.artifactFolder).filter((name) => name.startsWith('shard-'))).toEqual([]);
  });

  it('refuses a merge without all shards and with a damaged one, and makes these again', async () => {
    const call = await splitCall(world.fg.activations.save, [lmA, saeA, data(), SAVE]);
    const plan = planOf(call, 4);
    for (const index of [0, 2]) await makeShard(call, plan, plan.shards[index], own());
    await expect(mergedResult(call, plan, own())).rejects.toThrow('of 4 shards (0 to 3), shards 1,3 are absent');
    for (const shard of plan.shards) await makeShard(call, plan, shard, own());
    const folder = call.store.folderOf(shardKey(plan, plan.shards[2]));
    const file = path.join(
      folder,
      fs.readdirSync(folder).find((name) => name.startsWith('part-'))!,
      'shard-00000.safetensors',
    );
    const bytes = fs.readFileSync(file);
    bytes[bytes.length - 3] ^= 1;
    fs.writeFileSync(file, bytes);
    await expect(mergedResult(call, plan, own())).rejects.toThrow('shards 2 are damaged');
    const merged = await savedIn(world.fg, { engine: 'local', shards: 4 });
    const whole = await elsewhere(async (fg) => filesOf((await savedIn(fg)).folder));
    expect(filesOf(merged.folder)).toEqual(whole);
  });

  it('takes no shard of another plan', async () => {
    const plans = await Promise.all(
      [4, 5].map(async (n) => planOf(await splitCall(world.fg.activations.save, [lmA, saeA, data(), SAVE]), n)),
    );
    const other = planOf(
      await splitCall(world.fg.activations.save, [lmA, saeA, data(), { ...SAVE, batchTokens: 20 }]),
      4,
    );
    expect(new Set([...plans, other].map(({ id }) => id)).size).toBe(3);
    const call = await splitCall(world.fg.activations.save, [lmA, saeA, data(), SAVE]);
    for (const shard of plans[1].shards) await makeShard(call, plans[1], shard, own());
    expect(await missingShards(call.store, plans[0])).toHaveLength(4);
    expect(await missingShards(call.store, plans[1])).toHaveLength(0);
  });

  it('goes on behind the parts that a stopped shard finished', async () => {
    const long = Array.from({ length: 400 }, (_, i) => texts[i % texts.length]);
    const args = [
      lmA,
      saeA,
      world.fg.datasets.fromTexts(long, { context: 10 }),
      { batchTokens: 10, conformance: false },
    ];
    const call = await splitCall(world.fg.activations.save, args);
    const plan = planOf(call, 2);
    const stop = new AbortController();
    const seen: number[] = [];
    const stopping = { signal: stop.signal, onProgress: ({ label, done }: { label: string; done: number }) => void (label === 'shard' && seen.push(done) === 2 && stop.abort()) }; // prettier-ignore
    await expect(makeShard(call, plan, plan.shards[0], stopping)).rejects.toThrow();
    const again: number[] = [];
    const counting = { signal: new AbortController().signal, onProgress: ({ label, done }: { label: string; done: number }) => void (label === 'shard' && again.push(done)) }; // prettier-ignore
    await makeShard(call, plan, plan.shards[0], counting);
    expect(seen).toEqual([32, 64]);
    expect(again).toEqual([96, 128, 160, 192, plan.shards[0].to]);
    expect(fs.readdirSync(path.join(world.context.artifactFolder, 'unfinished'))).toEqual([]);
  });

  it('is made once when two ask for the same shard at once', async () => {
    const call = await splitCall(world.fg.activations.save, [lmA, saeA, data(), SAVE]);
    const plan = planOf(call, 2);
    let parts = 0;
    const counting = { ...own(), onProgress: ({ label }: { label: string }) => void (label === 'shard' && parts++) };
    await Promise.all([1, 2].map(() => makeShard(call, plan, plan.shards[0], counting)));
    expect(parts).toBe(1);
    expect(fs.readdirSync(world.context.artifactFolder).filter((name) => name.startsWith('shard-'))).toHaveLength(1);
  });
});

const next = normals(5);
const points = { rows: 60, cols: 4, data: Float32Array.from({ length: 240 }, () => next()) };
const LOOK = { lens: { kind: 'pca' as const }, cover: { cubes: 4, overlap: 0.3 } };
const shards = { engine: 'local' as const, shards: 3 };

describe('runs in shards', () => {
  const verbs: ReadonlyArray<[string, (fg: typeof world.fg, cluster?: typeof shards) => Promise<unknown>]> = [
    ['nulls', (fg, cluster) => fg.mapper.nulls(points, { ...LOOK, nulls: { runs: 6, seed: 2 }, cluster })],
    [
      'sweep',
      (fg, cluster) =>
        fg.mapper.sweep(points, { lens: LOOK.lens, cubes: [3, 4], overlaps: [0.2, 0.4], draws: 2, nulls: 2, cluster }),
    ],
    ['stability', (fg, cluster) => fg.mapper.stability(points, { ...LOOK, draws: 5, pairs: 50, cluster })],
  ];
  it.each(verbs)('of fg.mapper.%s give the result of one process', async (_, make) => {
    const split = await make(world.fg, shards);
    expect(await elsewhere((fg) => make(fg))).toEqual(split);
  });

  it('of fg.correlation.scores and grid give the result of one process', async () => {
    const all = async (fg: typeof world.fg, cluster?: typeof shards) => {
      const text = fg.datasets.fromTexts(texts, { context: 10 });
      const stores = [
        await fg.activations.save(lmA, saeA, text, { conformance: false }),
        await fg.activations.save(lmB, saeB, text, { conformance: false }),
      ] as const;
      const map = await fg.correlation.map(...stores, { minFirings: 2 });
      const of = { metrics: ['svcca', 'rsa', 'cka-debiased'] as const, intervals: 4, cluster };
      const shuffled = await fg.correlation.scores(saeA, saeB, map, { ...of, nulls: { runs: 7, seed: 3 } });
      const drawn = await fg.correlation.scores(saeA, saeB, map, {
        ...of,
        nulls: { kind: 'random-features', runs: 4 },
      });
      const grid = await fg.correlation.grid(
        { model: lmA, saes: [saeA, randomSae(21, 24, lmA.id)] },
        { model: lmB, saes: [saeB, randomSae(23, 18, lmB.id)] },
        text,
        { minFirings: 2, metrics: ['cka'], nulls: 3, conformance: false, cluster },
      );
      return { shuffled, drawn, grid };
    };
    const split = await all(world.fg, shards);
    expect(await elsewhere((fg) => all(fg))).toEqual(split);
    // A result that the verb itself does not keep is kept when it was merged.
    expect((await world.fg.artifacts.list()).filter(({ kind }) => kind === 'merged')).toHaveLength(2);
  });
});

describe('fg.sae.evaluate in parts', () => {
  it('gives the figures of one process', async () => {
    const long = Array.from({ length: 160 }, (_, i) => texts[i % texts.length]);
    const evaluate = (fg: typeof world.fg, cluster?: typeof shards) =>
      fg.sae.evaluate(lmA, saeA, fg.datasets.fromTexts(long, { context: 10 }), { batchTokens: 10, conformance: false, ignoreTokens: [5], cluster }); // prettier-ignore
    const split = await evaluate(world.fg, shards);
    const whole = await elsewhere((fg) => evaluate(fg));
    expect(whole.sequences).toBeGreaterThan(128);
    expect(split).toEqual(whole);
  });
});

describe('plans', () => {
  it('cut pieces evenly, without a rest', async () => {
    const call = await splitCall(world.fg.activations.save, [lmA, saeA, data(), SAVE]);
    for (const n of [1, 2, 5, 14, 15, 99]) {
      const { shards: cut, pieces } = planOf(call, n);
      expect(pieces).toBe(15);
      expect(cut.map(({ from }) => from)).toEqual([0, ...cut.slice(0, -1).map(({ to }) => to)]);
      expect(cut.at(-1)!.to).toBe(pieces);
      const sizes = cut.map(({ from, to }) => to - from);
      expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(1);
      expect(Math.min(...sizes)).toBeGreaterThan(0);
    }
    expect(rangesOf([7, 0, 1, 2, 5])).toBe('0-2,5,7');
  });

  it('refuse what does not split, and say what a task cannot make', async () => {
    const { fg } = world;
    await expect(fg.cluster.plan(fg.models.load, ['x'])).rejects.toThrow('does not split');
    await expect(fg.cluster.plan(fg.activations.save, [lmA, saeA, data()])).rejects.toThrow(
      'argument 1 of fg.activations.save is a TransformerModel that no call of fg made',
    );
    await expect(fg.activations.save(lmA, saeA, data(), { cluster: { shard: 3 } as never })).rejects.toThrow(
      'did you mean "shards"',
    );
  });
});
