/** What a world may be asked for. Names and defaults as docs/synthetic.md gives them. */
import { isTypedArray } from '../../../protocol/objects.js';
import { usually } from '../../verb/filled.js';
import type { CallOptions } from '../../compute/call.js';
import { form, formed, kinds, ofKind, oneOrSeveral, type OneOf } from '../../verb/kinds.js';
import { exactRows, MATRIX_FORMS, type MatrixInput } from '../../io/matrixInput.js';
import { choice, flag, real, required, value, whole, written, type Given, type Option } from '../../verb/option.js';

const isNumbers = (v: unknown): boolean =>
  isTypedArray(v) || (Array.isArray(v) && v.every((n) => typeof n === 'number'));
const isLists = (v: unknown): boolean => Array.isArray(v) && v.every(isNumbers);

const ids = (doc: string, fallback?: string) =>
  value<readonly number[]>('an array of feature ids', { doc, ...(fallback ? { fallback } : {}) }, isNumbers);
const lists = (doc: string) => value<readonly (readonly number[])[]>('arrays of feature ids', { doc }, isLists);
const rows = (doc: string): Option<MatrixInput, readonly (readonly number[])[] | undefined> => ({
  ...value<MatrixInput>(MATRIX_FORMS, { doc }),
  rows: true,
  parse: (given, name) => (given === undefined ? undefined : exactRows(given as MatrixInput, name)),
});
const above0 = (doc: string, usual: number) => real({ doc, above: 0, usual });
const cosine = (doc: string, usual: number) => real({ doc, min: -1, max: 1, usual });

const count = whole({
  doc: 'Features of the part; of one part at most it may be left out.',
  min: 1,
  fallback: 'all that the others leave',
});

/** Directions of a part of the features. */
export const GEOMETRY = kinds('GeometryPart', {
  random: { doc: 'Random directions.', members: { count } },
  'near-orthogonal': {
    doc: 'Spread by gradient descent on the sum of cos⁴; orthonormal when they fit the width.',
    members: {
      count,
      steps: whole({ doc: 'Of the descent.', min: 0, usual: 100 }),
      maxCosine: real({
        doc: 'Refuse to go on unless the largest |cos| inside the part comes down to it.',
        min: 0,
        max: 1,
      }),
    },
  },
  clusters: {
    doc: 'Around random centres.',
    members: {
      count,
      clusters: whole({ doc: 'Centres.', min: 1, usual: 10 }),
      cosine: cosine('Of every feature to its centre.', 0.8),
    },
  },
  circle: {
    doc: 'Evenly spaced on circles, each in a random plane.',
    members: {
      count,
      circles: whole({ doc: 'Circles.', min: 1, usual: 1 }),
      radius: real({
        doc: 'r < 1 moves the circle out to √(1 − r²) along a direction of its own, so that every point keeps length 1.',
        above: 0,
        max: 1,
        usual: 1,
      }),
    },
  },
  helix: {
    doc: 'cos and sin of `turns` turns and `pitch` × t for t from −1 to 1, then brought to length 1.',
    members: {
      count,
      turns: real({ doc: 'Turns.', usual: 3 }),
      pitch: real({ doc: 'Height over a radius.', usual: 1 }),
    },
  },
  parallelograms: {
    doc: 'Fours (a, a + u, a + v, a + u + v), such as man, king, woman, queen: king − man + woman = queen exactly.',
    members: {
      count,
      edges: usually(
        value<readonly [number, number]>(
          'two lengths in an array',
          { doc: 'Lengths of u and v.' },
          (v) => isNumbers(v) && (v as readonly number[]).length === 2,
        ),
        [0.8, 0.8],
      ),
      sharedRelation: flag({ doc: 'u is the same in every four.', usual: true }),
    },
  },
  hierarchy: {
    doc: 'Trees, breadth first; a child fires only when its parent does.',
    members: {
      count,
      roots: whole({ doc: 'Trees.', min: 1, usual: 1 }),
      branching: whole({ doc: 'Children of a feature.', min: 1, usual: 2 }),
      cosine: cosine('Of a child to its parent.', 0.5),
      share: usually(
        value<number | 'given'>(
          "a number above 0 and at most 1, or 'given'",
          { doc: "A child's frequency over its parent's; 'given' takes the frequencies as they are." },
          (v) => v === 'given' || (typeof v === 'number' && v > 0 && v <= 1),
        ),
        0.4,
      ),
      exclusive: flag({ doc: 'At most one child of a parent fires.', usual: false }),
    },
  },
  duplicates: {
    doc: 'Copies of random features of the other parts.',
    members: { count, cosine: cosine('Of a copy to its original; 1 is the same direction.', 1) },
  },
});
export type GeometryPart = OneOf<typeof GEOMETRY>;

/** How often each feature fires, as a shape. Without a level it is scaled to `l0`. */
export const FREQUENCIES = kinds('FrequencyShape', {
  uniform: {
    doc: 'All the same.',
    members: { p: real({ doc: 'Sets the level.', fallback: 'scaled to l0' }) },
  },
  geometric: {
    doc: 'λ^i.',
    members: {
      lambda: real({ doc: 'λ.', above: 0, max: 1, usual: 0.99 }),
      max: real({ doc: 'Frequency of feature 0.', fallback: 'scaled to l0' }),
    },
  },
  zipf: {
    doc: '(i + 1)^−exponent.',
    members: {
      exponent: above0('Of the law.', 1),
      max: real({ doc: 'Frequency of feature 0.', fallback: 'scaled to l0' }),
      min: real({ doc: "With `max`: SAELens's affine scaling to [min, max]." }),
    },
  },
  'log-normal': {
    doc: 'exp(sigma × z) at evenly spaced quantiles z, most frequent first.',
    members: {
      sigma: above0('Of the law.', 1),
      median: real({ doc: 'Sets the level.', fallback: 'scaled to l0' }),
    },
  },
});
export type FrequencyShape = OneOf<typeof FREQUENCIES>;

/** How often each feature fires. */
export type FrequencySpec = number | readonly number[] | Float64Array | FrequencyShape;

/** What a given correlation is of: the binary firings (phi), or the normals behind them (tetrachoric). */
export type CorrelationOf = 'firing' | 'latent';
const correlationOf = choice(['firing', 'latent'], {
  doc: 'What the correlation is of: the binary firings (phi), or the normals behind them (tetrachoric).',
  usual: 'firing',
});

/** Which features fire together. */
export const CORRELATIONS = kinds('CorrelationSpec', {
  independent: { doc: 'Each feature by itself.', members: {} },
  block: {
    doc: 'Blocks of features, each pair inside correlated alike. Either `size` or `blocks` is given.',
    members: {
      size: whole({ doc: 'Consecutive features of a block.', min: 1 }),
      blocks: lists('The features of each block.'),
      correlation: required(real({ doc: 'Of each pair in a block.', min: -1, max: 1 })),
      of: correlationOf,
    },
  },
  'low-rank': {
    doc: 'Latent normals Λf + √(1 − ‖Λ‖²)ε of `rank` factors.',
    members: {
      rank: whole({ doc: 'Factors.', min: 1, fallback: 'those of `loadings`, else 8' }),
      strength: real({ doc: 'Squared length of random loadings.', min: 0, max: 1, usual: 0.3 }),
      scale: real({
        doc: 'Random normal loadings of this deviation instead, rows longer than √0.99 shortened to it.',
      }),
      loadings: rows('features × rank.'),
      features: ids('Which features.', 'all that nothing else holds'),
    },
  },
  matrix: {
    doc: 'A correlation matrix: refused unless positive semidefinite.',
    members: {
      matrix: required(rows('features × features.')),
      of: correlationOf,
      method: choice(['cholesky', 'factors'], {
        doc: "'cholesky' takes it as it is, at features²/2 products a sample; 'factors' the nearest of `rank` factors, and says how near.",
        usual: 'cholesky',
      }),
      rank: whole({ doc: "Factors of 'factors'.", min: 1, usual: 8 }),
      features: ids('Which features.', 'all that nothing else holds'),
    },
  },
  exclusive: {
    doc: 'Of each group at most one member fires. Either `size` or `groups` is given.',
    members: {
      groups: lists('The features of each group.'),
      size: whole({ doc: 'Consecutive features of a group.', min: 1 }),
    },
  },
  contexts: {
    doc: 'Every sample is in one of several contexts, equally likely; equal runs of consecutive features fire in one context alone.',
    members: { count: required(whole({ doc: 'Contexts.', min: 2 })) },
  },
  gate: {
    doc: 'Children fire only when their parent does.',
    members: {
      parent: required(whole({ doc: 'A feature.', min: 0 })),
      children: required(ids('Features.')),
      exclusive: flag({ doc: 'At most one child fires, instead of each independently.', usual: false }),
      scale: flag({
        doc: "A child's magnitude is multiplied by the parent's over the parent's mean.",
        usual: false,
      }),
    },
  },
});
export type CorrelationSpec = OneOf<typeof CORRELATIONS>;

/** The size of a feature when it fires; always > 0. */
export const MAGNITUDE_LAWS = kinds('MagnitudeSpec', {
  constant: { doc: 'Always the same.', members: { value: above0('The size.', 1) } },
  uniform: {
    doc: 'Uniform on (low, high].',
    members: { low: real({ doc: 'Least.', min: 0, usual: 0 }), high: above0('Largest.', 1) },
  },
  'half-normal': { doc: '|N(0, scale²)|.', members: { scale: above0('Deviation.', 1) } },
  exponential: { doc: 'Exponential.', members: { mean: above0('Mean.', 1) } },
  'log-normal': {
    doc: 'exp(N(mu, sigma²)).',
    members: {
      mu: real({ doc: 'Mean of the logarithm.', usual: 0 }),
      sigma: real({ doc: 'Its deviation.', min: 0, usual: 1 }),
    },
  },
  'truncated-normal': {
    doc: 'N(mean, std²), drawn again until above 0.',
    members: {
      mean: real({ doc: 'Mean; above −3 std.', usual: 1 }),
      std: real({ doc: 'Deviation.', min: 0, usual: 0.25 }),
    },
  },
});
export type MagnitudeSpec = OneOf<typeof MAGNITUDE_LAWS>;

export const NOISE = {
  std: real({ doc: 'Standard deviation of isotropic noise in each dimension.', min: 0, usual: 0 }),
  lowRank: form(
    {
      rank: required(whole({ doc: 'Random directions, at most the width of x.', min: 1 })),
      std: required(real({ doc: 'Standard deviation along each.', min: 0 })),
    },
    { doc: 'Noise along random directions besides.' },
  ),
};
export type NoiseOptions = Given<typeof NOISE>;

export const noise: Option<NoiseOptions> = form(NOISE, { doc: 'Gaussian noise on x.', fallback: 'none' });

const FREQUENCY = "a number, one number per feature, or a shape such as { kind: 'zipf', exponent: 1 }";

export const WORLD = {
  features: required(whole({ doc: 'True features.', min: 1 })),
  dim: whole({ doc: 'Width of x. Either this or `superposition` is given.', min: 1 }),
  superposition: real({ doc: 'Features per dimension: dim = round(features / superposition).', above: 0 }),
  seed: whole({ doc: 'The same options and seed give the same world and samples.', usual: 0 }),
  geometry: usually(
    oneOrSeveral<GeometryPart>(
      ofKind(GEOMETRY, {
        doc: 'Directions of the features; an array combines parts.',
        expected: "a part such as { kind: 'clusters', clusters: 10, cosine: 0.8 }",
      }),
    ),
    { kind: 'random' },
  ),
  frequencies: usually(
    formed<FrequencySpec>(
      {
        expected: FREQUENCY,
        doc: 'How often each feature fires: shares of the samples, or a shape that `l0` scales.',
      },
      (given, at) => {
        if (typeof given === 'number' || isNumbers(given)) return;
        if (typeof given !== 'object' || given === null || Array.isArray(given))
          throw new RangeError(`${at} is ${written(given)}; expected ${FREQUENCY}`);
        FREQUENCIES.read(given, at);
      },
      FREQUENCIES,
    ),
    { kind: 'uniform' },
  ),
  l0: real({
    doc: 'Mean number of features that fire in a sample: scales the frequencies, none above `maxFrequency`, exactly.',
    above: 0,
    fallback: '1 % of the features, where the frequencies set no level',
  }),
  maxFrequency: real({ doc: 'Cap of a frequency while scaling to `l0`.', above: 0, max: 1, usual: 1 }),
  correlations: usually(
    oneOrSeveral<CorrelationSpec>(
      ofKind(CORRELATIONS, {
        doc: 'Which features fire together; several laws are of different features.',
        expected: "a law such as { kind: 'block', size: 8, correlation: 0.2 }",
      }),
    ),
    { kind: 'independent' },
  ),
  magnitudes: usually(
    oneOrSeveral<MagnitudeSpec>(
      ofKind(MAGNITUDE_LAWS, {
        doc: 'Size of a feature when it fires: one law for all, or one for each feature.',
        expected: "a law such as { kind: 'uniform', low: 0.5, high: 1.5 }",
      }),
    ),
    { kind: 'uniform' },
  ),
  noise,
  mean: value<number | readonly number[]>(
    'a vector, or the length of a random one',
    { doc: 'Added to every x.', fallback: 'none' },
    (given) => isNumbers(given) || (typeof given === 'number' && Number.isFinite(given)),
  ),
};

export interface WorldOptions extends Given<typeof WORLD>, CallOptions {}
