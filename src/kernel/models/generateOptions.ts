/**
 * How a model continues a prompt: options of its method `generate`, declared as those of verbs are. The comments are what
 * the editor and docs/api show of a method's options.
 */
import { USUAL_SEED } from '../compute/random.js';
import { flag, real, whole } from '../verb/option.js';

export const GENERATE = {
  /** New tokens, default 40. */
  tokens: whole({ doc: 'New tokens.', min: 0, usual: 40 }),
  /** 0 = greedy (default). */
  temperature: real({ doc: '0 = greedy.', min: 0, usual: 0 }),
  /** Keep the k likeliest tokens when sampling; default all. */
  topK: whole({ doc: 'Keep the k likeliest tokens when sampling.', min: 1, fallback: 'all' }),
  /** Default 0; the same seed gives the same text. */
  seed: whole({ doc: 'The same seed gives the same text.', usual: USUAL_SEED }),
  /** Look once whether the SAEs whose features interventions change fit the model, and warn when they do not; default true. */
  conformance: flag({ doc: 'Look once whether the SAEs of interventions fit the model.', usual: true }),
  /** Stop after the end-of-text token, default true. */
  stopAtEos: flag({ doc: 'Stop after the end-of-text token.', usual: true }),
};
