/** The logit lens against float64 products, with and without the final norm, and against what a push does to the logits. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { captureActivations } from '#kernel/models/capture.js';
import { Dataset } from '#kernel/datasets/dataset.js';
import { loadModel } from '#kernel/models/load.js';
import { shared } from '#test/kit/samples.js';
import { initDevice } from '#kernel/compute/device.js';
import { matrix, row } from '#kernel/compute/matrix.js';
import { readConfig } from '#kernel/models/config.js';
import { TransformerModel } from '#kernel/models/transformer.js';
import type { ModelConfig } from '#kernel/models/types.js';
import { logitLens } from '#kernel/sae/logitLens.js';
import { createSae } from '#kernel/sae/sae.js';
import { CONFIGS, modelOf, randomWeights } from '#test/kit/model.js';
import { normals } from '#test/kit/numbers.js';

await initDevice({ device: 'cpu' });

const stories = join(shared, 'stories260K');
if (!existsSync(stories)) console.warn(`skipped: stories260K is not at ${stories}`);

const gemma = readConfig({
  model_type: 'gemma',
  ...{ hidden_size: 18, intermediate_size: 23, num_hidden_layers: 2, num_attention_heads: 6, num_key_value_heads: 2 },
  ...{ vocab_size: 37, max_position_embeddings: 16, rms_norm_eps: 1e-5, head_dim: 8, rope_theta: 10000 },
});
const FAMILIES: Array<[name: string, config: ModelConfig, norm: string, unembed: string]> = [
  ['GPT-2', CONFIGS['GPT-2'], 'transformer.ln_f.weight', 'transformer.wte.weight'],
  ['Gemma', gemma, 'model.norm.weight', 'model.embed_tokens.weight'],
];

/** Random decoder rows of a model's width; their mean is far from 0, which a LayerNorm takes away. */
function saeOf(config: ModelConfig, dSae: number) {
  const [d, next] = [config.dModel, normals(3)];
  const random = (n: number): Float32Array => Float32Array.from({ length: n }, () => 0.5 + next());
  return createSae(
    {
      ...{
        architecture: 'standard',
        dIn: d,
        dSae,
        applyBDecToInput: false,
        normalizeActivations: 'none',
        metadata: {},
      },
      ...{ hookName: 'blocks.1.hook_resid_post', modelName: 'odd' },
    },
    {
      ...{ W_enc: matrix(d, dSae, random(d * dSae)), b_enc: random(dSae) },
      ...{ W_dec: matrix(dSae, d, random(dSae * d)), b_dec: random(d) },
    },
  );
}

/** Logits of a direction, in float64. */
function logitsOf(
  model: TransformerModel,
  names: { norm: string; unembed: string },
  direction: ArrayLike<number>,
  foldNorm: boolean,
): number[] {
  const { dModel: d, vocab, norm } = model.config;
  const weight = model.parameters().get(names.norm)!.dataSync();
  const unembed = model.parameters().get(names.unembed)!.dataSync();
  const mean = Array.from(direction).reduce((s, v) => s + v, 0) / d;
  const folded = Array.from(direction, (v, j) => {
    if (!foldNorm) return v;
    return norm === 'rms-plus-one' ? v * (1 + weight[j]) : (v - mean) * weight[j];
  });
  return Array.from({ length: vocab }, (_, t) => folded.reduce((s, v, j) => s + v * unembed[t * d + j], 0));
}

describe.each(FAMILIES)('the logit lens of %s', (_, config, norm, unembed) => {
  const model = modelOf(config, randomWeights(config, 1));
  const sae = saeOf(config, 9);

  it.each([true, false])('lists the tokens raised and lowered most, with foldNorm %s', async (foldNorm) => {
    const lens = await logitLens(model, sae, { top: 4, bottom: 3, foldNorm });
    for (const f of [0, 4, 8]) {
      const logits = logitsOf(model, { norm, unembed }, row(sae.W_dec, f), foldNorm);
      const order = [...logits.keys()].sort((s, t) => logits[t] - logits[s]);
      const expected = [...order.slice(0, 4), ...order.slice(-3)];
      expect(lens[f].map(({ token }) => Number(token))).toEqual(expected);
      lens[f].forEach(({ logit }, i) => expect(logit).toBeCloseTo(logits[expected[i]], 4));
    }
  });

  it('without the option is what it was: the weight of an RMSNorm, nothing of a LayerNorm', async () => {
    const usual = await logitLens(model, sae, { top: 5 });
    expect(usual).toEqual(await logitLens(model, sae, { top: 5, foldNorm: config.norm === 'rms-plus-one' }));
    expect(usual).not.toEqual(await logitLens(model, sae, { top: 5, foldNorm: config.norm !== 'rms-plus-one' }));
  });

  it('lists no token twice where more are asked for than there are', async () => {
    const [all] = await logitLens(model, sae, { top: 30, bottom: 30 });
    expect(all).toHaveLength(config.vocab);
    expect(new Set(all.map(({ token }) => token)).size).toBe(config.vocab);
    const logits = all.map(({ logit }) => logit);
    expect(logits).toEqual([...logits].sort((x, y) => y - x));
  });
});

describe('the final norm', () => {
  it('folded in, the lens agrees better with what a push before it does to the logits', () => {
    // The slope of logits(LN(x)) along a direction, in float64, over random x; what the lens leaves out is x's own part.
    const [, config, norm, unembed] = FAMILIES[0];
    const model = modelOf(config, randomWeights(config, 1));
    const next = normals(8);
    const d = config.dModel;
    const weight = model.parameters().get(norm)!.dataSync();
    const normalized = (x: readonly number[]): number[] => {
      const mean = x.reduce((s, v) => s + v, 0) / d;
      const scale = Math.sqrt(x.reduce((s, v) => s + (v - mean) ** 2, 0) / d);
      return x.map((v, j) => ((v - mean) / scale) * weight[j]);
    };
    const table = model.parameters().get(unembed)!.dataSync();
    const logits = (y: readonly number[]): number[] =>
      Array.from({ length: config.vocab }, (_, t) => y.reduce((s, v, j) => s + v * table[t * d + j], 0));
    const correlation = (x: readonly number[], y: readonly number[]): number => {
      const centred = [x, y].map((v) => v.map((each) => each - v.reduce((s, w) => s + w, 0) / v.length));
      const dot = (p: readonly number[], q: readonly number[]) => p.reduce((s, v, i) => s + v * q[i], 0);
      return dot(centred[0], centred[1]) / Math.sqrt(dot(centred[0], centred[0]) * dot(centred[1], centred[1]));
    };
    const agreement = { folded: 0, plain: 0 };
    for (let run = 0; run < 40; run++) {
      const v = Array.from({ length: d }, () => 0.5 + next());
      const slope = new Array<number>(config.vocab).fill(0);
      for (let k = 0; k < 20; k++) {
        const x = Array.from({ length: d }, () => next());
        const [before, after] = [x, x.map((each, j) => each + 1e-5 * v[j])].map((at) => logits(normalized(at)));
        after.forEach((each, t) => (slope[t] += (each - before[t]) / 1e-5));
      }
      agreement.folded += correlation(slope, logitsOf(model, { norm, unembed }, v, true)) / 40;
      agreement.plain += correlation(slope, logitsOf(model, { norm, unembed }, v, false)) / 40;
    }
    expect(agreement.folded).toBeGreaterThan(0.9);
    expect(agreement.folded).toBeGreaterThan(agreement.plain + 0.02);
  });

  it.skipIf(!existsSync(stories))(
    'of stories260K folded in: the ten tokens that a direction raises most, on real text, are named more often',
    async () => {
      const model = await loadModel(stories);
      const { dModel: d, vocab, layers } = model.config;
      const text = readFileSync(join(shared, 'tinystories-sample.txt'), 'utf8').slice(0, 4000);
      const data = new Dataset('sample', [text], { source: { kind: 'texts' }, context: 64 });
      const x: Float32Array[] = [];
      for await (const { x: rows } of captureActivations(
        model,
        data.tokens(model),
        `blocks.${layers - 1}.hook_resid_post`,
      ))
        // prettier-ignore
        for (let t = 0; t < rows.rows; t += 5) x.push(row(rows, t));
      const weight = model.parameters().get('model.norm.weight')!.dataSync();
      const table = model.parameters().get('model.embed_tokens.weight')!.dataSync();
      const along = (v: ArrayLike<number>, t: number) =>
        Array.from(v).reduce((s, each, j) => s + each * table[t * d + j], 0);
      const ten = (values: readonly number[]) =>
        new Set([...values.keys()].sort((s, t) => values[t] - values[s]).slice(0, 10));
      const half = x.length >> 1;
      const mean = Array.from({ length: d }, (_, j) => x.reduce((s, each) => s + each[j], 0) / x.length);
      const named = { folded: 0, plain: 0 };
      let directions = 0;
      // Directions that text has: activations of half of the tokens, from the mean; they are pushed along the others.
      for (let i = 0; i < half; i += 3) {
        const v = mean.map((m, j) => x[i][j] - m);
        // d/da of the RMSNorm of x + a·v at 0, in float64, over the tokens of the other half; then the unembedding.
        const slope = new Array<number>(d).fill(0);
        for (const at of x.slice(half)) {
          const square = at.reduce((s, each) => s + each * each, 0) / d + 1e-5;
          const dot = at.reduce((s, each, j) => s + each * v[j], 0) / d;
          v.forEach((each, j) => (slope[j] += (each - (at[j] * dot) / square) * (weight[j] / Math.sqrt(square))));
        }
        const tokens = Array.from({ length: vocab }, (_, t) => t);
        const measured = ten(tokens.map((t) => along(slope, t)));
        const lens = { folded: v.map((each, j) => each * weight[j]), plain: v };
        for (const kind of ['folded', 'plain'] as const)
          named[kind] += [...ten(tokens.map((t) => along(lens[kind], t)))].filter((t) => measured.has(t)).length;
        directions++;
      }
      const share = (n: number) => n / (10 * directions);
      console.log(`stories260K, ${directions} directions: ${(100 * share(named.plain)).toFixed(0)} % of the ten tokens without the norm's weight, ${(100 * share(named.folded)).toFixed(0)} % with it`); // prettier-ignore
      expect(directions).toBeGreaterThan(20);
      expect(named.folded).toBeGreaterThan(named.plain);
      // The lens itself reads as these products do.
      const sae = saeOf(model.config, 5);
      const [first] = await logitLens(model, sae, { top: 10, foldNorm: true });
      const own = Array.from(row(sae.W_dec, 0), (each, j) => each * weight[j]);
      const best = ten(Array.from({ length: vocab }, (_, t) => along(own, t)));
      expect(first.map(({ token }) => token)).toEqual([...best].map((t) => model.tokenizer.piece(t)));
    },
  );
});
