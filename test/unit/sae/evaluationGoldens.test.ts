import fs from 'node:fs';
import { beforeAll, describe, expect, it } from 'vitest';
import { initDevice } from '#kernel/compute/device.js';
import { matrix } from '#kernel/compute/matrix.js';
import type { TokenSet } from '#kernel/models/types.js';
import { evaluateSae, evaluateSaes } from '#kernel/sae/evaluate.js';
import { logisticRegression, type Rows } from '#kernel/sae/logistic.js';
import { absorptionOf, labelTokens, probeLabel } from '#kernel/sae/probing.js';
import { fromDense } from '#test/kit/rows.js';
import { saeOf } from '#test/kit/sae.js';
import { embeddingModel, HOOK } from '#test/kit/embeddingModel.js';

interface Golden {
  evaluation: Record<'V' | 'D' | 'F' | 'k' | 'sequences' | 'context' | 'batchTokens', number> &
    Record<'embedding' | 'unembedding' | 'W_enc' | 'W_dec' | 'b_enc' | 'b_dec' | 'ids' | 'density', number[]> & {
      figures: Record<string, number>;
    };
  probes: Record<'d' | 'features', number> &
    Record<
      'x' | 'f' | 'decoder' | 'b_dec' | 'y' | 'train' | 'test' | 'ranked' | 'split' | 'coefficients' | 'dense',
      number[]
    > & {
      sparse: Array<{ k: number; accuracy: number; f1: number }>;
      activation: { accuracy: number; f1: number };
      absorption: { tokens: number; silent: number; absorbed: number };
    };
}

const golden = JSON.parse(fs.readFileSync('test/goldens/sae-evaluation.json', 'utf8')) as Golden;
const { evaluation: e, probes: p } = golden;

beforeAll(() => initDevice({ device: 'cpu' }));

const f32 = (values: readonly number[]): Float32Array => Float32Array.from(values);

describe('evaluation against numpy', () => {
  const model = embeddingModel(e.V, e.D, f32(e.embedding), f32(e.unembedding));
  const sae = saeOf(
    {
      W_enc: matrix(e.D, e.F, f32(e.W_enc)),
      b_enc: f32(e.b_enc),
      W_dec: matrix(e.F, e.D, f32(e.W_dec)),
      b_dec: f32(e.b_dec),
    },
    { architecture: 'topk', k: e.k, hookName: HOOK, modelName: 'toy', metadata: { training: { finalL0: 2.5 } } },
  );
  const tokens = {
    ...{ id: 't', tokens: Int32Array.from(e.ids), sequences: e.sequences, context: e.context },
    tokenizer: { id: 'toy' },
  } as unknown as TokenSet;

  it('every figure within 1e-6, the L0 of training beside that of the text', async () => {
    const found = await evaluateSae(model, sae, tokens, { batchTokens: e.batchTokens });
    expect(found.l0Training).toBe(2.5);
    for (const [name, value] of Object.entries(e.figures))
      expect(Math.abs(found[name as 'l0'] - value), name).toBeLessThan(1e-6 * Math.max(1, Math.abs(value)));
    expect(Array.from(found.density)).toEqual(e.density);
  });

  it('several SAEs on shared runs get what each gets alone', async () => {
    const other = saeOf({ ...sae, W_enc: sae.W_enc, b_enc: f32(e.b_enc.map((b) => b + 0.1)) }, sae.config);
    const together = await evaluateSaes(model, [sae, other], tokens, { batchTokens: e.batchTokens });
    for (const [i, one] of [sae, other].entries())
      expect(together[i]).toEqual(await evaluateSae(model, one, tokens, { batchTokens: e.batchTokens }));
  });

  it('refuses SAEs of several hooks together', async () => {
    const other = saeOf(sae, { ...sae.config, hookName: 'blocks.0.hook_resid_post' });
    await expect(evaluateSaes(model, [sae, other], tokens)).rejects.toThrow(/of one hook share their runs/);
  });
});

describe('sparse probes against scikit-learn', () => {
  const n = p.y.length;
  const features = fromDense(p.f, n, p.features);
  const sae = { decoder: matrix(p.features, p.d, f32(p.decoder)), b_dec: f32(p.b_dec) };
  const x = matrix(n, p.d, f32(p.x));
  const rowOf = new Map(Array.from({ length: n }, (_, i) => [i, i]));
  const of = (part: readonly number[], y: number): number[] => part.filter((i) => p.y[i] === y);
  const part = (rows: readonly number[]) => ({ of: of(rows, 1), others: of(rows, 0) });
  const tokens = { label: 'a', train: part(p.train), test: part(p.test) };

  it('the regression has the same weights and intercept', async () => {
    const chosen = p.ranked;
    const columns: Rows = {
      n: p.train.length,
      d: chosen.length,
      data: Float64Array.from(p.train.flatMap((i) => chosen.map((f) => p.f[i * p.features + f]))),
    };
    const found = await logisticRegression(
      columns,
      Uint8Array.from(p.train, (i) => p.y[i]),
    );
    [...found.weights, found.intercept].forEach((w, i) => expect(w).toBeCloseTo(p.coefficients[i], 6));
  });

  it('ranking, accuracy, F1, splitting and absorption', async () => {
    const found = await probeLabel({ sae, x, features, rowOf }, tokens, [1, 2, 5]);
    expect(found.features).toEqual(p.ranked);
    expect(found.sparse).toEqual(p.sparse);
    expect(found.activation).toEqual(p.activation);
    expect(found.split).toEqual(p.split);
    expect(found.absorption).toMatchObject(p.absorption);
    expect(found.absorption.absorbed).toBeGreaterThan(0);
    expect(found.absorption.absorber).toBe(2);
  });

  it('nothing is absorbed where a feature of the split fires, or the direction is another', () => {
    const all = Array.from({ length: n }, (_, i) => i);
    const away = Float64Array.from({ length: p.d }, (_, j) => (j === 0 ? -1 : 0));
    expect(absorptionOf({ sae, x, features }, all, [...Array(p.features).keys()], away).absorbed).toBe(0);
    expect(absorptionOf({ sae, x, features }, [], [0], away)).toMatchObject({ tokens: 0, rate: NaN, absorber: -1 });
  });

  it('one class alone is refused', async () => {
    await expect(logisticRegression({ n: 2, d: 1, data: new Float64Array(2) }, Uint8Array.of(1, 1))).rejects.toThrow(
      /both classes, but all 2 are of one/,
    );
  });
});

describe('tokens of a label', () => {
  const of = Uint8Array.from({ length: 90 }, (_, i) => (i % 5 === 0 ? 1 : 0));
  const settings = { maxTokens: 8, minTokens: 2, seed: 3 };
  it('as many with it as without, every third sequence for the judgement, the same by the same seed', () => {
    const drawn = labelTokens('a', of, 10, (i) => i !== 0, settings)!;
    for (const [name, { of: labelled, others }] of Object.entries({ train: drawn.train, test: drawn.test })) {
      expect(labelled.length, name).toBe(others.length);
      for (const i of labelled) expect(of[i]).toBe(1);
      for (const i of others) expect(of[i]).toBe(0);
      for (const i of [...labelled, ...others]) expect(Math.floor(i / 10) % 3 === 2).toBe(name === 'test');
    }
    expect([drawn.train.of.length, drawn.test.of.length]).toEqual([8, 6]);
    expect(labelTokens('a', of, 10, (i) => i !== 0, settings)).toEqual(drawn);
    expect(labelTokens('a', of, 10, (i) => i !== 0, { ...settings, seed: 4 })).not.toEqual(drawn);
  });
  it('none where the label is too rare', () => {
    expect(labelTokens('a', of, 10, () => true, { ...settings, minTokens: 7 })).toBeUndefined();
  });
});
