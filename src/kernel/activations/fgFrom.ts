/** fg.activations.from: arrays of another program as a store. */
import type { Tokenizer } from '../models/types.js';
import { count, textItem } from '../present/items.js';
import { KEPT, thing } from '../verb/common.js';
import { choice, required, text, value, whole } from '../verb/option.js';
import { verb } from '../verb/verb.js';
import { nameFeatures } from './kept.js';
import { activationsFrom, type ActivationArrays, type TokensOfRows } from './from.js';
import { density, meanL0 } from './statistics.js';
import type { TokenDecoder } from './types.js';

/** What decodes token ids: a tokenizer, { id, piece }, or a model that has one. */
export type Decoder = TokenDecoder | { readonly tokenizer: Tokenizer };

export const from = verb({
  doc: 'A store of sparse activations from arrays of another program: dense [N, F] or [S, T, F], or CSR { indptr, indices, values, shape }. It is what fg.activations.save gives: it can be correlated, mapped and, with tokens, shown with examples. Two stores belong together when they were given the same tokens, or neither any and they have as many rows in the same sequences. Zeros are left out; the same call again loads the result.',
  args: [
    thing<ActivationArrays>(
      'data',
      'Activations, one row a token: what fg.arrays.load gave, { shape, data }, rows of numbers, a tensor, or CSR as scipy has it.',
    ),
  ],
  options: {
    name: required(text({ doc: 'What the features are of, for people: titles and legends say it.' })),
    tokens: value<TokensOfRows>('a token set of fg.datasets, or token ids [N] or [S, T]', {
      doc: 'Tokens of the rows, in their order.',
      fallback: 'none: rows are known by their number',
    }),
    tokenizer: value<Decoder>('model.tokenizer, or the model', {
      doc: 'Decodes token ids that were given as numbers.',
      fallback: 'that of a token set; else ids are shown',
    }),
    context: whole({
      doc: 'Tokens per sequence, where neither tokens nor shape say it.',
      min: 1,
      fallback: 'all rows in one sequence',
    }),
    hook: text({ doc: 'Hook of the activations, for people.', fallback: 'none' }),
    model: text({ doc: 'Model of the activations, for people.', fallback: 'none' }),
    negative: choice(['refuse', 'zero'], {
      doc: 'What negative entries are: an error, or no firing.',
      default: 'refuse',
    }),
    ...KEPT,
  },
  errors: ['Arrays that do not fit each other, NaN and infinity are refused with their place.'],
  kinds: ['activations'],
  run: async ({ env, options, call }, data) => {
    const { value: store, cached, record } = await activationsFrom(data, env.store, { ...options, ...call });
    env.tellCached(`Activations of ${options.name}`, cached, record);
    nameFeatures(env, store);
    return store;
  },
  show: ({ meta }) => [
    textItem(
      `${meta.sae.name}: ${count(meta.tokens)} tokens × ${count(meta.features)} features, ${count(meta.nonZeros)} non-zeros, L0 ${meanL0(meta).toFixed(1)}, density ${(100 * density(meta)).toFixed(3)} %`,
    ),
  ],
});
