/** What a file holds and nobody would use is refused by name; options that mean nothing are refused; damage is told. */
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { initGemm } from '#kernel/compute/gemm.js';
import { matrix } from '#kernel/compute/matrix.js';
import { Random } from '#kernel/compute/random.js';
import type { NdArray } from '#kernel/io/ndarray.js';
import { loadSae, type LoadSaeOptions } from '#kernel/sae/load.js';
import { createSae } from '#kernel/sae/sae.js';
import { saveSae } from '#kernel/sae/save.js';
import { unscaledThreshold } from '#kernel/sae/threshold.js';
import type { Sae } from '#kernel/sae/types.js';
import { damaged, valueOrWords } from '#test/kit/damage.js';
import { testFolder } from '#test/kit/folder.js';
import { goldens, layCase, type CaseChange } from '#test/kit/saeLayouts.js';

const folder = testFolder('sae-refusals', { inMemory: true });
let made = 0;
beforeAll(() => initGemm());

/** A golden case in a folder of its own, changed; gives what is to be loaded. */
const changed = (name: string, change?: CaseChange): Promise<string> =>
  layCase(join(folder, `case ${made++}`), name, change);

const vector = (value: number): NdArray => ({ dtype: 'F32', shape: [12], data: new Float32Array(12).fill(value) });
const square: NdArray = { dtype: 'F32', shape: [6, 6], data: new Float32Array(36).fill(0.1) };

describe('tensors that the architecture does not use', () => {
  it.each([
    ['SAELens 6 standard', { threshold: vector(1) }, 'threshold [12]'],
    [
      'SAELens 6 standard',
      { topk_threshold: { dtype: 'F32', shape: [], data: Float32Array.of(1) } },
      'topk_threshold []',
    ],
    ['SAELens 6 standard', { W_skip: square }, 'W_skip [6, 6]'],
    ['SAELens 6 topk', { threshold: vector(1) }, 'threshold [12]'],
    ['SAELens 6 jumprelu', { log_threshold: vector(1) }, 'log_threshold [12]'],
    ['SAELens 6 gated', { b_enc: vector(1) }, 'b_enc [12]'],
    ['sparsify topk', { W_skip: square }, 'W_skip [6, 6]'],
    ['Gemma Scope 2', { 'extra.gain': vector(1) }, 'extra.gain [12]'],
    ['Llama Scope', { group_sizes: vector(1) }, 'group_sizes [12]'],
  ] as Array<[string, Record<string, NdArray>, string]>)('%s with %o', async (name, tensors, told) => {
    const at = await changed(name, { tensors });
    await expect(loadSae(at)).rejects.toThrow(`${told} would not be used`);
    // By name they can be left out.
    await loadSae(at, { ignore: Object.keys(tensors) });
  });

  it('a tensor that is needed and not there is named', async () => {
    await expect(loadSae(await changed('SAELens 6 jumprelu', { tensors: { threshold: undefined } }))).rejects.toThrow(
      /no tensor "threshold"/,
    );
  });
});

describe('fields of an SAE’s config', () => {
  it.each(['SAELens 6 standard', 'SAELens before 6 jumprelu', 'sparsify topk', 'Gemma Scope 2', 'Llama Scope'])(
    'one that is not known is refused in %s, unless it is ignored',
    async (name) => {
      const at = await changed(name, { fields: { post_gain: 3 } });
      await expect(loadSae(at)).rejects.toThrow(/the fields post_gain are not known/);
      await loadSae(at, { ignore: ['post_gain'] });
    },
  );
  it.each([
    ['SAELens 6 topk', { k: 'three' }, /k must be a positive integer but is "three"/],
    ['SAELens 6 standard', { k: 3 }, /k means nothing to a standard SAE/],
    ['SAELens 6 standard', { apply_b_dec_to_input: 'no' }, /must be true or false but is "no"/],
    ['SAELens 6 standard', { reshape_activations: 'odd' }, /reshape_activations "odd" is not known/],
    ['SAELens transcoder', { apply_b_dec_to_input: true }, /transcoder cannot subtract b_dec/],
    ['sparsify topk', { num_latents: 13 }, /says 13 latents, but W_dec .* has 12/],
    ['sparsify topk', { activation: 'softmax' }, /activation "softmax" is not known/],
    ['sparsify groupmax', { k: 5 }, /12 features are not a multiple of k = 5/],
    ['sparsify skip_connection', { skip_connection: false }, /W_skip \[6, 6\] would not be used/],
    ['Llama Scope', { use_glu_encoder: true }, /use_glu_encoder is not supported/],
    ['Llama Scope', { norm_activation: 'token-wise' }, /norm_activation "token-wise" is not supported/],
    ['Gemma Scope 2', { type: 'clt' }, /type "clt" is not supported/],
    ['dictionary_learning AutoEncoder', { trainer: { dict_class: 'Odd' } }, /the class Odd .* is not known/],
  ] as Array<[string, object, RegExp]>)('%s with %o', async (name, fields, told) => {
    await expect(loadSae(await changed(name, { fields }))).rejects.toThrow(told);
  });
});

it('the fields of a published cfg.json of versions before 6 are all known', async () => {
  const fields = {
    ...{ hook_point: 'blocks.0.hook_resid_pre', hook_name: 'blocks.0.hook_resid_pre', hook_point_layer: 0 },
    ...{ hook_point_head_index: null, dataset_path: 'openwebtext', dataset_trust_remote_code: true },
    ...{ is_dataset_tokenized: false, context_size: 128, use_cached_activations: false, cached_activations_path: 'a' },
    ...{ n_batches_in_buffer: 128, total_training_tokens: 300000000, store_batch_size: 32, device: 'mps', seed: 42 },
    ...{
      b_dec_init_method: 'geometric_median',
      expansion_factor: 32,
      from_pretrained_path: null,
      l1_coefficient: 8e-5,
    },
    ...{ lr: 0.0004, lr_scheduler_name: null, lr_warm_up_steps: 5000, train_batch_size: 4096, use_ghost_grads: false },
    ...{ model_from_pretrained_kwargs: { center_writing_weights: true }, feature_sampling_window: 1000 },
    ...{ feature_sampling_method: null, resample_batches: 1028, feature_reinit_scale: 0.2, dead_feature_window: 5000 },
    ...{
      dead_feature_estimation_method: 'no_fire',
      dead_feature_threshold: 1e-8,
      log_to_wandb: true,
      wandb_entity: null,
    },
    ...{
      wandb_project: 'p',
      wandb_log_frequency: 100,
      n_checkpoints: 10,
      checkpoint_path: 'c',
      tokens_per_buffer: 67108864,
    },
    ...{ run_name: 'r', neuronpedia_id: 'gpt2-small/0-res-jb', activation_fn_str: 'relu', activation_fn_kwargs: {} },
  };
  const sae = await loadSae(await changed('SAELens before 6 jumprelu', { fields }));
  expect(sae.config.hookName).toBe('blocks.0.hook_resid_pre');
  expect(sae.config.metadata.model_from_pretrained_kwargs).toEqual({ center_writing_weights: true });
});

describe('options of loading an SAE', () => {
  it.each([
    ['SAELens 6 standard', { normScalingFactor: 2 }, /normScalingFactor \} was given, but means nothing/],
    ['SAELens 6 standard', { applyBDecToInput: false }, /applyBDecToInput: false \} was given, but .* says true/],
    ['SAELens 6 standard', { k: 3 }, /k \} was given, but means nothing/],
    ['SAELens 6 standard', { thresholdScale: 2 }, /thresholdScale \} was given, but means nothing/],
    ['SAELens 6 topk', { k: 4 }, /k: 4 \} was given, but .* says 3/],
    ['SAELens 6 topk', { architecture: 'standard' }, /says "topk"/],
    ['pre_bias', { applyBDecToInput: false }, /says true/],
    ['Gemma Scope', { applyBDecToInput: true }, /says false/],
    ['Gemma Scope', { architecture: 'standard', applyBDecToInput: false }, /says "jumprelu"/],
    ['dictionary_learning JumpReluAutoEncoder', { architecture: 'standard' }, /says "jumprelu"/],
    ['dictionary_learning MatryoshkaBatchTopKSAE', { architecture: 'standard' }, /says "matryoshka_batchtopk"/],
    ['SAELens 6 standard', { ignore: ['nothing'] }, /names nothing, which is neither a tensor nor a config field/],
    ['state dict', {}, /give \{ architecture: 'standard' \}/],
    ['state dict with threshold', {}, /give \{ applyBDecToInput \}/],
    ['sparsify without a config', {}, /give \{ k \}/],
    ['dictionary_learning BatchTopKSAE without a config', {}, /give \{ architecture: 'topk' \} or/],
    [
      'by a map, turned by shapes',
      { map: { W_enc: 'model.up', W_dec: 'model.down' } },
      /must say where b_enc, b_dec are/,
    ],
    ['by a map, turned by shapes', { map: { W_dec: 'absent' } }, /names absent, but .* has .*model\.up \[12, 6\]/],
  ] as Array<[string, LoadSaeOptions, RegExp]>)('%s with %o', async (name, options, told) => {
    await expect(loadSae(await changed(name), options)).rejects.toThrow(told);
  });
});

it.each(['threshold', 'W_enc', 'b_dec'])('NaN in %s is refused', async (name) => {
  const shape = name === 'W_enc' ? [6, 12] : name === 'b_dec' ? [6] : [12];
  const data = new Float32Array(shape.reduce((a, b) => a * b)).fill(NaN);
  const at = await changed('SAELens 6 jumprelu', { tensors: { [name]: { dtype: 'F32', shape, data } } });
  await expect(loadSae(at)).rejects.toThrow(`${name} holds NaN`);
});

it('a BatchTopK SAE whose threshold was not scaled with its weights is told by its L0, and mended by the option', async () => {
  const [d, features, rows] = [8, 64, 400];
  const random = new Random(3);
  const normals = (n: number) => random.normals(new Float32Array(n));
  const x = matrix(
    rows,
    d,
    normals(rows * d).map((v) => v / 5),
  );
  const config = {
    architecture: 'jumprelu' as const,
    dIn: d,
    dSae: features,
    applyBDecToInput: false,
    normalizeActivations: 'none' as const,
    hookName: 'h',
    modelName: 'm',
    metadata: {},
  };
  const weights = (threshold: number) => ({
    W_enc: matrix(d, features, normals(d * features)),
    b_enc: new Float32Array(features),
    W_dec: matrix(features, d, normals(d * features)),
    b_dec: new Float32Array(d),
    threshold: new Float32Array(features).fill(threshold),
  });
  const right = createSae(config, weights(0.9));
  const k = right.encode(x).values.length / rows;
  const l0 = (sae: Sae) => sae.encode(x).values.length / rows;
  expect(unscaledThreshold(right, x, l0(right), k)).toBeUndefined();
  const s =
    Math.sqrt(d) /
    (x.data.reduce((sum, _, i) => (i % d ? sum : sum + Math.hypot(...x.data.subarray(i, i + d))), 0) / rows);
  const { W_enc, b_enc, W_dec, b_dec } = right;
  const wrong = createSae(config, { W_enc, b_enc, W_dec, b_dec, threshold: right.threshold!.map((t) => t * s) });
  const told = unscaledThreshold(wrong, x, l0(wrong), k)!;
  const option = /thresholdScale: ([\d.]+)/.exec(told);
  expect(Number(option?.[1])).toBeCloseTo(1 / s, 3);
  const at = join(folder, 'batchtopk');
  await saveSae(wrong, at);
  const mended = await loadSae(at, { thresholdScale: Number(option![1]) });
  expect(mended.encode(x).values.length / rows).toBeCloseTo(k, 0);
});

it('10,000 damaged files give an SAE of finite weights or an error with words', { timeout: 600_000 }, async () => {
  const random = new Random(5);
  const each = Math.ceil(10_000 / goldens.cases.length);
  let read = 0;
  let refused = 0;
  for (const { files, load, options } of goldens.cases) {
    const at = join(folder, `damaged ${made++}`);
    const bytes = new Map(Object.entries(files).map(([path, text]) => [path, Buffer.from(text, 'base64')]));
    for (const [path, content] of bytes) {
      await mkdir(dirname(join(at, path)), { recursive: true });
      await writeFile(join(at, path), content);
    }
    const paths = [...bytes.keys()];
    for (let n = 0; n < each; n++) {
      const path = paths[Math.floor(random.next() * paths.length)];
      const whole = bytes.get(path)!;
      await writeFile(join(at, path), damaged(whole, random));
      const sae = await valueOrWords(() => loadSae(join(at, load), options as LoadSaeOptions));
      if (!sae) refused++;
      else if ([sae.W_enc, sae.W_dec].every(({ data }) => data.every(Number.isFinite))) read++;
      else expect.fail(`file ${n} of ${path} was read with weights that are not finite`);
      await writeFile(join(at, path), whole);
    }
  }
  expect(read + refused).toBeGreaterThanOrEqual(10_000);
  expect(Math.min(read, refused)).toBeGreaterThan(500);
});
