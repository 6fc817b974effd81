import { createHash } from 'node:crypto';
import fs from 'node:fs';
import { beforeAll, describe, expect, it } from 'vitest';
import type { RowEntries } from '#kernel/compute/entries/firing.js';
import { initGemm } from '#kernel/compute/gemm.js';
import { KERNELS } from '#kernel/compute/passes/kernels.js';
import { Random } from '#kernel/compute/random.js';
import type { TeamOptions } from '#kernel/compute/shared/phases.js';
import { clipFactor } from '#kernel/sae/adam.js';
import { trainingOf } from '#kernel/sae/architectures/trained.js';
import { initialParameters, likeParameters, parameters, sharedParameters } from '#kernel/sae/parameters.js';
import { PassWork } from '#kernel/sae/passWork.js';
import { TrainingStep } from '#kernel/sae/step.js';
import { CpuSteps } from '#kernel/sae/steps.js';
import { heldPool } from '#test/kit/heldPool.js';

beforeAll(initGemm);
const held = heldPool();

const normals = (length: number, seed = 1): Float32Array => new Random(seed).normals(new Float32Array(length));

it('the assembled kernels are of the text beside them: node scripts/wasm.mjs', () => {
  const text = fs.readFileSync(new URL('../../../src/kernel/compute/passes/kernels.wat', import.meta.url), 'utf8');
  expect(KERNELS.sha256).toBe(createHash('sha256').update(text).digest('hex'));
});

describe('decoding and gradients of entries', () => {
  it.each([
    [3, 5, 60, [60]],
    [128, 128, 400, [50, 100, 400]],
    [1, 18, 7, [7]],
  ])('agree with float64: rows of %i and %i, %i features, prefixes %j', async (dOut, dIn, dSae, widths) => {
    const rows = 150;
    const p = parameters(dIn, dSae, undefined, { dOut });
    p.W_dec.set(normals(p.W_dec.length, 2));
    p.b_dec.set(normals(dOut, 3));
    const [x, target] = [normals(rows * dIn, 4), normals(rows * dOut, 5)];
    // Rows of 0 to 8 entries; feature 1 fires on all but a few, the last one on none.
    const random = new Random(6);
    const lists = Array.from({ length: rows }, (_, i) =>
      [...new Set(Array.from({ length: i % 9 }, (_, n) => (n === 0 ? 1 : random.int(dSae - 1))))].sort((a, b) => a - b),
    );
    const indptr = Uint32Array.from([0, ...lists].map((_, i) => lists.slice(0, i).flat().length));
    const values = normals(indptr[rows], 7);
    const entries: RowEntries = { rows, indptr, features: Int32Array.from(lists.flat()), values };
    const penalty = Float64Array.from({ length: dSae }, (_, f) => 0.01 * f);
    const g = likeParameters(p);
    g.flat.fill(1);
    const work = new PassWork();
    work.put(p, { rows, x, target }, widths.length, entries);
    const { squares, toBias } = await work.decode(p, { widths, bias: p.b_dec, weight: 0.5 });
    await work.backward(g, { widths, penalty, fresh: false }, undefined, g.b_enc);

    let worst = 0;
    const compare = (got: number, terms: readonly number[]): void => {
      const size = terms.reduce((sum, t) => sum + Math.abs(t), 1);
      worst = Math.max(worst, Math.abs(got - terms.reduce((sum, t) => sum + t, 0)) / size);
    };
    const of = (i: number): [feature: number, value: number][] => lists[i].map((f, n) => [f, values[indptr[i] + n]]);
    const errors = widths.map((width) =>
      Array.from({ length: rows }, (_, i) =>
        Array.from(
          { length: dOut },
          (_, j) =>
          of(i).filter(([f]) => f < width).reduce((sum, [f, v]) => sum + v * p.W_dec[f * dOut + j], p.b_dec[j] - target[i * dOut + j]), // prettier-ignore
        ),
      ),
    );
    widths.forEach((_, l) => compare(squares[l], errors[l].flat().map((e) => e * e))); // prettier-ignore
    for (let j = 0; j < dOut; j++) compare(toBias[j], errors.flat().map((e) => 0.5 * e[j])); // prettier-ignore
    const [toDecoder, toEncoder, toB] = [dOut, dIn, 1].map((d) => Array.from({ length: dSae * d }, () => [1]));
    for (let i = 0; i < rows; i++)
      for (const [f, v] of of(i)) {
        const gradient = Array.from({ length: dOut }, (_, j) =>
          widths.reduce((sum, width, l) => sum + (f < width ? 0.5 * errors[l][i][j] : 0), 0),
        );
        const df = gradient.reduce((sum, e, j) => sum + e * p.W_dec[f * dOut + j], penalty[f]);
        gradient.forEach((e, j) => toDecoder[f * dOut + j].push(v * e));
        for (let j = 0; j < dIn; j++) toEncoder[f * dIn + j].push(df * x[i * dIn + j]);
        toB[f].push(df);
      }
    toDecoder.forEach((terms, at) => compare(g.W_dec[at], terms));
    toEncoder.forEach((terms, at) => compare(g.W_encT[at], terms));
    toB.forEach((terms, at) => compare(g.b_enc[at], terms));
    // dL/df are sums of products themselves.
    expect(worst).toBeLessThan(3e-6);
    expect(toB[dSae - 1]).toEqual([1]);
  });
});

describe('steps shared out among workers', () => {
  const [dIn, dSae, rows] = [40, 700, 600];
  const kinds: Readonly<Record<string, object>> = {
    topk: { k: 12 },
    abstopk: { k: 12, tied: true },
    batchtopk: { k: 12 },
    matryoshka_batchtopk: { k: 12 },
    standard: { l1Coefficient: 0.1 },
    jumprelu: { l0Coefficient: 0.1, jumpreluSparsityLossMode: 'tanh' },
    gated: {},
  };

  /** Parameters after five steps; features 0 to 9 are said to be dead from the third on. */
  async function trained(architecture: string, team: TeamOptions): Promise<Float32Array> {
    const shape = { dIn, dSae };
    const run = trainingOf(architecture).start(kinds[architecture], shape);
    const p = initialParameters(shape, 0.1, 0, run.parameters);
    p.b_enc.fill(-0.2);
    const moments = { m: new Float32Array(p.flat.length), v: new Float32Array(p.flat.length) };
    const steps = new CpuSteps(
      new TrainingStep(run, { applyBDecToInput: true }, { team }),
      p,
      moments,
      undefined,
      team,
    );
    for (let t = 1; t <= 5; t++) {
      const dead = t < 3 ? undefined : new Uint8Array(dSae).fill(1, 0, 10);
      await steps.run({ x: normals(rows * dIn, t), step: t - 1, dead: t === 5 ? undefined : dead });
      const clip = clipFactor(await steps.norm(), 1);
      await steps.update({ t, lr: 1e-3, clip, beta1: 0.9, beta2: 0.999, eps: 1e-8 });
    }
    return (await steps.state()).p.flat;
  }

  it.each(Object.keys(kinds))('%s: the same bits whatever their number', async (architecture) => {
    const alone = await trained(architecture, { workers: 0 });
    expect(alone.every(Number.isFinite)).toBe(true);
    for (const workers of [1, 3]) expect(await trained(architecture, { workers, pool: held.pool })).toEqual(alone);
  });

  it('of arrays that are not shared run on the calling thread, to the same bits', async () => {
    const run = trainingOf('topk').start({ k: 12 }, { dIn, dSae });
    const gradients = await Promise.all(
      [true, false].map(async (shared) => {
        const own = initialParameters({ dIn, dSae }, 0.1, 0);
        const p = shared ? sharedParameters(own, 'copied') : own;
        const g = shared ? sharedParameters(own, 'zeros') : likeParameters(own);
        const step = new TrainingStep(run, { applyBDecToInput: true }, { team: { workers: 3, pool: held.pool } });
        await step.run(p, g, { x: normals(rows * dIn), step: 0 });
        return g.flat;
      }),
    );
    expect(gradients[0]).toEqual(gradients[1]);
  });
});
