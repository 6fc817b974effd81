import { createHash } from 'node:crypto';
import { beforeAll, describe, expect, it } from 'vitest';
import { initGemm } from '#kernel/compute/gemm.js';
import { FULL, passMemory, type PassShape } from '#kernel/compute/passes/memory.js';
import { largestPieces, largestRows } from '#kernel/compute/passes/largest.js';
import { wholes } from '#kernel/compute/passes/wholes.js';
import { Random } from '#kernel/compute/random.js';
import { runPhase } from '#kernel/compute/shared/phases.js';
import { clipFactor } from '#kernel/sae/adam.js';
import { trainingOf } from '#kernel/sae/architectures/trained.js';
import { initialParameters, likeParameters, type Parameters } from '#kernel/sae/parameters.js';
import { TrainingStep, type StepResult } from '#kernel/sae/step.js';
import { CpuSteps } from '#kernel/sae/steps.js';
import { heldPool } from '#test/kit/heldPool.js';

beforeAll(initGemm);
const held = heldPool();
const normals = (length: number, seed: number): Float32Array => new Random(seed).normals(new Float32Array(length));

interface Given {
  dIn: number;
  features: number;
  rows: number;
  k: number;
  absolute?: boolean;
  scale?: Float64Array;
  x: Float32Array;
  encoder: Float32Array;
  bias: Float32Array;
  shift?: Float32Array;
}

/** Features and values of every row; undefined where bounds do not tell. */
async function found(given: Given, whole: number): Promise<[feature: number, value: number][][] | undefined> {
  const { dIn, features, rows, k, absolute = false, scale, x, encoder, bias, shift } = given;
  const pieces = largestPieces(rows);
  const room = pieces * 256 * k;
  const shape: PassShape = { rows, dIn, dOut: 1, features, prefixes: 1, room, threads: 1, estimates: true };
  const { memory, views } = passMemory(shape);
  views.input.set(x);
  const options = { workers: 0, label: 'a test', unit: 'pieces' };
  const one = { shape, encoder, decoder: new Float32Array(features), whole };
  await runPhase({ phase: 'passWholes', memory, parameters: one }, wholes, options);
  const two = { shape, rows, k, absolute, scale, bias, shift, whole };
  await runPhase({ phase: 'passLargest', memory, parameters: two }, largestRows, options);
  if (views.control[FULL] !== 0) return undefined;
  return Array.from({ length: rows }, (_, i) => {
    const from = Math.floor(i / 256) * (room / pieces) + (i % 256 === 0 ? 0 : sum(views.counts, i - (i % 256), i));
    const at = Array.from({ length: views.counts[i] }, (_, n) => from + n);
    return at.map((e): [number, number] => [views.features[e], views.values[e]]);
  });
}
const sum = (counts: Int32Array, from: number, to: number): number =>
  counts.subarray(from, to).reduce((total, count) => total + count, 0);

/** Pre-activations of row i in float64. */
function inDoubles({ dIn, features, x, encoder, bias, shift }: Given, i: number): Float64Array {
  return Float64Array.from({ length: features }, (_, f) => {
    let z = bias[f];
    for (let j = 0; j < dIn; j++) z += Math.fround(x[i * dIn + j] - (shift ? shift[j] : 0)) * encoder[f * dIn + j];
    return z;
  });
}

const lengthOf = (rows: Float32Array, i: number, d: number): number => Math.hypot(...rows.subarray(i * d, (i + 1) * d));

/** Fails where a row is not the k largest, but for those that float32 does not tell apart. */
function expectLargest(given: Given, got: [feature: number, value: number][][]): void {
  const { k, absolute = false, scale } = given;
  const longest = Math.max(...Array.from({ length: given.features }, (_, f) => lengthOf(given.encoder, f, given.dIn)));
  got.forEach((row, i) => {
    const z = inDoubles(given, i);
    const sizes = z.map((v, f) => (absolute ? Math.abs(v) : v) * (scale ? scale[f] : 1));
    const sorted = sizes.slice().sort().reverse();
    const most = Math.max(...z.map(Math.abs)) + lengthOf(given.x, i, given.dIn) * longest;
    expect(row.length).toBe(Math.min(k, sizes.filter((v) => v > 0).length));
    expect(row.map(([f]) => f)).toEqual(row.map(([f]) => f).sort((a, b) => a - b));
    const times = scale ? Math.max(...scale) : 1;
    for (const [f, value] of row) {
      expect(Math.abs(value - z[f])).toBeLessThan(1e-6 * most);
      expect(sizes[f]).toBeGreaterThan(Math.max(0, sorted[k - 1]) - 2e-6 * most * times);
    }
  });
}

const usual = (dIn: number, features: number, rows: number, k: number): Given => ({
  ...{ dIn, features, rows, k },
  x: normals(rows * dIn, 1),
  encoder: normals(features * dIn, 2),
  bias: normals(features, 3),
});
const spread = (length: number): Float64Array => Float64Array.from({ length }, (_, f) => 0.2 + ((f * 37) % 100) / 50);

const cases: Readonly<Record<string, () => Given>> = {
  'normal values, a last tile of 3 columns and a last row alone': () => usual(260, 1027, 257, 9),
  'a scale and a shift': () => ({ ...usual(131, 700, 40, 16), scale: spread(700), shift: normals(131, 4) }),
  'sizes of either sign': () => ({ ...usual(64, 900, 40, 20), absolute: true }),
  'fewer above 0 than k': () => ({ ...usual(64, 600, 30, 32), bias: new Float32Array(600).fill(-22) }),
  'one column far larger than the others': () => {
    const given = usual(300, 800, 50, 8);
    for (let i = 0; i < 50; i++) given.x[i * 300 + 7] *= 500;
    return given;
  },
  'sparse features and rows of very different sizes': () => {
    const given = usual(256, 800, 60, 8);
    given.encoder.forEach((_, at) => at % 11 !== 0 && (given.encoder[at] = 0));
    given.x.forEach((v, at) => (given.x[at] = v * 10 ** ((Math.floor(at / 256) % 13) - 6)));
    return given;
  },
  'features and rows of zeros': () => {
    const given = usual(128, 600, 20, 8);
    given.encoder.fill(0, 0, 128 * 300);
    given.x.fill(0, 0, 128 * 3);
    return given;
  },
};

describe('the k largest by estimates', () => {
  it.each(Object.entries(cases))('are those of float64: %s', async (_, make) => {
    const given = make();
    const byFloats = await found(given, 0);
    expect(byFloats).toBeDefined();
    expectLargest(given, byFloats!);
    // To the same bits whatever estimates them.
    for (const most of [127, 63]) {
      const got = await found(given, most);
      if (got) expect(got).toEqual(byFloats);
      else expect(most).toBe(63); // 7 bits may not tell where the processor has no more
    }
  });

  it('take the lower feature where values are the same', async () => {
    const given = usual(256, 640, 10, 8);
    // Features 320 to 639 are those before them once more.
    given.encoder.copyWithin(320 * 256, 0, 320 * 256);
    given.bias.copyWithin(320, 0, 320);
    const got = (await found(given, 127))!;
    expect(got).toEqual(await found(given, 0));
    for (const row of got) for (const [f] of row) if (f >= 320) expect(row.map(([other]) => other)).toContain(f - 320);
    expectLargest(given, got);
  });

  it.each<[string, (given: Given) => void]>([
    ['NaN in a row', ({ x }) => void (x[5] = NaN)],
    ['NaN in the encoder', ({ encoder }) => void (encoder[5] = NaN)],
    ['NaN in the bias', ({ bias }) => void (bias[5] = NaN)],
    ['infinity in the encoder', ({ encoder }) => void (encoder[5] = Infinity)],
    [
      'products beyond float32',
      ({ x, encoder }) => [x, encoder].forEach((a) => a.forEach((v, at) => (a[at] = v * 1e19))),
    ],
    ['more equal values than a list holds', ({ encoder, bias }) => (encoder.fill(1), bias.fill(0.5))],
  ])('are left to others where there are none: %s', async (_, spoil) => {
    const given = usual(64, 2000, 6, 4);
    spoil(given);
    for (const whole of [127, 0]) expect(await found(given, whole)).toBeUndefined();
  });

  it('are left to others where errors are not as random as their bound assumes', async () => {
    const given = usual(256, 600, 20, 8);
    // Where an entry of a feature is −1 rows are rounded down, where it is 1 they are rounded up.
    const signs = Float32Array.from({ length: 256 }, (_, j) => (j % 2 === 0 ? -1 : 1));
    const row = signs.map((sign, j) => (j === 0 ? 127 : 61 + 0.55 * sign));
    for (let i = 0; i < 20; i++) given.x.set(row, i * 256);
    for (let at = 0; at < given.encoder.length; at++) given.encoder[at] = signs[at % 256] + 0.1 * given.encoder[at];
    expect(await found(given, 127)).toBeUndefined();
    expectLargest(given, (await found(given, 0))!);
  });
});

describe('steps of many features', () => {
  const [dIn, dSae, rows] = [256, 16_384, 300];

  /** Parameters after three steps, and what the steps said. */
  async function trained(workers: number, spoil?: (x: Float32Array, t: number) => void) {
    const run = trainingOf('topk').start({ k: 12 }, { dIn, dSae });
    const p = initialParameters({ dIn, dSae }, 0.1, 0, run.parameters);
    const moments = { m: new Float32Array(p.flat.length), v: new Float32Array(p.flat.length) };
    const team = { workers, pool: held.pool };
    const steps = new CpuSteps(
      new TrainingStep(run, { applyBDecToInput: true }, { team }),
      p,
      moments,
      undefined,
      team,
    );
    const said: Pick<StepResult, 'loss' | 'l0'>[] = [];
    for (let t = 1; t <= 3; t++) {
      const x = normals(rows * dIn, t);
      spoil?.(x, t);
      said.push(await steps.run({ x, step: t - 1 }));
      const clip = clipFactor(await steps.norm(), 1);
      await steps.update({ t, lr: 1e-3, clip, beta1: 0.9, beta2: 0.999, eps: 1e-8 });
    }
    return {
      bits: createHash('sha256')
        .update((await steps.state()).p.flat)
        .digest('hex'),
      said,
    };
  }

  it('have the same bits whatever the number of workers', async () => {
    const alone = await trained(0);
    expect(alone.said.map(({ l0 }) => l0)).toEqual([12, 12, 12]);
    for (const workers of [1, 3]) expect((await trained(workers)).bits).toBe(alone.bits);
  });

  it('show NaN in the loss', async () => {
    const { said } = await trained(3, (x, t) => t === 2 && (x[4] = NaN));
    expect(said.map(({ loss }) => Number.isNaN(loss))).toEqual([false, true, true]);
  });

  it('of which some are dead have no dead entries but those of the auxiliary loss, whose gradients are of float64', async () => {
    const run = trainingOf('topk').start({ k: 12, rescaleActsByDecoderNorm: false }, { dIn, dSae });
    const p = initialParameters({ dIn, dSae }, 0.1, 0, run.parameters);
    const x = normals(12 * dIn, 9);
    // Dead features fire on nothing, so that the auxiliary loss alone reaches them.
    const dead = new Uint8Array(dSae).fill(1, 1000, 1200);
    p.b_enc.fill(-10, 1000, 1200);
    const g = likeParameters(p);
    const { aux, loss, mse } = await new TrainingStep(run, { applyBDecToInput: true }).run(p, g, { x, step: 0, dead });
    expect(loss).toBeCloseTo(mse + aux, 6);
    const expected = auxiliary(p, x, dead, 12);
    expect(aux / expected.aux).toBeCloseTo(1, 5);
    expect(g.b_enc[1100] / expected.toBias(1100)).toBeCloseTo(1, 4);
  });
});

describe('a step that looks for entries as the one before it let expect', () => {
  const [dIn, dSae, rows] = [40, 700, 300];

  it.each([
    ['topk', { k: 12 }, 10],
    ['batchtopk', { k: 12 }, 10],
    ['batchtopk', { k: 12 }, 100],
    ['jumprelu', { l0Coefficient: 0.1, preActLossCoefficient: 1e-2 }, 10],
  ])('has the same bits, dead features or not: %s %j, %i dead', async (architecture, options, count) => {
    const run = trainingOf(architecture).start(options, { dIn, dSae });
    const p = initialParameters({ dIn, dSae }, 0.1, 0, run.parameters);
    p.b_enc.fill(-0.2);
    const [x, dead] = [normals(rows * dIn, 1), new Uint8Array(dSae).fill(1, 0, count)];
    const step = new TrainingStep(run, { applyBDecToInput: true });
    const gradients: Float32Array[] = [];
    for (let time = 0; time < 2; time++) {
      const g = likeParameters(p);
      await step.run(p, g, { x, step: 0, dead });
      gradients.push(g.flat);
    }
    expect(gradients[0].some((v) => v !== 0)).toBe(true);
    expect(gradients[1]).toEqual(gradients[0]);
  });
});

/** The auxiliary loss in float64: its value, and its gradient at the encoder's bias of a feature. */
function auxiliary(p: Parameters, x: Float32Array, dead: Uint8Array, k: number) {
  const { dIn, dSae } = p;
  const rows = x.length / dIn;
  const features = [...dead.keys()].filter((f) => dead[f] === 1);
  const wanted = Math.min(dIn / 2, features.length);
  const weight = Math.min(features.length / (dIn / 2), 1) / rows;
  const bias = new Map<number, number>();
  let aux = 0;
  for (let i = 0; i < rows; i++) {
    const seen = Float32Array.from({ length: dIn }, (_, j) => x[i * dIn + j] - p.b_dec[j]);
    const z = Float64Array.from({ length: dSae }, (_, f) => seen.reduce((sum, v, j) => sum + v * p.W_encT[f * dIn + j], p.b_enc[f])); // prettier-ignore
    const order = [...z.keys()].sort((a, b) => z[b] - z[a]);
    const error = seen.map((v) => -v);
    const add = (f: number): void => error.forEach((_, j) => (error[j] += z[f] * p.W_dec[f * dIn + j]));
    order.slice(0, k).filter((f) => z[f] > 0).forEach(add); // prettier-ignore
    const selected = order.filter((f) => dead[f] === 1).slice(0, wanted);
    selected.forEach(add);
    aux += weight * error.reduce((sum, e) => sum + e * e, 0);
    for (const f of selected)
      bias.set(f, (bias.get(f) ?? 0) + error.reduce((sum, e, j) => sum + 2 * weight * e * p.W_dec[f * dIn + j], 0));
  }
  return { aux, toBias: (f: number) => bias.get(f) ?? 0 };
}
