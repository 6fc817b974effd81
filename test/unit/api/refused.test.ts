/**
 * Values that a declaration excludes are refused by it, before a room sees them: the rooms do not check them again.
 * The table holds what users meet; a call that got past its declaration would compute, or fail in other words.
 */
import { describe, expect, it } from 'vitest';
import { freshFg, hook, lmA, lmB, saeA, saeB, texts } from '#test/kit/fg.js';

const world = freshFg();
const vector = new Float32Array(15).fill(1);

describe('fg.interventions refuses what its declarations exclude', () => {
  const data = () => world.fg.datasets.fromTexts(texts, { context: 10 });
  const push = () => world.fg.interventions.steer(lmA, hook, vector, { scale: 1 });
  const sides = [
    { model: lmA, sae: saeA },
    { model: lmB, sae: saeB },
  ] as const;

  type Name = keyof typeof world.fg.interventions;
  /** A verb with its usual arguments, and the options of the case. */
  const usual: Partial<Record<Name, () => unknown[]>> = {
    steer: () => [lmA, hook, vector],
    cap: () => [lmA, hook, vector],
    clamp: () => [lmA, saeA, 3],
    scale: () => [lmA, saeA, 3],
    ablate: () => [lmA, saeA, 3],
    patch: () => [lmA, hook],
    direction: () => [lmA, hook, '3'],
    compare: () => [lmA, [], ['3']],
    effects: () => [lmA, push(), saeA, data()],
    logitEffects: () => [lmA, push(), data()],
    attribution: () => [lmA, saeA, '3 17 5', 'loss'],
    transfer: () => [...sides, {}, data()],
    circuit: () => [lmA, saeA, saeA, '3 17 5'],
    jointMap: () => [lmA, push(), data()],
    panel: () => [lmA, saeA],
  };
  const whole = (min: number): string => `expected a whole number of at least ${min}`;
  const FINITE = 'expected a finite number';

  it.each<[Name, object, string]>([
    ['steer', { scale: NaN }, `scale is NaN; ${FINITE}`],
    ['steer', {}, `scale is missing; ${FINITE}`],
    ['steer', { scale: 1, normalize: 'l2' }, `normalize is "l2"; expected 'none', 'unit' or 'residual'`],
    ['cap', { cap: NaN }, `cap is NaN; ${FINITE}`],
    ['clamp', { value: NaN }, `value is NaN; ${FINITE}`],
    ['clamp', {}, `value is missing; ${FINITE}`],
    ['clamp', { value: 1, errorTerm: 'no' }, `errorTerm is "no"; expected 'keep' or 'drop'`],
    ['scale', { by: Infinity }, `by is Infinity; ${FINITE}`],
    ['ablate', { method: 'max' }, `method is "max"; expected 'zero', 'mean' or 'resample'`],
    ['ablate', { method: 'resample', seed: 0.5 }, 'seed is 0.5; expected a whole number'],
    ['patch', { prompt: 3 }, 'prompt is 3; expected a text or an Int32Array of token ids'],
    ['patch', { from: [] }, 'from is []; expected an array of a whole number, at least one'],
    ['direction', { samples: 0 }, `samples is 0; ${whole(1)}`],
    ['direction', { minus: [3] }, 'minus[0] is 3; expected text'],
    ['compare', { top: 0 }, `top is 0; ${whole(1)}`],
    ['compare', { draws: 0 }, `draws is 0; ${whole(1)}`],
    ['compare', { watch: [] }, 'watch is []; expected an array of a token as a text or its id, at least one'],
    ['effects', { samples: 0 }, `samples is 0; ${whole(1)}`],
    ['effects', { samples: 1.5 }, `samples is 1.5; ${whole(1)}`],
    ['effects', { top: 0 }, `top is 0; ${whole(1)}`],
    ['effects', { batchTokens: 0 }, `batchTokens is 0; ${whole(1)}`],
    ['effects', { test: 'signFlip', nulls: 0 }, `nulls is 0; ${whole(1)}`],
    ['effects', { test: 'signFlip', nulls: { seed: NaN } }, 'seed is NaN; expected a whole number'],
    ['effects', { test: 't' }, `test is "t"; expected 'wilcoxon' or 'signFlip'`],
    ['logitEffects', { nulls: 1.5 }, `nulls is 1.5; ${whole(0)}`],
    [
      'logitEffects',
      { nulls: { kind: 'random' } },
      `kind is "random"; expected 'isotropic', 'differences' or 'decoder'`,
    ],
    ['logitEffects', { nulls: { kind: [] } }, 'kind is []; expected an array of'],
    ['logitEffects', { nulls: { seed: 0.5 } }, 'seed is 0.5; expected a whole number'],
    ['logitEffects', { batchTokens: NaN }, `batchTokens is NaN; ${whole(1)}`],
    ['logitEffects', { top: -1 }, `top is -1; ${whole(1)}`],
    ['logitEffects', { positions: 'first' }, `positions is "first"; expected 'all' or 'last'`],
    ['attribution', { steps: 0, method: 'integrated' }, `steps is 0; ${whole(1)}`],
    ['attribution', { method: 'exact' }, `method is "exact"; expected 'gradient' or 'integrated'`],
    ['attribution', { verify: -1 }, `verify is -1; ${whole(0)}`],
    ['attribution', { nulls: 0 }, `nulls is 0; ${whole(1)}`],
    ['attribution', { seed: NaN }, 'seed is NaN; expected a whole number'],
    ['transfer', { pairs: 1 }, `pairs is 1; ${whole(2)}`],
    ['transfer', { nulls: 0 }, `nulls is 0; ${whole(1)}`],
    ['transfer', { choose: 'first' }, `choose is "first"; expected 'highest-r' or 'random'`],
    ['transfer', { measure: 'r' }, `measure is "r"; expected 'cosine' or 'spearman'`],
    ['circuit', { sources: 0 }, `sources is 0; ${whole(1)}`],
    ['circuit', { features: [] }, 'features is []; expected an array of numbers, at least one'],
    ['circuit', { nulls: { seed: 1.5 } }, 'seed is 1.5; expected a whole number'],
    ['jointMap', { hook, nulls: 0 }, `nulls is 0; ${whole(1)}`],
    ['jointMap', { hook, points: 1 }, `points is 1; ${whole(2)}`],
    ['jointMap', { hook, method: 'tsne' }, `method is "tsne"; expected 'pca' or 'umap'`],
    ['panel', { prompt: '3', positions: [] }, 'positions is []; expected an array of a whole number, at least one'],
    ['panel', { prompt: '3', tokens: 1000 }, 'tokens is 1000; expected a whole number from 1 to 200'],
  ])('%s %j', async (name, options, message) => {
    const call = world.fg.interventions[name] as (...given: unknown[]) => unknown;
    await expect(async () => await call(...usual[name]!(), options)).rejects.toThrow(message);
    await expect(async () => await call(...usual[name]!(), options)).rejects.toThrow(`fg.interventions.${name}: `);
  });

  it.each<[unknown, string]>([
    [[], 'positions is []; expected an array of a whole number, at least one'],
    [1.5, 'positions is 1.5; expected a whole number'],
    [NaN, 'positions is NaN; expected a whole number'],
    [[0, 1.5], 'positions[1] is 1.5; expected a whole number'],
    [{ from: 0.5 }, 'positions.from is 0.5; expected a whole number'],
    [{}, 'positions is an object; expected '],
    [{ token: true }, 'positions.token is true; expected a token as a text'],
    [{ token: [] }, 'token is []; expected an array of a token as a text or its id, at least one'],
    [{ regex: 3 }, 'positions.regex is 3; expected a regular expression'],
    [{ token: 3, regex: /3/ }, 'positions is given in one way, not by token and regex: make two interventions'],
    [{ tokens: 3 }, 'positions has no option "tokens" (did you mean "token"?); it has from, to, token, regex'],
    ['first', `positions is "first"; expected 'all' or 'last', an index`],
  ])('positions %j', (positions, message) => {
    const { steer } = world.fg.interventions;
    expect(() => steer(lmA, hook, vector, { scale: 1, positions } as never)).toThrow(message);
  });

  it.each<[string, () => unknown, string]>([
    [
      'a feature that is no number',
      () => world.fg.interventions.ablate(lmA, saeA, 0.5),
      `features is 0.5; ${whole(0)}`,
    ],
    ['one below 0', () => world.fg.interventions.ablate(lmA, saeA, [3, -1]), `features[1] is -1; ${whole(0)}`],
    ['a word', () => world.fg.interventions.ablate(lmA, saeA, 'some' as never), 'features is "some"; expected the id'],
    [
      'no vector',
      () => world.fg.interventions.steer(lmA, hook, {} as never, { scale: 1 }),
      'vector is an object; expected a Float32Array',
    ],
    [
      'no prompt',
      () => world.fg.interventions.compare(lmA, [], []),
      'prompts is []; expected an array of text, at least one',
    ],
    [
      'a prompt that is no text',
      () => world.fg.interventions.compare(lmA, [], ['3', 4] as never),
      'prompts[1] is 4; expected text',
    ],
    [
      'no target',
      () => world.fg.interventions.attribution(lmA, saeA, '3', { token: [] }),
      'token is []; expected an array',
    ],
    [
      'a text that is none',
      () => world.fg.interventions.run(lmA, [], 3 as never),
      'text is 3; expected a text or an Int32Array',
    ],
    [
      'a side',
      () => world.fg.interventions.pairOf({} as never, 3, { side: 'C' as 'A' }),
      `side is "C"; expected 'A' or 'B'`,
    ],
    [
      'a side without activations',
      () => world.fg.interventions.bothModels(sides[0] as never, sides[1] as never, {} as never, 3, { kind: 'ablate' }),
      'a.activations is undefined',
    ],
  ])('arguments: %s', async (_, call, message) => {
    await expect(async () => await call()).rejects.toThrow(message);
  });
});
