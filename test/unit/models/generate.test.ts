import { beforeAll, describe, expect, it } from 'vitest';
import { Random } from '#kernel/compute/random.js';
import { initDevice } from '#kernel/compute/device.js';
import { tf } from '#kernel/compute/tf.js';
import { sampleToken } from '#kernel/models/generate.js';
import { lossPerToken } from '#kernel/models/tokenLoss.js';
import type { HookEdit, TokenSet } from '#kernel/models/types.js';
import { CONFIGS, modelOf, randomWeights, referenceSettings, tokenizer } from '#test/kit/model.js';
import { referenceForward } from '#test/kit/referenceModel.js';

const config = CONFIGS['GPT-Neo'];
const weights = randomWeights(config, 21);

beforeAll(async () => {
  await initDevice();
});

/** Greedy continuation by the float64 reference, with the window sliding at the context's end. */
function referenceContinuation(prompt: number[], count: number): string {
  const ids = [...prompt];
  for (let step = 0; step < count; step++) {
    const window = ids.slice(-config.context);
    const logits = referenceForward(referenceSettings(config), weights, window).get('logits') as Float64Array;
    const last = logits.subarray((window.length - 1) * config.vocab);
    ids.push(last.indexOf(Math.max(...last)));
  }
  return ids.slice(prompt.length).join(' ');
}

describe('generate', () => {
  it('is greedy by default and slides past the context as the reference does', async () => {
    const model = modelOf(config, weights);
    const before = tf.memory().numTensors;
    const text = await model.generate('3 1 4', { tokens: 20, stopAtEos: false });
    expect(text).toBe(referenceContinuation([3, 1, 4], 20));
    // Masks of the last few lengths stay with the model, two for each (global and local).
    expect(tf.memory().numTensors - before).toBeLessThanOrEqual(8);
    model.dispose();
  });

  it('frees everything with the model', async () => {
    const before = tf.memory().numTensors;
    const model = modelOf(config, weights);
    await model.generate('3', { tokens: 15, stopAtEos: false });
    model.dispose();
    expect(tf.memory().numTensors).toBe(before);
  });

  it('repeats itself with the same seed and differs with another', async () => {
    const model = modelOf(config, weights);
    const sample = (seed: number): Promise<string> =>
      model.generate('3 1', { tokens: 12, temperature: 2, seed, stopAtEos: false });
    expect(await sample(1)).toBe(await sample(1));
    expect(await sample(1)).not.toBe(await sample(2));
    model.dispose();
  });

  it('applies edits at every step', async () => {
    const model = modelOf(config, weights);
    const row = tf.tensor1d((weights.get('transformer.wte.weight')?.data as Float32Array).slice(7 * 15, 8 * 15));
    const calls: number[] = [];
    const steer: HookEdit = (x) => {
      calls.push(x.shape[1] as number);
      return x.mul(0).add(row.mul(1000));
    };
    const text = await model.generate('3 1', {
      tokens: 4,
      stopAtEos: false,
      edits: new Map([['ln_final.hook_normalized', [steer]]]),
    });
    expect(calls).toEqual([2, 3, 4, 5]);
    const best = Array.from({ length: 37 }, (_, id) => id).sort((a, b) => dot(b) - dot(a))[0];
    expect(text).toBe([best, best, best, best].join(' '));
    row.dispose();
    model.dispose();

    function dot(id: number): number {
      const table = weights.get('transformer.wte.weight')?.data as Float32Array;
      let sum = 0;
      for (let i = 0; i < 15; i++) sum += table[id * 15 + i] * table[7 * 15 + i];
      return sum;
    }
  });

  it('stops at the end-of-text token and does not print it', async () => {
    const model = modelOf(config, weights);
    const edits = new Map<string, HookEdit[]>([['ln_final.hook_normalized', [(x) => x.zerosLike()]]]);
    expect(await model.generate('3 1', { tokens: 5, edits })).toBe(''); // all logits 0: the lowest id wins, which is the end
    expect(await model.generate('3 1', { tokens: 5, edits, stopAtEos: false })).toBe('0 0 0 0 0');
    model.dispose();
  });

  it('rejects with AbortError when aborted', async () => {
    const model = modelOf(config, weights);
    const abort = new AbortController();
    const running = model.generate('3 1', {
      tokens: 1000,
      stopAtEos: false,
      signal: abort.signal,
      onProgress: () => abort.abort(),
    });
    await expect(running).rejects.toMatchObject({ name: 'AbortError' });
    model.dispose();
  });

  it('refuses impossible sampling options', async () => {
    const model = modelOf(config, weights);
    await expect(model.generate('3', { temperature: -1 })).rejects.toThrow(/temperature/);
    await expect(model.generate('3', { topK: 0 })).rejects.toThrow(/topK/);
    model.dispose();
  });

  it('says so when logits are NaN', async () => {
    const model = modelOf(config, weights);
    const edits = new Map<string, HookEdit[]>([['hook_embed', [(x) => x.mul(NaN)]]]);
    await expect(model.generate('3', { edits })).rejects.toThrow(/no finite logits/);
    model.dispose();
  });
});

describe('sampleToken', () => {
  const logits = Float32Array.of(1, 3, 3, -2, 0);

  it('takes the lower of equal logits at temperature 0', () => {
    expect(sampleToken(logits, 0, 5, new Random(0))).toBe(1);
  });

  it('draws with the probabilities of the softmax', () => {
    const random = new Random(1);
    const counts = new Float64Array(5);
    const draws = 20_000;
    for (let i = 0; i < draws; i++) counts[sampleToken(logits, 1.5, 5, random)]++;
    const e = Array.from(logits, (x) => Math.exp(x / 1.5));
    const total = e.reduce((a, b) => a + b, 0);
    e.forEach((x, id) => expect(Math.abs(counts[id] / draws - x / total)).toBeLessThan(0.015));
  });

  it('never leaves the k likeliest', () => {
    const random = new Random(2);
    const seen = new Set<number>();
    for (let i = 0; i < 500; i++) seen.add(sampleToken(logits, 10, 2, random));
    expect([...seen].sort()).toEqual([1, 2]);
  });
});

describe('lossPerToken', () => {
  const tokens: TokenSet = {
    id: 't',
    tokens: Int32Array.from({ length: 5 * 9 }, (_, i) => (i * 11 + 2) % 37),
    sequences: 5,
    context: 9,
    tokenizer,
    source: {},
  };

  it('is the float64 cross-entropy of every next token, whatever the batch', async () => {
    const model = modelOf(config, weights);
    const before = tf.memory().numTensors;
    for (const batchTokens of [1, 18, 4096]) {
      const losses = await lossPerToken(model, tokens, { batchTokens });
      expect(losses.length).toBe(5 * 8);
      for (let s = 0; s < 5; s++) {
        const ids = Array.from(tokens.tokens.subarray(s * 9, (s + 1) * 9));
        const logits = referenceForward(referenceSettings(config), weights, ids).get('logits') as Float64Array;
        for (let t = 0; t < 8; t++) {
          const row = logits.subarray(t * 37, (t + 1) * 37);
          const expected = Math.log(row.reduce((sum, x) => sum + Math.exp(x), 0)) - row[ids[t + 1]];
          expect(Math.abs(losses[s * 8 + t] - expected)).toBeLessThan(1e-4 * Math.max(1, expected));
        }
      }
    }
    expect(tf.memory().numTensors - before).toBeLessThanOrEqual(2); // the two masks of this length
    model.dispose();
  });

  it('takes edits and a range of sequences', async () => {
    const model = modelOf(config, weights);
    const edits = new Map<string, HookEdit[]>([['ln_final.hook_normalized', [(x) => x.zerosLike()]]]);
    const losses = await lossPerToken(model, tokens, { edits, firstSequence: 3, sequences: 2 });
    expect(losses.length).toBe(16);
    losses.forEach((loss) => expect(loss).toBeCloseTo(Math.log(37), 5));
    await expect(lossPerToken(model, tokens, { firstSequence: 4, sequences: 2 })).rejects.toThrow(/token set of 5/);
    model.dispose();
  });
});
