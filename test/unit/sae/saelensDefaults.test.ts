/**
 * Our defaults beside those that the source of SAELens 6.18 has for its runner and the training of each architecture, by
 * SAELens's names. What differs on purpose stands beside both, with the reason.
 */
import { describe, expect, it } from 'vitest';
import { resolveOptions } from '#kernel/sae/trainOptions.js';

/** Two have no counterpart of their own: they are counted in batches here. */
const OURS: Readonly<Record<string, string>> = { n_batches_in_buffer: 'bufferTokens', training_tokens: 'steps' };
const ourName = (name: string): string => OURS[name] ?? name.replace(/_(\w)/g, (_, c: string) => c.toUpperCase());

const EVERY = {
  train_batch_size_tokens: 4096,
  training_tokens: 2_000_000,
  n_batches_in_buffer: 20,
  lr: 3e-4,
  lr_scheduler: 'constant',
  lr_warm_up_steps: 0,
  lr_decay_steps: 0,
  adam_beta1: 0.9,
  adam_beta2: 0.999,
  max_grad_norm: 1,
  normalize_activations: 'none',
  decoder_init_norm: 0.1,
  dead_feature_window: 1000,
  b_dec_init_method: 'zeros',
};
const L1 = { l1_coefficient: 1, l1_warm_up_steps: 0 };
const TOPK = { k: 100, aux_loss_coefficient: 1, rescale_acts_by_decoder_norm: true, aux_includes_b_dec: true };
const JUMPRELU = {
  l0_coefficient: 1,
  l0_warm_up_steps: 0,
  jumprelu_init_threshold: 0.01,
  jumprelu_bandwidth: 0.05,
  jumprelu_sparsity_loss_mode: 'step',
  jumprelu_tanh_scale: 4,
};
const SAELENS = {
  standard: { ...L1, lp_norm: 1 },
  gated: L1,
  topk: TOPK,
  batchtopk: { ...TOPK, topk_threshold_lr: 0.01 },
  matryoshka_batchtopk: { ...TOPK, topk_threshold_lr: 0.01, matryoshka_widths: [] },
  jumprelu: JUMPRELU,
} as const;

/** Ours, theirs, and why, by our name. */
const ON_PURPOSE: Readonly<Record<string, { ours: unknown; why: string }>> = {
  auxIncludesBDec: { ours: false, why: 'the paper and SAELens after 6.18: the residual has b_dec already' },
  bDecInitMethod: {
    ours: null,
    why: 'zeros, but the geometric median where the mean of the activations is twice their spread or more, as before 6.0: from zeros most features die there',
  },
  matryoshkaWidths: { ours: [1024, 2048, 4096, 8192], why: 'SAELens asks for them; without any it would be BatchTopK' },
};

describe('with nothing given, a training has the settings of SAELens 6.18', () => {
  for (const [architecture, own] of Object.entries(SAELENS))
    it(architecture, () => {
      const settings = resolveOptions({ architecture: architecture as keyof typeof SAELENS }, 512).settings;
      const theirs = Object.fromEntries(Object.entries({ ...EVERY, ...own }).map(([name, v]) => [ourName(name), v]));
      const batch = EVERY.train_batch_size_tokens;
      theirs.bufferTokens = EVERY.n_batches_in_buffer * batch;
      theirs.steps = Math.ceil(EVERY.training_tokens / batch);
      const found = Object.fromEntries(Object.keys(theirs).map((name) => [name, settings[name]]));
      const expected = Object.fromEntries(
        Object.keys(theirs).map((name) => [
          name,
          Object.hasOwn(ON_PURPOSE, name) ? ON_PURPOSE[name].ours : theirs[name],
        ]),
      );
      expect(found).toEqual(expected);
      // A difference that is none any more is not kept as one.
      for (const [name, { ours }] of Object.entries(ON_PURPOSE))
        if (name in theirs) expect(theirs[name]).not.toEqual(ours);
    });
});
