/** { baselines } of activations, maps, correlation, splitting and probes: each is the same call of the baselines. */
import { describe, expect, it } from 'vitest';
import { DISPLAY } from '#kernel/present/items.js';
import type { Sae } from '#kernel/sae/types.js';
import { freshFg, hook, lmA, lmB, texts } from '#test/kit/fg.js';

const world = freshFg();
const data = () => world.fg.datasets.fromTexts(texts, { context: 10 });
const options = {
  ...{ hook, k: 4, steps: 20, trainBatchSizeTokens: 40, lr: 1e-2 },
  architecture: 'topk',
} as const;
const KINDS = ['frozenDecoder', 'random'] as const;
const shown = async (value: object): Promise<string> =>
  JSON.stringify(await (value as unknown as Record<symbol, () => unknown>)[DISPLAY]());

/** Two widths of one model and one SAE of another, with two baselines each. */
async function trained() {
  const { fg } = world;
  const of = async (lm: typeof lmA, features: number) => {
    const sae = await fg.sae.train(lm, data(), { ...options, features });
    return { sae, baselines: await fg.sae.baselines(lm, sae, data(), { kinds: [...KINDS] }) };
  };
  return { small: await of(lmA, 24), large: await of(lmA, 48), other: await of(lmB, 24) };
}

describe('{ baselines: true }', () => {
  it('says what to do where there are none', async () => {
    const { fg } = world;
    const sae = await fg.sae.train(lmA, data(), { ...options, features: 24 });
    const none = /no baselines of .* were made in this session: await fg\.sae\.baselines/;
    await expect(fg.activations.save(lmA, sae, data(), { baselines: true })).rejects.toThrow(none);
    const store = await fg.activations.save(lmA, sae, data());
    await expect(fg.correlation.map(store, store, { baselines: true })).rejects.toThrow(
      /no kind of baseline of .*fg\.activations\.save\(model, sae, text, \{ baselines: true \}\)/,
    );
    await expect(fg.correlation.splitting(sae, sae, { baselines: true })).rejects.toThrow(/of no SAE of which this/);
    await expect(fg.maps.pca(sae, { baselines: true })).rejects.toThrow(/of no SAE of which this session/);
    await expect(fg.show(sae, { baselines: true })).rejects.toThrow(none);
  });

  it('of activations, maps, filters and scores are the same calls of the baselines, with ids as without', async () => {
    const { fg } = world;
    const { small, other } = await trained();
    const plain = await fg.activations.save(lmA, small.sae, data());
    const a = await fg.activations.save(lmA, small.sae, data(), { baselines: true });
    const b = await fg.activations.save(lmB, other.sae, data(), { baselines: true });
    expect(a.id).toBe(plain.id);
    expect(Object.keys(a.baselines!)).toEqual([...KINDS]);
    const frozenA = await fg.activations.save(lmA, small.baselines.frozenDecoder!, data());
    const frozenB = await fg.activations.save(lmB, other.baselines.frozenDecoder!, data());
    expect(a.baselines!.frozenDecoder.id).toBe(frozenA.id);

    const asked = { minFirings: 2, match: 'mutual' } as const;
    const map = await fg.correlation.map(a, b, { ...asked, baselines: true });
    const frozen = await fg.correlation.map(frozenA, frozenB, asked);
    expect(map.id).toBe((await fg.correlation.map(a, b, asked)).id);
    expect(map.baselines!.frozenDecoder.id).toBe(frozen.id);
    expect(map.baselines!.frozenDecoder.pairs).toEqual(frozen.pairs);
    expect(await shown(map)).toMatch(/SAE.*frozenDecoder.*random/);

    const kept = await map.restrict({ minR: 0.2 });
    expect(kept.baselines!.frozenDecoder.pairs).toEqual((await frozen.restrict({ minR: 0.2 })).pairs);
    expect((await map.restrict({ features: { a: [0, 1] } })).baselines).toBeUndefined();

    const scores = await fg.correlation.scores(small.sae, other.sae, map, { nulls: 4, baselines: true });
    const alone = await fg.correlation.scores(small.baselines.frozenDecoder!, other.baselines.frozenDecoder!, frozen, { nulls: 4 }); // prettier-ignore
    expect([...scores.baselines!.frozenDecoder]).toEqual([...alone]);
    expect(await shown(scores)).toContain('frozenDecoder');
    const tokens = await fg.correlation.sameToken(map, { baselines: true });
    expect(tokens.baselines!.random).toEqual(await fg.correlation.sameToken(map.baselines!.random));
    await expect(fg.correlation.sameToken(frozen, { baselines: true })).rejects.toThrow(/the map has no baselines/);

    // A side without baselines stands for all.
    const oneSided = await fg.correlation.map(a, frozenB, { ...asked, baselines: true });
    expect(oneSided.baselines!.frozenDecoder.id).toBe(frozen.id);
  });

  it('of splitting are splitting of the baselines, by decoder rows and by activations', async () => {
    const { fg, context } = world;
    const { small, large } = await trained();
    const asked = { nulls: 4, least: 0.1 };
    const rows = await fg.correlation.splitting(small.sae, large.sae, { ...asked, baselines: true });
    const [frozenSmall, frozenLarge] = [small, large].map(({ baselines }) => baselines.frozenDecoder!);
    expect(rows.baselines!.frozenDecoder).toEqual(await fg.correlation.splitting(frozenSmall, frozenLarge, asked));
    expect(await shown(rows)).toContain('frozenDecoder');
    expect(JSON.stringify(context.shown)).toContain('Splitting beside that of the baselines');

    const save = (sae: Sae, baselines?: true) => fg.activations.save(lmA, sae, data(), { baselines });
    const bare = { small: await save(small.sae), large: await save(large.sae) };
    const fires = { ...asked, minFirings: 2 };
    await expect(
      fg.correlation.splitting(small.sae, large.sae, { ...fires, activations: bare, baselines: true }),
    ).rejects.toThrow(/carry none of its frozenDecoder baseline/);
    const activations = { small: await save(small.sae, true), large: await save(large.sae, true) };
    const beside = await fg.correlation.splitting(small.sae, large.sae, { ...fires, activations, baselines: true });
    const alone = await fg.correlation.splitting(frozenSmall, frozenLarge, {
      ...fires,
      activations: { small: await save(frozenSmall), large: await save(frozenLarge) },
    });
    expect(beside.baselines!.frozenDecoder).toEqual(alone);
    const { baselines: _, ...own } = beside;
    expect(own).toEqual(await fg.correlation.splitting(small.sae, large.sae, { ...fires, activations: bare }));
  });

  it('of layouts and pictures are those of the baselines, a picture for each', async () => {
    const { fg, context } = world;
    const { small, other } = await trained();
    const [layoutA, layoutB] = [
      await fg.maps.pca(small.sae, { baselines: true }),
      await fg.maps.pca(other.sae, { baselines: true }),
    ];
    expect(layoutA.baselines!.random.id).toBe((await fg.maps.pca(small.baselines.random!)).id);
    expect(layoutA.id).toBe((await fg.maps.pca(small.sae)).id);
    const a = await fg.activations.save(lmA, small.sae, data(), { baselines: true });
    const b = await fg.activations.save(lmB, other.sae, data(), { baselines: true });
    const map = await fg.correlation.map(a, b, { minFirings: 2, baselines: true });
    const one = await fg.show.map(small.sae, { nNeighbors: 5, nEpochs: 5, baselines: true });
    expect(Object.keys(one.baselines!)).toEqual([...KINDS]);
    const twins = await fg.show.map([layoutA, layoutB], { map, baselines: true });
    expect(twins.baselines!.random.id).toBe(
      (await fg.show.map([layoutA.baselines!.random, layoutB.baselines!.random], { map: map.baselines!.random, title: 'random baseline' })).id, // prettier-ignore
    );
    const before = context.shown.length;
    await fg.show(layoutA, { activations: a, title: 'Mine', baselines: true });
    expect(context.shown.length - before).toBe(1 + KINDS.length);
    expect(JSON.stringify(context.shown.slice(before))).toContain('Mine: frozenDecoder baseline');
    await expect(fg.show(await fg.maps.pca(saeOnly(other.sae)), { baselines: true })).rejects.toThrow(
      /carries none of/,
    );
  });

  it('of probes are probes of the baselines', async () => {
    const { fg } = world;
    const { small } = await trained();
    const asked = { labels: { odd: (token: string) => Number(token) % 2 === 1 }, maxTokens: 60 };
    const found = await fg.sae.probe(lmA, small.sae, data(), { ...asked, baselines: true });
    expect(found.baselines!.random).toEqual(await fg.sae.probe(lmA, small.baselines.random!, data(), asked));
    await shown(found);
    expect(JSON.stringify(world.context.shown)).toContain('Sparse probes beside the baselines');
  });
});

const saeOnly = ({ decoder }: Sae) => ({ rows: decoder.rows, cols: decoder.cols, data: decoder.data });
