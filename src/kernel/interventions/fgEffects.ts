/** fg.interventions: what interventions do to features and predictions, where predictions come from, and transfer. */
import type { JsonObject } from '../../protocol/notebook.js';
import type { PairedMap } from '../correlation/types.js';
import { CONFORMANCE, pairs } from '../sae/pairing.js';
import * as picture from '../present/interventions.js';
import { argOf, KEPT, nulls, words } from '../verb/common.js';
import { choice, membersGiven, numbers, only, value, whole, type Given } from '../verb/option.js';
import { verb } from '../verb/verb.js';
import { circuit as circuitOf, CIRCUIT_VERSION } from './circuits.js';
import { densityEffects, DENSITIES_VERSION, EFFECTS_VERSION, featureEffects } from './effects.js';
import { attribute, ATTRIBUTION_VERSION } from './featureAttribution.js';
import {
  allowOtherModel,
  batchTokens,
  dataArg,
  directionOptions,
  directions,
  effectParameters,
  hook,
  interventionsArg,
  mapArg,
  modelArg,
  promptParameters,
  saeArg,
  saeInputs,
  saesArg,
  samples,
  textsArg,
  textsOf,
  tokenInputs,
  tokensOf,
  top,
  untouched,
} from './fgArgs.js';
import { sideArg } from './fgMake.js';
import { describeAll } from './intervention.js';
import { interventionPairings, pairingsOf, tokensOfTexts } from './pairings.js';
import { LOGIT_EFFECTS_VERSION, logitEffects as effectsOnLogits } from './logitEffects.js';
import { TARGET, tokenChoice } from './probe.js';
import { transfer as transferOf, TRANSFER_VERSION, type TransferSide } from './transfer.js';

const data = textsArg('data', 'One prompt, several in an array, or a dataset.');

const EFFECTS = {
  hook: hook('Hook to encode; with one SAE alone.'),
  top: top('Features listed per SAE.'),
  allowOtherModel,
  untouched,
  test: choice(['wilcoxon', 'signFlip'], {
    doc: "Test behind `p`: signed ranks, or the permutation of signs ('signFlip').",
    fallback: "'wilcoxon'",
  }),
  nulls: nulls({
    doc: "Random sign patterns of test 'signFlip'; up to 12 sequences all patterns are taken.",
    runs: 999,
    min: 1,
  }),
  samples: samples('64'),
};
/** The options that a cell gave, under the names that the functions of this room use. */
function effectOptions({ nulls: chance, samples: sequences, ...rest }: Given<typeof EFFECTS>) {
  const { runs: permutations, seed } = membersGiven(chance, 'runs');
  return { ...rest, sequences, permutations, seed };
}

export const effects = verb({
  doc: 'Mean activation and firing share of every feature before and after, of one SAE or of several at hooks downstream, over the tokens that the interventions can have touched; those that moved most first, with paired tests over sequences. The same call again loads the result.',
  args: [modelArg, interventionsArg, saesArg, dataArg],
  options: { ...EFFECTS, batchTokens, ...CONFORMANCE, ...KEPT },
  errors: ["Nulls are the sign patterns of test 'signFlip': they are refused with another test."],
  check({ test, nulls: { runs, seed } }) {
    if (test !== 'signFlip' && (runs ?? seed) !== undefined)
      throw new TypeError(
        "nulls are the sign patterns of the sign-flip test; give test: 'signFlip' with them, or leave them out",
      );
  },
  kinds: ['conformance'],
  before: pairs((options, model, chosen, saes, texts) => {
    const tokens = tokensOf(texts, model);
    return [...pairingsOf(model, saes, tokens, options), ...interventionPairings(model, chosen, tokens)];
  }),
  run: ({ options, call }, model, chosen, saes, texts) =>
    featureEffects(model, chosen, saes, tokensOf(texts, model), {
      ...effectOptions(only(EFFECTS, options)),
      batchTokens: options.batchTokens,
      ...call,
    }),
  keep: {
    kind: 'effects',
    version: EFFECTS_VERSION,
    what: 'Effects on features',
    inputs: (_, model, _chosen, saes, texts) => ({
      model: model.id,
      tokens: tokensOf(texts, model).id,
      ...saeInputs(saes),
    }),
    parameters: ({ given }, model, chosen) =>
      effectParameters(effectOptions(only(EFFECTS, given as Given<typeof EFFECTS>)), model, chosen),
  },
  show: (found, _, _model, chosen, saes) =>
    picture.effectTable(found, describeAll(chosen), Object.fromEntries(saes.map((sae) => [sae.name, sae.id]))),
});

const DENSITIES = { allowOtherModel, untouched, samples: samples('64') };
const densityOptions = ({ samples: sequences, ...rest }: Given<typeof DENSITIES>) => ({ ...rest, sequences });

export const densities = verb({
  doc: 'Firing density of each SAE before and after: one row per layer, with paired tests over sequences. The same call again loads the result.',
  args: [modelArg, interventionsArg, saesArg, dataArg],
  options: { ...DENSITIES, batchTokens, ...CONFORMANCE, ...KEPT },
  kinds: ['conformance'],
  before: pairs((options, model, chosen, saes, texts) => {
    const tokens = tokensOf(texts, model);
    return [
      ...pairingsOf(model, saes, tokens, only(DENSITIES, options)),
      ...interventionPairings(model, chosen, tokens),
    ];
  }),
  run: ({ options, call }, model, chosen, saes, texts) =>
    densityEffects(model, chosen, saes, tokensOf(texts, model), {
      ...densityOptions(only(DENSITIES, options)),
      batchTokens: options.batchTokens,
      ...call,
    }),
  keep: {
    kind: 'densities',
    version: DENSITIES_VERSION,
    what: 'Firing densities',
    inputs: (_, model, _chosen, saes, texts) => ({
      model: model.id,
      tokens: tokensOf(texts, model).id,
      ...saeInputs(saes),
    }),
    parameters: ({ given }, model, chosen) =>
      effectParameters(densityOptions(only(DENSITIES, given as Given<typeof DENSITIES>)), model, chosen),
  },
  show: (found, _, _model, chosen) => picture.densityTable(found, describeAll(chosen)),
});

const LOGITS = {
  tokens: tokenChoice("Tokens looked at, such as [' king', ' queen'].", 'those whose probability moved most'),
  top: top('Tokens listed when none are chosen.'),
  positions: choice(['all', 'last'], {
    doc: "Positions looked at: 'all', or the 'last' of each sequence.",
    fallback: "'all' of datasets, 'last' of prompts",
  }),
  untouched,
  nulls: directions(0, '0'),
  samples: samples('64'),
};
const logitOptions = ({ nulls: chance, samples: sequences, ...rest }: Given<typeof LOGITS>) => ({
  ...rest,
  sequences,
  ...directionOptions(chance),
});

export const logitEffects = verb({
  doc: "Logits and probabilities of chosen tokens, or of those that moved most, before and after; the divergence of the two predictions and the loss, by token and position. Beside each stand directions of the same norm that mean nothing: random ones, differences of two tokens' activations and other decoder rows. The same call again loads the result.",
  args: [modelArg, interventionsArg, data],
  options: { ...LOGITS, batchTokens, ...CONFORMANCE, ...KEPT },
  errors: ['Texts that are not exactly one token are refused as `tokens`; mind the space before a word.'],
  before: pairs((_, model, chosen, texts) => interventionPairings(model, chosen, tokensOfTexts(texts, model))),
  run: ({ options, call }, model, chosen, texts) =>
    effectsOnLogits(model, chosen, textsOf(texts, model), {
      ...logitOptions(only(LOGITS, options)),
      batchTokens: options.batchTokens,
      ...call,
    }),
  keep: {
    kind: 'logit-effects',
    version: LOGIT_EFFECTS_VERSION,
    what: 'Effects on predictions',
    inputs: (_, model, _chosen, texts) => ({ model: model.id, ...tokenInputs(texts, model) }),
    parameters: ({ given }, model, chosen, texts) => ({
      ...effectParameters(logitOptions(only(LOGITS, given as Given<typeof LOGITS>)), model, chosen),
      ...promptParameters(texts),
    }),
  },
  show: (found, _, _model, chosen) => picture.logitTable(found, describeAll(chosen)),
});

const ATTRIBUTION = {
  hook: hook('Hook of the features.'),
  allowOtherModel,
  method: choice(['gradient', 'integrated'], {
    doc: "'gradient': activation × gradient; 'integrated' gradients.",
    fallback: "'gradient'",
  }),
  steps: whole({ doc: "Points of the integral; refused with 'gradient', which has one.", min: 1, fallback: '16' }),
  verify: whole({
    doc: 'Features ablated for the check: half those of largest attribution, half drawn from the rest; 0 = none.',
    min: 0,
    fallback: '40',
  }),
  top: top('Features listed.'),
  samples: samples('8'),
  nulls: nulls({ doc: "Shuffles behind the check's p.", runs: 999, min: 1, seed: '`seed`' }),
  seed: whole({ doc: 'Draws the features of the check.', fallback: '0' }),
};
function attributionOptions({ nulls: chance, samples: sequences, ...rest }: Given<typeof ATTRIBUTION>) {
  const { runs: permutations, seed: nullSeed } = membersGiven(chance, 'runs');
  return { ...rest, sequences, permutations, nullSeed };
}

export const attribution = verb({
  doc: 'What each feature at a hook gives to a logit, a difference of logits or the loss, without running each: activation × exact gradient, or integrated gradients. Some features are ablated in truth, and the rank correlation stands beside. The same call again loads the result.',
  args: [modelArg, saeArg(), data, argOf('target', TARGET)],
  options: { ...ATTRIBUTION, ...CONFORMANCE, ...KEPT },
  before: pairs((options, model, sae, texts) =>
    pairingsOf(model, [sae], tokensOfTexts(texts, model), only(ATTRIBUTION, options)),
  ),
  run: ({ options, call }, model, sae, texts, target) =>
    attribute(model, sae, textsOf(texts, model), target, {
      ...attributionOptions(only(ATTRIBUTION, options)),
      ...call,
    }),
  keep: {
    kind: 'attribution',
    version: ATTRIBUTION_VERSION,
    what: 'Attribution',
    inputs: (_, model, sae, texts) => ({ model: model.id, sae: sae.id, ...tokenInputs(texts, model) }),
    parameters: ({ given }, model, _sae, texts, target) => ({
      ...effectParameters(attributionOptions(only(ATTRIBUTION, given as Given<typeof ATTRIBUTION>)), model),
      ...promptParameters(texts),
      target: JSON.parse(JSON.stringify(target ?? null)) as JsonObject,
    }),
  },
  show: (found, _, _model, sae) => picture.attributionTable(found, sae),
});

const TRANSFER = {
  watchMap: value<PairedMap>('what fg.correlation.map returned', {
    doc: 'Counterparts among the watched SAEs. Needed when sides have `watch`.',
    fallback: 'the map of the ablated ones',
  }),
  pairs: whole({
    doc: 'Matched pairs ablated whose features both fire in the text.',
    min: 2,
    fallback: '40',
  }),
  choose: choice(['highest-r', 'random'], {
    doc: "Which pairs: those of 'highest-r', or drawn at 'random' by the seed, which speaks for the whole map.",
    fallback: "'highest-r'",
  }),
  samples: samples('32'),
  measure: choice(['cosine', 'spearman'], {
    doc: 'How two vectors of Δ are compared.',
    fallback: "'cosine'",
  }),
  nulls: nulls({
    doc: 'Shuffles of which ablation of B goes with which of A.',
    runs: 999,
    min: 1,
    seed: '`seed`',
  }),
  seed: whole({ doc: 'Draws the pairs.', fallback: '0' }),
  allowOtherModel,
};
function transferOptions({ nulls: chance, samples: sequences, ...rest }: Given<typeof TRANSFER>) {
  const { runs, seed: nullSeed } = membersGiven(chance, 'runs');
  return { ...rest, sequences, nulls: runs, nullSeed };
}
const transferSide = (name: string) =>
  sideArg<TransferSide>(
    name,
    `Side ${name.toUpperCase()} of the map: { model, sae, watch }; \`watch\` is an SAE downstream whose features are watched, default the same SAE, which encodes its own hook anew.`,
  );

export const transfer = verb({
  doc: 'Ablates many matched pairs, in A its feature and in B its counterpart, and asks whether the same counterparts move: a score beside its null of shuffled pairs. Without SAEs downstream to watch, the changed activation is only encoded again, which the result says and warns of. The same call again loads the result.',
  args: [transferSide('a'), transferSide('b'), mapArg, dataArg],
  options: { ...TRANSFER, ...CONFORMANCE, ...KEPT },
  errors: ['`watch` on one side alone, or without `watchMap`, is refused.'],
  before: pairs(({ allowOtherModel }, a, b, _map, texts) =>
    [a, b].flatMap(({ model, sae, watch }) =>
      pairingsOf(model, watch ? [sae, watch] : [sae], tokensOf(texts, model), { allowOtherModel }),
    ),
  ),
  run: ({ options, call }, a, b, map, texts) =>
    transferOf(a, b, map, tokensOf(texts, a.model), { ...transferOptions(only(TRANSFER, options)), ...call }),
  keep: {
    kind: 'transfer',
    version: TRANSFER_VERSION,
    what: 'Transfer',
    inputs: ({ watchMap }, a, b, map, texts) => ({
      ...{ modelA: a.model.id, modelB: b.model.id, map: map.id, tokens: tokensOf(texts, a.model).id },
      watchMap: watchMap?.id,
      ...saeInputs([a.sae, b.sae, ...(a.watch ? [a.watch] : []), ...(b.watch ? [b.watch] : [])]),
    }),
    parameters: ({ given }, a) =>
      effectParameters(transferOptions(only(TRANSFER, given as Given<typeof TRANSFER>)), a.model),
  },
  show: (found, _, a, b) => picture.transferTable(found, a.sae, b.sae),
});

const CIRCUIT = {
  position: whole({
    doc: 'Position at which downstream features are read, negative from the end.',
    fallback: '-1, the last',
  }),
  targets: whole({
    doc: 'Downstream features: those that fire most at the position. Refused with `features`.',
    min: 1,
    fallback: '8',
  }),
  features: numbers({
    doc: 'Downstream features by id, instead; those that do not fire at the position are refused.',
    min: 0,
    whole: true,
    repeats: true,
  }),
  sources: whole({
    doc: 'Upstream features: those of largest total |attribution| on the targets. All their edges are verified.',
    min: 1,
    fallback: '12',
  }),
  allowOtherModel,
  nulls: nulls({ doc: 'Shuffles behind the p of the rank correlation.', runs: 999, min: 1 }),
};
function circuitOptions({ nulls: chance, ...rest }: Given<typeof CIRCUIT>) {
  const { runs: permutations, seed } = membersGiven(chance, 'runs');
  return { ...rest, permutations, seed };
}

export const circuit = verb({
  doc: "Edges from the features of one layer's SAE to those of a later one on a prompt, attributed and then verified. As the last expression of a cell it is the table of all edges; fg.show(circuit, options) draws the two layers over it. The same call again loads the result.",
  args: [
    modelArg,
    saeArg('upstream', 'The SAE of the earlier layer.'),
    saeArg('downstream', 'The SAE of the later layer.'),
    words('prompt', 'One prompt.'),
  ],
  options: { ...CIRCUIT, ...CONFORMANCE, ...KEPT },
  before: pairs(({ allowOtherModel }, model, upstream, downstream, prompt) =>
    pairingsOf(model, [upstream, downstream], tokensOfTexts(prompt, model), { allowOtherModel }),
  ),
  run: ({ options, call }, model, upstream, downstream, prompt) =>
    circuitOf(model, upstream, downstream, prompt, { ...circuitOptions(only(CIRCUIT, options)), ...call }),
  keep: {
    kind: 'circuit',
    version: CIRCUIT_VERSION,
    what: 'Circuit',
    inputs: (_, model, upstream, downstream) => ({ model: model.id, ...saeInputs([upstream, downstream]) }),
    parameters: ({ given }, model, _upstream, _downstream, prompt) => {
      const { features, ...rest } = circuitOptions(only(CIRCUIT, given as Given<typeof CIRCUIT>));
      // Features in full, as kept results have them.
      return { ...effectParameters(rest, model), ...(features && { features: [...features] }), prompt };
    },
  },
  show: (found, _, _model, upstream, downstream) =>
    picture.circuitTable(found, { upstream: upstream.id, downstream: downstream.id }),
});
