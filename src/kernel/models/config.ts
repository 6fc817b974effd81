/** Hugging Face's config.json of each family (families/), to ModelConfig and back. */
import type { JsonObject } from '../../protocol/notebook.js';
import { FAMILIES, familyNamed, familyOf } from './families/index.js';
import { brief, Fields } from './families/fields.js';
import type { ModelConfig, Rotary } from './types.js';

/**
 * Reads a parsed config.json; `where` names it in errors. The text part of a multimodal Gemma 3 is read as that model.
 * @throws on unknown architectures, inconsistent sizes, and values that change the maths and are not computed here
 */
export function readConfig(json: JsonObject, where = 'config.json'): ModelConfig {
  const outer = new Fields(json, where);
  if (outer.has('quantization_config'))
    throw new Error(
      `${where}: quantization_config ${brief(json.quantization_config)}: quantised weights are not read; load the original checkpoint in float32, float16 or bfloat16`,
    );
  const inner = json.model_type === 'gemma3' ? outer.inner('text_config') : undefined;
  const fields = inner ? new Fields({ ...inner.json, model_type: 'gemma3_text' }, inner.where) : outer;
  const config = familyOf(fields.json, fields.where).read(fields);
  requireConfig(config, where);
  return config;
}

/** Throws unless the sizes of a config fit each other. */
export function requireConfig(config: ModelConfig, where = 'model config'): void {
  const { layers, dModel, heads, dHead, dMlp, vocab, context, kvHeads = heads } = config;
  const fail = (problem: string): never => {
    throw new Error(`${where}: ${problem}`);
  };
  for (const [name, value] of Object.entries({ layers, dModel, heads, kvHeads, dHead, dMlp, vocab, context })) {
    if (!Number.isInteger(value) || value < 1) fail(`${name} must be a positive integer but is ${value}`);
  }
  if (!FAMILIES.some(({ name }) => name === config.family))
    fail(`family ${String(config.family)} is not one of ${FAMILIES.map(({ name }) => name).join(', ')}`);
  if (heads % kvHeads !== 0) fail(`${heads} query heads cannot share ${kvHeads} heads of keys and values evenly`);
  if (!config.norm && heads * dHead !== dModel)
    fail(`${heads} heads of width ${dHead} do not make the model's width ${dModel}`);
  if (!(config.layerNormEps >= 0)) fail(`layerNormEps must be at least 0 but is ${config.layerNormEps}`);
  if (config.attention && config.attention.length !== layers)
    fail(`attention names ${config.attention.length} layers, the model has ${layers}`);
  if (config.attention?.includes('local') && !(Number.isInteger(config.window) && (config.window as number) > 0))
    fail(`local attention needs a window of at least 1 token but it is ${config.window}`);
  requireFamily(config, fail);
  for (const rotary of [config.rotary, config.localRotary]) if (rotary) requireRotary(rotary, dHead, fail);
}

/** What a family alone has: the forward pass would compute a mixture that no model is. */
function requireFamily(config: ModelConfig, fail: (problem: string) => never): void {
  const { family } = config;
  const isGpt = family === 'gpt2' || family === 'gpt_neo';
  if (isGpt === (config.rotary !== undefined))
    fail(`${family} ${isGpt ? 'has learned positions, not rotary ones' : 'needs rotary positions'}`);
  if (family !== 'gpt_neox' && config.parallelResidual) fail('parallelResidual belongs to gpt_neox alone');
  const isNew = !isGpt && family !== 'gpt_neox';
  if (isNew !== (config.norm === 'rms' || config.norm === 'rms-plus-one'))
    fail(`${family} ${isNew ? 'has RMSNorm' : 'has LayerNorm'}, but norm is ${String(config.norm)}`);
  if ((family === 'gpt2' || family === 'gpt_neox') && config.attention?.includes('local'))
    fail(`${family} has no local attention`);
}

function requireRotary({ dims, base }: Rotary, dHead: number, fail: (problem: string) => never): void {
  if (Number.isInteger(dims) && dims >= 2 && dims % 2 === 0 && dims <= dHead && base > 0) return;
  fail(
    `rotary dims must be even, from 2 to the head width ${dHead}, with a positive base; they are ${dims} with base ${base}`,
  );
}

/** A config.json that Hugging Face transformers and readConfig both understand. */
export function writeConfig(config: ModelConfig): JsonObject {
  const family = familyNamed(config.family);
  return {
    vocab_size: config.vocab,
    tie_word_embeddings: config.tiedEmbeddings,
    torch_dtype: 'float32',
    model_type: family.name,
    architectures: [family.architecture],
    ...family.write(config),
  };
}
