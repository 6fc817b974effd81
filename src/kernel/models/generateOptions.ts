/** How a model continues a prompt: options of its method `generate`, declared as those of verbs are. */
import { USUAL_SEED } from '../compute/random.js';
import { flag, real, whole } from '../verb/option.js';

export const GENERATE = {
  tokens: whole({ doc: 'New tokens.', min: 0, usual: 40 }),
  temperature: real({ doc: '0 = greedy.', min: 0, usual: 0 }),
  topK: whole({ doc: 'Keep the k likeliest tokens when sampling.', min: 1, fallback: 'all' }),
  seed: whole({ doc: 'The same seed gives the same text.', usual: USUAL_SEED }),
  conformance: flag({
    doc: 'Look once whether the SAEs whose features interventions change fit the model, and warn when they do not.',
    usual: true,
  }),
  stopAtEos: flag({ doc: 'Stop after the end-of-text token.', usual: true }),
};
