/** fg.activations.align: stores of models with different tokenizers, brought to the same rows. */
import { alignedItems } from '../present/activations.js';
import { KEPT, thing } from '../verb/common.js';
import { verb } from '../verb/verb.js';
import { ALIGN, alignActivations } from './align.js';
import type { SparseActivations } from './types.js';

export const align = verb({
  doc: 'Two stores of models with different tokenizers, over the same text, brought to the same rows: spans of characters from one token boundary that both have to the next, mostly words. On a span a feature has the largest (or mean) activation of its tokens there. `a` and `b` of the result can be correlated and mapped, and are kept as artifacts; `shares` says how much of the text and of the tokens was joined. Positions in their sequences mean nothing.',
  args: [
    thing<SparseActivations>('activations', 'What fg.activations.save returned.'),
    thing<SparseActivations>('other', 'A store of another model over the same text.'),
  ],
  options: { ...ALIGN, ...KEPT },
  errors: ['Stores of the same tokens, and texts without a word in common, are refused.'],
  kinds: ['activations'],
  async run({ env, options, call }, a, b) {
    const { value, made } = await alignActivations(a, b, env.store, { ...options, ...call });
    for (const { value: store, cached, record } of made)
      env.tellCached(`Aligned activations of ${store.meta.sae.name}`, cached, record);
    return value;
  },
  show: (made) => alignedItems(made),
});
