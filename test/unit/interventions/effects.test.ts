import { describe, expect, it } from 'vitest';
import { AbortError } from '#kernel/compute/call.js';
import { initDevice } from '#kernel/compute/device.js';
import { row } from '#kernel/compute/matrix.js';
import { tf } from '#kernel/compute/tf.js';
import { compare } from '#kernel/interventions/compare.js';
import { featureEffects } from '#kernel/interventions/effects.js';
import { editsOf } from '#kernel/interventions/intervention.js';
import { steer } from '#kernel/interventions/steer.js';
import type { TokenSet } from '#kernel/models/types.js';
import type { Sae, SaeConfig } from '#kernel/sae/types.js';
import { CONFIGS, modelOf, randomWeights, tokenSet } from '#test/kit/model.js';
import { normals } from '#test/kit/numbers.js';
import { tinySae } from '#test/kit/sae.js';

const config = CONFIGS['GPT-Neo'];
await initDevice({ device: 'cpu' });
const model = modelOf(config, randomWeights(config, 6));
const hook = 'blocks.0.hook_mlp_out';
const next = normals(4);
const random = (n: number): Float32Array => Float32Array.from({ length: n }, () => next());
const push = (scale = 3) => steer(model, hook, random(config.dModel), { scale });

function logitsOf(ids: number[], edits?: ReturnType<typeof editsOf>): number[] {
  const { logits } = model.forward(Int32Array.from(ids), 1, { edits });
  const values = Array.from(logits!.dataSync()).slice(-config.vocab);
  logits!.dispose();
  return values;
}

/** Softmax in float64 of the logits after the tokens. */
function probabilities(ids: number[], edits?: ReturnType<typeof editsOf>): number[] {
  const logits = model.nextLogits(Int32Array.from(ids), edits);
  const values = Array.from(logits.dataSync());
  logits.dispose();
  const top = Math.max(...values);
  const weights = values.map((x) => Math.exp(x - top));
  const sum = weights.reduce((a, b) => a + b, 0);
  return weights.map((w) => w / sum);
}

describe('compare of prompts', () => {
  it('continues each prompt as the model alone does, and with the edits, by the same seed', async () => {
    const intervention = push();
    const how = { tokens: 6, temperature: 0.9, topK: 12, seed: 11 };
    const result = await compare(model, [intervention], ['3 4 5', '7'], how);
    const edits = editsOf([intervention]);
    for (const [i, prompt] of ['3 4 5', '7'].entries())
      expect(result.rows[i]).toEqual({
        prompt,
        before: await model.generate(prompt, how),
        after: await model.generate(prompt, { ...how, edits }),
      });
    expect(result.rows[0].after).not.toBe(result.rows[0].before);
    expect(result.intervention).toBe(intervention.description);
    expect(result.note).toBe('temperature 0.9, top 12, seed 11');
    expect((await compare(model, [intervention], ['3 4 5', '7'], how)).rows).toEqual(result.rows);
  });

  it('lists the next tokens of the first prompt that moved most, as the softmax of the logits has them', async () => {
    const intervention = push();
    const { tokens, note } = await compare(model, [intervention], ['3 4 5', '9'], { tokens: 1, top: config.vocab });
    const before = probabilities([3, 4, 5]);
    const after = probabilities([3, 4, 5], editsOf([intervention]));
    expect(tokens).toHaveLength(config.vocab);
    for (const t of tokens!) {
      expect(t.before).toBeCloseTo(before[Number(t.token)], 6);
      expect(t.after).toBeCloseTo(after[Number(t.token)], 6);
      const [a, b] = [logitsOf([3, 4, 5]), logitsOf([3, 4, 5], editsOf([intervention]))].map((l) => l[Number(t.token)]);
      expect(t.logit).toEqual({ before: a, after: b, delta: b - a });
    }
    const moves = tokens!.map((t) => Math.abs(t.after - t.before));
    expect(moves).toEqual([...moves].sort((a, b) => b - a));
    expect(note).toBe('greedy decoding');
    const short = await compare(model, [intervention], ['3 4 5'], { tokens: 1, top: 3 });
    expect(short.tokens).toEqual(tokens!.slice(0, 3));
  });

  it('samples each prompt by seeds that follow each other, and lists the tokens that are watched', async () => {
    const intervention = push();
    const how = { tokens: 5, temperature: 1.1, seed: 4, draws: 3, watch: ['9', 30, 2] };
    const result = await compare(model, [intervention], ['3 4 5', '7'], how);
    expect(result.rows.map((r) => r.prompt)).toEqual(['3 4 5', '3 4 5', '3 4 5', '7', '7', '7']);
    for (const [i, { prompt, before, after }] of result.rows.entries()) {
      const one = { tokens: 5, temperature: 1.1, seed: 4 + (i % 3) };
      expect(before).toBe(await model.generate(prompt, one));
      expect(after).toBe(await model.generate(prompt, { ...one, interventions: intervention }));
    }
    expect(result.note).toBe('temperature 1.1, seeds 4 to 6');
    const after = probabilities([3, 4, 5], editsOf([intervention]));
    expect(result.tokens!.map((t) => t.token)).toEqual(['9', '30', '2']);
    result.tokens!.forEach((t) => expect(t.after).toBeCloseTo(after[Number(t.token)], 6));
    await expect(compare(model, [], ['3'], { draws: 2 })).rejects.toThrow('greedy decoding gives 2 times the same');
    await expect(compare(model, [], ['3'], { watch: '9 3' })).rejects.toThrow('"9 3" is 2 tokens of odd');
  });

  it('without an intervention, or with one of scale 0, moves nothing', async () => {
    for (const interventions of [[], [push(0)]]) {
      const { rows, tokens } = await compare(model, interventions, ['1 2'], { tokens: 4 });
      expect(rows[0].after).toBe(rows[0].before);
      // Ties go to the lower id.
      expect(tokens!.map((t) => t.token)).toEqual(Array.from({ length: 10 }, (_, i) => String(i)));
      for (const t of tokens!) expect(t.after).toBe(t.before);
    }
    expect((await compare(model, [], ['1'], { tokens: 1 })).intervention).toBe('no intervention');
  });

  it('takes the end of a prompt longer than the context', async () => {
    const ids = Array.from({ length: config.context + 5 }, (_, i) => (3 * i) % config.vocab);
    const { tokens } = await compare(model, [], [ids.join(' ')], { tokens: 1, watch: ids.slice(0, 9) });
    const expected = probabilities(ids.slice(5));
    tokens!.forEach((t) => expect(t.before).toBeCloseTo(expected[Number(t.token)], 6));
  });

  it('refuses prompts without tokens before it generates anything', async () => {
    const progress: unknown[] = [];
    const wrong = compare(model, [push()], ['1 2', ' '], { onProgress: (p) => progress.push(p) });
    await expect(wrong).rejects.toThrow('the prompt " " has no tokens');
    expect(progress).toEqual([]);
  });

  it('says so when an edit gives NaN, instead of listing probabilities', async () => {
    const broken = { ...push(), edit: (x: tf.Tensor) => x.mul(NaN) };
    await expect(compare(model, [broken], ['1 2'], { tokens: 0 })).rejects.toThrow(
      'no finite next-token probabilities',
    );
  });

  it('reports each prompt and stops when cancelled', async () => {
    const done: number[] = [];
    const controller = new AbortController();
    const onProgress = (p: { done: number; total?: number }): void => {
      expect(p.total).toBe(3);
      done.push(p.done);
      if (p.done === 1) controller.abort();
    };
    const run = compare(model, [push()], ['1', '2', '3'], { tokens: 2, signal: controller.signal, onProgress });
    await expect(run).rejects.toThrow(AbortError);
    expect(done).toEqual([0, 1]);
  });

  it('leaves no tensors behind', async () => {
    await compare(model, [push()], ['1 2'], { tokens: 2 });
    const { numTensors } = tf.memory();
    await compare(model, [push()], ['1 2'], { tokens: 2 });
    expect(tf.memory().numTensors).toBe(numTensors);
  });
});

const dSae = 30;
function sae(more: Partial<SaeConfig> = {}): Sae {
  const d = config.dModel;
  const scale = { b_enc: 1, b_dec: 1 };
  return tinySae('blocks.1.hook_resid_pre', d, dSae, { architecture: 'topk', k: 5, ...more }, { next, scale });
}

/** Dense means and firing shares, feature by feature, from one forward pass per sequence. */
function direct(made: Sae, tokens: TokenSet, sequences: number, edits?: ReturnType<typeof editsOf>) {
  const mean = new Float64Array(dSae);
  const firing = new Float64Array(dSae);
  const n = sequences * tokens.context;
  for (let s = 0; s < sequences; s++) {
    const at = made.config.hookName;
    const ids = tokens.tokens.slice(s * tokens.context, (s + 1) * tokens.context);
    const { captured, logits } = model.forward(ids, 1, { capture: [at], edits });
    const x = captured.get(at)!.dataSync<'float32'>();
    for (let t = 0; t < tokens.context; t++) {
      const { W_enc, b_enc, b_dec } = made;
      const z = Array.from({ length: dSae }, (_, f) => {
        let sum = b_enc[f];
        for (let j = 0; j < config.dModel; j++) sum += (x[t * config.dModel + j] - b_dec[j]) * row(W_enc, j)[f];
        return sum;
      });
      const bar = [...z].sort((a, b) => b - a)[4];
      z.forEach((v, f) => {
        if (v < bar || v <= 0) return;
        mean[f] += v / n;
        firing[f] += 1 / n;
      });
    }
    tf.dispose([...captured.values(), logits!]);
  }
  return { mean, firing };
}

describe('featureEffects', () => {
  it('agrees with means over dense activations, sorted by how far they moved', async () => {
    const made = sae();
    const tokens = tokenSet(6);
    const intervention = push(2);
    const effects = await featureEffects(model, [intervention], made, tokens, { sequences: 4, top: dSae });
    const before = direct(made, tokens, 4);
    const after = direct(made, tokens, 4, editsOf([intervention]));
    const moved = Array.from(before.mean.keys()).filter((f) => Math.abs(after.mean[f] - before.mean[f]) > 1e-9);
    expect(effects.map((e) => e.feature).sort((a, b) => a - b)).toEqual(moved);
    for (const e of effects) {
      expect(e.n).toBe(4 * 8);
      expect(e.before).toBeCloseTo(before.mean[e.feature], 4);
      expect(e.after).toBeCloseTo(after.mean[e.feature], 4);
      expect(e.delta).toBeCloseTo(e.after - e.before, 12);
      expect(e.firingBefore).toBeCloseTo(before.firing[e.feature], 10);
      expect(e.firingAfter).toBeCloseTo(after.firing[e.feature], 10);
    }
    const moves = effects.map((e) => Math.abs(e.delta));
    expect(moves).toEqual([...moves].sort((a, b) => b - a));
    const few = await featureEffects(model, [intervention], made, tokens, { sequences: 4, top: 3 });
    expect(few).toEqual(effects.slice(0, 3));
  });

  it('looks at no more sequences than there are, and lists nothing when nothing moves', async () => {
    const made = sae();
    const [first] = await featureEffects(model, [push()], made, tokenSet(3));
    expect(first.n).toBe(3 * 8);
    expect(await featureEffects(model, [push(0)], made, tokenSet(3))).toEqual([]);
    expect(await featureEffects(model, [], made, tokenSet(3))).toEqual([]);
    // An intervention behind the hook of the SAE cannot reach it.
    const late = steer(model, 'blocks.1.hook_mlp_out', random(config.dModel), { scale: 5 });
    expect(await featureEffects(model, [late], made, tokenSet(3))).toEqual([]);
  });

  it('refuses SAEs of another model or width, and NaN', async () => {
    const tokens = tokenSet(2);
    await expect(featureEffects(model, [], sae({ modelId: 'another' }), tokens)).rejects.toThrow('another');
    expect(await featureEffects(model, [], sae({ modelId: 'another' }), tokens, { allowOtherModel: true })).toEqual([]);
    await expect(featureEffects(model, [], sae({ hookName: 'blocks.0.mlp.hook_post' }), tokens)).rejects.toThrow(
      /15.*23|23.*15/,
    );
    await expect(featureEffects(model, [], sae({ hookName: '' }), tokens)).rejects.toThrow('give { hook }');
    const broken = { ...push(), edit: (x: tf.Tensor) => x.mul(NaN) };
    await expect(featureEffects(model, [broken], sae(), tokens)).rejects.toThrow('NaN');
  });
});
