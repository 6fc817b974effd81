/**
 * SynthSAEBench-16k (arXiv 2602.14687) at a sixteenth of its size and a hundredth of its samples: the published law of
 * the world, with as many features on for each dimension (L0 / d .044), a quarter as many latents as features, and all
 * SAEs at one L0, .7 of the true one (published: 25 of 34). Each row has the F1 of its latents as detectors beside that
 * of the paper (`peer`), and the baselines of BatchTopK stand below. docs/training.md has the table.
 *
 *   npm run bench -- synthsaebench [--features 16384 --dim 768 --latents 4096 --samples 131072 --steps 1000 --out FILE]
 */
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { initDevice } from '#kernel/compute/device.js';
import { saeRecovery } from '#kernel/synthetic/recovery/recovery.js';
import { worldSource } from '#kernel/synthetic/recovery/activations.js';
import { createPreset } from '#kernel/synthetic/presets/presets.js';
import { trainSae } from '#kernel/sae/train.js';
import type { SaeTrainOptions } from '#kernel/sae/trainOptions.js';
import type { BenchResult } from './types.js';

/** Scores of the paper's table at L0 25. */
interface Published {
  f1: number;
  mcc: number;
  uniqueness: number;
  explainedVariance: number;
}

interface Row {
  name: string;
  options: SaeTrainOptions;
  published?: Published;
}

interface Sizes {
  features: number;
  dim: number;
  latents: number;
  samples: number;
  steps: number;
  batch: number;
  l0: number;
  /** Coefficients that bring the L1 and the JumpReLU SAE to about `l0`. */
  l1: number;
  jump: number;
  evaluated: number;
}

const row = (f1: number, mcc: number, uniqueness: number, explainedVariance: number): Published => ({
  f1,
  mcc,
  uniqueness,
  explainedVariance,
});

/** Widths of the inner groups as published: 128, 512 and 2,048 of 4,096, in proportion. */
const groups = (latents: number): number[] => [32, 8, 2].map((part) => Math.max(1, Math.round(latents / part)));

function rowsOf({ latents, steps, batch, l0, l1, jump }: Sizes): Row[] {
  const common: SaeTrainOptions = {
    ...{ dSae: latents, steps, trainBatchSizeTokens: batch, lrDecaySteps: Math.floor(steps / 3), lr: 1e-3 },
    ...{ deadFeatureWindow: Math.ceil(steps / 10), logEvery: steps },
  };
  const batchtopk: SaeTrainOptions = { ...common, architecture: 'batchtopk', k: l0, topkThresholdLr: 0.05 };
  const matryoshka: SaeTrainOptions = { ...batchtopk, architecture: 'matryoshka_batchtopk', matryoshkaWidths: groups(latents) }; // prettier-ignore
  // As replications of the benchmark train it.
  const jumprelu: SaeTrainOptions = {
    ...{ ...common, architecture: 'jumprelu', jumpreluSparsityLossMode: 'step', l0Coefficient: jump, lrDecaySteps: 0 },
    ...{ jumpreluBandwidth: 1, jumpreluInitThreshold: 1, decoderInitNorm: 0.5 },
    normalizeActivations: 'expected_average_only_in',
  };
  return [
    { name: 'Matryoshka', options: matryoshka, published: row(0.879, 0.793, 0.999, 0.779) },
    { name: 'BatchTopK', options: batchtopk, published: row(0.732, 0.757, 0.984, 0.792) },
    { name: 'JumpReLU', options: jumprelu, published: row(0.732, 0.753, 0.989, 0.795) },
    {
      name: 'L1',
      options: { ...common, architecture: 'standard', l1Coefficient: l1, l1WarmUpSteps: Math.floor(steps / 3) },
      published: row(0.556, 0.604, 0.898, 0.765),
    },
    { name: 'BatchTopK with frozen decoder', options: { ...batchtopk, baseline: 'frozenDecoder' } },
    { name: 'BatchTopK with soft-frozen decoder', options: { ...batchtopk, baseline: 'softFrozenDecoder' } },
    { name: 'BatchTopK with frozen encoder', options: { ...batchtopk, baseline: 'frozenEncoder' } },
  ];
}

function sizes(args: string[]): Sizes & { out?: string; only?: string } {
  const names = [
    'features',
    'dim',
    'latents',
    'samples',
    'steps',
    'batch',
    'l0',
    'l1',
    'jump',
    'evaluated',
    'out',
    'only',
  ] as const;
  const options = Object.fromEntries(names.map((name) => [name, { type: 'string' as const }]));
  const { values } = parseArgs({ args: args.filter((arg) => arg !== '--json'), options, allowPositionals: true });
  const number = (name: (typeof names)[number], fallback: number): number => Number(values[name] ?? fallback);
  return {
    features: number('features', 1024),
    dim: number('dim', 160),
    latents: number('latents', 256),
    samples: number('samples', 131_072),
    steps: number('steps', 4000),
    batch: number('batch', 512),
    l0: number('l0', 5),
    l1: number('l1', 2.6),
    jump: number('jump', 1.55),
    evaluated: number('evaluated', 8192),
    out: values.out as string | undefined,
    only: values.only as string | undefined,
  };
}

export async function run(args: string[]): Promise<BenchResult[]> {
  const { out, only, ...asked } = sizes(args);
  await initDevice({ device: 'cpu' });
  const begun = performance.now();
  const world = await createPreset({ preset: 'synthsaebench', features: asked.features, dim: asked.dim });
  const source = worldSource(world, asked.samples);
  const table = [];
  for (const { name, options, published } of rowsOf(asked)) {
    if (only && !only.split(',').includes(name)) continue;
    const at = performance.now();
    const { sae } = await trainSae(source, options);
    const { scores, figures } = await saeRecovery(world, sae, { samples: asked.evaluated, floors: 1, nulls: 1 });
    const score = (wanted: string): number => scores.find(({ metric }) => metric === wanted)!.value;
    const found = {
      f1: score('F1'),
      f1OfFeatures: score('F1 of features'),
      precision: score('precision'),
      recall: score('recall'),
      mcc: score('MCC (dictionary)'),
      uniqueness: score('uniqueness'),
      explainedVariance: figures!.explainedVariance,
      l0: figures!.saeL0,
      dead: figures!.deadShare,
      trueL0: figures!.trueL0,
    };
    table.push({ name, found, published: published ?? null, seconds: (performance.now() - at) / 1000 });
    console.error(name, JSON.stringify(found), `${Math.round((performance.now() - at) / 1000)} s`);
  }
  const report = { world: 'synthsaebench', ...asked, seconds: (performance.now() - begun) / 1000, table };
  if (out) writeFileSync(out, `${JSON.stringify(report, null, 1)}\n`);
  return table.map(({ name, found, published, seconds }) => ({
    name,
    size: `${asked.features} features in ${asked.dim}, ${asked.latents} latents, ${asked.steps} steps of ${asked.batch}`,
    ours: found.f1,
    peer: published?.f1 ?? NaN,
    unit: 'F1',
    speedup: published ? found.f1 / published.f1 : NaN,
    note: `MCC ${found.mcc.toFixed(3)}, EV ${found.explainedVariance.toFixed(3)}, L0 ${found.l0.toFixed(1)}, dead ${found.dead.toFixed(3)}; ${seconds.toFixed(0)} s`,
  }));
}
