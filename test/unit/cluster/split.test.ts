/** Calls in shards: what is merged is what one piece of work gives, to the bit, and nothing else is merged. */
import fs from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { createFg } from '#kernel/api/index.js';
import { memoryActivations } from '#kernel/activations/store.js';
import type { SparseActivations } from '#kernel/activations/types.js';
import { makeShard, mergedResult, missingShards, unmadeShards } from '#kernel/cluster/shards.js';
import { planOf, rangesOf, shardKey } from '#kernel/cluster/plan.js';
import { noteMade } from '#kernel/verb/recipe.js';
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

  it('makes what is absent and what is damaged in one go', async () => {
    const call = await splitCall(world.fg.activations.save, [lmA, saeA, data(), SAVE]);
    const plan = planOf(call, 4);
    for (const index of [0, 2]) await makeShard(call, plan, plan.shards[index], own());
    const part = path.join(call.store.folderOf(shardKey(plan, plan.shards[2])), 'part-000007');
    const file = path.join(
      part,
      fs.readdirSync(part).find((name) => name.endsWith('.safetensors'))!,
    );
    fs.truncateSync(file, fs.statSync(file).size - 1);
    expect((await unmadeShards(call.store, plan)).map(({ index }) => index)).toEqual([1, 2, 3]);
    expect((await missingShards(call.store, plan)).map(({ index }) => index)).toEqual([1, 3]);
  });

  it('is not made fresh: tasks take what is kept', async () => {
    const how = { ...SAVE, fresh: true, cluster: { engine: 'local' as const } };
    await expect(world.fg.activations.save(lmA, saeA, data(), how)).rejects.toThrow('do not go together');
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

describe('a correlation map in shards', () => {
  const stores = async (fg: typeof world.fg) => {
    const text = fg.datasets.fromTexts(texts, { context: 10 });
    return [
      await fg.activations.save(lmA, saeA, text, { conformance: false, ignoreTokens: [5] }),
      await fg.activations.save(lmB, saeB, text, { conformance: false, ignoreTokens: [6] }),
    ] as const;
  };

  it.each([
    ['argmax', 1],
    ['mutual', 4],
    ['one-to-one', 7],
    ['hungarian', 4],
    ['sinkhorn', 99],
  ] as const)('matched by %s, of %i, is the file that one process writes', async (match, count) => {
    const map = async (fg: typeof world.fg, cluster?: { engine: 'local'; shards: number }) =>
      fg.correlation.map(...(await stores(fg)), { match, minFirings: 1, minR: 0.05, cluster });
    const made = await map(world.fg, { engine: 'local', shards: count });
    expect(made.pairs.r.length).toBeGreaterThan(3);
    const split = filesOf((await world.fg.artifacts.find(made.id))!.folder);
    const whole = await elsewhere(async (fg) => filesOf((await fg.artifacts.find((await map(fg)).id))!.folder));
    expect(split).toEqual(whole);
    // It has the method of every map, and is loaded by the next call.
    expect((await made.restrict({ minR: 0.2 })).pairs.r.length).toBeLessThanOrEqual(made.pairs.r.length);
    expect((await map(world.fg)).id).toBe(made.id);
  });

  it('in shards of tokens is the file that one process writes, over more than one block of tokens', async () => {
    // Three blocks, of which most tokens hold nothing.
    const rows = 2 ** 21 + 1000;
    const indptr = Uint32Array.from({ length: rows + 1 }, (_, t) => 4 * Math.ceil(t / 500));
    const indices = Int32Array.from(
      { length: indptr[rows] },
      (_, p) => 2 * (p % 4) + (Math.imul(p, 2654435761) >>> 31),
    );
    const draw = normals(8);
    const values = Float32Array.from(indices, () => Math.abs(draw()) + 0.1);
    const acts = memoryActivations({ rows, cols: 8, indptr, indices, values });
    // As if a call had saved it: a plan says how each of its values is made.
    noteMade(acts, 'fg.activations.save', ['lm', 'sae', 'text']);
    const how = { shardsOf: 'tokens', counterparts: 5 } as const;
    const plan = await world.fg.cluster.plan(world.fg.correlation.map, [acts, acts, how]);
    expect(plan).toMatchObject({ pieces: 3, unit: 'blocks of tokens', shards: [{}, {}, {}] });
    expect(plan.id).not.toBe((await world.fg.cluster.plan(world.fg.correlation.map, [acts, acts])).id);
    const made = await world.fg.correlation.map(acts, acts, { ...how, cluster: { engine: 'local', shards: 2 } });
    const folder = (await world.fg.artifacts.find(made.id))!.folder;
    const split = filesOf(folder);
    const whole = await world.fg.correlation.map(acts, acts, { ...how, fresh: true });
    expect(whole.id).toBe(made.id);
    expect(filesOf(folder)).toEqual(split);
    expect(made.rAofB.some((r) => r > 0 && r < 1)).toBe(true);
  });

  it('states what it takes, makes a damaged tile of a stopped shard again, and refuses too little memory', async () => {
    const args = await stores(world.fg);
    const of = { match: 'hungarian' as const, minFirings: 1 };
    const call = await splitCall(world.fg.correlation.map, [...args, of]);
    const plan = planOf(call, 2);
    expect(plan.pieces).toBe(saeA.config.dSae + saeB.config.dSae);
    expect(plan.disk).toBe(12 * 32 * plan.pieces);
    const [shard] = plan.shards;
    await makeShard(call, plan, shard, own());
    // As if the task had been stopped before its end: the tile is kept, cut off.
    const folder = call.store.folderOf(shardKey(plan, shard));
    const tile = fs.readdirSync(folder).find((name) => name.startsWith('features-'))!;
    const whole = fs.readFileSync(path.join(folder, tile));
    await call.store.drop(shardKey(plan, shard));
    const resume = path.join(
      call.store.folder,
      'unfinished',
      `shard-${call.store.idOf(shardKey(plan, shard)).slice(0, 16)}`,
    );
    fs.mkdirSync(resume, { recursive: true });
    fs.writeFileSync(path.join(resume, tile), whole.subarray(0, whole.length - 8));
    await makeShard(call, plan, shard, own());
    expect(fs.readFileSync(path.join(folder, tile)).equals(whole)).toBe(true);
    await expect(
      world.fg.cluster.plan(world.fg.correlation.map, [...args, { ...of, memoryBytes: 100 }]),
    ).rejects.toThrow('but may use 100 bytes');
  });
});

describe('null runs of geometry in shards', () => {
  const saes = [saeA, randomSae(31, saeA.config.dSae, lmA.id), randomSae(32, saeA.config.dSae, lmA.id)] as const;
  const pairOf = async (fg: typeof world.fg) => {
    const text = fg.datasets.fromTexts(texts, { context: 10 });
    const [small, large] = [saes[0], saes[1]];
    return {
      small: await fg.activations.save(lmA, small, text, { conformance: false }),
      large: await fg.activations.save(lmA, large, text, { conformance: false }),
    };
  };
  const verbs: ReadonlyArray<[string, (fg: typeof world.fg, cluster?: typeof shards) => Promise<unknown>]> = [
    ['stability', (fg, cluster) => fg.correlation.stability([...saes], { nulls: 5, cluster })],
    [
      'stability with activations',
      async (fg, cluster) => {
        const { small, large } = await pairOf(fg);
        return fg.correlation.stability([saes[0], saes[1]], { activations: [small, large], minFirings: 1, nulls: { runs: 4, seed: 2 }, cluster }); // prettier-ignore
      },
    ],
    ['splitting', (fg, cluster) => fg.correlation.splitting(saes[0], saes[1], { nulls: 5, least: 0.2, cluster })],
    [
      'splitting with activations',
      async (fg, cluster) => {
        const activations = await pairOf(fg);
        return fg.correlation.splitting(saes[0], saes[1], {
          activations,
          minFirings: 1,
          least: 0.05,
          nulls: 4,
          cluster,
        });
      },
    ],
    [
      'transfer',
      async (fg, cluster) => {
        const { small, large } = await pairOf(fg);
        const map = await fg.correlation.map(small, large, { minFirings: 1 });
        const [a, b] = [{ sae: saes[0], model: lmA }, { sae: saes[1], model: lmA }]; // prettier-ignore
        return fg.correlation.transfer(a, b, map, { nulls: 5, sequences: 8, conformance: false, cluster });
      },
    ],
  ];
  it.each(verbs)('fg.correlation.%s gives the result of one process', async (_, make) => {
    const whole = await elsewhere((fg) => make(fg));
    expect((whole as { scores: Array<{ null: { runs: number } }> }).scores[0].null.runs).toBeGreaterThan(3);
    expect(await make(world.fg, shards)).toEqual(whole);
  });
});

describe('lists of calls', () => {
  const small = { hook: 'blocks.0.hook_mlp_out', architecture: 'topk' as const, k: 2, features: 8, steps: 3, trainBatchSizeTokens: 16 }; // prettier-ignore
  const list = [{ ...small, seed: 1 }, { ...small, seed: 2 }, { ...small, features: 12 }]; // prettier-ignore

  it('of options of fg.sae.train give the SAEs that one pass gives, each kept for itself', async () => {
    // As if a call had loaded it: a plan says how each of its values is made.
    const lm = Object.create(lmA) as typeof lmA;
    noteMade(lm, 'fg.models.load', ['tiny']);
    const ids = async (fg: typeof world.fg, how?: { cluster: typeof shards }) =>
      (await fg.sae.train(lm, fg.datasets.fromTexts(texts, { context: 10 }), list, how)).map(({ id }) => id);
    const apart = await ids(world.fg, { cluster: shards });
    expect(await elsewhere((fg) => ids(fg))).toEqual(apart);
    expect(new Set(apart).size).toBe(3);
    expect((await world.fg.artifacts.list()).filter(({ kind }) => kind === 'sae')).toHaveLength(3);
    await expect(world.fg.sae.train(lm, data(), [{ ...small, fresh: true }], { cluster: shards })).rejects.toThrow(
      'list[0] says { fresh: true }',
    );
    await expect(world.fg.sae.train(lm, data(), list, { shards: 2 } as never)).rejects.toThrow('behind the list');
  });

  it('of worlds, and sweeps over worlds, give what one process gives, failed cells included', async () => {
    const all = async (fg: typeof world.fg, cluster?: typeof shards) => {
      const worlds = await fg.cluster.each(
        fg.synthetic.world,
        [0, 1].map((seed) => [{ features: 16, dim: 8, seed }]),
        { cluster },
      );
      const rows = await fg.synthetic.sweep(worlds as never, {
        ...{ correlations: [0, 1], widths: [8, 16], ks: [2], samples: 400, cluster },
        saes: [{ architecture: 'topk', steps: 4, trainBatchSizeTokens: 64 }, { name: 'wild', architecture: 'topk', steps: 4, trainBatchSizeTokens: 64, lr: 1e30 }],
        recovery: { samples: 200, nulls: 2 },
      }); // prettier-ignore
      return rows.map((row) => ({ ...row, folder: undefined, cached: undefined }));
    };
    const whole = await elsewhere((fg) => all(fg));
    expect(whole).toHaveLength(8);
    expect(whole.map(({ status }) => status)).toContain('failed');
    expect(await all(world.fg, shards)).toEqual(whole);
    await expect(
      world.fg.synthetic.sweep(() => world.fg.synthetic.world({ features: 16, dim: 8 }), { saes: [{}], widths: [8], cluster: shards }), // prettier-ignore
    ).rejects.toThrow('give an array with the world of each correlation');
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
