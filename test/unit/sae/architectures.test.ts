/**
 * 200 steps of every trained architecture against PyTorch autograd in float64 (test/goldens/sae-architectures.py), the
 * gradients of the first step against central differences of the loss in float64.
 */
import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, it } from 'vitest';
import { initGemm } from '#kernel/compute/gemm.js';
import { adamUpdate, clipFactor, gradientNorm } from '#kernel/sae/adam.js';
import { trainingOf } from '#kernel/sae/architectures/trained.js';
import { likeParameters, parameters, type Parameters } from '#kernel/sae/parameters.js';
import { TrainingStep } from '#kernel/sae/step.js';

interface Case {
  name: string;
  architecture: string;
  options: Record<string, unknown> & { applyBDecToInput?: boolean };
  lr: number;
  /** Of decoder rows at the start. */
  norm: number;
  dOut: number;
  losses: number[];
  deadSeen: number;
  l0: number;
  first: Record<string, number[]>;
  end: Record<string, number[]>;
  threshold?: number;
}
const golden = JSON.parse(readFileSync(new URL('../../goldens/sae-architectures.json', import.meta.url), 'utf8')) as {
  dIn: number;
  dSae: number;
  batch: number;
  steps: number;
  window: number;
  seen: number[];
  cases: Case[];
};
const { dIn, dSae, batch, steps, window, seen, cases } = golden;

/** The generator of the script. */
function numbers(seed: number): (count: number) => Float32Array {
  let x = seed;
  const next = (): number => {
    x = Number((1664525n * BigInt(x) + 1013904223n) % 4294967296n);
    return x / 2 ** 32;
  };
  return (count) => Float32Array.from({ length: count }, () => next() + next() + next() - 1.5);
}

function begun({ norm, dOut }: Case, extra: Readonly<Record<string, Float32Array>> = {}): Parameters {
  const lengths = Object.fromEntries(Object.entries(extra).map(([name, { length }]) => [name, length]));
  const p = parameters(dIn, dSae, undefined, { dOut, extra: lengths });
  const take = numbers(7);
  fill(p.W_dec, take(dSae * dOut), dOut, norm);
  if (dOut === dIn) p.W_encT.set(p.W_dec);
  else fill(p.W_encT, take(dSae * dIn), dIn, norm);
  for (const [name, values] of Object.entries(extra)) p.extra[name].set(values);
  return p;
}

/** Rows of width d, scaled to this norm. */
function fill(to: Float32Array, weights: Float32Array, d: number, norm: number): void {
  for (let f = 0; f < dSae; f++) {
    const row = weights.subarray(f * d, (f + 1) * d);
    const factor = norm / Math.sqrt(row.reduce((sum, v) => sum + v * v, 0));
    to.set(
      row.map((v) => v * factor),
      f * d,
    );
  }
}

/** What transcoders predict of x [batch × d_in]. */
const targetOf = (x: Float32Array, dOut: number): Float32Array =>
  Float32Array.from({ length: batch * dOut }, (_, at) => {
    const i = Math.floor(at / dOut) * dIn + (at % dOut);
    return x[i] ** 2 + 0.5 * x[i + 1];
  });

/** The encoder as PyTorch has it: [d_in, d_sae]. */
const byInput = (encoder: Float32Array): Float32Array =>
  Float32Array.from({ length: dIn * dSae }, (_, at) => encoder[(at % dSae) * dIn + Math.floor(at / dSae)]);
const named = (p: Parameters): Record<string, Float32Array> => ({
  W_enc: byInput(p.W_encT),
  W_dec: p.W_dec,
  b_enc: p.b_enc,
  b_dec: p.b_dec,
  ...p.extra,
});
const distance = (a: ArrayLike<number>, b: ArrayLike<number>): number => {
  let most = 0;
  for (let i = 0; i < a.length; i++) most = Math.max(most, Math.abs(a[i] - b[i]));
  return most;
};
const largest = (a: ArrayLike<number>): number => distance(a, new Float32Array(a.length));

const batches = (() => {
  const take = numbers(11);
  return Array.from({ length: steps }, () => take(batch * dIn).map((v) => v + 0.2));
})();

beforeAll(() => initGemm());

describe('200 steps agree with PyTorch', () => {
  for (const c of cases) {
    it.each([
      ['sparse loops', 1],
      ['matrix products', 0],
    ])(`${c.name}, by %s`, async (_, denseShare) => {
      const transcodes = c.dOut !== dIn;
      const { applyBDecToInput = !transcodes, ...own } = c.options;
      const shape = { dIn, dSae, ...(transcodes ? { dOut: c.dOut } : {}) };
      const training = trainingOf(c.architecture).start(own, shape);
      const p = begun(c, training.parameters);
      const g = likeParameters(p);
      const step = new TrainingStep(training, { applyBDecToInput }, { denseShare });
      const m = new Float32Array(p.flat.length);
      const v = new Float32Array(p.flat.length);
      const silent = new Int32Array(dSae);
      let deadSeen = 0;
      for (let t = 0; t < steps; t++) {
        const dead = t > window ? Uint8Array.from(silent, (n) => (n > window ? 1 : 0)) : undefined;
        deadSeen += dead?.reduce((sum, one) => sum + one, 0) ?? 0;
        const { loss, fired, l0 } = await step.run(p, g, {
          x: batches[t],
          ...(transcodes ? { target: targetOf(batches[t], c.dOut) } : {}),
          step: t,
          dead,
        });
        if (seen.includes(t)) {
          const expected = c.losses[seen.indexOf(t)];
          expect(Math.abs(loss - expected), `loss of step ${t}`).toBeLessThan(1e-4 * expected);
        }
        if (t === 0)
          for (const [name, expected] of Object.entries(c.first))
            expect(distance(named(g)[name], expected), `gradient of ${name}`).toBeLessThan(
              1e-5 * Math.max(1, largest(expected)),
            );
        if (t === steps - 1) expect(l0).toBeCloseTo(c.l0, 1);
        const clip = clipFactor(gradientNorm(g.flat), 1);
        adamUpdate(p.flat, g.flat, { m, v }, t + 1, c.lr, clip, { beta1: 0.9, beta2: 0.999, eps: 1e-8 });
        for (let f = 0; f < dSae; f++) silent[f] = fired[f] ? 0 : silent[f] + 1;
      }
      expect(deadSeen).toBe(c.deadSeen);
      for (const [name, expected] of Object.entries(c.end))
        expect(distance(named(p)[name], expected), name).toBeLessThan(1e-4 * Math.max(1e-3, largest(expected)));
      if (c.threshold !== undefined) expect(Math.abs(training.memory![0] / c.threshold - 1)).toBeLessThan(1e-4);
    });
  }
});
