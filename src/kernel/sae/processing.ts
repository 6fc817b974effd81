/**
 * How the library that trained an SAE changed the model's weights on loading (SAELens' model_from_pretrained_kwargs, which
 * go to TransformerLens), and at which hooks that changes activations.
 */
import type { Json, JsonObject } from '../../protocol/notebook.js';
import type { SaeConfig } from './types.js';
import { isJsonObject } from '../../protocol/objects.js';

/** Hooks that hold what is written to the residual stream, or the stream itself. */
export const STREAM = /hook_(resid_\w+|attn_out|mlp_out|embed|pos_embed)$/;

/** Changes of weights that are not made here, and the hooks whose activations they change; all others stay as they are. */
const UNDONE: ReadonlyArray<[name: string, hooks: RegExp, does: string]> = [
  ['fold_ln', /\.?(ln1|ln2|ln_final)\.hook_normalized$/, "folds the norm's weights into what reads it"],
  ['fold_value_biases', /\.attn\.hook_(v|z)$/, 'moves the biases of values into the output'],
  ['refactor_factored_attn_matrices', /\.attn\.hook_(q|k|v|z|rot_q|rot_k)$/, 'rotates queries, keys and values'],
];

/** What else goes there and changes no activation: where and how the model is loaded, and the unembedding. */
const HARMLESS = new Set([
  ...['center_writing_weights', 'center_unembed', 'dtype', 'torch_dtype', 'device', 'device_map', 'n_devices'],
  ...['move_to_device', 'trust_remote_code', 'revision', 'cache_dir', 'token', 'local_files_only', 'checkpoint_index'],
  ...['checkpoint_value', 'low_cpu_mem_usage', 'attn_implementation', 'default_padding_side', 'default_prepend_bos'],
  ...['hf_model', 'tokenizer', 'first_n_layers', 'n_ctx', 'use_safetensors', 'force_download'],
]);

function given({ model_from_pretrained_kwargs: kwargs }: JsonObject): JsonObject {
  return isJsonObject(kwargs) ? kwargs : {};
}

/** Whether the SAE was trained on a model whose writing weights were centred, and its hook shows that. */
export function wantsCentred(
  { metadata, hookName }: Pick<SaeConfig, 'metadata' | 'hookName'>,
  hook = hookName,
): boolean {
  const { center_writing_weights: flat } = metadata;
  return STREAM.test(hook) && (flat === true || given(metadata).center_writing_weights === true);
}

/** Where an SAE says how its model was loaded. */
export interface ProcessingFile {
  /** The file, for messages. */
  where: string;
  /** Fields that the caller knows to change nothing. */
  ignore?: readonly string[];
  /** Name of a field of the metadata in the file. */
  field?(name: string): string;
}

const off = (value: Json | undefined): boolean => value === undefined || value === null || value === false;

/**
 * Refuses an SAE of a model whose weights were changed in a way that shows at its hook and is not made here; options that
 * are not known are refused too.
 * @throws by the name of the option, with what it does
 */
export function requireProcessing(
  { metadata, hookName }: Pick<SaeConfig, 'metadata' | 'hookName'>,
  { where, ignore = [], field: at = (name) => name }: ProcessingFile,
): void {
  for (const [name, value] of Object.entries(given(metadata))) {
    const field = `model_from_pretrained_kwargs.${name}`;
    if (off(value) || ignore.includes(at(field))) continue;
    const undone = UNDONE.find(([known]) => known === name);
    if (undone ? !undone[1].test(hookName) : HARMLESS.has(name)) continue;
    const why = undone ? `${undone[2]}: activations at ${hookName} are others on the model as it is` : 'is not known';
    throw new Error(
      `${where}: ${field} is ${JSON.stringify(value)}, which ${why}, and is not done here; ` +
        `if it changes nothing for you, give { ignore: ['${at(field)}'] }`,
    );
  }
}
