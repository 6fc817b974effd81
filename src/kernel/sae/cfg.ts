/** SAELens's cfg.json to a config and back: version 6 (with `metadata`) and the flat files from before it. */
import type { Json, JsonObject } from '../../protocol/notebook.js';
import { ARCHITECTURES } from './sae.js';
import type { SaeArchitecture, SaeConfig } from './types.js';

/** The SAELens version whose layout is written; SAELens reads files without one of at least 6 as the old flat form. */
const LAYOUT_VERSION = '6.18.0';

/** Keys of `metadata` that a SaeConfig holds in fields of its own. */
const OWN_METADATA = ['model_name', 'hook_name', 'context_size', 'fgnb_model_id'];
/** Keys of a file that a SaeConfig holds in fields of its own, or that say where tensors lay. */
const OWN_KEYS = [
  ...OWN_METADATA,
  ...[
    'd_in',
    'd_sae',
    'dtype',
    'device',
    'architecture',
    'k',
    'apply_b_dec_to_input',
    'normalize_activations',
    'metadata',
  ],
  ...['rescale_acts_by_decoder_norm', 'reshape_activations', 'hook_point', 'activation_fn_str'],
  ...['activation_fn', 'activation_fn_kwargs', 'finetuning_scaling_factor'],
];

export interface ParsedCfg {
  config: SaeConfig;
  /** Decoder-side scaling of features is part of the SAE (before version 6). */
  finetuningScalingFactor: boolean;
}

/**
 * Reads a cfg.json. Renames of the flat form: hook_point → hook_name, activation_fn_str → activation_fn. Defaults:
 * architecture standard, apply_b_dec_to_input true, activation relu. activation topk makes the architecture topk.
 * normalize_activations: null or false = none, true = expected_average_only_in. Throws on what cannot be computed here.
 */
export function parseCfg(cfg: JsonObject, path: string): ParsedCfg {
  const metadata = isObject(cfg.metadata) ? cfg.metadata : {};
  const pick = (...names: string[]): Json | undefined => {
    for (const name of names) {
      const value = metadata[name] ?? cfg[name];
      if (value !== undefined && value !== null) return value;
    }
    return undefined;
  };
  const { architecture, k } = architectureOf(cfg, path);
  const hookName = text(pick('hook_name', 'hook_point'));
  const contextSize = pick('context_size');
  const modelId = pick('fgnb_model_id');
  const config: SaeConfig = {
    architecture,
    dIn: count(cfg.d_in, 'd_in', path),
    dSae: count(cfg.d_sae, 'd_sae', path),
    ...(k === undefined ? {} : { k }),
    applyBDecToInput: cfg.apply_b_dec_to_input !== false,
    normalizeActivations: normalization(cfg.normalize_activations, path),
    hookName,
    modelName: text(pick('model_name')),
    ...(typeof modelId === 'string' ? { modelId } : {}),
    ...(typeof contextSize === 'number' ? { contextSize } : {}),
    ...(cfg.rescale_acts_by_decoder_norm === true ? { rescaleActsByDecoderNorm: true } : {}),
    metadata: keptMetadata(cfg, metadata),
  };
  return { config, finetuningScalingFactor: cfg.finetuning_scaling_factor === true };
}

/** The cfg.json of a config, in SAELens 6's layout. */
export function cfgOf(config: SaeConfig): JsonObject {
  return {
    d_in: config.dIn,
    d_sae: config.dSae,
    dtype: 'float32',
    device: 'cpu',
    apply_b_dec_to_input: config.applyBDecToInput,
    normalize_activations: config.normalizeActivations,
    reshape_activations: config.hookName.endsWith('hook_z') ? 'hook_z' : 'none',
    architecture: config.architecture,
    ...(config.k === undefined ? {} : { k: config.k }),
    ...(config.architecture === 'topk'
      ? { rescale_acts_by_decoder_norm: config.rescaleActsByDecoderNorm ?? false }
      : {}),
    metadata: {
      ...config.metadata,
      model_name: config.modelName,
      hook_name: config.hookName,
      ...(config.contextSize === undefined ? {} : { context_size: config.contextSize }),
      ...(config.modelId === undefined ? {} : { fgnb_model_id: config.modelId }),
      sae_lens_version: LAYOUT_VERSION,
    },
  };
}

function architectureOf(cfg: JsonObject, path: string): { architecture: SaeArchitecture; k?: number } {
  const named = text(cfg.architecture) || 'standard';
  const activation = text(cfg.activation_fn ?? cfg.activation_fn_str) || 'relu';
  const kwargs = isObject(cfg.activation_fn_kwargs) ? cfg.activation_fn_kwargs : {};
  const architecture = named === 'standard' && activation === 'topk' ? 'topk' : named;
  if (!ARCHITECTURES.includes(architecture as SaeArchitecture)) {
    throw new Error(
      `${path}: SAE architecture "${architecture}" is not supported; supported are ${ARCHITECTURES.join(', ')}`,
    );
  }
  if (architecture === 'standard' && activation !== 'relu') {
    throw new Error(`${path}: activation "${activation}" is not supported; supported are relu and topk`);
  }
  if (architecture !== 'topk') return { architecture: 'standard' };
  const k = cfg.k ?? kwargs.k;
  if (typeof k !== 'number')
    throw new Error(`${path}: a topk SAE needs k, but cfg.json has neither k nor activation_fn_kwargs.k`);
  return { architecture: 'topk', k };
}

function normalization(value: Json | undefined, path: string): SaeConfig['normalizeActivations'] {
  if (value === undefined || value === null || value === false) return 'none';
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
      `${path}: normalize_activations ${JSON.stringify(value)} is not known; known are ${known.join(', ')}`,
    );
  return found;
}

/** What the file says beyond the config's fields, flat keys of old files included. */
function keptMetadata(cfg: JsonObject, metadata: JsonObject): JsonObject {
  const rest = Object.entries(cfg).filter(([name]) => !OWN_KEYS.includes(name));
  const own = Object.entries(metadata).filter(
    ([name, value]) => !OWN_METADATA.includes(name) && !(name === 'sae_lens_version' && value === LAYOUT_VERSION),
  );
  return Object.fromEntries([...rest, ...own]);
}

function count(value: Json | undefined, name: string, path: string): number {
  if (typeof value === 'number' && Number.isInteger(value) && value > 0) return value;
  throw new Error(`${path}: ${name} must be a positive integer but is ${JSON.stringify(value)}`);
}

function text(value: Json | undefined): string {
  return typeof value === 'string' ? value : '';
}

export function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
