/** fg.correlation.stability and splitting say when SAEs are one and the same, or are of two models or hooks. */
import { describe, expect, it } from 'vitest';
import { freshFg, hook, lmA, lmB, randomSae, saeA, saeB, texts } from '#test/kit/fg.js';
import { tinySae } from '#test/kit/sae.js';

const world = freshFg();
const WARNED = /^Warning: (SAE \d|the small SAE) /;
const warned = (): string[] => world.context.printed.filter((line) => WARNED.test(line));
const d = saeA.config.dIn;
const seed7 = randomSae(7, 24, lmA.id);
const later = 'blocks.1.hook_mlp_out';
const elsewhere = tinySae(later, d, 24, { modelId: lmA.id });
const saved = (lm: typeof lmA, sae: typeof saeA) =>
  world.fg.activations.save(lm, sae, world.fg.datasets.fromTexts(texts, { context: 10 }), { conformance: false });

describe('fg.correlation.stability', () => {
  const of = (...saes: Array<typeof saeA>) => world.fg.correlation.stability(saes, { nulls: 1 });

  it('of another seed warns of nothing, nor of rows that do not say where they are from', async () => {
    await of(saeA, seed7);
    await world.fg.correlation.stability([saeA, { rows: 4, cols: d, data: saeB.decoder.data.slice(0, 4 * d) }], { nulls: 1 }); // prettier-ignore
    expect(warned()).toEqual([]);
  });

  it('with itself is answered, 1, with a warning, also when the result is kept, and when two others are the same', async () => {
    const line = 'Warning: SAE 0 and SAE 1 have the same decoder rows: every feature finds itself there, which says nothing of other seeds; give SAEs that were trained apart'; // prettier-ignore
    const { scores } = await of(saeA, saeA);
    expect(scores[0]).toMatchObject({ metric: 'stability', value: 1 });
    expect(warned()).toEqual([line]);
    await of(saeA, saeA);
    expect(warned()).toEqual([line, line]);
    await of(saeA, seed7, seed7);
    expect(warned()[2]).toContain('SAE 1 and SAE 2 have the same decoder rows');
  });

  it('of another model says that cosines mean nothing, and which figures do by activations', async () => {
    await of(saeA, saeB);
    const [alone] = warned();
    expect(alone).toBe('Warning: SAE 0 and SAE 1 are of two models that are both called odd: directions of two models have no axes in common, unless one was tuned from the other, so their cosines say nothing; give { activations } of both over the same tokens'); // prettier-ignore
    const activations = [await saved(lmA, saeA), await saved(lmB, saeB)];
    await world.fg.correlation.stability([saeA, saeB], { activations, nulls: 1 });
    expect(warned()[1]).toContain('r holds, but MMCS and subspace say nothing');
  });

  it('of another hook says what the figures tell', async () => {
    await of(saeA, elsewhere);
    expect(warned()).toEqual([`Warning: SAE 0 is of ${hook} of odd but SAE 1 of ${later} of odd: figures tell how far the two hooks have features in common, not what another seed changes`]); // prettier-ignore
  });
});

describe('fg.correlation.splitting', () => {
  it('of one SAE, of two hooks and of two models is answered with a warning; of two widths with none', async () => {
    const split = (small: typeof saeA, large: typeof saeA) => world.fg.correlation.splitting(small, large, { nulls: 1 }); // prettier-ignore
    await split(randomSae(9, 6, lmA.id), saeA);
    expect(warned()).toEqual([]);
    const { parents } = await split(saeA, saeA);
    expect(parents.map((p) => [p.parent, p.children.map(({ child }) => child)])).toEqual([...Array(24).keys()].map((f) => [f, [f]])); // prettier-ignore
    await split(saeA, elsewhere);
    await split(saeB, saeA);
    const activations = { small: await saved(lmB, saeB), large: await saved(lmA, saeA) };
    await world.fg.correlation.splitting(saeB, saeA, { activations, nulls: 1, minFirings: 1 });
    const [own, hooks, models, byActivations] = warned();
    expect(own).toContain('the small SAE and the large SAE have the same decoder rows: every feature is its own child');
    expect(hooks).toContain('not what another width changes');
    expect(models).toContain('so their cosines say nothing; give { activations }');
    expect(byActivations).toContain('r holds, but cosines of children and the test of absorption say nothing');
    expect(warned()).toHaveLength(4);
  });
});
