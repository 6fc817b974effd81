/** fg.synthetic, two models with a known part in common: twins, their activations, calibration, response of scores. */
import { isShard, openActivations } from '../activations/store.js';
import type { SparseActivations } from '../activations/types.js';
import { asParameters } from '../artifacts/parameters.js';
import type { CallOptions } from '../compute/call.js';
import { METRICS } from '../correlation/scores.js';
import { calibrationItems, responseItems, twinItems } from '../present/synthetic.js';
import { KEPT, nulls as nullRuns } from '../verb/common.js';
import type { Environment } from '../verb/environment.js';
import { choice, type Given, group, membersGiven, numbers, only, real, several, whole } from '../verb/option.js';
import { verb } from '../verb/verb.js';
import { twinSaes, twinsArg, worldArg, type TwinSaes } from './args.js';
import { calibrateTwins, CALIBRATION_VERSION, MATCHERS } from './calibration/pipeline.js';
import { RESPONSE_VERSION, scoreResponse as responseOf } from './calibration/response.js';
import { createTwins, type Twins } from './twins/twins.js';
import { TWIN_ACTIVATIONS_VERSION, writeTwinActivations } from './twins/activations.js';

const OTHER_TWINS = {
  features: whole({ doc: 'Features of model A, and of B before splits.', min: 1, fallback: "half of the world's" }),
  dimA: whole({ doc: "Width of A, at least the world's.", min: 1, fallback: "the world's" }),
  dimB: whole({ doc: "Width of B, at least the world's.", min: 1, fallback: "one and a half times the world's" }),
  splits: whole({
    doc: 'Features of A that are two in B: each firing goes to one of the two at random.',
    min: 0,
    fallback: '0',
  }),
  splitCosine: real({
    doc: 'Cosine of each of the two with the direction of the whole.',
    min: 0,
    max: 1,
    fallback: '0.9',
  }),
  absorptions: whole({
    doc: "Pairs of parent and child (two features of A each) of which B's parent is silent whenever its child fires.",
    min: 0,
    fallback: '0',
  }),
  childShare: real({
    doc: "Share of a parent's firings on which its child fires too.",
    min: 0,
    max: 1,
    fallback: '0.3',
  }),
  noise: real({
    doc: 'Standard deviation of isotropic noise added to the activations of each model, independently.',
    min: 0,
    fallback: '0',
  }),
  seed: whole({ doc: 'Of rotations, and of which features are shared, split and absorbed.', fallback: '0' }),
};
const TWINS = {
  shared: real({
    doc: "Share of A's features that B has too, splits and absorptions included.",
    min: 0,
    max: 1,
    fallback: '0.5',
  }),
  ...OTHER_TWINS,
};

export const twins = verb({
  doc: 'Two models over the events of a world. They share a known part of their features under a rotation, differ in width, and know which feature is which, split or absorbed. twins.a and twins.b are worlds.',
  args: [worldArg],
  options: TWINS,
  errors: [
    'More features than the world has events, narrower models than the world, and more splits and absorptions than shared features are refused.',
  ],
  run: ({ options }, world) => createTwins(world, only(TWINS, options)),
  show: (made) => twinItems(made),
});

/** Activations of both twins over the same events. */
export interface TwinActivations {
  a: SparseActivations;
  b: SparseActivations;
}

interface SideOptions {
  samples: number;
  seed: number;
  saes?: TwinSaes;
  fresh: boolean;
}

/** The store of one side, from the artifact folder where the same call wrote it before. */
async function sideOf(
  env: Environment,
  of: Twins,
  side: 'a' | 'b',
  { samples, seed, saes, fresh }: SideOptions,
  call: CallOptions,
): Promise<SparseActivations> {
  const sae = saes?.[side];
  const key = {
    kind: 'activations',
    parameters: { samples, seed, side },
    inputs: { twins: of.id, ...(sae ? { sae: sae.id } : {}) },
    codeVersion: TWIN_ACTIVATIONS_VERSION,
  };
  const title = `Activations of twin ${side.toUpperCase()}`;
  const {
    value: store,
    cached,
    record,
  } = await env.store.compute<SparseActivations>(key, {
    fresh,
    title,
    make: async (folder) =>
      void (await writeTwinActivations(folder, of, side, sae, { samples, seed, ...call, id: env.store.idOf(key) })),
    lazy: isShard,
    load: (folder, record_) => openActivations(folder, undefined, record_.files),
  });
  env.tellCached(title, cached, record);
  return store;
}

export const twinActivations = verb({
  doc: 'Activations of both twins over the same events, as artifacts that fg.correlation.map, maps, Mapper and panels take. They are the true codes, or what SAEs make of them. A sample is one token, named after its strongest event. The same call again loads them.',
  args: [twinsArg],
  options: {
    samples: whole({ doc: 'Events.', min: 1, default: 20_000 }),
    seed: whole({ doc: 'Of the events, as fg.synthetic.calibrate has it.', default: 1_000_003 }),
    saes: twinSaes,
    ...KEPT,
  },
  errors: ['SAEs of another width than their twin are refused.'],
  kinds: ['activations'],
  async run({ env, options, call }, of): Promise<TwinActivations> {
    return { a: await sideOf(env, of, 'a', options, call), b: await sideOf(env, of, 'b', options, call) };
  },
});

const CALIBRATE = {
  samples: whole({ doc: 'Events correlated over.', min: 1, fallback: '20,000' }),
  sampleSeed: whole({
    doc: 'Of the events: others than those an SAE was trained on.',
    fallback: '1,000,003',
  }),
  methods: several(MATCHERS, { doc: 'Matchers.', fallback: 'all' }),
  minFirings: whole({ doc: 'Features that fire more rarely take no part.', min: 0, fallback: '10' }),
  minCosine: real({
    doc: 'With SAEs: a latent holds the feature of largest |cosine| when it is at least this.',
    min: 0,
    max: 1,
    fallback: '0.7',
  }),
  thresholds: numbers({ doc: 'Of r, that pairs are held to.', fallback: '0, 0.05, … 0.95' }),
  bin: real({ doc: 'Width of the bins of r from 0 to 1; one more holds r < 0.', above: 0, max: 1, fallback: '0.1' }),
  nulls: nullRuns({ doc: 'Shuffles of the pairs that their precision is held against.', runs: 100 }),
};
function calibrateSettings(given: Given<typeof CALIBRATE>) {
  const { nulls, ...rest } = only(CALIBRATE, given);
  const { runs, seed } = membersGiven(nulls, 'runs');
  return { ...rest, nulls: runs, seed };
}

export const calibrate = verb({
  doc: "The mapping pipeline on twins against truth: precision and recall of pairs by r threshold and matcher, and what an r is worth. From the true codes, or from SAEs trained on twins.a and twins.b. fg.show(found, { as: 'reliability' | 'thresholds' }) draws it. The same call again loads the result.",
  args: [twinsArg],
  options: { ...CALIBRATE, saes: twinSaes, ...KEPT },
  errors: ['SAEs of another width than their twin are refused.'],
  run: ({ options, call }, of) => calibrateTwins(of, { ...calibrateSettings(options), saes: options.saes, ...call }),
  keep: {
    kind: 'calibration',
    version: CALIBRATION_VERSION,
    what: 'Calibration of twins',
    inputs: ({ saes }, of) => ({ twins: of.id, a: saes?.a.id, b: saes?.b.id }),
    parameters: ({ given }) => asParameters(calibrateSettings(given)),
  },
  show: (found) => calibrationItems(found),
});

const RESPONSE = {
  fractions: numbers({ doc: 'Shared fractions.', min: 0, max: 1, fallback: '[0, 0.25, 0.5, 0.75, 1]' }),
  metrics: several(METRICS, { doc: 'Similarity scores.', fallback: 'all' }),
  pairing: choice(['truth', ...MATCHERS], {
    doc: "Which rows are paired. 'truth': shared features with their counterparts, the others at random, so that n is the same for every fraction; else by correlating events and matching, as the pipeline does.",
    fallback: "'truth'",
  }),
  samples: whole({ doc: "Events correlated over where `pairing` is not 'truth'.", min: 1, fallback: '10,000' }),
  nulls: nullRuns({ doc: 'Null runs of each score, whose rows are paired at random.', runs: 50, seed: 'the seed' }),
  seed: whole({ doc: 'Of the random pairing and of the events.', fallback: '0' }),
  twins: group(OTHER_TWINS, { doc: 'What else the twins are made of; their shared fraction is what varies.' }),
};
/** One seed serves all where that of the nulls does not differ. */
function responseSettings(given: Given<typeof RESPONSE>) {
  const { nulls, seed, ...rest } = only(RESPONSE, given);
  const chance = membersGiven(nulls, 'runs');
  return { ...rest, nulls: chance.runs, seed, nullSeed: chance.seed === (seed ?? 0) ? undefined : chance.seed };
}

export const scoreResponse = verb({
  doc: "Every similarity score at several shared fractions of twins over one world, beside its null. A score that is worth reading rises with the fraction and stays off its null. fg.show(found, { as: 'chart' }) draws it. The same call again loads the result.",
  args: [worldArg],
  options: { ...RESPONSE, ...KEPT },
  run: ({ options, call }, world) => responseOf(world, { ...responseSettings(options), ...call }),
  keep: {
    kind: 'score-response',
    version: RESPONSE_VERSION,
    what: 'Response of scores',
    inputs: (_, world) => ({ world: world.id }),
    parameters: ({ given }) => asParameters(responseSettings(given)),
  },
  show: (found) => responseItems(found),
});
