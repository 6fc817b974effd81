/** fg.interventions: what interventions do to features and predictions, where predictions come from, and transfer. */
import type { JsonObject } from '../../protocol/notebook.js';
import { CONFORMANCE, pairs } from '../sae/pairing.js';
import * as picture from '../present/interventions.js';
import { argOf, KEPT, words } from '../verb/common.js';
import { renamed } from '../verb/nulls.js';
import { only } from '../verb/option.js';
import { verb } from '../verb/verb.js';
import { CIRCUIT, circuit as circuitOf, CIRCUIT_VERSION, circuitOptions } from './circuits.js';
import {
  DENSITIES,
  DENSITIES_VERSION,
  densityEffects,
  effectOptions,
  EFFECTS,
  EFFECTS_VERSION,
  featureEffects,
} from './effects.js';
import { attribute, ATTRIBUTION, ATTRIBUTION_VERSION, attributionOptions } from './featureAttribution.js';
import {
  dataArg,
  effectParameters,
  interventionsArg,
  mapArg,
  modelArg,
  promptParameters,
  saeArg,
  saeInputs,
  saesArg,
  textsArg,
  textsOf,
  tokenInputs,
  tokensOf,
} from './fgArgs.js';
import { sideArg } from './fgMake.js';
import { describeAll } from './intervention.js';
import { interventionPairings, pairingsOf, tokensOfTexts } from './pairings.js';
import { LOGIT_EFFECTS_VERSION, logitEffects as effectsOnLogits, logitOptions, LOGIT_EFFECTS } from './logitEffects.js';
import { batchTokens, SEQUENCES } from './options.js';
import { TARGET } from './probe.js';
import { TRANSFER, transfer as transferOf, TRANSFER_VERSION, transferOptions, type TransferSide } from './transfer.js';

const data = textsArg('data', 'One prompt, several in an array, or a dataset.');

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
    parameters: ({ given }, model, chosen) => effectParameters(effectOptions(only(EFFECTS, given)), model, chosen),
  },
  show: (found, _, _model, chosen, saes) =>
    picture.effectTable(found, describeAll(chosen), Object.fromEntries(saes.map((sae) => [sae.name, sae.id]))),
});

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
      ...renamed(only(DENSITIES, options), SEQUENCES),
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
      effectParameters(renamed(only(DENSITIES, given), SEQUENCES), model, chosen),
  },
  show: (found, _, _model, chosen) => picture.densityTable(found, describeAll(chosen)),
});

export const logitEffects = verb({
  doc: "Logits and probabilities of chosen tokens, or of those that moved most, before and after; the divergence of the two predictions and the loss, by token and position. Beside each stand directions of the same norm that mean nothing: random ones, differences of two tokens' activations and other decoder rows. The same call again loads the result.",
  args: [modelArg, interventionsArg, data],
  options: { ...LOGIT_EFFECTS, batchTokens, ...CONFORMANCE, ...KEPT },
  errors: ['Texts that are not exactly one token are refused as `tokens`; mind the space before a word.'],
  before: pairs((_, model, chosen, texts) => interventionPairings(model, chosen, tokensOfTexts(texts, model))),
  run: ({ options, call }, model, chosen, texts) =>
    effectsOnLogits(model, chosen, textsOf(texts, model), {
      ...logitOptions(only(LOGIT_EFFECTS, options)),
      batchTokens: options.batchTokens,
      ...call,
    }),
  keep: {
    kind: 'logit-effects',
    version: LOGIT_EFFECTS_VERSION,
    what: 'Effects on predictions',
    inputs: (_, model, _chosen, texts) => ({ model: model.id, ...tokenInputs(texts, model) }),
    parameters: ({ given }, model, chosen, texts) => ({
      ...effectParameters(logitOptions(only(LOGIT_EFFECTS, given)), model, chosen),
      ...promptParameters(texts),
    }),
  },
  show: (found, _, _model, chosen) => picture.logitTable(found, describeAll(chosen)),
});

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
      ...effectParameters(attributionOptions(only(ATTRIBUTION, given)), model),
      ...promptParameters(texts),
      target: JSON.parse(JSON.stringify(target ?? null)) as JsonObject,
    }),
  },
  show: (found, _, _model, sae) => picture.attributionTable(found, sae),
});

const transferSide = (name: string) =>
  sideArg<TransferSide>(
    name,
    `Side ${name.toUpperCase()} of the map: { model, sae, watch }; \`watch\` is an SAE downstream whose features are watched, default the same SAE, which encodes its own hook anew.`,
  );

export const transfer = verb({
  doc: 'Ablates many matched pairs, in A its feature and in B its counterpart, and asks whether the same counterparts move: a score beside its null of shuffled pairs. Without SAEs downstream to watch, the changed activation is only encoded again, which the result says and warns of. The same call again loads the result.',
  args: [transferSide('a'), transferSide('b'), dataArg, mapArg],
  options: { ...TRANSFER, ...CONFORMANCE, ...KEPT },
  errors: ['`watch` on one side alone, or without `watchMap`, is refused.'],
  before: pairs(({ allowOtherModel }, a, b, texts) =>
    [a, b].flatMap(({ model, sae, watch }) =>
      pairingsOf(model, watch ? [sae, watch] : [sae], tokensOf(texts, model), { allowOtherModel }),
    ),
  ),
  run: ({ options, call }, a, b, texts, map) =>
    transferOf(a, b, map, tokensOf(texts, a.model), { ...transferOptions(only(TRANSFER, options)), ...call }),
  keep: {
    kind: 'transfer',
    version: TRANSFER_VERSION,
    what: 'Transfer',
    inputs: ({ watchMap }, a, b, texts, map) => ({
      ...{ modelA: a.model.id, modelB: b.model.id, map: map.id, tokens: tokensOf(texts, a.model).id },
      watchMap: watchMap?.id,
      ...saeInputs([a.sae, b.sae, ...(a.watch ? [a.watch] : []), ...(b.watch ? [b.watch] : [])]),
    }),
    parameters: ({ given }, a) => effectParameters(transferOptions(only(TRANSFER, given)), a.model),
  },
  show: (found, _, a, b) => picture.transferTable(found, a.sae, b.sae),
});

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
      const { features, ...rest } = circuitOptions(only(CIRCUIT, given));
      // Features in full, as kept results have them.
      return { ...effectParameters(rest, model), ...(features && { features: [...features] }), prompt };
    },
  },
  show: (found, _, _model, upstream, downstream) =>
    picture.circuitTable(found, { upstream: upstream.id, downstream: downstream.id }),
});
