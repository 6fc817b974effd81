import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, it } from 'vitest';
import { initGemm } from '#kernel/compute/gemm.js';
import { Random } from '#kernel/compute/random.js';
import { adamUpdate, clipFactor, gradientNorm } from '#kernel/sae/adam.js';
import { parameterCount, parameters } from '#kernel/sae/parameters.js';
import { trainingOf } from '#kernel/sae/architectures/trained.js';
import { squaresAboutMean, TrainingStep } from '#kernel/sae/step.js';

/** A loss: architecture and the options of its own that matter here. */
interface StepShape {
  architecture: 'standard' | 'topk';
  k: number;
  applyBDecToInput: boolean;
  rescaleActsByDecoderNorm: boolean;
  auxLossCoefficient: number;
  auxIncludesBDec: boolean;
}

const stepOf = (shape: StepShape, l1Coefficient = 0, denseShare?: number): TrainingStep =>
  new TrainingStep(trainingOf(shape.architecture).start({ ...shape, l1Coefficient }, { dIn: 1, dSae: 1 }), shape, {
    denseShare,
  });

interface Case extends StepShape {
  name: string;
  l1Coefficient: number;
  dead: number[];
  maxGradNorm: number;
  lr: number;
  x: number[];
  start: number[];
  firstGradients: number[];
  end: number[];
  steps: Array<Record<'loss' | 'mse' | 'l1' | 'aux' | 'l0' | 'explainedVariance' | 'gradNorm', number>>;
}
const golden = JSON.parse(readFileSync(new URL('../../goldens/sae-training.json', import.meta.url), 'utf8')) as {
  dIn: number;
  dSae: number;
  batch: number;
  cases: Case[];
  clips: Array<{ norm: number; maxNorm: number; factor: number }>;
};

const largest = (a: ArrayLike<number>, b: ArrayLike<number>) => {
  let most = 0;
  for (let i = 0; i < a.length; i++) most = Math.max(most, Math.abs(a[i] - b[i]));
  return most;
};

beforeAll(() => initGemm());

describe('training steps agree with PyTorch autograd and Adam', () => {
  const { dIn, dSae, batch, cases } = golden;
  for (const c of cases) {
    for (const [path, denseShare] of [
      ['sparse', 1],
      ['dense', 0],
    ] as const) {
      it(`${c.name}, ${path} path`, async () => {
        const p = parameters(dIn, dSae, Float32Array.from(c.start));
        const g = parameters(dIn, dSae);
        const step = stepOf(c, c.l1Coefficient, denseShare);
        const m = new Float32Array(p.flat.length);
        const v = new Float32Array(p.flat.length);
        const dead = c.dead.length ? new Uint8Array(dSae) : undefined;
        for (const f of c.dead) dead![f] = 1;
        for (const [t, expected] of c.steps.entries()) {
          const x = Float32Array.from(c.x.slice(t * batch * dIn, (t + 1) * batch * dIn));
          const result = await step.run(p, g, { x, step: t, dead });
          if (t === 0) expect(largest(g.flat, c.firstGradients)).toBeLessThan(1e-5);
          const norm = gradientNorm(g.flat);
          expect(norm).toBeCloseTo(expected.gradNorm, 4);
          for (const term of ['loss', 'mse', 'l1', 'aux', 'l0', 'explainedVariance'] as const) {
            if (term === 'l1' && c.architecture === 'topk') continue;
            expect(Math.abs(result[term] - expected[term]), term).toBeLessThan(
              1e-5 * Math.max(1, Math.abs(expected[term])),
            );
          }
          adamUpdate(p.flat, g.flat, { m, v }, t + 1, c.lr, clipFactor(norm, c.maxGradNorm), {
            beta1: 0.9,
            beta2: 0.999,
            eps: 1e-8,
          });
        }
        expect(largest(p.flat, c.end)).toBeLessThan(1e-5);
      });
    }
  }
});

describe('gradient clipping', () => {
  it("has torch's epsilon in the divisor: gradients as small as 1e-5 are clipped by the same factor", () => {
    for (const { norm, maxNorm, factor } of golden.clips) {
      const shrunk = clipFactor(norm, maxNorm);
      expect(Math.abs(shrunk / factor - 1), `norm ${norm}, limit ${maxNorm}`).toBeLessThan(1e-9);
    }
    expect(clipFactor(1e9, undefined)).toBe(1);
  });
});

/** The losses of step.ts in float64, straight from their definitions. */
function lossFloat64(
  flat: Float64Array,
  x: Float32Array,
  dIn: number,
  dSae: number,
  o: StepShape,
  lambda: number,
  dead?: Uint8Array,
  frozen?: Float64Array,
): number {
  const size = dIn * dSae;
  const enc = (f: number, j: number) => flat[f * dIn + j];
  const dec = (f: number, j: number) => flat[size + f * dIn + j];
  const bDec = (j: number) => flat[2 * size + dSae + j];
  const norm = (f: number) => Math.hypot(...Array.from({ length: dIn }, (_, j) => dec(f, j)));
  const rows = x.length / dIn;
  let total = 0;
  for (let b = 0; b < rows; b++) {
    const z = Array.from({ length: dSae }, (_, f) => {
      let sum = flat[2 * size + f];
      for (let j = 0; j < dIn; j++) sum += (x[b * dIn + j] - (o.applyBDecToInput ? bDec(j) : 0)) * enc(f, j);
      return sum;
    });
    const score = z.map((value, f) => (o.rescaleActsByDecoderNorm ? value * norm(f) : value));
    const order = [...z.keys()].sort((a, c) => score[c] - score[a] || a - c);
    const chosen = o.architecture === 'topk' ? new Set(order.slice(0, o.k)) : undefined;
    const f = z.map((value, i) => (value > 0 && (!chosen || chosen.has(i)) ? value : 0));
    const error = Array.from(
      { length: dIn },
      (_, j) => f.reduce((sum, value, i) => sum + value * dec(i, j), bDec(j)) - x[b * dIn + j],
    );
    total += error.reduce((sum, e) => sum + e * e, 0);
    if (o.architecture === 'standard') total += lambda * f.reduce((sum, value, i) => sum + value * norm(i), 0);
    if (!dead) continue;
    const half = Math.floor(dIn / 2);
    const deadOrder = order.filter((i) => dead[i]);
    const scale = Math.min(deadOrder.length / half, 1) * o.auxLossCoefficient;
    for (let j = 0; j < dIn; j++) {
      // The residual is a constant of the loss: `frozen` holds x̂ − x of the unperturbed parameters.
      const e =
        deadOrder.slice(0, half).reduce((sum, i) => sum + z[i] * dec(i, j), 0) +
        (frozen ? frozen[b * dIn + j] : error[j]);
      total += scale * e * e;
    }
  }
  return total / rows;
}

function errorsFloat64(flat: Float64Array, x: Float32Array, dIn: number, dSae: number, o: StepShape): Float64Array {
  const out = new Float64Array(x.length);
  const none = { ...o, auxLossCoefficient: 0 };
  for (let b = 0; b * dIn < x.length; b++) {
    // d(loss)/dx̂ by the definition: recover x̂ − x by asking for the loss with b_dec moved (loss is quadratic in b_dec).
    const row = x.subarray(b * dIn, (b + 1) * dIn);
    const base = lossFloat64(flat, row, dIn, dSae, { ...none, applyBDecToInput: false }, 0);
    for (let j = 0; j < dIn; j++) {
      const moved = flat.slice();
      moved[2 * dIn * dSae + dSae + j] += 1;
      out[b * dIn + j] = (lossFloat64(moved, row, dIn, dSae, { ...none, applyBDecToInput: false }, 0) - base - 1) / 2;
    }
  }
  return out;
}

describe('gradients agree with float64 finite differences', () => {
  const dIn = 4;
  const dSae = 9;
  const shapes: Array<[string, StepShape, number, number[]]> = [
    [
      'standard',
      {
        architecture: 'standard',
        k: 1,
        applyBDecToInput: true,
        rescaleActsByDecoderNorm: false,
        auxLossCoefficient: 0,
        auxIncludesBDec: false,
      },
      0.4,
      [],
    ],
    [
      'topk',
      {
        architecture: 'topk',
        k: 3,
        applyBDecToInput: true,
        rescaleActsByDecoderNorm: true,
        auxLossCoefficient: 0,
        auxIncludesBDec: false,
      },
      0,
      [],
    ],
    [
      'topk with dead features',
      {
        architecture: 'topk',
        k: 3,
        applyBDecToInput: false,
        rescaleActsByDecoderNorm: true,
        auxLossCoefficient: 0.8,
        auxIncludesBDec: false,
      },
      0,
      [0, 4, 7],
    ],
  ];
  for (const [name, shape, lambda, deadList] of shapes) {
    it(name, async () => {
      const random = new Random(5);
      const flat = random.normals(new Float32Array(parameterCount(dIn, dSae)));
      const x = random.normals(new Float32Array(7 * dIn));
      const dead = deadList.length
        ? Uint8Array.from({ length: dSae }, (_, f) => (deadList.includes(f) ? 1 : 0))
        : undefined;
      const g = parameters(dIn, dSae);
      await stepOf(shape, lambda).run(parameters(dIn, dSae, flat), g, { x, step: 0, dead });
      const at = Float64Array.from(flat);
      const frozen = dead ? errorsFloat64(at, x, dIn, dSae, shape) : undefined;
      for (let i = 0; i < at.length; i++) {
        const h = 1e-6;
        const up = at.slice();
        const down = at.slice();
        up[i] += h;
        down[i] -= h;
        const slope =
          (lossFloat64(up, x, dIn, dSae, shape, lambda, dead, frozen) -
            lossFloat64(down, x, dIn, dSae, shape, lambda, dead, frozen)) /
          (2 * h);
        expect(Math.abs(g.flat[i] - slope), `parameter ${i}`).toBeLessThan(1e-4 * Math.max(1, Math.abs(slope)));
      }
    });
  }
});

describe('what a step reports', () => {
  it('explained variance of equal rows is NaN', async () => {
    const p = parameters(2, 3);
    const shape: StepShape = {
      architecture: 'standard',
      k: 1,
      applyBDecToInput: false,
      rescaleActsByDecoderNorm: false,
      auxLossCoefficient: 0,
      auxIncludesBDec: false,
    };
    const result = await stepOf(shape).run(p, parameters(2, 3), { x: Float32Array.of(1, 2, 1, 2), step: 0 });
    expect(result.mse).toBeCloseTo(5, 6);
    expect(result.explainedVariance).toBeNaN();
  });
});

describe('dead features of a topk SAE', () => {
  const shape: StepShape = {
    architecture: 'topk',
    k: 2,
    applyBDecToInput: false,
    rescaleActsByDecoderNorm: true,
    auxLossCoefficient: 0,
    auxIncludesBDec: false,
  };
  /** Features 4 … 11 start with a bias that keeps them out of every top-k; which of them fire after 300 steps? */
  const revived = async (auxLossCoefficient: number): Promise<number> => {
    const [dIn, dSae] = [6, 12];
    const random = new Random(9);
    const p = parameters(dIn, dSae, random.normals(new Float32Array(parameterCount(dIn, dSae))));
    for (let f = 4; f < dSae; f++) p.b_enc[f] = -20;
    const g = parameters(dIn, dSae);
    const m = new Float32Array(p.flat.length);
    const v = new Float32Array(p.flat.length);
    const step = stepOf({ ...shape, auxLossCoefficient });
    const dead = Uint8Array.from({ length: dSae }, (_, f) => (f >= 4 ? 1 : 0));
    for (let t = 1; t <= 300; t++) {
      const x = random.normals(new Float32Array(64 * dIn));
      const { fired } = await step.run(p, g, { x, step: t - 1, dead });
      for (let f = 4; f < dSae; f++) if (fired[f]) dead[f] = 0;
      adamUpdate(p.flat, g.flat, { m, v }, t, 0.1, clipFactor(gradientNorm(g.flat), 1), {
        beta1: 0.9,
        beta2: 0.999,
        eps: 1e-8,
      });
    }
    return dead.reduce((n, d) => n - d, 8);
  };
  it('come back with the auxiliary loss and never without it', async () => {
    expect(await revived(0)).toBe(0);
    expect(await revived(1)).toBeGreaterThan(0);
  });
});

it.each([1, 5, 4096])(
  'squares about the mean of %i rows agree with two passes, far from 0 and with one far off',
  (n) => {
    const d = 3;
    const x = new Random(2).normals(new Float32Array(n * d)).map((value, at) => value + 1000 * (at % d));
    x[0] = 1e4;
    const columns = [0, 1, 2].map((j) => Array.from({ length: n }, (_, i) => x[i * d + j]));
    const squares = columns.map((column) => {
      const mean = column.reduce((sum, value) => sum + value, 0) / n;
      return column.reduce((sum, value) => sum + (value - mean) ** 2, 0);
    });
    const two = squares.reduce((sum, square) => sum + square, 0);
    expect(Math.abs(squaresAboutMean(x, d) - two)).toBeLessThanOrEqual(1e-11 * two);
    expect(squaresAboutMean(new Float32Array(n).fill(0.1), 1)).toBe(0);
  },
);
