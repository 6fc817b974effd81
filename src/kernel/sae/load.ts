/** Reads SAEs: SAELens directories, and bare state dicts of SAEs that carry no config. */
import { basename, dirname, join } from 'node:path';
import type { JsonObject } from '../../protocol/notebook.js';
import { matrix, type Matrix } from '../compute/matrix.js';
import { kindOfPath, readJson as readJsonFile } from '../io/files.js';
import { toFloat32, type NdArray } from '../io/ndarray.js';
import { openWeights, type WeightSource } from '../io/weights.js';
import { isObject, parseCfg } from './cfg.js';
import { createSae, foldActivationScale, type SaeWeights } from './sae.js';
import type { Sae, SaeArchitecture, SaeConfig } from './types.js';

export interface LoadSaeOptions {
  /** Needed for a state dict whose file does not say it; must agree with a config that does. */
  architecture?: SaeArchitecture;
  /** topk: features kept per token. Needed for a topk state dict whose name does not end in _FEATURES_K. */
  k?: number;
  /** State dicts with W_enc: whether b_dec is subtracted from the input; default true. */
  applyBDecToInput?: boolean;
  /** Hook that the SAE reads; overrides what the file says, or says what it does not. */
  hookName?: string;
  /** Model that it was trained on, for people; overrides what the file says. */
  modelName?: string;
  /** Identity of that model (model.id): the SAE is then refused on any other. */
  modelId?: string;
  /** s of 'expected_average_only_in' where the file leaves it unfolded; 1 when it was folded but the cfg not changed. */
  normScalingFactor?: number;
}

/**
 * Loads an SAE from a SAELens directory (or its sae_weights.safetensors), or from a state dict (.pt, .pth, .bin,
 * .safetensors, .npz) with the keys W_enc b_enc W_dec b_dec, or pre_bias encoder_bias encoder_weights decoder_weights.
 * Throws when something is missing, shapes disagree, weights are not finite, or the architecture is not supported.
 */
export async function loadSae(fileOrFolder: string, options: LoadSaeOptions = {}): Promise<Sae> {
  const kind = await kindOfPath(fileOrFolder);
  if (!kind) throw new Error(`no SAE at ${fileOrFolder}: there is no such file or folder`);
  if (kind === 'folder') return loadDirectory(fileOrFolder, options);
  if (
    basename(fileOrFolder) === 'sae_weights.safetensors' &&
    (await kindOfPath(join(dirname(fileOrFolder), 'cfg.json')))
  ) {
    return loadDirectory(dirname(fileOrFolder), options);
  }
  const source = await openWeights(fileOrFolder);
  try {
    return await fromStateDict(source, fileOrFolder, options);
  } finally {
    await source.close();
  }
}

async function loadDirectory(folder: string, options: LoadSaeOptions): Promise<Sae> {
  const cfgPath = join(folder, 'cfg.json');
  const weightsPath = join(folder, 'sae_weights.safetensors');
  for (const path of [cfgPath, weightsPath]) {
    if (!(await kindOfPath(path))) {
      throw new Error(
        `${folder} is no SAELens directory: ${basename(path)} is missing; give a folder with cfg.json and sae_weights.safetensors, or a state dict file`,
      );
    }
  }
  const { config: parsed, finetuningScalingFactor } = parseCfg(await readJson(cfgPath), cfgPath);
  const config = withOptions(parsed, options);
  const source = await openWeights(weightsPath);
  try {
    const weights = await readSaeLensWeights(source, weightsPath);
    await foldScalingFactor(source, weights, finetuningScalingFactor, weightsPath);
    if (config.normalizeActivations !== 'expected_average_only_in') return createSae(config, weights);
    const s = options.normScalingFactor ?? (await recordedScale(folder));
    if (s === undefined) return createSae(config, weights); // throws, naming the option
    foldActivationScale(weights, s);
    return createSae(
      { ...config, normalizeActivations: 'none', metadata: { ...config.metadata, norm_scaling_factor: s } },
      weights,
    );
  } finally {
    await source.close();
  }
}

async function fromStateDict(source: WeightSource, path: string, options: LoadSaeOptions): Promise<Sae> {
  const names = source.names();
  const has = (...wanted: string[]): boolean => wanted.every((name) => names.includes(name));
  let weights: SaeWeights;
  let applyBDecToInput = options.applyBDecToInput ?? true;
  let k = options.k;
  let architecture = options.architecture;
  if (has('pre_bias', 'encoder_bias', 'encoder_weights', 'decoder_weights')) {
    weights = {
      W_enc: matrixOf(await source.read('encoder_weights'), 'encoder_weights', path),
      b_enc: vectorOf(await source.read('encoder_bias')),
      W_dec: matrixOf(await source.read('decoder_weights'), 'decoder_weights', path),
      b_dec: vectorOf(await source.read('pre_bias')),
    };
    applyBDecToInput = true;
    architecture ??= 'topk';
    k ??= kFromName(path, weights.W_dec.rows);
    if (architecture === 'topk' && k === undefined) {
      throw new Error(
        `${path}: a topk SAE without its k (the name does not end in _${weights.W_dec.rows}_K.pt); give { k }`,
      );
    }
  } else if (has('W_enc', 'b_enc', 'W_dec', 'b_dec')) {
    weights = await readSaeLensWeights(source, path);
    architecture ??= k === undefined ? undefined : 'topk';
    if (!architecture) {
      throw new Error(
        `${path} holds weights but no config; give { architecture: 'standard' } or { architecture: 'topk', k }, and { applyBDecToInput } if it is false`,
      );
    }
  } else {
    throw new Error(
      `${path}: no SAE known by these tensors: ${names.join(', ')}; expected W_enc b_enc W_dec b_dec, or pre_bias encoder_bias encoder_weights decoder_weights`,
    );
  }
  const base: SaeConfig = {
    architecture,
    dIn: weights.W_dec.cols,
    dSae: weights.W_dec.rows,
    ...(architecture === 'topk' && k !== undefined ? { k } : {}),
    applyBDecToInput,
    normalizeActivations: 'none',
    hookName: '',
    modelName: '',
    metadata: { source_file: basename(path) },
  };
  if (options.normScalingFactor !== undefined) foldActivationScale(weights, options.normScalingFactor);
  return createSae(withOptions(base, options), weights);
}

function withOptions(config: SaeConfig, o: LoadSaeOptions): SaeConfig {
  for (const name of ['architecture', 'k'] as const) {
    if (o[name] !== undefined && o[name] !== config[name]) {
      throw new Error(`{ ${name}: ${o[name]} } was given, but the SAE's config says ${String(config[name])}`);
    }
  }
  return {
    ...config,
    ...(o.hookName === undefined ? {} : { hookName: o.hookName }),
    ...(o.modelName === undefined ? {} : { modelName: o.modelName }),
    ...(o.modelId === undefined ? {} : { modelId: o.modelId }),
  };
}

async function readSaeLensWeights(source: WeightSource, path: string): Promise<SaeWeights> {
  return {
    W_enc: matrixOf(await source.read('W_enc'), 'W_enc', path),
    b_enc: vectorOf(await source.read('b_enc')),
    W_dec: matrixOf(await source.read('W_dec'), 'W_dec', path),
    b_dec: vectorOf(await source.read('b_dec')),
  };
}

/** Before version 6 features could be scaled ahead of decoding; all ones means nothing, anything else is folded. */
async function foldScalingFactor(
  source: WeightSource,
  weights: SaeWeights,
  declared: boolean,
  path: string,
): Promise<void> {
  if (!source.names().includes('scaling_factor')) return;
  const factor = vectorOf(await source.read('scaling_factor'));
  if (factor.every((value) => value === 1)) return;
  const { W_dec } = weights;
  if (!declared)
    throw new Error(
      `${path}: scaling_factor is not all ones, but cfg.json does not say finetuning_scaling_factor: true`,
    );
  if (factor.length !== W_dec.rows)
    throw new Error(`${path}: scaling_factor has ${factor.length} values for ${W_dec.rows} features`);
  for (let f = 0; f < W_dec.rows; f++)
    for (let j = f * W_dec.cols; j < (f + 1) * W_dec.cols; j++) W_dec.data[j] *= factor[f];
}

/** SAELens checkpoints keep the scale beside the weights. */
async function recordedScale(folder: string): Promise<number | undefined> {
  const path = join(folder, 'activation_scaler.json');
  if (!(await kindOfPath(path))) return undefined;
  const { scaling_factor: s } = await readJson(path);
  return typeof s === 'number' ? s : undefined;
}

/** k of a name such as sae_1024_4.pt: features, then k. */
function kFromName(path: string, dSae: number): number | undefined {
  const found = /_(\d+)_(\d+)\.[a-z]+$/i.exec(basename(path));
  return found && Number(found[1]) === dSae ? Number(found[2]) : undefined;
}

function matrixOf(a: NdArray, name: string, path: string): Matrix {
  if (a.shape.length !== 2)
    throw new Error(`${path}: ${name} must have two dimensions but has shape [${a.shape.join(', ')}]`);
  return matrix(a.shape[0], a.shape[1], owned(a));
}

function vectorOf(a: NdArray): Float32Array {
  return owned(a);
}

/** Values as float32, in memory that nothing else holds: folding writes into it. */
function owned(a: NdArray): Float32Array {
  const data = toFloat32(a);
  return data === a.data ? data.slice() : data;
}

async function readJson(path: string): Promise<JsonObject> {
  const value = (await readJsonFile(path)) as JsonObject;
  if (!isObject(value)) throw new Error(`${path} must hold a JSON object`);
  return value;
}
