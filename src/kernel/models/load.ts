/** Loads a model from a folder or from the Hugging Face hub: config.json + safetensors or PyTorch weights + tokenizer. */
import { readText } from '../io/files.js';
import { basename, join } from 'node:path';
import type { JsonObject } from '../../protocol/notebook.js';
import { breathe, checkAborted, type CallOptions } from '../compute/call.js';
import { formatBytes, requireMemory } from '../compute/memory.js';
import { tf } from '../compute/tf.js';
import { listRepo, resolveRepo } from '../io/hub.js';
import { toFloat32 } from '../io/ndarray.js';
import { openWeights, WEIGHT_FILES, type WeightSource } from '../io/weights.js';
import { centerWritingWeights } from './center.js';
import { readConfig } from './config.js';
import { identity, weightHash } from './identity.js';
import { weightShapes } from './layout.js';
import { loadTokenizer } from './tokenizer.js';
import { TransformerModel } from './transformer.js';
import type { ModelConfig, Tokenizer } from './types.js';

export interface LoadModelOptions extends CallOptions {
  /** Branch, tag or commit on the hub; default main. */
  revision?: string;
  /** Access token of the hub; default HF_TOKEN, else the token of "hf auth login". */
  token?: string;
  /** Default HF_ENDPOINT, else https://huggingface.co. */
  endpoint?: string;
  /** Default HF_HUB_CACHE, else $HF_HOME/hub, else ~/.cache/huggingface/hub: shared with Python. */
  cacheFolder?: string;
  /**
   * 'none' (default): weights as they are in the file. 'center': TransformerLens' center_writing_weights, which some
   * SAEs were trained on (gpt2-small res-jb); it changes activations but not logits.
   */
  process?: 'none' | 'center';
}

const TOKENIZER_FILES = [
  'tokenizer.json',
  'tokenizer_config.json',
  'vocab.json',
  'merges.txt',
  'special_tokens_map.json',
];
/** The heap of the cpu device ends at 4 GB; activations need room too. */
const CPU_WEIGHT_BYTES = 3 * 2 ** 30;

/**
 * Loads GPT-2, GPT-Neo and GPT-NeoX models in Hugging Face's layout. Weights become float32.
 *
 * @param idOrFolder hub id such as "roneneldan/TinyStories-1Layer-21M", or a folder
 * @throws for unknown architectures, inconsistent sizes, missing or unexpected tensors, and too little memory, by name
 */
export async function loadModel(idOrFolder: string, options: LoadModelOptions = {}): Promise<TransformerModel> {
  const { process = 'none' } = options;
  if (process !== 'none' && process !== 'center')
    throw new Error(`process must be "none" or "center" but is "${String(process)}"`);
  const folder = await resolveRepo(idOrFolder, { ...options, files: ['config.json'] });
  const path = join(folder, 'config.json');
  let config = readConfig(parseJson(await readText(path), path), path);
  requireWeightMemory(config, idOrFolder);
  const files = await listRepo(idOrFolder, options);
  const tokenizer = await tokenizerOf(idOrFolder, files, config, options);
  const source = await openWeights(await weightFile(idOrFolder, files, options));
  const weights = new Map<string, Float32Array>();
  try {
    await readWeights(source, config, weights, idOrFolder, options);
  } finally {
    await source.close();
  }
  if (process === 'center') config = centerWritingWeights(config, weights);
  const name = isHubSnapshot(folder) ? idOrFolder : basename(folder);
  return build(name, config, tokenizer, weights, options);
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
function requireWeightMemory(config: ModelConfig, name: string): void {
  let bytes = 0;
  for (const shape of weightShapes(config).values()) bytes += 4 * shape.reduce((a, b) => a * b, 1);
  if (tf.getBackend() === 'wasm' && bytes > CPU_WEIGHT_BYTES) {
    throw new RangeError(
      `${name} needs ${formatBytes(bytes)} for its weights in float32, but the cpu device takes at most ` +
        `${formatBytes(CPU_WEIGHT_BYTES)}; use a smaller model, or a host with a GPU`,
    );
  }
  requireMemory(`loading ${name}`, bytes);
}

/** Brings the weights here and returns the file, or the index of their shards. */
async function weightFile(idOrFolder: string, files: string[], options: LoadModelOptions): Promise<string> {
  const name = WEIGHT_FILES.find((file) => files.includes(file));
  if (!name) throw new Error(`${idOrFolder} has no weights: expected one of ${WEIGHT_FILES.join(', ')}`);
  const path = join(await resolveRepo(idOrFolder, { ...options, files: [name] }), name);
  if (name.endsWith('.index.json')) {
    const { weight_map: map } = parseJson(await readText(path), path);
    if (typeof map !== 'object' || map === null) throw new Error(`${path} has no weight_map`);
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

async function readWeights(
  source: WeightSource,
  config: ModelConfig,
  weights: Map<string, Float32Array>,
  name: string,
  options: CallOptions,
): Promise<void> {
  const shapes = weightShapes(config);
  const stored = matchNames(source.names(), config, name);
  for (const [weight, shape] of shapes) {
    const given = source.info(stored.get(weight) as string).shape;
    if (!tf.util.arraysEqual(given, shape)) {
      throw new Error(`${name}: tensor ${stored.get(weight)} is [${given}] but config.json says [${shape}]`);
    }
  }
  for (const weight of shapes.keys()) {
    checkAborted(options.signal, `loading ${name}`);
    weights.set(weight, toFloat32(await source.read(stored.get(weight) as string)));
    options.onProgress?.({ label: `loading ${name}`, done: weights.size, total: shapes.size, unit: 'tensors' });
    await breathe();
  }
}

/** Buffers that older checkpoints carry and nothing reads: causal masks and rotary frequencies. */
const BUFFERS = /\.(attn|attention)\.(bias|masked_bias)$|\.rotary_emb\.(inv_freq|cos_cached|sin_cached)$/;

/**
 * Finds each weight among a file's tensors, which may lack the family's prefix; throws, naming all that are missing and
 * all that the model does not know.
 */
export function matchNames(names: readonly string[], config: ModelConfig, where: string): Map<string, string> {
  const prefix = config.family === 'gpt_neox' ? 'gpt_neox.' : 'transformer.';
  const expected = weightShapes(config);
  const stored = new Map<string, string>();
  const unexpected: string[] = [];
  for (const name of names) {
    const known = [name, prefix + name].find((candidate) => expected.has(candidate));
    if (known) stored.set(known, name);
    else if (!BUFFERS.test(name) && !(config.tiedEmbeddings && /^(lm_head|embed_out)\.weight$/.test(name)))
      unexpected.push(name);
  }
  const missing = [...expected.keys()].filter((name) => !stored.has(name));
  if (missing.length === 0 && unexpected.length === 0) return stored;
  const list = (what: string, items: string[]): string =>
    items.length === 0
      ? ''
      : `; ${what}: ${items.slice(0, 8).join(', ')}${items.length > 8 ? ` and ${items.length - 8} more` : ''}`;
  throw new Error(
    `${where}: its weights do not fit a ${config.family} model${list('missing', missing)}${list('unexpected', unexpected)}`,
  );
}

/** Hashes and uploads the weights one by one, giving each back as soon as it is a tensor. */
async function build(
  name: string,
  config: ModelConfig,
  tokenizer: Tokenizer,
  weights: Map<string, Float32Array>,
  options: CallOptions,
): Promise<TransformerModel> {
  const parameters = new Map<string, tf.Tensor>();
  const hashes = new Map<string, string>();
  try {
    for (const [weight, shape] of weightShapes(config)) {
      checkAborted(options.signal, `loading ${name}`);
      const values = weights.get(weight) as Float32Array;
      hashes.set(weight, weightHash(weight, shape, values));
      parameters.set(weight, tf.keep(tf.tensor(values, shape, 'float32')));
      weights.delete(weight);
      await breathe();
    }
    return new TransformerModel({ name, config, tokenizer, parameters, id: identity(config, hashes) });
  } catch (error) {
    for (const tensor of parameters.values()) tensor.dispose();
    throw error;
  }
}
