/**
 * Where each family keeps its weights: Hugging Face's names and shapes, which are also ours, so that saving is a copy.
 * GPT-2's Conv1D weights are [in, out], the others' Linear weights [out, in].
 */
import type { ModelConfig } from './types.js';

export interface LayerNormNames {
  weight: string;
  bias: string;
}

export interface LinearNames {
  weight: string;
  bias?: string;
}

export interface BlockNames {
  ln1: LayerNormNames;
  /** One fused projection, or one each for q, k and v. */
  qkv: [LinearNames] | [LinearNames, LinearNames, LinearNames];
  attnOut: LinearNames;
  ln2: LayerNormNames;
  mlpIn: LinearNames;
  mlpOut: LinearNames;
}

export interface ModelNames {
  /** [vocab, d] */
  embed: string;
  /** [context, d]; absent with rotary positions. */
  position?: string;
  blocks: BlockNames[];
  lnFinal: LayerNormNames;
  /** [vocab, d]; the embedding itself when tied. */
  unembed: string;
  /** Linear weights are [out, in]. */
  linearIsOutIn: boolean;
}

const both = (name: string) => ({ weight: `${name}.weight`, bias: `${name}.bias` });

/** Weight names of a model of this config. */
export function modelNames(config: ModelConfig): ModelNames {
  switch (config.family) {
    case 'gpt2':
      return gptNames(config, (h) => [both(`${h}.attn.c_attn`)], 'attn.c_proj', false);
    case 'gpt_neo': {
      const qkv = (h: string): BlockNames['qkv'] => [
        { weight: `${h}.attn.attention.q_proj.weight` },
        { weight: `${h}.attn.attention.k_proj.weight` },
        { weight: `${h}.attn.attention.v_proj.weight` },
      ];
      return gptNames(config, qkv, 'attn.attention.out_proj', true);
    }
    case 'gpt_neox':
      return neoxNames(config);
  }
}

function gptNames(
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

function neoxNames(config: ModelConfig): ModelNames {
  const block = (h: string): BlockNames => ({
    ln1: both(`${h}.input_layernorm`),
    qkv: [both(`${h}.attention.query_key_value`)],
    attnOut: both(`${h}.attention.dense`),
    ln2: both(`${h}.post_attention_layernorm`),
    mlpIn: both(`${h}.mlp.dense_h_to_4h`),
    mlpOut: both(`${h}.mlp.dense_4h_to_h`),
  });
  return {
    embed: 'gpt_neox.embed_in.weight',
    blocks: Array.from({ length: config.layers }, (_, layer) => block(`gpt_neox.layers.${layer}`)),
    lnFinal: both('gpt_neox.final_layer_norm'),
    unembed: config.tiedEmbeddings ? 'gpt_neox.embed_in.weight' : 'embed_out.weight',
    linearIsOutIn: true,
  };
}

/** Shape of every weight, by name, in the order they run. */
export function weightShapes(config: ModelConfig): Map<string, number[]> {
  const { dModel: d, heads, dHead, dMlp, vocab, context } = config;
  const names = modelNames(config);
  const shapes = new Map<string, number[]>();
  const layerNorm = (ln: LayerNormNames) => shapes.set(ln.weight, [d]).set(ln.bias, [d]);
  const linear = (names_: LinearNames, input: number, output: number) => {
    shapes.set(names_.weight, names.linearIsOutIn ? [output, input] : [input, output]);
    if (names_.bias) shapes.set(names_.bias, [output]);
  };
  shapes.set(names.embed, [vocab, d]);
  if (names.position) shapes.set(names.position, [context, d]);
  for (const block of names.blocks) {
    layerNorm(block.ln1);
    for (const projection of block.qkv) linear(projection, d, (heads * dHead * 3) / block.qkv.length);
    linear(block.attnOut, heads * dHead, d);
    layerNorm(block.ln2);
    linear(block.mlpIn, d, dMlp);
    linear(block.mlpOut, dMlp, d);
  }
  layerNorm(names.lnFinal);
  shapes.set(names.unembed, [vocab, d]);
  return shapes;
}
