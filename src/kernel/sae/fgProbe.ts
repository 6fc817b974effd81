/** fg.sae.probe: what features say about labels of tokens. */
import { tokensArg, tokenSet } from '../datasets/dataset.js';
import { probeItems } from '../present/probing.js';
import { CALL } from '../verb/common.js';
import { numbers, text, value, whole } from '../verb/option.js';
import { verb } from '../verb/verb.js';
import { allowOtherModel, modelArg, requireModelOfSae, saeArg } from './ofModel.js';
import { CONFORMANCE, pairs } from './pairing.js';
import { probeSae, type ProbeLabels } from './probeSae.js';
import { COUNTED } from './trainedOn.js';

const PROBE = {
  labels: value<ProbeLabels>(
    'an object of labels by name, each a function of a token, or 0 or 1 for every token',
    {
      doc: "What tokens are: by name a test of a token's text, such as `{ 'starts with s': (token) => /^ ?s/i.test(token) }`, or 0 or 1 for every token of the token set (sequences × context).",
      fallback: 'the concepts of the text, which generated stories have',
    },
    (v) =>
      typeof v === 'object' &&
      v !== null &&
      Object.values(v).every((of) => typeof of === 'function' || Array.isArray(of) || ArrayBuffer.isView(of)),
  ),
  k: numbers({
    doc: 'Features that a sparse probe reads: one probe for each.',
    min: 1,
    whole: true,
    default: [1, 2, 5],
  }),
  maxTokens: whole({ doc: 'Most labelled tokens of a label to learn from, and to judge by.', min: 10, default: 1000 }),
  minTokens: whole({ doc: 'Labels of fewer tokens in either are left out.', min: 2, default: 20 }),
  seed: whole({ doc: 'Of the draw of tokens.', default: 0 }),
  hook: text({ doc: 'Hook to read.', fallback: "the SAE's own" }),
  ...COUNTED,
} as const;

export const probe = verb({
  doc: 'How much single features know about labels of tokens: for each label the accuracy and F1 of probes that read its k best features, beside a probe of the whole activation; among how many features the label is split; and how often its features are silent because another took their part (absorption). A third of the sequences judges and takes no part in choosing or fitting; tokens with and without the label are equally many, so that .5 is chance.',
  args: [modelArg, saeArg, tokensArg],
  options: { ...PROBE, ...CONFORMANCE, allowOtherModel, ...CALL },
  errors: [
    'A text without concepts where no labels are given, labels that no text has often enough, and an SAE of another model are refused.',
  ],
  kinds: ['conformance'],
  check: (options, model, sae) => requireModelOfSae(sae, model, options.allowOtherModel),
  before: pairs(({ hook }, model, sae, data) => [{ model, sae, hook, tokens: tokenSet(data, model) }]),
  run({ options, call }, model, sae, data) {
    const { labels, maxTokens, minTokens, seed, hook, ignoreTokens, allPositions } = options;
    const k = [...options.k].sort((a, b) => a - b);
    const settings = { labels, k, most: maxTokens, least: minTokens, seed, hook, ignoreTokens, allPositions };
    return probeSae(model, sae, tokenSet(data, model), { ...settings, ...call });
  },
  show: (found, _, __, sae) => probeItems(sae, found),
});
