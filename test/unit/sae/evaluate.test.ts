import { beforeAll, describe, expect, it } from 'vitest';
import { initDevice } from '#kernel/compute/device.js';
import { matrix } from '#kernel/compute/matrix.js';
import { Random } from '#kernel/compute/random.js';
import { tf } from '#kernel/compute/tf.js';
import type { TokenSet } from '#kernel/models/types.js';
import { evaluateSae } from '#kernel/sae/evaluate.js';
import { histogramOfDensity } from '#kernel/sae/evaluationSums.js';
import { ReconstructionSums } from '#kernel/sae/reconstruction.js';
import { createSae } from '#kernel/sae/sae.js';
import type { Sae } from '#kernel/sae/types.js';
import { embeddingModel, HOOK } from '#test/kit/embeddingModel.js';
import { onEachDevice } from '#test/kit/devices.js';
import { saeOf } from '#test/kit/sae.js';

beforeAll(() => initDevice({ device: 'cpu' }));

const V = 7;
const D = 4;
const random = new Random(1);
const embedding = random.normals(new Float32Array(V * D));
const unembedding = random.normals(new Float32Array(D * V));

const model = embeddingModel(V, D, embedding, unembedding);

const ids = Int32Array.from({ length: 60 }, () => random.int(V));
const tokens = { id: 't', tokens: ids, sequences: 6, context: 10, tokenizer: { id: 'toy' } } as unknown as TokenSet;

function sae(scale: number): Sae {
  const W_dec = new Float32Array(9 * D);
  const W_enc = new Float32Array(9 * D);
  for (let j = 0; j < D; j++) {
    for (const sign of [1, -1]) {
      const f = sign === 1 ? j : j + D;
      W_dec[f * D + j] = scale * sign;
      W_enc[j * 9 + f] = sign;
    }
  }
  const b_enc = new Float32Array(9).fill(0);
  b_enc[8] = -1; // never fires
  return saeOf(
    { W_enc: matrix(D, 9, W_enc), b_enc, W_dec: matrix(9, D, W_dec), b_dec: new Float32Array(D) },
    { applyBDecToInput: false, hookName: HOOK, modelName: 'toy' },
  );
}

/** Cross-entropy and KL with the hook scaled, in float64 from the definitions. */
function expected(scale: number, skip?: number): { ce: number; kl: number } {
  const logP = (token: number, s: number) => {
    const z = Array.from({ length: V }, (_, v) => {
      let sum = 0;
      for (let j = 0; j < D; j++) sum += s * embedding[token * D + j] * unembedding[j * V + v];
      return sum;
    });
    const total = Math.log(z.reduce((sum, v) => sum + Math.exp(v), 0));
    return z.map((v) => v - total);
  };
  let ce = 0;
  let kl = 0;
  let n = 0;
  for (let i = 0; i < 60; i++) {
    if (i % 10 === 9 || ids[i] === skip) continue;
    const p = logP(ids[i], 1);
    const q = logP(ids[i], scale);
    ce -= q[ids[i + 1]];
    kl += p.reduce((sum, l, v) => sum + Math.exp(l) * (l - q[v]), 0);
    n++;
  }
  return { ce: ce / n, kl: kl / n };
}

describe('evaluateSae on a model whose every number is known', () => {
  it('leaves padding out of every figure: a padded text gives what it gives alone', async () => {
    const padding = new Uint8Array(20);
    padding.fill(1, 6, 10);
    padding.fill(1, 16, 20);
    const padded = { ...tokens, tokens: ids.slice(0, 20), sequences: 2, padding } as unknown as TokenSet;
    const alone = {
      ...tokens,
      tokens: Int32Array.of(...ids.slice(0, 6), ...ids.slice(10, 16)),
      sequences: 2,
      context: 6,
    };
    const [a, b] = [await evaluateSae(model, sae(0.5), padded), await evaluateSae(model, sae(0.5), alone)];
    expect(a.tokens).toBe(12);
    for (const key of ['l0', 'l1', 'ceClean', 'ceSae', 'ceZero', 'klSae'] as const)
      expect(a[key]).toBeCloseTo(b[key], 6);
  });

  it('a perfect SAE costs nothing', async () => {
    const e = await evaluateSae(model, sae(1), tokens);
    expect(e).toMatchObject({ tokens: 60, sequences: 6, l0: 4, dead: 9 - usedFeatures() });
    expect(e.explainedVariance).toBeCloseTo(1, 6);
    expect(e.ceLossRecovered).toBeCloseTo(1, 4);
    expect(e.klSae).toBeCloseTo(0, 6);
    expect(e.klScore).toBeCloseTo(1, 5);
  });
  it.each([20, 1000])('a shrinking SAE: every figure by its definition (batches of %i tokens)', async (batchTokens) => {
    const e = await evaluateSae(model, sae(0.5), tokens, { batchTokens });
    const [clean, half, zero] = [1, 0.5, 0].map((s) => expected(s));
    expect(e.ceClean).toBeCloseTo(clean.ce, 5);
    expect(e.ceSae).toBeCloseTo(half.ce, 5);
    expect(e.ceZero).toBeCloseTo(Math.log(V), 5);
    expect(e.ceLossRecovered).toBeCloseTo((zero.ce - half.ce) / (zero.ce - clean.ce), 4);
    expect(e.klSae).toBeCloseTo(half.kl, 5);
    expect(e.klZero).toBeCloseTo(zero.kl, 5);
    expect(e.cosineSimilarity).toBeCloseTo(1, 6);
    expect(e.relativeReconstructionBias).toBeCloseTo(0.5, 6);
    expect(e.l2Ratio).toBeCloseTo(0.5, 6);
    let square = 0;
    for (const id of ids) for (let j = 0; j < D; j++) square += embedding[id * D + j] ** 2 / 4;
    expect(e.mseSumPerToken).toBeCloseTo(square / 60, 5);
    expect(e.msePerElement).toBeCloseTo(square / 60 / D, 5);
  });
  it('ignored tokens stay as they are and count nowhere', async () => {
    const skip = ids[3];
    const e = await evaluateSae(model, sae(0.5), tokens, { ignoreTokens: [skip] });
    expect(e.tokens).toBe(ids.filter((id) => id !== skip).length);
    expect(e.ceSae).toBeCloseTo(expected(0.5, skip).ce, 5);
  });
  it('what the file of the SAE excludes counts nowhere, unless the call says otherwise', async () => {
    const skip = ids[3];
    const plain = sae(0.5);
    const says = (metadata: Sae['config']['metadata']): Sae => createSae({ ...plain.config, metadata }, plain);
    const excluding = await evaluateSae(model, says({ exclude_special_tokens: [skip] }), tokens);
    expect(excluding).toEqual(await evaluateSae(model, plain, tokens, { ignoreTokens: [skip] }));
    const sliced = says({ seqpos_slice: [1, null] });
    const e = await evaluateSae(model, sliced, tokens);
    expect(e.tokens).toBe(tokens.sequences * (tokens.context - 1));
    expect(await evaluateSae(model, sliced, tokens, { allPositions: true })).toEqual(
      await evaluateSae(model, plain, tokens),
    );
  });
  it('leaks no tensors', async () => {
    const before = tf.memory().numTensors;
    await evaluateSae(model, sae(0.5), tokens);
    expect(tf.memory().numTensors).toBe(before);
  });
  it('refuses another width, no hook, no tokens', async () => {
    const wide = createSae(
      { ...sae(1).config, dIn: 5, dSae: 1 },
      { W_enc: matrix(5, 1), b_enc: new Float32Array(1), W_dec: matrix(1, 5), b_dec: new Float32Array(5) },
    );
    await expect(evaluateSae(model, wide, tokens)).rejects.toThrow(
      /width 5 .* but blocks.0.hook_mlp_out of toy has width 4/,
    );
    await expect(evaluateSae(model, sae(1), tokens, { ignoreTokens: [...ids] })).rejects.toThrow(/nothing to evaluate/);
  });
});

function usedFeatures(): number {
  const fired = new Set<number>();
  for (const id of ids) for (let j = 0; j < D; j++) fired.add(embedding[id * D + j] > 0 ? j : j + D);
  return fired.size;
}

describe('reconstruction figures', () => {
  const x = matrix(
    30,
    3,
    new Random(2).normals(new Float32Array(90)).map((v) => v + 1000),
  );
  it('predicting the mean explains nothing, even far from zero and over several batches', () => {
    const mean = [0, 1, 2].map((j) => x.data.filter((_, i) => i % 3 === j).reduce((a, b) => a + b, 0) / 30);
    const sums = new ReconstructionSums(3);
    for (const [a, b] of [
      [0, 7],
      [7, 20],
      [20, 30],
    ]) {
      sums.add(
        matrix(b - a, 3, x.data.subarray(a * 3, b * 3)),
        matrix(
          b - a,
          3,
          Float32Array.from({ length: (b - a) * 3 }, (_, i) => mean[i % 3]),
        ),
      );
    }
    expect(sums.metrics().explainedVariance).toBeCloseTo(0, 4);
  });
  it('one batch: 1 − FVU is the explained variance', () => {
    const sums = new ReconstructionSums(3);
    sums.add(
      x,
      matrix(
        30,
        3,
        x.data.map((v) => v + 0.3),
      ),
    );
    const m = sums.metrics();
    expect(m.oneMinusFvu).toBeCloseTo(m.explainedVariance, 10);
    let spread = 0;
    const mean = [0, 1, 2].map((j) => x.data.filter((_, i) => i % 3 === j).reduce((a, b) => a + b, 0) / 30);
    x.data.forEach((v, i) => (spread += (v - mean[i % 3]) ** 2));
    let error = 0;
    x.data.forEach((v) => (error += (Math.fround(v + 0.3) - v) ** 2));
    expect(m.explainedVariance).toBeCloseTo(1 - error / spread, 6);
    let perToken = 0;
    for (let i = 0; i < 30; i++) {
      let e = 0;
      let s = 0;
      for (let j = 0; j < 3; j++) {
        e += (Math.fround(x.data[i * 3 + j] + 0.3) - x.data[i * 3 + j]) ** 2;
        s += (x.data[i * 3 + j] - mean[j]) ** 2;
      }
      perToken += 1 - e / s;
    }
    expect(m.explainedVariancePerToken).toBeCloseTo(perToken / 30, 5);
  });
  it('constant input: error is defined, explained variance is NaN', () => {
    const sums = new ReconstructionSums(2);
    sums.add(matrix(3, 2, new Float32Array(6).fill(2)), matrix(3, 2, new Float32Array(6).fill(1)));
    const m = sums.metrics();
    expect([m.mseSumPerToken, m.msePerElement]).toEqual([2, 1]);
    for (const v of [m.explainedVariance, m.explainedVariancePerToken, m.oneMinusFvu]) expect(v).toBeNaN();
  });
  it('zero reconstructions have cosine 0', () => {
    const sums = new ReconstructionSums(2);
    sums.add(matrix(1, 2, Float32Array.of(1, 1)), matrix(1, 2));
    expect(sums.metrics()).toMatchObject({ cosineSimilarity: 0, relativeReconstructionBias: NaN, l2Ratio: 0 });
  });
});

it('the density histogram counts every alive feature once', () => {
  const { edges, counts } = histogramOfDensity(Float64Array.of(0, 1, 0.01, 0.0099, 0.001, 0.5), 1000);
  expect([edges.length, edges[0], edges.at(-1)]).toEqual([13, -3, 0]);
  expect([...counts]).toEqual([1, 0, 0, 1, 1, 0, 0, 0, 0, 0, 1, 1]);
});

onEachDevice('evaluation', (device) => {
  it('encodes and decodes there, with the figures of the CPU; parts that are remembered are made on the CPU', async () => {
    const [own, devices] = [sae(0.8), { encode: device(), decode: device() }];
    const wanted = await evaluateSae(model, own, tokens);
    await device().start();
    const before = device().held;
    const got = await evaluateSae(model, own, tokens, { devices });
    expect(device().held).toBeGreaterThan(before);
    for (const name of ['l0', 'l1', 'ceSae', 'klSae', 'explainedVariance', 'mseSumPerToken'] as const)
      expect(got[name]).toBeCloseTo(wanted[name], 5);
    const remember = async <T>(_: string, make: () => Promise<T>): Promise<T> => JSON.parse(JSON.stringify(await make())) as T; // prettier-ignore
    expect(await evaluateSae(model, own, tokens, { remember })).toEqual(wanted);
  });
});
