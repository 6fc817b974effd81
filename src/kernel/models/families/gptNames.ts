/** Weight names that GPT-2 and GPT-Neo share. */
import type { BlockNames, ModelNames } from '../layout.js';
import type { ModelConfig } from '../types.js';
import { both } from './family.js';

export function gptNames(
  config: ModelConfig,
  qkv: (h: string) => BlockNames['qkv'],
  attnOut: string,
  linearIsOutIn: boolean,
): ModelNames {
  const block = (h: string): BlockNames => ({
    ln1: both(`${h}.ln_1`),
    qkv: qkv(h),
    attnOut: both(`${h}.${attnOut}`),
    ln2: both(`${h}.ln_2`),
    mlpIn: both(`${h}.mlp.c_fc`),
    mlpOut: both(`${h}.mlp.c_proj`),
  });
  return {
    embed: 'transformer.wte.weight',
    position: 'transformer.wpe.weight',
    blocks: Array.from({ length: config.layers }, (_, layer) => block(`transformer.h.${layer}`)),
    lnFinal: both('transformer.ln_f'),
    unembed: config.tiedEmbeddings ? 'transformer.wte.weight' : 'lm_head.weight',
    linearIsOutIn,
  };
}
