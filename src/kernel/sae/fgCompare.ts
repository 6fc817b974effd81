/** fg.sae.compare: SAEs, sweeps and baselines side by side. */
import { tokensArg, tokenSet } from '../datasets/dataset.js';
import { comparisonOutputs } from '../present/compare.js';
import { CALL, argOf } from '../verb/common.js';
import { flag, only, value } from '../verb/option.js';
import { verb } from '../verb/verb.js';
import { baselinesFor } from './baselines.js';
import { COMPARE, compareSaes } from './compare.js';
import { allowOtherModel, modelArg, requireModelOfSae } from './ofModel.js';
import { CONFORMANCE, pairs } from './pairing.js';
import type { Sae } from './types.js';

const saesArg = argOf(
  'saes',
  value<readonly Sae[]>(
    'an array of what fg.sae.train or fg.sae.load returned',
    { doc: 'SAEs of the model: of one hook or several, of any settings; at least one.' },
    (v) =>
      Array.isArray(v) && v.length > 0 && v.every((one) => typeof one === 'object' && one !== null && 'config' in one),
  ),
);

export const compare = verb({
  doc: 'SAEs side by side on one text: L0, explained variance, cross-entropy and KL recovered, dead features, in one table and one Pareto chart of L0 against explained variance and cross-entropy recovered. SAEs that differ in their seed alone are one point with its standard deviation over seeds; and of every two groups with seeds in common, the differences paired by seed beside the least that so many seeds detect (two-sided .05, power .8): a difference below it is none that was found. SAEs of one hook share the runs of the model.',
  args: [modelArg, saesArg, tokensArg],
  options: {
    ...COMPARE,
    baselines: flag({
      doc: 'Show the baselines that fg.sae.baselines made of the SAEs in this session beside them.',
      default: false,
    }),
    allowOtherModel,
    ...CONFORMANCE,
    ...CALL,
  },
  errors: ['SAEs of another model, and { baselines: true } where none were made, are refused.'],
  kinds: ['conformance'],
  check(options, model, saes) {
    for (const sae of saes) requireModelOfSae(sae, model, options.allowOtherModel);
  },
  before: pairs((_, model, saes, data) => saes.map((sae) => ({ model, sae, tokens: tokenSet(data, model) }))),
  run({ env, options, call }, model, saes, data) {
    const beside = options.baselines ? saes.flatMap((sae) => Object.values(baselinesFor(env, sae, true))) : [];
    const all = [...new Map([...saes, ...beside].map((sae) => [sae.id, sae])).values()];
    return compareSaes(model, all, tokenSet(data, model), { ...only(COMPARE, options), ...call });
  },
  show: (found, { env }) => env.displayButLast(comparisonOutputs(found)),
});
