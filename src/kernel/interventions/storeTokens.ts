/** The tokens of saved activations, for what runs the model again on the same text. */
import type { SparseActivations } from '../activations/types.js';
import { createTokenSet } from '../models/datasets.js';
import type { Tokenizer, TokenSet } from '../models/types.js';

/** The tokens that a store was made of; undefined where another tokenizer made them. */
export async function tokensOfStore(store: SparseActivations, tokenizer: Tokenizer): Promise<TokenSet | undefined> {
  const { sequences, context, tokenSet } = store.meta;
  if (tokenSet.tokenizer !== tokenizer.id) return undefined;
  const padding = await store.ignored();
  return createTokenSet(await store.tokenIds(), sequences, context, tokenizer, { padding, source: {} });
}
