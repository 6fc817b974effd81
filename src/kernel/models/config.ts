/** Hugging Face's config.json of each family, to ModelConfig and back. */
import { clip } from '../../protocol/clip.js';
import type { Json, JsonObject } from '../../protocol/notebook.js';
import type { ModelConfig, ModelFamily } from './types.js';

const FAMILIES: readonly ModelFamily[] = ['gpt2', 'gpt_neo', 'gpt_neox'];
const ARCHITECTURES: Record<string, ModelFamily> = {
  GPT2LMHeadModel: 'gpt2',
  GPTNeoForCausalLM: 'gpt_neo',
  GPTNeoXForCausalLM: 'gpt_neox',
};
const ACTIVATIONS: Record<string, ModelConfig['activation']> = {
  gelu_new: 'gelu_new',
  gelu_fast: 'gelu_new',
  gelu_pytorch_tanh: 'gelu_new',
  gelu: 'gelu',
  relu: 'relu',
};

/** Reads a parsed config.json; `where` names it in errors. Throws on unknown architectures and inconsistent sizes. */
export function readConfig(json: JsonObject, where = 'config.json'): ModelConfig {
  const fields = new Fields(json, where);
  const config = readFamily(familyOf(json, where), fields);
  requireConfig(config, where);
  return config;
}

function familyOf(json: JsonObject, where: string): ModelFamily {
  const type = json.model_type;
  const architecture = Array.isArray(json.architectures) ? json.architectures[0] : undefined;
  const family = FAMILIES.find((name) => name === type) ?? own(ARCHITECTURES, architecture);
  if (family && (type === undefined || type === family)) return family;
  throw new Error(
    `${where}: model_type "${shown(type)}" (architecture ${shown(architecture)}) is not supported; supported are ${FAMILIES.join(', ')}`,
  );
}

/** What a table holds for a name from a file; its prototype's names are none of its own. */
function own<T>(table: Record<string, T>, name: Json | undefined): T | undefined {
  return typeof name === 'string' && Object.hasOwn(table, name) ? table[name] : undefined;
}

/** A value from a file for a message. */
function shown(value: Json | undefined): string {
  return clip(typeof value === 'string' ? value : String(JSON.stringify(value)));
}

/** Above any model there is; a small file must not make long lists. */
const MAX_LAYERS = 10_000;

function readFamily(family: ModelFamily, f: Fields): ModelConfig {
  switch (family) {
    case 'gpt2':
      return readGpt2(f);
    case 'gpt_neo':
      return readGptNeo(f);
    case 'gpt_neox':
      return readGptNeoX(f);
  }
}

function readGpt2(f: Fields): ModelConfig {
  f.requireValue('scale_attn_weights', true);
  f.requireValue('scale_attn_by_inverse_layer_idx', false);
  f.requireValue('add_cross_attention', false);
  const dModel = f.integer(['n_embd', 'hidden_size']);
  const heads = f.integer(['n_head', 'num_attention_heads']);
  return {
    family: 'gpt2',
    layers: f.integer(['n_layer', 'num_hidden_layers']),
    dModel,
    heads,
    dHead: f.headWidth(dModel, heads),
    dMlp: f.integer(['n_inner'], 4 * dModel),
    vocab: f.integer(['vocab_size']),
    context: f.integer(['n_positions', 'n_ctx', 'max_position_embeddings']),
    layerNormEps: f.number(['layer_norm_epsilon'], 1e-5),
    activation: f.activation('activation_function', 'gelu_new'),
    parallelResidual: false,
    tiedEmbeddings: f.boolean('tie_word_embeddings', true),
  };
}

function readGptNeo(f: Fields): ModelConfig {
  const dModel = f.integer(['hidden_size']);
  const heads = f.integer(['num_heads', 'num_attention_heads']);
  const layers = f.integer(['num_layers', 'num_hidden_layers']);
  return {
    family: 'gpt_neo',
    layers,
    dModel,
    heads,
    dHead: f.headWidth(dModel, heads),
    dMlp: f.integer(['intermediate_size'], 4 * dModel),
    vocab: f.integer(['vocab_size']),
    context: f.integer(['max_position_embeddings']),
    layerNormEps: f.number(['layer_norm_epsilon'], 1e-5),
    activation: f.activation('activation_function', 'gelu_new'),
    attention: f.attention(layers),
    window: f.integer(['window_size'], 256),
    parallelResidual: false,
    tiedEmbeddings: f.boolean('tie_word_embeddings', true),
  };
}

function readGptNeoX(f: Fields): ModelConfig {
  f.requireValue('attention_bias', true);
  f.requireValue('rope_scaling', null);
  const dModel = f.integer(['hidden_size']);
  const heads = f.integer(['num_attention_heads']);
  const dHead = f.headWidth(dModel, heads);
  const rope = f.rope();
  return {
    family: 'gpt_neox',
    layers: f.integer(['num_hidden_layers']),
    dModel,
    heads,
    dHead,
    dMlp: f.integer(['intermediate_size'], 4 * dModel),
    vocab: f.integer(['vocab_size']),
    context: f.integer(['max_position_embeddings']),
    layerNormEps: f.number(['layer_norm_eps'], 1e-5),
    activation: f.activation('hidden_act', 'gelu'),
    rotary: { dims: Math.floor(dHead * rope.part), base: rope.base },
    parallelResidual: f.boolean('use_parallel_residual', true),
    tiedEmbeddings: f.boolean('tie_word_embeddings', false),
  };
}

/** Typed reading of a config.json: the first name present counts, null counts as absent. */
class Fields {
  constructor(
    private readonly json: JsonObject,
    private readonly where: string,
  ) {}

  number(names: string[], missing?: number): number {
    const name = names.find((n) => this.json[n] !== undefined && this.json[n] !== null);
    const value = name === undefined ? missing : this.json[name];
    if (typeof value === 'number' && Number.isFinite(value)) return value;
    throw new Error(
      `${this.where}: ${names.join(' or ')} must be a number but is ${value === undefined ? 'missing' : shown(value)}`,
    );
  }

  integer(names: string[], missing?: number): number {
    const value = this.number(names, missing);
    if (Number.isInteger(value) && value > 0) return value;
    throw new Error(`${this.where}: ${names.join(' or ')} must be a positive integer but is ${value}`);
  }

  boolean(name: string, missing: boolean): boolean {
    const value = this.json[name] ?? missing;
    if (typeof value === 'boolean') return value;
    throw new Error(`${this.where}: ${name} must be true or false but is ${shown(value)}`);
  }

  activation(name: string, missing: string): ModelConfig['activation'] {
    const value = String(this.json[name] ?? missing);
    const activation = own(ACTIVATIONS, value);
    if (activation) return activation;
    throw new Error(
      `${this.where}: ${name} "${clip(value)}" is not supported; supported are ${Object.keys(ACTIVATIONS).join(', ')}`,
    );
  }

  /** Refuses a variant of the architecture that the forward pass does not compute. */
  requireValue(name: string, expected: Json): void {
    const value = this.json[name];
    if (value === undefined || value === null || value === expected) return;
    throw new Error(`${this.where}: ${name} = ${shown(value)} is not supported (expected ${JSON.stringify(expected)})`);
  }

  headWidth(dModel: number, heads: number): number {
    if (dModel % heads === 0) return dModel / heads;
    throw new Error(`${this.where}: width ${dModel} is not divisible by ${heads} heads`);
  }

  /** attention_types [[["global","local"], 4], …] repeated out, or attention_layers as it is. */
  attention(layers: number): Array<'global' | 'local'> {
    const { attention_types: types, attention_layers: plain } = this.json;
    if (layers > MAX_LAYERS) throw new Error(`${this.where}: ${layers} layers; ${MAX_LAYERS} are the most`);
    let kinds: Json[] = [];
    if (Array.isArray(types)) {
      for (const group of types) {
        const [pattern, times] = Array.isArray(group) ? group : [];
        if (!Array.isArray(pattern) || typeof times !== 'number') {
          throw new Error(`${this.where}: attention_types must be [[kinds, times], …] but is ${shown(types)}`);
        }
        for (let i = 0; i < times && pattern.length > 0 && kinds.length <= layers; i++) kinds = kinds.concat(pattern);
      }
    } else if (Array.isArray(plain)) {
      kinds = plain;
    } else {
      kinds = Array.from({ length: layers }, (_, layer) => (layer % 2 === 0 ? 'global' : 'local')); // the family's default
    }
    if (kinds.length !== layers || kinds.some((kind) => kind !== 'global' && kind !== 'local')) {
      throw new Error(
        `${this.where}: attention kinds ${shown(kinds)} must be "global" or "local", one for each of ${layers} layers`,
      );
    }
    return kinds as Array<'global' | 'local'>;
  }

  /** Rotary base and the part of each head that is rotated, in the old and the new spelling. */
  rope(): { base: number; part: number } {
    const nested = this.json.rope_parameters;
    if (nested && typeof nested === 'object' && !Array.isArray(nested)) {
      const inner = new Fields(nested, `${this.where}: rope_parameters`);
      inner.requireValue('rope_type', 'default');
      return {
        base: inner.number(['rope_theta'], 10000),
        part: inner.number(['partial_rotary_factor'], this.number(['rotary_pct'], 0.25)),
      };
    }
    return {
      base: this.number(['rotary_emb_base', 'rope_theta'], 10000),
      part: this.number(['rotary_pct', 'partial_rotary_factor'], 0.25),
    };
  }
}

/** Throws unless the sizes of a config fit each other. */
export function requireConfig(config: ModelConfig, where = 'model config'): void {
  const sizes = {
    layers: config.layers,
    dModel: config.dModel,
    heads: config.heads,
    dHead: config.dHead,
    dMlp: config.dMlp,
    vocab: config.vocab,
    context: config.context,
  };
  const fail = (problem: string): never => {
    throw new Error(`${where}: ${problem}`);
  };
  for (const [name, value] of Object.entries(sizes)) {
    if (!Number.isInteger(value) || value < 1) fail(`${name} must be a positive integer but is ${value}`);
  }
  if (config.layers > MAX_LAYERS) fail(`${config.layers} layers; ${MAX_LAYERS} are the most`);
  if (!FAMILIES.includes(config.family)) fail(`family ${String(config.family)} is not one of ${FAMILIES.join(', ')}`);
  if (config.heads * config.dHead !== config.dModel) {
    fail(`${config.heads} heads of width ${config.dHead} do not make the model's width ${config.dModel}`);
  }
  if (!(config.layerNormEps >= 0)) fail(`layerNormEps must be at least 0 but is ${config.layerNormEps}`);
  if (config.attention && config.attention.length !== config.layers) {
    fail(`attention names ${config.attention.length} layers, the model has ${config.layers}`);
  }
  if (config.attention?.includes('local') && !(Number.isInteger(config.window) && (config.window as number) > 0)) {
    fail(`local attention needs a window of at least 1 token but it is ${config.window}`);
  }
  const isNeoX = config.family === 'gpt_neox';
  if (isNeoX !== (config.rotary !== undefined)) fail(`rotary positions belong to gpt_neox, and to it alone`);
  if (!isNeoX && config.parallelResidual) fail(`parallelResidual belongs to gpt_neox alone`);
  if (config.family !== 'gpt_neo' && config.attention?.includes('local'))
    fail('local attention belongs to gpt_neo alone');
  if (config.rotary) {
    const { dims, base } = config.rotary;
    if (!Number.isInteger(dims) || dims < 2 || dims % 2 !== 0 || dims > config.dHead || !(base > 0)) {
      fail(
        `rotary dims must be even, from 2 to the head width ${config.dHead}, with a positive base; they are ${dims} with base ${base}`,
      );
    }
  }
}

/** A config.json that Hugging Face transformers and readConfig both understand. */
export function writeConfig(config: ModelConfig): JsonObject {
  const shared = { vocab_size: config.vocab, tie_word_embeddings: config.tiedEmbeddings, torch_dtype: 'float32' };
  switch (config.family) {
    case 'gpt2':
      return {
        ...shared,
        model_type: 'gpt2',
        architectures: ['GPT2LMHeadModel'],
        n_layer: config.layers,
        n_embd: config.dModel,
        n_head: config.heads,
        n_inner: config.dMlp,
        n_positions: config.context,
        layer_norm_epsilon: config.layerNormEps,
        activation_function: config.activation,
      };
    case 'gpt_neo':
      return {
        ...shared,
        model_type: 'gpt_neo',
        architectures: ['GPTNeoForCausalLM'],
        num_layers: config.layers,
        hidden_size: config.dModel,
        num_heads: config.heads,
        intermediate_size: config.dMlp,
        max_position_embeddings: config.context,
        layer_norm_epsilon: config.layerNormEps,
        activation_function: config.activation,
        attention_types: (config.attention ?? Array<'global'>(config.layers).fill('global')).map((kind) => [[kind], 1]),
        window_size: config.window ?? 256,
      };
    case 'gpt_neox':
      return {
        ...shared,
        model_type: 'gpt_neox',
        architectures: ['GPTNeoXForCausalLM'],
        num_hidden_layers: config.layers,
        hidden_size: config.dModel,
        num_attention_heads: config.heads,
        intermediate_size: config.dMlp,
        max_position_embeddings: config.context,
        layer_norm_eps: config.layerNormEps,
        hidden_act: config.activation,
        rotary_pct: rotaryPart(config.rotary?.dims ?? 0, config.dHead),
        rotary_emb_base: config.rotary?.base ?? 10000,
        use_parallel_residual: config.parallelResidual,
      };
  }
}

/** A fraction that gives `dims` back when multiplied by the head width and floored. */
function rotaryPart(dims: number, dHead: number): number {
  const part = dims / dHead;
  return Math.floor(part * dHead) === dims ? part : (dims + 0.25) / dHead;
}
