/** fg.activations.from: arrays of another program as a store. */
import { count, textItem } from '../present/items.js';
import { KEPT, thing } from '../verb/common.js';
import { verb } from '../verb/verb.js';
import { nameFeatures } from './kept.js';
import { activationsFrom, FROM, type ActivationArrays } from './from.js';
import { density, meanL0 } from './statistics.js';

export const from = verb({
  doc: 'A store of sparse activations from arrays of another program: dense [N, F] or [S, T, F], or CSR { indptr, indices, values, shape }. It is what fg.activations.save gives: it can be correlated, mapped and, with tokens, shown with examples. Two stores belong together when they were given the same tokens, or neither any and they have as many rows in the same sequences. Zeros are left out; the same call again loads the result.',
  args: [
    thing<ActivationArrays>(
      'data',
      'Activations, one row a token: what fg.arrays.load gave, { shape, data }, rows of numbers, a tensor, or CSR as scipy has it.',
    ),
  ],
  options: { ...FROM, ...KEPT },
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
