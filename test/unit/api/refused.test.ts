/**
 * Values that a declaration excludes are refused by it, before a room sees them: the rooms do not check them again.
 * The table holds what users meet; a call that got past its declaration would compute, or fail in other words.
 */
import { describe, expect, it } from 'vitest';
import { freshFg, hook, lmA, lmB, saeA, saeB, texts } from '#test/kit/fg.js';

const world = freshFg();
const vector = new Float32Array(15).fill(1);
const whole = (min: number): string => `expected a whole number of at least ${min}`;

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
    ['patch', { from: [] }, 'from is []; expected an array of at least one, each a whole number'],
    ['direction', { samples: 0 }, `samples is 0; ${whole(1)}`],
    ['direction', { minus: [3] }, 'minus[0] is 3; expected text'],
    ['compare', { top: 0 }, `top is 0; ${whole(1)}`],
    ['compare', { draws: 0 }, `draws is 0; ${whole(1)}`],
    ['compare', { watch: [] }, 'watch is []; expected an array of at least one, each a token as a text or its id'],
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
    ['circuit', { features: [] }, 'features is []; expected an array of whole numbers of at least 0, at least one'],
    ['circuit', { nulls: { seed: 1.5 } }, 'seed is 1.5; expected a whole number'],
    ['jointMap', { hook, nulls: 0 }, `nulls is 0; ${whole(1)}`],
    ['jointMap', { hook, points: 1 }, `points is 1; ${whole(2)}`],
    ['jointMap', { hook, method: 'tsne' }, `method is "tsne"; expected 'pca' or 'umap'`],
    [
      'panel',
      { prompt: '3', positions: [] },
      'positions is []; expected an array of at least one, each a whole number',
    ],
    ['panel', { prompt: '3', tokens: 1000 }, 'tokens is 1000; expected a whole number from 1 to 200'],
  ])('%s %j', async (name, options, message) => {
    const call = world.fg.interventions[name] as (...given: unknown[]) => unknown;
    await expect(async () => await call(...usual[name]!(), options)).rejects.toThrow(message);
    await expect(async () => await call(...usual[name]!(), options)).rejects.toThrow(`fg.interventions.${name}: `);
  });

  it.each<[unknown, string]>([
    [[], 'positions is []; expected an array of at least one, each a whole number'],
    [1.5, 'positions is 1.5; expected a whole number'],
    [NaN, 'positions is NaN; expected a whole number'],
    [[0, 1.5], 'positions[1] is 1.5; expected a whole number'],
    [{ from: 0.5 }, 'positions.from is 0.5; expected a whole number'],
    [{}, 'positions is an object; expected '],
    [{ token: true }, 'positions.token is true; expected a token as a text'],
    [{ token: [] }, 'token is []; expected an array of at least one, each a token as a text or its id'],
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
      'prompts is []; expected an array of at least one, each text',
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

describe('fg.synthetic refuses what its declarations exclude', () => {
  type Synthetic = typeof world.fg.synthetic;
  const small = async () => world.fg.synthetic.world({ features: 8, dim: 4 });
  const twins = async () => world.fg.synthetic.twins(await small(), { features: 4 });
  const plan = { saes: [{ architecture: 'topk', steps: 1 }], widths: [4], ks: [1] };

  it.each<[keyof Synthetic, () => unknown[] | Promise<unknown[]>, string]>([
    ['recovery', async () => [await small(), saeA, { samples: 1 }], `samples is 1; ${whole(2)}`],
    ['recovery', async () => [await small(), saeA, { nulls: -1 }], `nulls is -1; ${whole(0)}`],
    [
      'recovery',
      async () => [await small(), saeA, { mainCosine: 2 }],
      'mainCosine is 2; expected a number at least 0 and at most 1',
    ],
    [
      'twins',
      async () => [await small(), { shared: 1.2 }],
      'shared is 1.2; expected a number at least 0 and at most 1',
    ],
    ['twins', async () => [await small(), { splits: 0.5 }], `splits is 0.5; ${whole(0)}`],
    ['scoreResponse', async () => [await small(), { pairing: 'best' }], `pairing is "best"; expected 'truth', `],
    ['calibrate', async () => [await twins(), { bin: 0 }], 'bin is 0; expected a number above 0 and at most 1'],
    [
      'mutualRegularization',
      async () => [await small(), { couplings: [-1] }],
      'couplings is [-1]; expected an array of different numbers of at least 0',
    ],
    [
      'mutualRegularization',
      async () => [await small(), { mmcs: 'mean' }],
      `mmcs is "mean"; expected 'max' or 'hungarian'`,
    ],
    [
      'sweep',
      () => [small, { ...plan, widths: [] }],
      'widths is []; expected an array of different whole numbers of at least 1, at least one',
    ],
    [
      'sweep',
      () => [small, { ...plan, widths: [4.5] }],
      'widths is [4.5]; expected an array of different whole numbers',
    ],
    [
      'sweep',
      () => [small, { ...plan, saes: [] }],
      'saes is []; expected an array of at least one, each options such as',
    ],
    ['preset', () => ['marks-2024', { k: 0 }], `k is 0; ${whole(1)}`],
    ['preset', () => ['sharkey-2022', { l0: 0 }], 'l0 is 0; expected a number above 0'],
    [
      'preset',
      () => ['lan-2024', { publishedBatch: 1e6 }],
      'publishedBatch is 1000000; expected a whole number from 1 to 65536',
    ],
    ['preset', () => ['lan-2024', { noise: { std: -1 } }], 'noise.std is -1; expected a number at least 0'],
    ['concepts', () => [{}, {}, { threshold: 1 }], 'threshold is 1; expected a number at least 0 and below 1'],
    ['concepts', () => [{}, {}, { nulls: { kind: 'words' } }], `kind is "words"; expected 'rotate' or 'types'`],
    ['concepts', () => [{}, {}, { labels: { minF1: 0 } }], 'minF1 is 0; expected a number above 0 and at most 1'],
  ])('%s: case %#', async (name, given, message) => {
    const call = world.fg.synthetic[name] as (...args: unknown[]) => unknown;
    const args = await given();
    await expect(async () => await call(...args)).rejects.toThrow(message);
  });

  it('fg.datasets.stories too', () => {
    expect(() => world.fg.datasets.stories({ stories: 0 })).toThrow(`stories is 0; ${whole(1)}`);
  });
});

describe('fg.mapper refuses what its declarations exclude', () => {
  const circle = { rows: 4, cols: 2, data: Float32Array.of(1, 0, 0, 1, -1, 0, 0, -1) };

  it.each<[keyof typeof world.fg.mapper, object, string]>([
    ['nulls', { nulls: 0 }, `nulls is 0; ${whole(1)}`],
    ['nulls', { nulls: { kind: 'other' } }, `kind is "other"; expected 'rotated', 'shuffled' or 'gaussian'`],
    ['stability', { draws: 0 }, `draws is 0; ${whole(1)}`],
    ['stability', { draws: { share: 0 } }, 'share is 0; expected a number above 0 and at most 1'],
    ['stability', { draws: { kind: 'jackknife' } }, `kind is "jackknife"; expected 'bootstrap' or 'subsample'`],
    ['sweep', { cubes: [] }, 'cubes is []; expected an array of different whole numbers of at least 1, at least one'],
    ['sweep', { cubes: [2.5] }, 'cubes is [2.5]; expected an array of different whole numbers'],
    ['sweep', { overlaps: [0.1, 0.1] }, 'expected an array of different numbers of at least 0 and below 1'],
    ['sweep', { overlaps: [1] }, 'overlaps is [1]; expected an array of different numbers of at least 0 and below 1'],
    ['sweep', { nulls: -1 }, `nulls is -1; ${whole(0)}`],
    ['sweep', { draws: -1 }, `draws is -1; ${whole(0)}`],
    ['persistence', { maxDim: 3 }, 'maxDim is 3; expected 0, 1 or 2'],
    ['persistence', { threshold: NaN }, 'threshold is NaN; expected a number at least 0'],
    ['persistence', { nulls: -1 }, `nulls is -1; ${whole(0)}`],
    ['persistence', { landmarks: 0 }, `landmarks is 0; ${whole(1)}`],
    ['persistence', { metric: 'taxi' }, `metric is "taxi"; expected 'euclidean' or 'cosine'`],
    ['persistence', { sampling: 'grid' }, `sampling is "grid"; expected 'maxmin' or 'random'`],
    ['graph', { lens: { kind: 'eccentricity', exponent: 0 } }, 'exponent is 0; expected a number above 0, or Infinity'],
    [
      'graph',
      { lens: { kind: 'dimensions', columns: [-1] } },
      'columns is [-1]; expected an array of whole numbers of at least 0',
    ],
    [
      'graph',
      { clusterer: { kind: 'dbscan', metric: 'taxi' } },
      `metric is "taxi"; expected 'cosine', 'euclidean' or 'precomputed'`,
    ],
    ['graph', { seed: 0.5 }, 'seed is 0.5; expected a whole number'],
  ])('%s %j', async (name, options, message) => {
    const call = world.fg.mapper[name] as (...args: unknown[]) => Promise<unknown>;
    await expect(async () => await call(circle, options)).rejects.toThrow(message);
  });
});

describe('stores, maps, texts and SAEs refuse what their declarations exclude', () => {
  const [store, given, text] = [{}, {}, {}] as never[];

  it.each<[string, () => unknown, string]>([
    [
      'a metric that is none',
      () => world.fg.correlation.scores(saeA, saeB, given, { metrics: ['pearson' as 'cka'] }),
      'metrics is ["pearson"]; expected an array of some of',
    ],
    ['nulls below 0', () => world.fg.correlation.scores(saeA, saeB, given, { nulls: -1 }), `nulls is -1; ${whole(0)}`],
    [
      'rsaRows',
      () => world.fg.correlation.scores(saeA, saeB, given, { rsaRows: 2 }),
      'rsaRows is 2; expected a whole number from 3 to 4096',
    ],
    [
      'neighbors',
      () => world.fg.correlation.scores(saeA, saeB, given, { neighbors: 0 }),
      `neighbors is 0; ${whole(1)}`,
    ],
    [
      'no steps',
      () => world.fg.correlation.filter(given, { steps: [] }),
      'steps is []; expected an array of at least one, each filters such as',
    ],
    [
      'a step that is none',
      () => world.fg.correlation.filter(given, { steps: [{ minR: 2 }] }),
      'steps[0].minR is 2; expected a number at least -1',
    ],
    ['blank words', () => world.fg.correlation.filter(given, { words: [' '] }), 'words[0] is " "; expected a word'],
    [
      'features by half',
      () => world.fg.correlation.filter(given, { features: { a: [0.5] } }),
      'features.a is [0.5]; expected an array of feature ids',
    ],
    [
      'another word for junk',
      () => world.fg.correlation.filter(given, { without: 'rubbish' as 'junk' }),
      `without is "rubbish"; expected 'junk', or an array of tokens`,
    ],
    ['examples before', () => world.fg.activations.examples(store, { before: -1 }), `before is -1; ${whole(0)}`],
    [
      'features by name',
      () => world.fg.activations.examples(store, { features: ['a'] as never }),
      'features is ["a"]; expected an array of feature ids',
    ],
    [
      'examples of bands',
      () => world.fg.activations.bands(store, { bands: { perBand: -1 } }),
      `perBand is -1; ${whole(0)}`,
    ],
    [
      'a word by number',
      () => world.fg.activations.find(store, 3 as never),
      'word is 3; expected a word, an array of words or a regular expression',
    ],
    ['a context of none', () => world.fg.datasets.fromTexts(['a'], { context: 0 }), `context is 0; ${whole(1)}`],
    ['a context by half', () => world.fg.datasets.fromTexts(['a'], { context: 1.5 }), `context is 1.5; ${whole(1)}`],
    [
      'no words',
      () => world.fg.datasets.fromTexts(['a']).withWords({ words: [], perWord: 1 }),
      'words is []; expected an array of at least one, each a word',
    ],
    ['no text evaluated', () => world.fg.sae.evaluate(lmA, saeA, text, { samples: 0 }), `samples is 0; ${whole(1)}`],
    [
      'ids by half',
      () => world.fg.sae.evaluate(lmA, saeA, text, { ignoreTokens: [0.5] }),
      'ignoreTokens is [0.5]; expected an array of whole numbers of at least 0',
    ],
    [
      'a layout of files',
      () => world.fg.sae.save(saeA, 'x', { layout: 'onnx' as 'saelens' }),
      `layout is "onnx"; expected 'saelens'`,
    ],
    [
      'a scale of 0',
      () => world.fg.sae.load('x', { thresholdScale: 0 }),
      'thresholdScale is 0; expected a number above 0',
    ],
    [
      'days that are none',
      () => world.fg.artifacts.prune({ unusedDays: NaN }),
      'unusedDays is NaN; expected a number at least 0',
    ],
    ['a feature of a page', () => world.fg.show.feature(store, 0.5), `feature is 0.5; ${whole(0)}`],
  ])('%s', async (_, call, message) => {
    await expect(async () => await call()).rejects.toThrow(message);
  });
});
