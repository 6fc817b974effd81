/** Every verb that splits: its plan states what it takes, a merge refuses what is not whole, and merged = unsplit. */
import fs from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { createFg, type Fg } from '#kernel/api/index.js';
import { namespaces } from '#kernel/api/namespaces.js';
import { memoryActivations } from '#kernel/activations/store.js';
import { planOf, rangesOf, shardKey, type Plan } from '#kernel/cluster/plan.js';
import { makeShard, mergedResult } from '#kernel/cluster/shards.js';
import { noteMade } from '#kernel/verb/recipe.js';
import { splitCall, type SplitCall } from '#kernel/verb/split.js';
import { collectingContext } from '#test/kit/context.js';
import { freshFg, hook, lmA, lmB, randomSae, saeA, saeB, texts } from '#test/kit/fg.js';
import { CONFIGS, modelOf, randomWeights, tokenizer } from '#test/kit/model.js';
import { normals } from '#test/kit/numbers.js';

const world = freshFg();
const seeds = [31, 32].map((seed) => randomSae(seed, saeA.config.dSae, lmA.id));
const wide = randomSae(23, 18, lmB.id);
// Tokens with a space in front of each, so that they are words.
const wordedModels = [1, 2].map((seed) => modelOf(CONFIGS['GPT-2'], randomWeights(CONFIGS['GPT-2'], seed), false, { ...tokenizer, piece: (id) => ` ${id}` })); // prettier-ignore
// As if calls had loaded them: a plan says how each of its values is made.
for (const [name, value] of Object.entries({ lmA, lmB, saeA, saeB, seed1: seeds[0], seed2: seeds[1], wide }))
  noteMade(value, 'fg.models.load', [name]);

const next = normals(5);
const points = { rows: 60, cols: 4, data: Float32Array.from({ length: 240 }, () => next()) };
wordedModels.forEach((model, i) => noteMade(model, 'fg.models.load', [`worded ${i}`]));
noteMade(points, 'fg.arrays.load', ['points']);
const LOOK = { lens: { kind: 'pca' }, cover: { cubes: 4, overlap: 0.3 } } as const;

type Data = ReturnType<Fg['datasets']['fromTexts']>;
const dataOf = (fg: Fg, of = texts): Data => {
  const data = fg.datasets.fromTexts([...of], { context: 10 });
  noteMade(data, 'fg.datasets.load', ['texts']);
  return data;
};
const storesOf = async (fg: Fg) =>
  [
    await fg.activations.save(lmA, saeA, dataOf(fg), { conformance: false }),
    await fg.activations.save(lmB, saeB, dataOf(fg), { conformance: false }),
  ] as const;
const mapOf = async (fg: Fg) => fg.correlation.map(...(await storesOf(fg)), { minFirings: 2 });
const sides = [{ sae: saeA, model: lmA }, { sae: saeB, model: lmB }] as const; // prettier-ignore
const worded = [{ sae: saeA, model: wordedModels[0] }, { sae: saeB, model: wordedModels[1] }] as const; // prettier-ignore
const wordedMap = async (fg: Fg) =>
  fg.correlation.map(
    await fg.activations.save(wordedModels[0], saeA, dataOf(fg), { conformance: false }),
    await fg.activations.save(wordedModels[1], saeB, dataOf(fg), { conformance: false }),
    { minFirings: 2 },
  );
const train = { hook, architecture: 'topk', k: 2, features: 8, steps: 3, trainBatchSizeTokens: 16 } as const;
const idsOf = (results: unknown): string[] => (results as Array<{ id: string }>).map(({ id }) => id);

/** Two blocks of tokens, of which most hold nothing. */
function longStore() {
  const rows = 2 ** 20 + 1000;
  const indptr = Uint32Array.from({ length: rows + 1 }, (_, t) => 4 * Math.ceil(t / 500));
  const indices = Int32Array.from({ length: indptr[rows] }, (_, p) => 2 * (p % 4) + (Math.imul(p, 2654435761) >>> 31));
  const values = Float32Array.from(indices, (_, p) => ((p * 7) % 11) + 0.1);
  const store = memoryActivations({ rows, cols: 8, indptr, indices, values });
  noteMade(store, 'fg.activations.save', ['lm', 'sae', 'text']);
  return store;
}

interface Case {
  readonly verb: string;
  /** The arguments, options last. */
  args(fg: Fg): unknown[] | Promise<unknown[]>;
  /** What is compared; default the value itself. 'files': every byte of the result's folder. */
  readonly by?: 'files' | ((result: unknown) => unknown);
}

/** A call of each verb, small enough for three shards in a moment. */
const CASES: Readonly<Record<string, Case>> = {
  'forward passes saved': {
    verb: 'fg.activations.save',
    args: (fg) => [lmA, saeA, dataOf(fg), { batchTokens: 30, conformance: false, ignoreTokens: [5] }],
    by: 'files',
  },
  'an evaluation': {
    verb: 'fg.sae.evaluate',
    args: (fg) => [lmA, saeA, dataOf(fg, Array.from({ length: 70 }, (_, i) => texts[i % texts.length])), { batchTokens: 10, conformance: false }], // prettier-ignore
  },
  'tiles of a map': {
    verb: 'fg.correlation.map',
    args: async (fg) => [...(await storesOf(fg)), { minFirings: 2 }],
    by: 'files',
  },
  'token shards of a map': {
    verb: 'fg.correlation.map',
    args: () => [longStore(), longStore(), { shardsOf: 'tokens', counterparts: 5 }],
    by: 'files',
  },
  'a grid of layers': {
    verb: 'fg.correlation.grid',
    args: (fg) => [{ model: lmA, saes: [saeA, seeds[0]] }, { model: lmB, saes: [saeB, wide] }, dataOf(fg), { minFirings: 2, metrics: ['cka'], nulls: 3, conformance: false }], // prettier-ignore
  },
  'nulls and intervals of every score': {
    verb: 'fg.correlation.scores',
    args: async (fg) => [saeA, saeB, await mapOf(fg), { metrics: ['svcca', 'svcca-published', 'cca', 'pwcca', 'rsa', 'cka', 'cka-debiased', 'jaccard'], neighbors: 2, nulls: { runs: 2, seed: 3 }, intervals: 2 }], // prettier-ignore
  },
  'nulls and intervals of labels': {
    verb: 'fg.correlation.sameToken',
    args: async (fg) => [await mapOf(fg), { nulls: { runs: 4, seed: 1 } }],
  },
  'nulls and intervals of relations': {
    verb: 'fg.correlation.relations',
    args: async (fg) => [...worded, await wordedMap(fg), { pairs: [['8', '16'], ['4', '28'], ['20', '32'], ['10', '34']], nulls: { runs: 5, seed: 2 }, conformance: false }], // prettier-ignore
    by(related) {
      expect((related as { scores: unknown[] }).scores.length).toBeGreaterThanOrEqual(3);
      return related;
    },
  },
  'nulls of a rotation': {
    verb: 'fg.correlation.transfer',
    args: async (fg) => [...sides, await mapOf(fg), { nulls: 4, sequences: 8, conformance: false }],
  },
  'nulls of stability': {
    verb: 'fg.correlation.stability',
    args: () => [[saeA, ...seeds], { nulls: 4 }],
  },
  'nulls of splitting': {
    verb: 'fg.correlation.splitting',
    args: () => [saeA, seeds[0], { nulls: 4, least: 0.2 }],
  },
  'null graphs': { verb: 'fg.mapper.nulls', args: () => [points, { ...LOOK, nulls: { runs: 4, seed: 2 } }] },
  'a sweep of covers': {
    verb: 'fg.mapper.sweep',
    args: () => [points, { lens: LOOK.lens, cubes: [3, 4], overlaps: [0.2, 0.4], draws: 2, nulls: 2 }],
  },
  'draws of graphs': { verb: 'fg.mapper.stability', args: () => [points, { ...LOOK, draws: 4, pairs: 50 }] },
  'seeds, widths and settings of trainings': {
    verb: 'fg.sae.train',
    args: (fg) => [
      lmA,
      dataOf(fg),
      [
        { ...train, seed: 1 },
        { ...train, features: 12 },
        { ...train, k: 3 },
      ],
    ],
    by: idsOf,
  },
  worlds: {
    verb: 'fg.cluster.each',
    args: (fg) => [fg.synthetic.world, [0, 1, 2].map((seed) => [{ features: 16, dim: 8, seed }])],
    by: idsOf,
  },
  'a sweep over worlds': {
    verb: 'fg.synthetic.sweep',
    args: async (fg) => [[await fg.synthetic.world({ features: 16, dim: 8 })], { widths: [8, 12, 16], ks: [2], samples: 400, saes: [{ architecture: 'topk', steps: 4, trainBatchSizeTokens: 64 }], recovery: { samples: 200, nulls: 2 } }], // prettier-ignore
    by: (rows) => (rows as object[]).map((row) => ({ ...row, folder: undefined, cached: undefined })),
  },
};

type Call = (...given: unknown[]) => Promise<unknown>;
/** "fg.mapper.nulls" of a session. */
const verbOf = (fg: Fg, name: string): Call =>
  name.split('.').slice(1).reduce<unknown>((at, key) => (at as Record<string, unknown>)[key], fg) as Call; // prettier-ignore

const own = () => ({ signal: new AbortController().signal, onProgress: () => undefined });
const folderOf = (call: SplitCall, plan: Plan, index: number): string =>
  call.store.folderOf(shardKey(plan, plan.shards[index]));

function filesOf(folder: string): Record<string, string> {
  const names = fs.readdirSync(folder).filter((name) => name !== 'artifact.json');
  expect(names).not.toEqual([]);
  return Object.fromEntries(names.sort().map((name) => [name, fs.readFileSync(path.join(folder, name), 'base64')]));
}

const filesIn = (folder: string): string[] =>
  fs.existsSync(folder) ? fs.readdirSync(folder, { recursive: true, encoding: 'utf8' }) : [];

/** Changes one byte of a shard. */
function damage(folder: string): void {
  const [file] = (fs.readdirSync(folder, { recursive: true }) as string[])
    .filter((name) => path.basename(name) !== 'artifact.json' && fs.statSync(path.join(folder, name)).isFile())
    .map((name) => path.join(folder, name));
  const bytes = fs.readFileSync(file);
  bytes[bytes.length >> 1] ^= 1;
  fs.writeFileSync(file, bytes);
}

/** A call with the option `cluster`, behind a list of options or among them. */
function spread(args: unknown[]): unknown[] {
  const cluster = { engine: 'local', shards: 3 };
  const last = args.at(-1);
  return Array.isArray(last) ? [...args, { cluster }] : [...args.slice(0, -1), { ...(last as object), cluster }];
}

const compared = (of: Case, call: SplitCall, result: unknown): unknown =>
  of.by === 'files' ? filesOf(call.store.folderOf(call.key)) : of.by ? of.by(result) : result;

describe('every verb that splits', () => {
  it('is tried here', () => {
    const all = Object.values(namespaces).flatMap(({ name, verbs }) =>
      Object.entries(verbs)
        .filter(([, verb]) => verb.splits || 'listed' in verb)
        .map(([key]) => `fg.${name}.${key}`),
    );
    expect(new Set(Object.values(CASES).map(({ verb }) => verb))).toEqual(new Set(all));
  });

  it.each(Object.entries(CASES))('%s: a plan of number, cost and memory that makes nothing', async (_, of) => {
    const args = await of.args(world.fg);
    const before = filesIn(world.context.artifactFolder);
    const plan = await world.fg.cluster.plan(verbOf(world.fg, of.verb), args, { shards: 3 });
    expect(plan.shards).toHaveLength(Math.min(3, plan.pieces));
    expect(plan.pieces).toBeGreaterThan(1);
    expect(plan.unit).toMatch(/^[a-z0-9 ,-]+$/i);
    expect(plan.work.amount).toBeGreaterThanOrEqual(plan.pieces);
    expect(plan.work.unit).not.toBe('');
    // The kernel alone takes 300 MiB; what a small call holds beside it is not nothing, and not the machine.
    expect(plan.memory).toBeGreaterThan(300 * 2 ** 20);
    expect(plan.memory).toBeLessThan(8 * 2 ** 30);
    expect(plan.disk).toBeGreaterThan(0);
    expect(plan.array).toContain(`#SBATCH --array=0-${plan.shards.length - 1}`);
    const again = await world.fg.cluster.plan(verbOf(world.fg, of.verb), args, { shards: 3 });
    expect(again.id).toBe(plan.id);
    expect((await world.fg.cluster.plan(verbOf(world.fg, of.verb), args, { shards: 1 })).id).not.toBe(plan.id);
    expect(filesIn(world.context.artifactFolder)).toEqual(before);
  });

  it.each(Object.entries(CASES))(
    '%s: what is missing, damaged or of another shard is refused by name; merged = unsplit',
    async (_, of) => {
      const { fg } = world;
      const args = await of.args(fg);
      const call = await splitCall(verbOf(fg, of.verb), args);
      const plan = planOf(call, 3);
      const last = plan.shards.length - 1;
      await makeShard(call, plan, plan.shards[0], own());
      const missing = last === 1 ? '1' : '1-2';
      await expect(mergedResult(call, plan, own())).rejects.toThrow(`shards ${missing} are absent`);
      for (const shard of plan.shards) await makeShard(call, plan, shard, own());
      // The first shard stands in the place of the last, whole but not the one; the first itself is damaged.
      fs.rmSync(folderOf(call, plan, last), { recursive: true });
      fs.cpSync(folderOf(call, plan, 0), folderOf(call, plan, last), { recursive: true });
      damage(folderOf(call, plan, 0));
      await expect(mergedResult(call, plan, own())).rejects.toThrow(`shards ${rangesOf([0, last])} are damaged`);
      // The call itself makes what is not whole, and merges.
      const merged = compared(of, call, await verbOf(fg, of.verb)(...spread(args)));
      // Where results are kept each by themselves, the shards stay as the word that all were made.
      const left = filesIn(world.context.artifactFolder).filter((name) => /^shard-[0-9a-f]+$/.test(name));
      expect(left).toHaveLength((await call.kept()) ? 0 : plan.shards.length);
      const context = collectingContext();
      try {
        const alone = await createFg(context, { device: 'cpu' });
        const same = await of.args(alone);
        const whole = await verbOf(alone, of.verb)(...same);
        expect(merged).toEqual(compared(of, await splitCall(verbOf(alone, of.verb), same), whole));
      } finally {
        context.remove();
      }
    },
  );
});
