/** fg.synthetic, two models with a known part in common: twins, their activations, calibration, response of scores. */
import { isShard, openActivations } from '../activations/store.js';
import type { SparseActivations } from '../activations/types.js';
import { asParameters } from '../artifacts/parameters.js';
import type { CallOptions } from '../compute/call.js';
import { calibrationItems, responseItems, twinItems } from '../present/synthetic.js';
import { KEPT } from '../verb/common.js';
import type { Environment } from '../verb/environment.js';
import { nullsApart } from '../verb/nulls.js';
import { only, whole, type Given, type Parsed } from '../verb/option.js';
import { verb } from '../verb/verb.js';
import { twinSaes, twinsArg, worldArg } from './args.js';
import { calibrateTwins, CALIBRATE, CALIBRATION_VERSION, type CalibrationParameters } from './calibration/pipeline.js';
import {
  RESPONSE,
  RESPONSE_VERSION,
  scoreResponse as responseOf,
  type ResponseParameters,
} from './calibration/response.js';
import { createTwins, TWINS, type Twins } from './twins/twins.js';
import { TWIN_ACTIVATIONS_VERSION, writeTwinActivations } from './twins/activations.js';

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

const TWIN_ACTIVATIONS = {
  samples: whole({ doc: 'Events.', min: 1, default: 20_000 }),
  seed: whole({ doc: 'Of the events, as fg.synthetic.calibrate has it.', default: 1_000_003 }),
  saes: twinSaes,
  ...KEPT,
};

/** The store of one side, from the artifact folder where the same call wrote it before. */
async function sideOf(
  env: Environment,
  of: Twins,
  side: 'a' | 'b',
  { samples, seed, saes, fresh }: Parsed<typeof TWIN_ACTIVATIONS>,
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
  options: TWIN_ACTIVATIONS,
  errors: ['SAEs of another width than their twin are refused.'],
  kinds: ['activations'],
  async run({ env, options, call }, of): Promise<TwinActivations> {
    return { a: await sideOf(env, of, 'a', options, call), b: await sideOf(env, of, 'b', options, call) };
  },
});

const calibrateSettings = (given: Given<typeof CALIBRATE>): CalibrationParameters => nullsApart(only(CALIBRATE, given));

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

/** One seed serves all where that of the nulls does not differ. */
function responseSettings(given: Given<typeof RESPONSE>): ResponseParameters {
  const { nullSeed, ...rest } = nullsApart(only(RESPONSE, given), 'own seed');
  return { ...rest, ...(nullSeed === (rest.seed ?? RESPONSE.seed.usual) ? {} : { nullSeed }) };
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
