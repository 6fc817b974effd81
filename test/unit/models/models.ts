/** Small models of odd sizes with every weight random, and the reference's view of them. */
import { tf } from '#kernel/compute/tf.js';
import { weightShapes } from '#kernel/models/layout.js';
import { TransformerModel } from '#kernel/models/transformer.js';
import type { ModelConfig, Tokenizer } from '#kernel/models/types.js';
import type { ReferenceSettings, Weights } from './reference.js';

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

/** A small generator of its own, so that tests do not lean on what they test. */
export function normals(seed: number): () => number {
  let state = seed * 2654435761 + 1;
  const uniform = (): number => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return (((t ^ (t >>> 14)) >>> 0) + 0.5) / 4294967296;
  };
  return () => Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform());
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

export const tokenizer: Tokenizer = {
  id: 'numbers',
  vocabSize: 37,
  eosId: 0,
  bosId: undefined,
  encode: (text) => Int32Array.from(text.split(' ').filter(Boolean).map(Number)),
  decode: (ids) => Array.from(ids).join(' '),
  piece: String,
};

export function modelOf(config: ModelConfig, weights: Weights, trainable = false): TransformerModel {
  const parameters = new Map<string, tf.Tensor>();
  for (const [name, { shape, data }] of weights) {
    const tensor = tf.tensor(Float32Array.from(data), shape);
    parameters.set(name, trainable ? tf.variable(tensor) : tensor);
    if (trainable) tensor.dispose();
  }
  return new TransformerModel({ name: 'odd', config, tokenizer, parameters, trainable });
}

/** ‖a − b‖ / ‖b‖; entries that are −Infinity in both count as equal, in one as infinitely far. */
export function relativeError(a: ArrayLike<number>, b: ArrayLike<number>): number {
  if (a.length !== b.length) return Infinity;
  let difference = 0;
  let size = 0;
  for (let i = 0; i < a.length; i++) {
    if (a[i] === -Infinity && b[i] === -Infinity) continue;
    difference += (a[i] - b[i]) ** 2;
    size += b[i] ** 2;
  }
  return Math.sqrt(difference / size);
}
