/**
 * sparsify (EleutherAI; before, "sae"): <hookpoint>/cfg.json and sae.safetensors, and the same tensors without a config.
 * b_dec is subtracted from the input unless it is a transcoder; normalize_decoder and multi_topk shape training alone.
 */
import { basename, dirname } from 'node:path';
import type { SaeArchitecture, SaeConfig, SaeWeights } from '../types.js';
import type { SaeFiles } from './files.js';
import type { Layout, SaeParts } from './layout.js';

const ENCODER = ['encoder.weight', 'encoder.bias', 'W_dec', 'b_dec'] as const;

export const sparsify: Layout = {
  name: 'sparsify',
  signs: 'encoder.weight, encoder.bias, W_dec, b_dec (W_skip); cfg.json beside sae.safetensors',
  recognises: (files) => files.has(...ENCODER),
  async read(files): Promise<SaeParts> {
    const W_dec = await files.matrix('W_dec');
    const weights: SaeWeights = {
      W_enc: await files.matrix('encoder.weight', true),
      b_enc: await files.vector('encoder.bias'),
      W_dec,
      b_dec: await files.vector('b_dec'),
    };
    const skip = files.flag('skip_connection') ?? files.has('W_skip');
    if (skip) weights.W_skip = await files.matrix('W_skip');
    return { config: configOf(files, weights), weights };
  },
};

function configOf(files: SaeFiles, { W_enc, W_dec }: SaeWeights): SaeConfig {
  const [dIn, dSae, dOut] = [W_enc.rows, W_dec.rows, W_dec.cols];
  requireSizes(files, dIn, dSae);
  files.irrelevant('how it was trained: decoder rows are normalised, and losses summed, in training alone', [
    ...['normalize_decoder', 'multi_topk'],
  ]);
  const transcoder = files.flag('transcode') === true || dOut !== dIn;
  const architecture = files.choose('architecture', architectureFrom(files)) as SaeArchitecture;
  const hookName = hookOf(files);
  return {
    architecture,
    dIn,
    dSae,
    ...(dOut === dIn ? {} : { dOut }),
    ...(architecture === 'standard'
      ? {}
      : { k: files.choose('k', { said: files.count('k'), ask: 'the file does not say k; give { k }' }) }),
    ...(transcoder ? { transcoder } : {}),
    applyBDecToInput: files.choose('applyBDecToInput', { said: !transcoder }),
    normalizeActivations: 'none',
    hookName: transcoder ? '' : hookName,
    modelName: '',
    metadata: { library: 'sparsify', hookpoint: hookpointOf(files) },
  };
}

/** `signed` was an option of old versions: selection by magnitude. Files without `activation` are top-k. */
function architectureFrom(files: SaeFiles): { said?: SaeArchitecture; assumed?: SaeArchitecture } {
  const activation = files.field('activation');
  const signed = files.flag('signed') === true;
  if (activation !== undefined && activation !== 'topk' && activation !== 'groupmax')
    throw new Error(
      `${files.configName} of ${files.path}: activation ${JSON.stringify(activation)} is not known; known are topk and groupmax`,
    );
  if (signed && activation === 'groupmax') throw new Error(`${files.path}: a signed groupmax SAE is not supported`);
  const architecture: SaeArchitecture = signed ? 'abstopk' : activation === 'groupmax' ? 'groupmax' : 'topk';
  return files.hasConfig ? { said: architecture } : { assumed: architecture };
}

/** num_latents 0 means d_in · expansion_factor. */
function requireSizes(files: SaeFiles, dIn: number, dSae: number): void {
  const width = files.count('d_in');
  if (width !== undefined && width !== dIn)
    throw new Error(`${files.configName} says d_in ${width}, but encoder.weight of ${files.path} reads ${dIn}`);
  const latents = files.field('num_latents');
  const expansion = files.field('expansion_factor');
  const said =
    typeof latents === 'number' && latents > 0 ? latents : typeof expansion === 'number' ? expansion * dIn : undefined;
  if (said !== undefined && said !== dSae)
    throw new Error(`${files.configName} says ${said} latents, but W_dec of ${files.path} has ${dSae}`);
}

function hookpointOf(files: SaeFiles): string {
  const folder = basename(dirname(files.path));
  return /^seed\d+$/.test(folder) ? basename(dirname(dirname(files.path))) : folder;
}

/** Module paths of Hugging Face to TransformerLens hooks, where these are the same activation. */
function hookOf(files: SaeFiles): string {
  const hookpoint = hookpointOf(files);
  if (/^(embed_tokens|wte|embed_in)$/.test(hookpoint)) return 'hook_embed';
  const found = /^(?:layers|h)\.(\d+)(?:\.(mlp|attn|attention|self_attn))?$/.exec(hookpoint);
  if (!found) return '';
  const part = found[2] === undefined ? 'hook_resid_post' : found[2] === 'mlp' ? 'hook_mlp_out' : 'hook_attn_out';
  return `blocks.${found[1]}.${part}`;
}
