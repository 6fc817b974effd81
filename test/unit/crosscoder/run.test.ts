import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, it } from 'vitest';
import { initGemm } from '#kernel/compute/gemm.js';
import { crosscoderRun } from '#kernel/crosscoder/run.js';
import { adamUpdate, clipFactor, gradientNorm } from '#kernel/sae/adam.js';
import { trainingOf } from '#kernel/sae/architectures/trained.js';
import { parameters, type Parameters } from '#kernel/sae/parameters.js';
import { TrainingStep } from '#kernel/sae/step.js';

interface Case {
  name: string;
  dedicated: number[];
  l1: number | null;
  k: number | null;
  losses: number[];
  end: number[];
}
const golden = JSON.parse(readFileSync(new URL('../../goldens/crosscoder.json', import.meta.url), 'utf8')) as {
  widths: number[];
  features: number;
  batch: number;
  steps: number;
  lr: number;
  cases: Case[];
};
const { widths, features, batch, steps, lr } = golden;
const offsets = [0, widths[0], widths[0] + widths[1]];
const width = offsets[2];

/** The generator of test/goldens/crosscoder.py. */
function draws(seed: number): (n: number) => Float32Array {
  let state = seed;
  const next = () => (state = Number((1664525n * BigInt(state) + 1013904223n) % 2n ** 32n)) / 2 ** 32 - 0.5;
  return (n) => Float32Array.from({ length: n }, next);
}

/** Steps of a case; `seen` is called after each. */
async function trained({ dedicated, l1, k }: Case, seen: (loss: number, p: Parameters) => void): Promise<Parameters> {
  const draw = draws(7);
  const inner = trainingOf(k === null ? 'standard' : 'topk').start(
    k === null ? { l1Coefficient: l1! } : { k, auxLossCoefficient: 0 },
    { dIn: width, dSae: features },
  );
  const run = crosscoderRun(inner, { offsets, dedicated });
  const p = parameters(width, features);
  p.W_dec.set(draw(features * width));
  p.W_encT.set(p.W_dec);
  run.begin!(p);
  const g = parameters(width, features);
  const [m, v] = [new Float32Array(p.flat.length), new Float32Array(p.flat.length)];
  const step = new TrainingStep(run, { applyBDecToInput: true });
  for (let t = 0; t < steps; t++) {
    const { loss } = await step.run(p, g, { x: draw(batch * width), step: t });
    const clip = clipFactor(gradientNorm(g.flat), 1);
    adamUpdate(p.flat, g.flat, { m, v }, t + 1, lr, clip, { beta1: 0.9, beta2: 0.999, eps: 1e-8 });
    seen(loss, p);
  }
  return p;
}

beforeAll(() => initGemm());

describe('200 steps of a crosscoder agree with PyTorch autograd over weights of each side', () => {
  it.each(golden.cases)('$name', async (c) => {
    const losses: number[] = [];
    const p = await trained(c, (loss) => losses.push(loss));
    losses.forEach((loss, t) => expect(Math.abs(loss / c.losses[t] - 1), `loss of step ${t}`).toBeLessThan(1e-4));
    const norm = Math.hypot(...c.end);
    const apart = Math.hypot(...c.end.map((w, i) => w - p.flat[i]));
    expect(apart / norm).toBeLessThan(1e-4);
  });
});

describe('dedicated features', () => {
  it('read and write their own side alone, at the start and after every step, and others read both', async () => {
    const c = golden.cases.find(({ name }) => name === 'topk with dedicated features')!;
    const [a, b] = c.dedicated;
    await trained(c, (_, p) => {
      for (const rows of [p.W_encT, p.W_dec]) {
        const part = (f: number, m: number) => rows.subarray(f * width + offsets[m], f * width + offsets[m + 1]);
        for (let f = 0; f < features; f++) {
          expect(part(f, 1).some((w) => w !== 0)).toBe(f >= a);
          expect(part(f, 0).some((w) => w !== 0)).toBe(f < a || f >= a + b);
        }
      }
    });
  });
});
