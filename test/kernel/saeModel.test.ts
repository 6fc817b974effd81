import { beforeAll, describe, expect, it } from 'vitest';
import { initDevice } from '#kernel/compute/device.js';
import { Random } from '#kernel/compute/random.js';
import { createModel } from '#kernel/models/create.js';
import type { ModelConfig, Tokenizer, TokenSet } from '#kernel/models/types.js';
import { captureActivations } from '#kernel/models/capture.js';
import { evaluateSae } from '#kernel/sae/evaluate.js';
import { modelSource } from '#kernel/sae/source.js';
import { trainSae } from '#kernel/sae/train.js';

const config: ModelConfig = {
  family: 'gpt_neo',
  layers: 2,
  dModel: 24,
  heads: 3,
  dHead: 8,
  dMlp: 48,
  vocab: 50,
  context: 32,
  layerNormEps: 1e-5,
  activation: 'gelu_new',
  attention: ['global', 'local'],
  window: 8,
  parallelResidual: false,
  tiedEmbeddings: true,
};
const tokenizer: Tokenizer = {
  id: 'numbers',
  vocabSize: 50,
  eosId: undefined,
  bosId: undefined,
  encode: () => new Int32Array(),
  decode: () => '',
  piece: (id) => String(id),
};
const random = new Random(3);
const tokens: TokenSet = {
  id: 'random tokens',
  tokens: Int32Array.from({ length: 64 * 16 }, () => random.int(50)),
  sequences: 64,
  context: 16,
  tokenizer,
  source: {},
};

beforeAll(() => initDevice({ device: 'cpu' }));

describe('an SAE of a model', () => {
  const model = () => createModel(config, { seed: 1, tokenizer, name: 'tiny' });
  it('is trained on all tokens but those in ignoreTokens, from any piece on; all ignored is refused', async () => {
    const lm = model();
    const hook = 'blocks.0.hook_mlp_out';
    // Sequences 8 to 23 hold nothing but ignored tokens: a block of their own, and a part of the next.
    const some = { ...tokens, tokens: tokens.tokens.map((id, i) => (i >= 128 && i < 384 ? 7 : id)) };
    const ignoreTokens = [7, 3];
    const rows: number[][] = [];
    for await (const { firstToken, x } of captureActivations(lm, some, hook, { batchTokens: 192 }))
      for (let r = 0; r < x.rows; r++)
        if (!ignoreTokens.includes(some.tokens[firstToken + r]))
          rows.push([...x.data.subarray(r * x.cols, (r + 1) * x.cols)]);
    const source = modelSource(lm, some, hook, { batchTokens: 192, cacheBytes: 0, ignoreTokens });
    expect(source.rows).toBe(rows.length);
    expect(rows.length).toBeLessThan(64 * 16 - 256);
    const starts = [0];
    for await (const piece of source.batches()) starts.push(starts.at(-1)! + piece.rows);
    for (const start of starts) {
      const got: number[][] = [];
      for await (const piece of source.batches(start))
        for (let r = 0; r < piece.rows; r++) got.push([...piece.data.subarray(r * piece.cols, (r + 1) * piece.cols)]);
      expect(got).toEqual(rows.slice(start));
    }
    const { sae } = await trainSae(source, { dSae: 32, steps: 2, trainBatchSizeTokens: 64 });
    expect(sae.config.metadata.training).toMatchObject({ ignoreTokens: [3, 7] });
    expect(() => modelSource(lm, some, hook, { ignoreTokens: Array.from({ length: 50 }, (_, i) => i) })).toThrow(
      /every token is left out \(ignoreTokens, padding, marks of begin and end\)/,
    );
  });

  it.each(['blocks.0.hook_mlp_out', 'blocks.1.attn.hook_z'])(
    'at %s trains, and its figures agree with training',
    async (hook) => {
      const lm = model();
      const { sae, history } = await trainSae(modelSource(lm, tokens, hook, { batchTokens: 128 }), {
        architecture: 'topk',
        k: 8,
        dSae: 96,
        steps: 500,
        trainBatchSizeTokens: 128,
        lr: 3e-3,
        lrDecaySteps: 100,
        normalizeActivations: 'expected_average_only_in',
      });
      expect(sae.config).toMatchObject({ dIn: 24, hookName: hook, modelName: 'tiny', modelId: lm.id, contextSize: 16 });
      const e = await evaluateSae(lm, sae, tokens, { batchTokens: 256 });
      expect(e.tokens).toBe(1024);
      expect(e.l0).toBeLessThanOrEqual(8);
      expect(e.explainedVariance).toBeGreaterThan(0.8);
      expect(Math.abs(e.explainedVariance - history.at(-1)!.explainedVariance)).toBeLessThan(0.05);
      expect(Math.abs(e.l0 - history.at(-1)!.l0)).toBeLessThan(0.5);
      expect(e.klSae).toBeLessThan(e.klZero);
      lm.dispose();
    },
  );

  it('is the same with the activations kept in memory and computed anew each epoch', async () => {
    const lm = model();
    const ids = [];
    for (const cacheBytes of [2 ** 30, 0]) {
      const source = modelSource(lm, tokens, 'blocks.0.hook_mlp_out', { batchTokens: 128, cacheBytes });
      ids.push((await trainSae(source, { dSae: 48, steps: 40, trainBatchSizeTokens: 128, bufferTokens: 512 })).sae.id);
    }
    expect(ids[0]).toBe(ids[1]);
    lm.dispose();
  });
});
