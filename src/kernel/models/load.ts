/** Loads a model from a folder or from the Hugging Face hub: config.json + safetensors or PyTorch weights + tokenizer. */
import { filled } from '../verb/filled.js';
import { readText } from '../io/files.js';
import { basename, join } from 'node:path';
import { formatBytes } from '../../protocol/bytes.js';
import type { JsonObject } from '../../protocol/notebook.js';
import { breathe, checkAborted, type CallOptions } from '../compute/call.js';
import { requireMemory } from '../compute/memory.js';
import { tf } from '../compute/tf.js';
import { listRepo, resolveRepo, type HUB } from '../io/hub.js';
import { ndarray, toFloat32, type NdArray } from '../io/ndarray.js';
import { openWeights, WEIGHT_FILES, type WeightSource } from '../io/weights.js';
import { choice, type Given } from '../verb/option.js';
import { centerWritingWeights } from './center.js';
import { readConfig } from './config.js';
import { familyNamed } from './families/index.js';
import { identity, weightHash } from './identity.js';
import { firstNonFinite, narrow, widenedPieces, type HalfWeight } from './halfWeights.js';
import { weightShapes } from './layout.js';
import { loadTokenizer, sentencePieceAlone, TOKENIZER_FILES } from './tokenizerFiles.js';
import { TransformerModel } from './transformer.js';
import type { ModelConfig, Tokenizer } from './types.js';

export const LOAD = {
  process: choice(['none', 'center'], {
    doc: "'none': weights as they are in the file; 'center': TransformerLens' center_writing_weights, which some SAEs were trained on (gpt2-small res-jb): it changes activations but not logits.",
    usual: 'none',
  }),
  dtype: choice(['f32', 'bf16'], {
    doc: "'bf16': matrices are kept in 16 bits outside the device's memory and widened when a layer runs: half the memory, a slower pass, and weights of float32 files are rounded to 8 bits of mantissa.",
    usual: 'f32',
  }),
} as const;

export type LoadModelOptions = Given<typeof LOAD> & Given<typeof HUB> & CallOptions;

/** The heap of the cpu device ends at 4 GB; activations need room too. */
export const CPU_WEIGHT_BYTES = 3 * 2 ** 30;

/**
 * Loads GPT-2, GPT-Neo, GPT-NeoX, Llama, Mistral, Qwen 2 and 3 and Gemma 1 to 3 models in Hugging Face's layout. Weights
 * become float32, or stay 16 bits wide by { dtype: 'bf16' }.
 *
 * @param idOrFolder hub id such as "roneneldan/TinyStories-1Layer-21M", or a folder
 * @throws for unknown architectures, inconsistent sizes, missing or unexpected tensors, and too little memory, by name
 */
export async function loadModel(idOrFolder: string, options: LoadModelOptions = {}): Promise<TransformerModel> {
  const { process } = filled(LOAD, options);
  if (process !== 'none' && process !== 'center')
    throw new Error(`process must be "none" or "center" but is "${String(process)}"`);
  if (options.dtype !== undefined && options.dtype !== 'f32' && options.dtype !== 'bf16')
    throw new Error(`dtype must be "f32" or "bf16" but is "${String(options.dtype)}"`);
  const folder = await resolveRepo(idOrFolder, { ...options, files: ['config.json'] });
  const path = join(folder, 'config.json');
  let config = readConfig(parseJson(await readText(path), path), path);
  requireWeightMemory(config, idOrFolder, options);
  const files = await listRepo(idOrFolder, options);
  const tokenizer = await tokenizerOf(idOrFolder, files, config, options);
  const source = await openWeights(await weightFile(idOrFolder, files, options));
  const name = isHubSnapshot(folder) ? idOrFolder : basename(folder);
  try {
    const stored = requireTensors(source, config, idOrFolder);
    const fromFile = (weight: string): Promise<NdArray> => source.read(stored.get(weight) as string);
    if (process === 'none') return await build({ name, config, tokenizer }, fromFile, options);
    const weights = new Map<string, Float32Array>();
    for (const weight of weightShapes(config).keys()) weights.set(weight, toFloat32(await fromFile(weight)));
    config = centerWritingWeights(config, weights);
    const shapes = weightShapes(config);
    const given = (weight: string): NdArray => ndarray('F32', shapes.get(weight) as number[], take(weights, weight));
    return await build({ name, config, tokenizer }, (weight) => Promise.resolve(given(weight)), options);
  } finally {
    await source.close();
  }
}

/** A weight, which the map gives away. */
function take(weights: Map<string, Float32Array>, name: string): Float32Array {
  const values = weights.get(name) as Float32Array;
  weights.delete(name);
  return values;
}

/** The hub cache keeps each commit in a folder of its name. */
function isHubSnapshot(folder: string): boolean {
  return /^[0-9a-f]{40}$/.test(basename(folder));
}

function parseJson(text: string, path: string): JsonObject {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    throw new Error(`${path} is not JSON: ${(error as Error).message}`, { cause: error });
  }
  if (typeof json !== 'object' || json === null || Array.isArray(json))
    throw new Error(`${path} must hold a JSON object`);
  return json as JsonObject;
}

/** Refuses before anything large is downloaded or read. */
function requireWeightMemory(config: ModelConfig, name: string, { dtype, process }: LoadModelOptions): void {
  const sizes = [...weightShapes(config).values()].map((shape) => shape.reduce((a, b) => a * b, 1));
  const elements = sizes.reduce((a, b) => a + b, 0);
  const half = dtype === 'bf16';
  if (tf.getBackend() === 'wasm' && !half && 4 * elements > CPU_WEIGHT_BYTES) {
    throw new RangeError(
      `${name} needs ${formatBytes(4 * elements)} for its weights in float32, but the cpu device takes at most ` +
        `${formatBytes(CPU_WEIGHT_BYTES)}; load it with { dtype: 'bf16' }, use a smaller model, or a host with a GPU`,
    );
  }
  // Centring needs all of them at once, in float32.
  requireMemory(`loading ${name}`, (half && process !== 'center' ? 2 : 4) * elements);
}

/** Brings the weights here and returns the file, or the index of their shards. */
async function weightFile(idOrFolder: string, files: string[], options: LoadModelOptions): Promise<string> {
  const name = WEIGHT_FILES.find((file) => files.includes(file));
  if (!name) throw new Error(`${idOrFolder} has no weights: expected one of ${WEIGHT_FILES.join(', ')}`);
  const path = join(await resolveRepo(idOrFolder, { ...options, files: [name] }), name);
  if (name.endsWith('.index.json')) {
    const { weight_map: map } = parseJson(await readText(path), path);
    if (typeof map !== 'object' || map === null)
      throw new Error(`${path} has no weight_map; expected the index that transformers writes beside shards`);
    await resolveRepo(idOrFolder, { ...options, files: [...new Set(Object.values(map).map(String))] });
  }
  return path;
}

/** The model's own tokenizer; for hub models with GPT-2's vocabulary and no tokenizer files, GPT-2's. */
async function tokenizerOf(
  name: string,
  files: string[],
  config: ModelConfig,
  options: LoadModelOptions,
): Promise<Tokenizer> {
  let own = TOKENIZER_FILES.filter((file) => files.includes(file));
  let from = name;
  let revision = options.revision;
  if (!own.includes('tokenizer.json') && !(own.includes('vocab.json') && own.includes('merges.txt'))) {
    const folder = await resolveRepo(name, { ...options, files: [] });
    if (files.includes('tokenizer.model')) throw new Error(sentencePieceAlone(folder));
    if (config.vocab !== 50257 || !isHubSnapshot(folder)) {
      throw new Error(`${name} has no tokenizer: expected tokenizer.json, or vocab.json and merges.txt, in ${folder}`);
    }
    [from, revision, own] = ['openai-community/gpt2', undefined, ['vocab.json', 'merges.txt']];
  }
  const tokenizer = await loadTokenizer(await resolveRepo(from, { ...options, revision, files: own }));
  if (tokenizer.vocabSize > config.vocab) {
    throw new Error(
      `${name}: the tokenizer has ${tokenizer.vocabSize} tokens but the model only ${config.vocab}: they do not belong together`,
    );
  }
  return tokenizer;
}

/** Checks names, shapes and dtypes of all tensors before the first is read; returns where each weight is stored. */
function requireTensors(source: WeightSource, config: ModelConfig, name: string): Map<string, string> {
  const stored = matchNames(source.names(), config, name);
  for (const [weight, shape] of weightShapes(config)) {
    const tensor = stored.get(weight) as string;
    const given = source.info(tensor);
    if (!tf.util.arraysEqual(given.shape, shape))
      throw new Error(`${name}: tensor ${tensor} is [${given.shape}] but config.json says [${shape}]`);
    if (!FLOATS.has(given.dtype))
      throw new Error(
        `${name}: tensor ${tensor} is ${given.dtype}: quantised weights are not read; load the ${[...FLOATS].join(', ')} checkpoint`,
      );
  }
  return stored;
}

/** What weights may be stored as. */
export const FLOATS: ReadonlySet<string> = new Set(['F64', 'F32', 'F16', 'BF16']);

/** Buffers that older checkpoints carry and nothing reads: causal masks and rotary frequencies. */
const BUFFERS = /\.(attn|attention)\.(bias|masked_bias)$|(^|\.)rotary_emb\.(inv_freq|cos_cached|sin_cached)$/;

/** What wrappers put before every name: DataParallel, torch.compile, FSDP. */
const WRAPPERS = /^(?:module\.|_orig_mod\.|_fsdp_wrapped_module\.)+/;

/** A tensor's name without wrappers, and without what multimodal Gemma 3 puts around its language model. */
function plainName(name: string): string {
  return name
    .replace(WRAPPERS, '')
    .replace(/^model\.language_model\./, 'model.')
    .replace(/^language_model\.(?=model\.|lm_head\.)/, '');
}

/** Tensors that the text model does not read: buffers, a copy of tied embeddings, and what reads pictures. */
function isIrrelevant(name: string, config: ModelConfig): boolean {
  if (BUFFERS.test(name)) return true;
  if (config.tiedEmbeddings && /^(lm_head|embed_out)\.weight$/.test(name)) return true;
  return config.family === 'gemma3_text' && /^(model\.)?(vision_tower|multi_modal_projector)\./.test(name);
}

/**
 * Finds each weight among a file's tensors, which may lack the family's prefix; throws, naming all that are missing and
 * all that the model does not know.
 */
export function matchNames(names: readonly string[], config: ModelConfig, where: string): Map<string, string> {
  const { stored, missing, unexpected, twins } = compareNames(names, config);
  for (const { weight, tensors } of twins)
    throw new Error(`${where}: tensors ${tensors.join(' and ')} are both ${weight}; which is meant?`);
  if (missing.length === 0 && unexpected.length === 0) return stored;
  const list = (what: string, items: string[]): string =>
    items.length === 0
      ? ''
      : `; ${what}: ${items.slice(0, 8).join(', ')}${items.length > 8 ? ` and ${items.length - 8} more` : ''}`;
  throw new Error(
    `${where}: its weights do not fit a ${config.family} model${list('missing', missing)}${list('unexpected', unexpected)}`,
  );
}

/** A file's tensors beside the weights of a config. */
export interface ComparedNames {
  /** Tensor by weight. */
  stored: Map<string, string>;
  /** Weights without a tensor. */
  missing: string[];
  /** Tensors that no weight is. */
  unexpected: string[];
  /** Weights that two tensors are. */
  twins: Array<{ weight: string; tensors: [string, string] }>;
}

/** Finds each weight among a file's tensors, which may lack the family's prefix. */
export function compareNames(names: readonly string[], config: ModelConfig): ComparedNames {
  const { prefix } = familyNamed(config.family);
  const expected = weightShapes(config);
  const stored = new Map<string, string>();
  const unexpected: string[] = [];
  const twins: ComparedNames['twins'] = [];
  for (const name of names) {
    const plain = plainName(name);
    const known = [plain, prefix + plain].find((candidate) => expected.has(candidate));
    const twin = known === undefined ? undefined : stored.get(known);
    if (known !== undefined && twin !== undefined) twins.push({ weight: known, tensors: [twin, name] });
    else if (known !== undefined) stored.set(known, name);
    else if (!isIrrelevant(plain, config)) unexpected.push(name);
  }
  return { stored, missing: [...expected.keys()].filter((name) => !stored.has(name)), unexpected, twins };
}

/**
 * Reads, checks, hashes and uploads the weights one by one, giving each back before the next is read: the model is never
 * held twice.
 */
async function build(
  init: { name: string; config: ModelConfig; tokenizer: Tokenizer },
  read: (weight: string) => Promise<NdArray>,
  options: LoadModelOptions,
): Promise<TransformerModel> {
  const { name, config } = init;
  const parameters = new Map<string, tf.Tensor>();
  const halves = new Map<string, HalfWeight>();
  const hashes = new Map<string, string>();
  const shapes = weightShapes(config);
  try {
    for (const [weight, shape] of shapes) {
      checkAborted(options.signal, `loading ${name}`);
      const given = await read(weight);
      const refuse = (value: number, at: number): Error => notFinite(`${name}: tensor ${weight}`, value, at);
      // Vectors stay as they are: norms are used at every token and are small.
      if (options.dtype === 'bf16' && shape.length > 1) {
        const bits = narrow(given, refuse);
        halves.set(weight, { shape, bits });
        hashes.set(weight, weightHash(weight, shape, widenedPieces(bits)));
      } else {
        const values = toFloat32(given);
        const bad = firstNonFinite(values);
        if (bad >= 0) throw refuse(values[bad], bad);
        parameters.set(weight, tf.keep(tf.tensor(values, shape, 'float32')));
        hashes.set(weight, weightHash(weight, shape, values));
      }
      options.onProgress?.({ label: `loading ${name}`, done: hashes.size, total: shapes.size, unit: 'tensors' });
      await breathe();
    }
    return new TransformerModel({ ...init, parameters, halves, id: identity(config, hashes) });
  } catch (error) {
    for (const tensor of parameters.values()) tensor.dispose();
    throw error;
  }
}

const notFinite = (what: string, value: number, at: number): Error =>
  new Error(
    `${what} holds ${value} at ${at}: the file is damaged, or its type is too small for the values; load another checkpoint`,
  );
