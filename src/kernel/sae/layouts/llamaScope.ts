/**
 * Llama Scope (OpenMOSS): hyperparams.json and checkpoints/final.safetensors with the names of nn.Linear. The weights are
 * of activations scaled to norm √d_model: s = √d_model / dataset_average_activation_norm is folded in. The threshold of
 * hyperparams.json is in units of unscaled activations times ‖W_dec row‖ where sparsity includes decoder norms.
 */
import { rowNorms } from '../../compute/rows.js';
import { foldDecoderNorm, scaleAll } from '../fold.js';
import type { SaeArchitecture, SaeConfig, SaeWeights } from '../types.js';
import type { SaeFiles } from './files.js';
import type { Layout } from './layout.js';

export const llamaScope: Layout = {
  name: 'Llama Scope',
  signs:
    'hyperparams.json and checkpoints/final.safetensors with encoder.weight, encoder.bias, decoder.weight (decoder.bias)',
  recognises: (files) => files.configName === 'hyperparams.json' && files.has('encoder.weight', 'decoder.weight'),
  async read(files) {
    requirePlain(files);
    const bias = files.flag('use_decoder_bias') ?? files.has('decoder.bias');
    const W_dec = await files.matrix('decoder.weight', true);
    const weights: SaeWeights = {
      W_enc: await files.matrix('encoder.weight', true),
      b_enc: await files.vector('encoder.bias'),
      W_dec,
      b_dec: bias ? await files.vector('decoder.bias') : new Float32Array(W_dec.cols),
    };
    const config = configOf(files, weights);
    fold(files, config, weights);
    return { config, weights };
  },
};

/** Folds the scales of input and output, and decoder norms, and sets the threshold that goes with them. */
function fold(files: SaeFiles, config: SaeConfig, weights: SaeWeights): void {
  const { sIn, sOut } = scales(files, config);
  const withNorms = files.flag('sparsity_include_decoder_norm') === true;
  if (config.architecture.startsWith('jumprelu')) {
    const theta = files.field('jump_relu_threshold');
    if (typeof theta !== 'number')
      throw new Error(`${files.configName}: jump_relu_threshold must be a number but is ${JSON.stringify(theta)}`);
    weights.threshold = new Float32Array(config.dSae).fill(theta * (withNorms ? sOut : sIn));
  }
  if (withNorms) {
    const threshold = weights.threshold;
    if (rowNorms(weights.W_dec).some((n) => n === 0))
      throw new Error(`${files.path}: a decoder row is 0, so its norm cannot be folded`);
    foldDecoderNorm({ ...weights, threshold: undefined });
    weights.threshold = threshold;
  }
  scaleAll(weights.W_enc.data, sIn);
  scaleAll(weights.W_dec.data, 1 / sOut);
  scaleAll(weights.b_dec, 1 / sOut);
  if (!weights.threshold) delete weights.threshold;
}

function scales(files: SaeFiles, config: SaeConfig): { sIn: number; sOut: number } {
  const norm = files.field('norm_activation') ?? 'dataset-wise';
  const average = (side: string): number => {
    const value = files.field(`dataset_average_activation_norm.${side}`);
    if (typeof value === 'number' && value > 0) return value;
    throw new Error(
      `${files.configName}: dataset_average_activation_norm.${side} must be a positive number but is ${JSON.stringify(value)}`,
    );
  };
  if (norm === 'inference') {
    files.irrelevant('folded already', ['dataset_average_activation_norm']);
    return { sIn: 1, sOut: 1 };
  }
  if (norm !== 'dataset-wise')
    throw new Error(
      `${files.configName}: norm_activation ${JSON.stringify(norm)} is not supported; supported are dataset-wise and inference`,
    );
  const dOut = config.dOut ?? config.dIn;
  return { sIn: Math.sqrt(config.dIn) / average('in'), sOut: Math.sqrt(dOut) / average('out') };
}

function configOf(files: SaeFiles, { W_enc, W_dec }: SaeWeights): SaeConfig {
  const [dIn, dSae, dOut] = [W_enc.rows, W_dec.rows, W_dec.cols];
  for (const [name, size] of [
    ['d_model', dIn],
    ['d_sae', dSae],
  ] as const) {
    const said = files.count(name);
    if (said !== undefined && said !== size)
      throw new Error(`${files.configName} says ${name} ${said}, but the weights of ${files.path} have ${size}`);
  }
  const [hookName, hookOut] = [files.text('hook_point_in'), files.text('hook_point_out')];
  const transcoder = hookName !== hookOut || dOut !== dIn;
  const architecture = files.choose('architecture', { said: architectureFrom(files, transcoder) }) as SaeArchitecture;
  const subtract = files.flag('apply_decoder_bias_to_pre_encoder') === true;
  const k = files.count('top_k');
  const keepsK = architecture === 'topk' || architecture.startsWith('jumprelu');
  return {
    architecture,
    dIn,
    dSae,
    ...(dOut === dIn ? {} : { dOut }),
    ...(keepsK && (k ?? files.options.k) !== undefined ? { k: files.choose('k', { said: k }) } : {}),
    ...(transcoder ? { transcoder, hookNameOut: hookOut } : {}),
    applyBDecToInput: files.choose('applyBDecToInput', { said: subtract }),
    normalizeActivations: 'none',
    hookName,
    modelName: '',
    metadata: { library: 'Llama Scope' },
  };
}

/** A top-k with a threshold is a JumpReLU at inference. */
function architectureFrom(files: SaeFiles, transcoder: boolean): SaeArchitecture {
  const act = files.text('act_fn') || 'jumprelu';
  const theta = files.field('jump_relu_threshold');
  if (act === 'jumprelu' || (act === 'topk' && typeof theta === 'number' && theta > 0))
    return transcoder ? 'jumprelu_transcoder' : 'jumprelu';
  if (act === 'topk') return 'topk';
  if (act === 'relu') return transcoder ? 'transcoder' : 'standard';
  throw new Error(
    `${files.configName} of ${files.path}: act_fn "${act}" is not supported; supported are jumprelu, topk and relu`,
  );
}

function requirePlain(files: SaeFiles): void {
  if (files.flag('use_glu_encoder') === true)
    throw new Error(`${files.configName} of ${files.path}: use_glu_encoder is not supported`);
  const type = files.field('sae_type');
  if (type !== undefined && type !== 'sae' && type !== 'transcoder')
    throw new Error(`${files.configName} of ${files.path}: sae_type ${JSON.stringify(type)} is not supported`);
  files.irrelevant('the encoder bias is read where it lies', ['use_encoder_bias']);
  files.irrelevant('how it was trained and where tensors lay', [
    ...[
      'exp_name',
      'exp_series',
      'exp_result_dir',
      'expansion_factor',
      'device',
      'dtype',
      'seed',
      'lp',
      'l1_coefficient',
    ],
    ...['use_ghost_grads', 'sae_pretrained_name_or_path', 'strict_loading', 'norm_activation', 'init_decoder_norm'],
    ...[
      'decoder_exactly_fixed_norm',
      'decoder_exactly_unit_norm',
      'init_encoder_norm',
      'init_encoder_with_decoder_transpose',
    ],
    ...[
      'init_search',
      'l1_coefficient_warmup_steps',
      'k_warmup_steps',
      'k_schedule_type',
      'remove_gradient_parallel_to_decoder_directions',
    ],
    ...[
      'tie_decoder',
      'tp_size',
      'ddp_size',
      'glu_activation',
      'use_triton_kernel',
      'sparsity_threshold_for_triton_spmm_kernel',
    ],
    ...['activation_scale', 'bias_init_method', 'apply_threshold_to_topk'],
  ]);
}
