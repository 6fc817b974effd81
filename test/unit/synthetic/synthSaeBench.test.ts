/** SynthSAEBench in the small: the ordering of its table at one L0, and what a frozen decoder reaches. */
import { describe, expect, it } from 'vitest';
import { trainSae } from '#kernel/sae/train.js';
import type { SaeTrainOptions } from '#kernel/sae/trainOptions.js';
import { createPreset } from '#kernel/synthetic/presets/presets.js';
import { worldSource } from '#kernel/synthetic/recovery/activations.js';
import { saeRecovery } from '#kernel/synthetic/recovery/recovery.js';

describe('SynthSAEBench at a 64th of its size', () => {
  it('Matryoshka recovers more features than L1 at about the same L0; a frozen decoder recovers none', async () => {
    // L0 / d and the share of latents are those of the published world.
    const world = await createPreset({ preset: 'synthsaebench', features: 256, dim: 64 });
    const source = worldSource(world, 16_384);
    const common: SaeTrainOptions = { dSae: 64, steps: 450, trainBatchSizeTokens: 128, lr: 5e-3, lrDecaySteps: 135 };
    const matryoshka: SaeTrainOptions = { ...common, architecture: 'matryoshka_batchtopk', matryoshkaWidths: [2, 8, 32], k: 2, topkThresholdLr: 0.05, deadFeatureWindow: 45 }; // prettier-ignore
    const found = async (options: SaeTrainOptions) => {
      const { sae } = await trainSae(source, options);
      const { scores, figures } = await saeRecovery(world, sae, { samples: 2048, floors: 1, nulls: 1 });
      return { f1: scores.find(({ metric }) => metric === 'F1')!.value, l0: figures!.saeL0 };
    };
    const best = await found(matryoshka);
    const l1 = await found({ ...common, architecture: 'standard', l1Coefficient: 4, l1WarmUpSteps: 135 });
    const frozen = await found({ ...matryoshka, baseline: 'frozenDecoder' });
    for (const { l0 } of [best, l1, frozen]) expect(Math.abs(l0 - 2)).toBeLessThan(0.4);
    expect(best.f1).toBeGreaterThan(l1.f1 + 0.05);
    expect(frozen.f1).toBeLessThan(0.15);
  });
});
