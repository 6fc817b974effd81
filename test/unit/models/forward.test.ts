import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { initDevice } from '#kernel/compute/device.js';
import { tf } from '#kernel/compute/tf.js';
import { PACK_FROM_ROWS } from '#kernel/models/packedWeights.js';
import type { ForwardResult, HookEdit } from '#kernel/models/types.js';
import { CONFIGS, modelOf, randomWeights, referenceSettings } from '#test/kit/model.js';
import { relativeError } from '#test/kit/numbers.js';
import { referenceForward } from '#test/kit/referenceModel.js';

const B = 3;
const T = 11;
const tokens = Int32Array.from({ length: B * T }, (_, i) => (i * 17 + (i % 5)) % 37);
const TOLERANCE = 1e-4;

beforeAll(async () => {
  await initDevice();
});

let tensorsBefore = 0;
beforeEach(() => {
  tensorsBefore = tf.memory().numTensors;
});
afterEach(() => {
  expect(tf.memory().numTensors, 'tensors left behind').toBe(tensorsBefore);
});

/** Joins the reference's sequences along the batch axis. */
function reference(name: string, seed: number, edits = {}): Map<string, Float64Array> {
  const settings = referenceSettings(CONFIGS[name]);
  const weights = randomWeights(CONFIGS[name], seed);
  const joined = new Map<string, Float64Array>();
  for (let b = 0; b < B; b++) {
    const one = referenceForward(settings, weights, Array.from(tokens.subarray(b * T, (b + 1) * T)), edits);
    for (const [hook, values] of one) {
      if (!joined.has(hook)) joined.set(hook, new Float64Array(B * values.length));
      joined.get(hook)?.set(values, b * values.length);
    }
  }
  return joined;
}

function errors(result: ForwardResult, expected: Map<string, Float64Array>): Array<[string, number]> {
  const tensors = new Map(result.captured);
  if (result.logits) tensors.set('logits', result.logits);
  return [...tensors].map(([hook, x]) => [hook, relativeError(x.dataSync(), expected.get(hook) ?? [])]);
}

function free(result: ForwardResult): void {
  result.logits?.dispose();
  for (const x of result.captured.values()) x.dispose();
}

describe.each(Object.keys(CONFIGS))('the forward pass of %s', (name) => {
  const config = CONFIGS[name];

  it('agrees with the float64 reference at every hook and in the logits', () => {
    const model = modelOf(config, randomWeights(config, 1));
    const expected = reference(name, 1);
    const result = model.forward(tokens, B, { capture: model.hooks });
    expect([...result.captured.keys()].sort()).toEqual([...expected.keys()].filter((k) => k !== 'logits').sort());
    for (const [hook, error] of errors(result, expected)) expect(error, hook).toBeLessThan(TOLERANCE);
    free(result);
    model.dispose();
  });

  it('gives the same logits when nothing is captured, the way that skips optional hooks', () => {
    const model = modelOf(config, randomWeights(config, 2));
    const result = model.forward(tokens, B);
    expect(result.captured.size).toBe(0);
    expect(relativeError(result.logits?.dataSync() ?? [], reference(name, 2).get('logits') ?? [])).toBeLessThan(
      TOLERANCE,
    );
    free(result);
    model.dispose();
  });

  it('gives the same logits in a pass of many rows, which packs the weights, and again after it', () => {
    const model = modelOf(config, randomWeights(config, 2));
    const expected = reference(name, 2).get('logits') ?? new Float64Array();
    const times = Math.ceil(PACK_FROM_ROWS / (B * T));
    const many = new Int32Array(times * tokens.length);
    for (let i = 0; i < times; i++) many.set(tokens, i * tokens.length);
    for (let pass = 0; pass < 2; pass++) {
      const result = model.forward(many, times * B);
      const logits = result.logits?.dataSync() ?? new Float32Array();
      for (const i of [0, times - 1])
        expect(relativeError(logits.subarray(i * expected.length, (i + 1) * expected.length), expected)).toBeLessThan(
          TOLERANCE,
        );
      free(result);
    }
    model.dispose();
  });

  it('edits at any hook change everything after it as in the reference', () => {
    const model = modelOf(config, randomWeights(config, 3));
    for (const hook of model.hooks) {
      const edits = new Map([[hook, [((x) => x.mul(0.5).add(0.25)) as HookEdit]]]);
      const result = model.forward(tokens, B, { edits, capture: [hook, 'ln_final.hook_normalized'] });
      const expected = reference(name, 3, {
        [hook]: (v: Float64Array) => v.forEach((x, i) => (v[i] = x * 0.5 + 0.25)),
      });
      for (const [at, error] of errors(result, expected))
        expect(error, `${at} after editing ${hook}`).toBeLessThan(TOLERANCE);
      free(result);
    }
    model.dispose();
  });

  it('stops at any hook with the same activation as a whole pass, and without logits', () => {
    const model = modelOf(config, randomWeights(config, 4));
    const whole = model.forward(tokens, B, { capture: model.hooks });
    for (const hook of model.hooks) {
      const result = model.forward(tokens, B, { capture: [hook], stopAt: hook });
      expect(result.logits).toBeUndefined();
      const full = whole.captured.get(hook)?.dataSync() ?? [];
      expect(relativeError(result.captured.get(hook)?.dataSync() ?? [], full), hook).toBeLessThan(1e-6);
      free(result);
    }
    free(whole);
    model.dispose();
  });

  it('hookWidth is the length of the last axis', () => {
    const model = modelOf(config, randomWeights(config, 5));
    const result = model.forward(tokens, B, { capture: model.hooks });
    for (const [hook, x] of result.captured) {
      const expected = /hook_(attn_scores|pattern)$/.test(hook) ? config.context : x.shape[x.rank - 1];
      expect(model.hookWidth(hook), hook).toBe(expected);
    }
    free(result);
    model.dispose();
  });
});

describe('a forward pass', () => {
  const config = CONFIGS['GPT-Neo'];

  it('applies several edits of one hook in order', () => {
    const model = modelOf(config, randomWeights(config, 1));
    const hook = 'blocks.0.hook_mlp_out';
    const edits = new Map<string, HookEdit[]>([[hook, [(x) => x.zerosLike(), (x) => x.add(2), (x) => x.mul(3)]]]);
    const result = model.forward(tokens, B, { edits, capture: [hook], stopAt: hook });
    expect(new Set(result.captured.get(hook)?.dataSync())).toEqual(new Set([6]));
    free(result);
    model.dispose();
  });

  it('keeps a tensor that an edit returns and the caller owns', () => {
    const model = modelOf(config, randomWeights(config, 1));
    const hook = 'blocks.0.hook_resid_post';
    const patch = tf.ones([B, T, config.dModel]);
    free(model.forward(tokens, B, { edits: new Map([[hook, [() => patch]]]), capture: [hook] }));
    expect(patch.isDisposed).toBe(false);
    patch.dispose();
    model.dispose();
  });

  it('leaves captured tensors to an enclosing tidy', () => {
    const model = modelOf(config, randomWeights(config, 1));
    const mean = tf.tidy(() => {
      const { captured } = model.forward(tokens, B, { capture: ['hook_embed', 'blocks.1.hook_resid_post'] });
      return captured.get('hook_embed')?.mean() as tf.Tensor;
    });
    expect(Number.isFinite(mean.dataSync()[0])).toBe(true);
    mean.dispose();
    model.dispose();
  });

  it('refuses an edit that changes the shape, by name', () => {
    const model = modelOf(config, randomWeights(config, 1));
    const edits = new Map<string, HookEdit[]>([['blocks.1.hook_mlp_out', [(x) => x.mean(-1)]]]);
    expect(() => model.forward(tokens, B, { edits })).toThrow(
      /blocks\.1\.hook_mlp_out returned float32 \[3,11\], expected float32 \[3,11,15\]/,
    );
    model.dispose();
  });

  it('names near hooks for an unknown one', () => {
    const model = modelOf(config, randomWeights(config, 1));
    expect(() => model.forward(tokens, B, { capture: ['blocks.0.mlp_out'] })).toThrow(
      /did you mean blocks\.0\.hook_mlp_out/,
    );
    expect(() => model.forward(tokens, B, { edits: new Map([['blocks.2.hook_mlp_out', []]]) })).toThrow(
      /unknown hook "blocks\.2/,
    );
    expect(() => model.hookWidth('hook_embd')).toThrow(/did you mean hook_embed/);
    model.dispose();
  });

  it('refuses a capture behind the hook where it stops', () => {
    const model = modelOf(config, randomWeights(config, 1));
    const options = { capture: ['blocks.1.hook_mlp_out'], stopAt: 'blocks.0.hook_mlp_out' };
    expect(() => model.forward(tokens, B, options)).toThrow(/cannot capture blocks\.1\.hook_mlp_out/);
    model.dispose();
  });

  it.each([
    ['ids outside the vocabulary', Int32Array.of(1, 37), 1, /token 37 at position 1 is outside the vocabulary of 37/],
    ['negative ids', Int32Array.of(-1, 3), 1, /token -1 at position 0/],
    ['sequences longer than the context', new Int32Array(13), 1, /13 tokens exceed the context of 12/],
    ['a batch that does not divide', new Int32Array(7), 2, /7 tokens do not make 2 sequences/],
    ['no tokens', new Int32Array(0), 1, /0 tokens do not make 1 sequences/],
  ])('refuses %s', (_, ids, batch, message) => {
    const model = modelOf(config, randomWeights(config, 1));
    expect(() => model.forward(ids, batch)).toThrow(message);
    model.dispose();
  });

  it('refuses to run after dispose', () => {
    const model = modelOf(config, randomWeights(config, 1));
    model.dispose();
    model.dispose();
    expect(() => model.forward(tokens, B)).toThrow(/was disposed/);
  });

  it('gives the same activations for a sequence alone and in a batch', () => {
    const model = modelOf(config, randomWeights(config, 1));
    const batch = model.forward(tokens, B).logits as tf.Tensor;
    const alone = model.forward(tokens.subarray(T, 2 * T), 1).logits as tf.Tensor;
    const size = T * config.vocab;
    expect(relativeError(alone.dataSync(), batch.dataSync().subarray(size, 2 * size))).toBeLessThan(1e-6);
    tf.dispose([batch, alone]);
    model.dispose();
  });
});
