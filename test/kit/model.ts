/** Small models of odd sizes with every weight random, and the reference's view of them. */
import { tf } from '#kernel/compute/tf.js';
import { weightShapes } from '#kernel/models/layout.js';
import { TransformerModel } from '#kernel/models/transformer.js';
import type { ModelConfig, Tokenizer, TokenSet } from '#kernel/models/types.js';
import { normals } from './numbers.js';
import type { ReferenceSettings, Weights } from './referenceModel.js';

export const sizes = {
  layers: 2,
  dModel: 15,
  heads: 3,
  dHead: 5,
  dMlp: 23,
  vocab: 37,
  context: 12,
  layerNormEps: 1e-5,
};

export const CONFIGS: Record<string, ModelConfig> = {
  'GPT-2': { ...sizes, family: 'gpt2', activation: 'gelu_new', parallelResidual: false, tiedEmbeddings: true },
  'GPT-2, untied, relu': {
    ...sizes,
    family: 'gpt2',
    activation: 'relu',
    parallelResidual: false,
    tiedEmbeddings: false,
  },
  'GPT-Neo': {
    ...sizes,
    family: 'gpt_neo',
    activation: 'gelu_new',
    attention: ['global', 'local'],
    window: 4,
    parallelResidual: false,
    tiedEmbeddings: true,
  },
  'GPT-NeoX': {
    ...sizes,
    family: 'gpt_neox',
    activation: 'gelu',
    rotary: { dims: 4, base: 10000 },
    parallelResidual: true,
    tiedEmbeddings: false,
  },
  'GPT-NeoX, sequential, all dims rotary': {
    ...sizes,
    dModel: 18,
    dHead: 6,
    family: 'gpt_neox',
    activation: 'gelu',
    rotary: { dims: 6, base: 500 },
    parallelResidual: false,
    tiedEmbeddings: true,
  },
};

export function referenceSettings(c: ModelConfig): ReferenceSettings {
  if (c.family !== 'gpt2' && c.family !== 'gpt_neo' && c.family !== 'gpt_neox')
    throw new Error(`no settings of ${c.family}`);
  if (c.activation === 'silu') throw new Error('no silu in these families');
  const tied = c.family === 'gpt_neox' ? 'gpt_neox.embed_in.weight' : 'transformer.wte.weight';
  const untied = c.family === 'gpt_neox' ? 'embed_out.weight' : 'lm_head.weight';
  return {
    family: c.family,
    layers: c.layers,
    d: c.dModel,
    heads: c.heads,
    eps: c.layerNormEps,
    activation: c.activation,
    localLayers: c.attention?.flatMap((kind, layer) => (kind === 'local' ? [layer] : [])),
    window: c.window,
    rotaryDims: c.rotary?.dims,
    rotaryBase: c.rotary?.base,
    parallel: c.parallelResidual,
    unembed: c.tiedEmbeddings ? tied : untied,
  };
}

/** Weights of deviation 0.3, LayerNorm weights around 1: nothing is near zero, so that no term hides. */
export function randomWeights(config: ModelConfig, seed: number): Weights {
  const next = normals(seed);
  const weights: Weights = new Map();
  for (const [name, shape] of weightShapes(config)) {
    const centre = /(ln_1|ln_2|ln_f|layernorm|layer_norm|_norm|model\.norm)\.weight$/.test(name) ? 1 : 0;
    const data = Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => centre + 0.3 * next());
    weights.set(name, { shape, data });
  }
  return weights;
}

/** Texts of numbers: each is its own token. */
export const tokenizer: Tokenizer = {
  id: 'numbers',
  vocabSize: 37,
  eosId: 0,
  bosId: undefined,
  encode: (text) => Int32Array.from(text.split(' ').filter(Boolean).map(Number)),
  decode: (ids) => Array.from(ids).join(' '),
  piece: String,
};

/** Tokens of that tokenizer in a fixed order that does not repeat soon. */
export function tokenSet(sequences: number, context = 8): TokenSet {
  const tokens = Int32Array.from({ length: sequences * context }, (_, i) => (i * i + 5) % sizes.vocab);
  return { id: 'tokens', tokens, sequences, context, tokenizer, source: {} };
}

/** Letters: one token each. */
export const letters: Tokenizer = {
  id: 'letters',
  vocabSize: 0x10000,
  eosId: 0,
  bosId: 1,
  encode: (text) => Int32Array.from(text, (c) => c.charCodeAt(0)),
  decode: (ids) => String.fromCharCode(...Array.from(ids)),
  piece: (id) => String.fromCharCode(id),
};

export function modelOf(
  config: ModelConfig,
  weights: Weights,
  trainable = false,
  reader: Tokenizer = tokenizer,
): TransformerModel {
  const parameters = new Map<string, tf.Tensor>();
  for (const [name, { shape, data }] of weights) {
    const tensor = tf.tensor(Float32Array.from(data), shape);
    parameters.set(name, trainable ? tf.variable(tensor) : tensor);
    if (trainable) tensor.dispose();
  }
  return new TransformerModel({ name: 'odd', config, tokenizer: reader, parameters, trainable });
}
