/** fg.sae.probe: what features say about labels of tokens. */
import { tokensArg, tokenSet } from '../datasets/dataset.js';
import { probeOutputs } from '../present/probing.js';
import { CALL } from '../verb/common.js';
import { forEach } from '../verb/beside.js';
import { verb } from '../verb/verb.js';
import { baselinesFor } from './baselines.js';
import { withBaselines } from './fgBaselines.js';
import { allowOtherModel, modelArg, requireModelOfSae, saeArg } from './ofModel.js';
import { CONFORMANCE, pairs } from './pairing.js';
import { PROBE, probeSae } from './probeSae.js';

export const probe = verb({
  doc: 'How much single features know about labels of tokens: for each label the accuracy and F1 of probes that read its k best features, beside a probe of the whole activation; among how many features the label is split; and how often its features are silent because another took their part (absorption). A third of the sequences judges and takes no part in choosing or fitting; tokens with and without the label are equally many, so that .5 is chance.',
  args: [modelArg, saeArg, tokensArg],
  options: { ...PROBE, baselines: withBaselines('probes'), ...CONFORMANCE, allowOtherModel, ...CALL },
  errors: [
    'A text without concepts where no labels are given, labels that no text has often enough, and an SAE of another model are refused.',
  ],
  kinds: ['conformance'],
  check: (options, model, sae) => requireModelOfSae(sae, model, options.allowOtherModel),
  before: pairs(({ hook }, model, sae, data) => [{ model, sae, hook, tokens: tokenSet(data, model) }]),
  run: ({ options, call }, model, sae, data) => probeSae(model, sae, tokenSet(data, model), { ...options, ...call }),
  beside: ({ env, options }, model, sae, data) =>
    forEach(baselinesFor(env, sae, options.baselines), (other) => ({ args: [model, other, data] })),
  show: (found, { env }, _model, sae) => env.displayButLast(probeOutputs(sae, found)),
});
