/** SAELens folders: version 6 (with `metadata`), and the flat cfg.json from before it. */
import { join } from 'node:path';
import type { Json, JsonObject } from '../../../protocol/notebook.js';
import { kindOfPath } from '../../io/files.js';
import { EXTRA_TENSORS } from '../architectures/architecture.js';
import { architectureOf } from '../architectures/index.js';
import { transposed } from '../../compute/gemm.js';
import type { Pursuit } from '../pursuit.js';
import { foldActivationScale, scaleRows } from '../fold.js';
import { requireProcessing } from '../processing.js';
import type { SaeArchitecture, SaeConfig, SaeWeights } from '../types.js';
import { readJson, type SaeFiles } from './files.js';
import type { Layout } from './layout.js';
import { FLAT_METADATA, TRAINING_FIELDS } from './saelensFields.js';
import { isJsonObject } from '../../../protocol/objects.js';

/** Keys of `metadata` that a SaeConfig holds in fields of its own. */
const OWN_METADATA = ['model_name', 'hook_name', 'hook_name_out', 'context_size', 'fgnb_model_id'];
/** The SAELens version whose layout is written; SAELens reads files without one of at least 6 as the old flat form. */
export const LAYOUT_VERSION = '6.18.0';

export const saelens: Layout = {
  name: 'SAELens folder',
  signs: 'cfg.json beside sae_weights.safetensors',
  recognises: (files) => files.hasConfig && files.path.endsWith('sae_weights.safetensors'),
  async read(files) {
    const config = configOf(files);
    requireProcessing(config, {
      where: `${files.configName} of ${files.path}`,
      ignore: files.options.ignore,
      field: (name) => (isJsonObject(files.config.metadata) ? `metadata.${name}` : name),
    });
    const weights = await weightsOf(files, config);
    await foldScalingFactor(files, weights);
    if (config.normalizeActivations !== 'expected_average_only_in') return { config, weights };
    if (config.transcoder || config.pursuit)
      throw new Error(
        `${files.path}: a ${config.architecture} with normalize_activations "expected_average_only_in" is not supported`,
      );
    const s = files.option('normScalingFactor') ?? (await recordedScale(files.folder));
    if (s === undefined) return { config, weights }; // createSae refuses it, naming the option
    foldActivationScale(weights, s);
    const metadata = { ...config.metadata, norm_scaling_factor: s };
    return { config: { ...config, normalizeActivations: 'none', metadata }, weights };
  },
};

/**
 * Renames of the flat form: hook_point → hook_name, activation_fn_str → activation_fn. Defaults: architecture standard,
 * apply_b_dec_to_input true, activation relu. activation topk makes the architecture topk. normalize_activations: null or
 * false = none, true = expected_average_only_in.
 */
function configOf(files: SaeFiles): SaeConfig {
  const metadata = isJsonObject(files.config.metadata) ? files.config.metadata : {};
  // Files may say a thing under its old and its new name: both are used.
  const pick = (...names: string[]): Json | undefined =>
    names.flatMap((name) => [files.field(`metadata.${name}`), files.field(name)]).find((value) => value !== undefined);
  const { architecture, k, activation } = architectureOfCfg(files);
  const own = architectureOf(architecture);
  const contextSize = pick('context_size');
  const modelId = pick('fgnb_model_id');
  const hookOut = text(pick('hook_name_out'));
  const dIn = requiredCount(files, 'd_in');
  const dOut = files.count('d_out');
  const rescale = files.flag('rescale_acts_by_decoder_norm') === true;
  requireReshape(files);
  files.irrelevant('where tensors lay in memory, and their type, which the weights file says', ['dtype', 'device']);
  files.irrelevant('said about the SAE, kept as metadata', ['metadata.*', ...FLAT_METADATA]);
  files.irrelevant('how it was trained', TRAINING_FIELDS);
  return {
    architecture: files.choose('architecture', { said: architecture }) as SaeArchitecture,
    dIn,
    dSae: requiredCount(files, 'd_sae'),
    ...(dOut === undefined || dOut === dIn ? {} : { dOut }),
    ...(k === undefined ? {} : { k }),
    ...(activation === 'tanh-relu' ? { activation } : {}),
    ...(own.fields.transcoder === 'needed' ? { transcoder: true } : {}),
    ...(own.fields.pursuit ? { pursuit: pursuitOf(files) } : {}),
    // A pursuit without b_dec is one with a b_dec of 0.
    applyBDecToInput: own.fields.pursuit
      ? true
      : files.choose('applyBDecToInput', { said: appliesBDec(files, own.fields.transcoder === 'needed') }),
    normalizeActivations: normalization(files),
    hookName: text(pick('hook_name', 'hook_point')),
    ...(hookOut === '' ? {} : { hookNameOut: hookOut }),
    modelName: text(pick('model_name')),
    ...(typeof modelId === 'string' ? { modelId } : {}),
    ...(typeof contextSize === 'number' ? { contextSize } : {}),
    ...(rescale ? { rescaleActsByDecoderNorm: true } : {}),
    metadata: keptMetadata(files.config, metadata),
  };
}

function appliesBDec(files: SaeFiles, transcoder: boolean): boolean {
  return files.flag('apply_b_dec_to_input') ?? !transcoder;
}

function architectureOfCfg(files: SaeFiles): {
  architecture: SaeArchitecture;
  k?: number;
  activation?: 'tanh-relu';
} {
  const where = `${files.configName} of ${files.path}: `;
  const named = files.text('architecture') || 'standard';
  const activation = text(files.field('activation_fn') ?? files.field('activation_fn_str')) || 'relu';
  files.field('activation_fn_str');
  const kwargs = files.field('activation_fn_kwargs');
  const others = isJsonObject(kwargs) ? Object.keys(kwargs).filter((name) => name !== 'k') : [];
  if (others.length > 0)
    throw new Error(`${where}activation_fn_kwargs ${others.join(', ')} is not known; only k of topk is`);
  const name = named === 'standard' && activation === 'topk' ? 'topk' : named;
  const { fields } = architectureOf(name, where);
  if (activation === 'tanh-relu' && fields.activation !== 'allowed')
    throw new Error(`${where}activation "tanh-relu" is for standard SAEs, not ${name}`);
  if (!['relu', 'tanh-relu', ...(name === 'topk' ? ['topk'] : [])].includes(activation))
    throw new Error(
      `${where}activation "${activation}" of a ${name} SAE is not supported; supported are relu, tanh-relu and topk`,
    );
  const said = files.count('k') ?? files.count('activation_fn_kwargs.k');
  if (said === undefined && fields.k === 'needed')
    throw new Error(`${where}a ${name} SAE needs k, but there is neither k nor activation_fn_kwargs.k`);
  const k = fields.k === undefined ? undefined : (said ?? files.options.k);
  if (said !== undefined && fields.k === undefined)
    throw new Error(`${where}k means nothing to a ${name} SAE: is it of another architecture?`);
  return {
    architecture: name as SaeArchitecture,
    ...(k === undefined ? {} : { k: files.choose('k', { said, assumed: k }) }),
    ...(activation === 'tanh-relu' ? { activation } : {}),
  };
}

async function weightsOf(files: SaeFiles, config: SaeConfig): Promise<SaeWeights> {
  const { tensors, saved, name } = architectureOf(config.architecture);
  const nameOf = (tensor: keyof SaeWeights): string => saved.saelens?.names?.[tensor] ?? tensor;
  if (saved.saelens?.decoderAlone) return decoderAlone(files);
  const weights: SaeWeights = {
    W_enc: await files.matrix('W_enc'),
    b_enc: await files.vector(nameOf('b_enc')),
    W_dec: await files.matrix('W_dec'),
    b_dec: await files.vector('b_dec'),
  };
  for (const tensor of EXTRA_TENSORS) {
    if (tensors[tensor] === undefined) continue;
    if (tensor === 'threshold') weights.threshold = await thresholdOf(files, name, config.dSae);
    else if (tensor === 'W_skip') {
      if (tensors.W_skip === 'needed' || files.has('W_skip')) weights.W_skip = await files.matrix('W_skip');
    } else weights[tensor] = await files.vector(tensor);
  }
  return weights;
}

/** W_enc is W_decᵀ. SAELens neither subtracts nor adds b_dec where it does not apply it to the input: it is 0 then. */
async function decoderAlone(files: SaeFiles): Promise<SaeWeights> {
  const W_dec = await files.matrix('W_dec');
  const b_dec = await files.vector('b_dec');
  return {
    W_enc: { rows: W_dec.cols, cols: W_dec.rows, data: transposed(W_dec.data, W_dec.rows, W_dec.cols) },
    b_enc: new Float32Array(W_dec.rows),
    W_dec,
    b_dec: files.flag('apply_b_dec_to_input') === false ? b_dec.fill(0) : b_dec,
  };
}

/** When a matching pursuit ends; the defaults are SAELens's. */
function pursuitOf(files: SaeFiles): Pursuit {
  const threshold = files.field('residual_threshold') ?? 0.01;
  if (typeof threshold !== 'number' || !(threshold >= 0))
    throw new Error(`${files.configName}: residual_threshold must be a number of at least 0 but is ${JSON.stringify(threshold)}`); // prettier-ignore
  return {
    residualThreshold: threshold,
    maxIterations: files.field('max_iterations') === null ? null : (files.count('max_iterations') ?? null),
    stopOnDuplicateSupport: files.flag('stop_on_duplicate_support') ?? true,
  };
}

/** One threshold per feature, its logarithm (the name in some releases), or one for all in a checkpoint of BatchTopK. */
async function thresholdOf(files: SaeFiles, architecture: SaeArchitecture, dSae: number): Promise<Float32Array> {
  if (/batchtopk/.test(architecture) && files.has('topk_threshold'))
    return new Float32Array(dSae).fill(await files.scalar('topk_threshold'));
  for (const name of ['log_threshold', 'log_jumprelu_threshold'])
    if (files.has(name) && !files.has('threshold')) return (await files.vector(name)).map(Math.exp);
  return files.vector('threshold');
}

/** Before version 6 features could be scaled ahead of decoding; all ones means nothing, anything else is folded. */
async function foldScalingFactor(files: SaeFiles, { W_dec }: SaeWeights): Promise<void> {
  const declared = files.flag('finetuning_scaling_factor') === true;
  if (!files.has('scaling_factor')) return;
  const factor = await files.vector('scaling_factor');
  if (factor.every((value) => value === 1)) return;
  if (!declared)
    throw new Error(
      `${files.path}: scaling_factor is not all ones, but cfg.json does not say finetuning_scaling_factor: true`,
    );
  if (factor.length !== W_dec.rows)
    throw new Error(`${files.path}: scaling_factor has ${factor.length} values for ${W_dec.rows} features`);
  scaleRows(W_dec, factor);
}

/** SAELens checkpoints keep the scale beside the weights. */
async function recordedScale(folder: string): Promise<number | undefined> {
  const path = join(folder, 'activation_scaler.json');
  if (!(await kindOfPath(path))) return undefined;
  const { scaling_factor: s } = await readJson(path);
  return typeof s === 'number' ? s : undefined;
}

function normalization(files: SaeFiles): SaeConfig['normalizeActivations'] {
  const value = files.field('normalize_activations');
  if (value === undefined || value === false) return 'none';
  if (value === true) return 'expected_average_only_in';
  const known: SaeConfig['normalizeActivations'][] = [
    'none',
    'expected_average_only_in',
    'layer_norm',
    'constant_norm_rescale',
  ];
  const found = known.find((name) => name === value);
  if (!found)
    throw new Error(
      `${files.configName}: normalize_activations ${JSON.stringify(value)} is not known; known are ${known.join(', ')}`,
    );
  return found;
}

/** Heads are flattened head by head on capture, which is what hook_z asks for. */
function requireReshape(files: SaeFiles): void {
  const value = files.field('reshape_activations');
  if (value !== undefined && value !== 'none' && value !== 'hook_z')
    throw new Error(
      `${files.configName}: reshape_activations ${JSON.stringify(value)} is not known; known are none and hook_z`,
    );
}

function requiredCount(files: SaeFiles, name: string): number {
  const value = files.count(name);
  if (value === undefined) throw new Error(`${files.configName} of ${files.path} does not say ${name}`);
  return value;
}

/** What the file says beyond the config's fields, flat keys of old files included. */
function keptMetadata(cfg: JsonObject, metadata: JsonObject): JsonObject {
  const rest = Object.entries(cfg).filter(([name]) => FLAT_METADATA.includes(name) || TRAINING_FIELDS.includes(name));
  const own = Object.entries(metadata).filter(
    ([name, value]) => !OWN_METADATA.includes(name) && !(name === 'sae_lens_version' && value === LAYOUT_VERSION),
  );
  return Object.fromEntries([...rest, ...own]);
}

function text(value: Json | undefined): string {
  return typeof value === 'string' ? value : '';
}
