import { describe, expect, it } from 'vitest';
import { initDevice } from '#kernel/compute/device.js';
import { tf } from '#kernel/compute/tf.js';
import { editsOf, type Intervention } from '#kernel/interventions/intervention.js';
import { steer } from '#kernel/interventions/steer.js';
import { logitEffects } from '#kernel/interventions/logitEffects.js';
import { besideNulls, nullDirections } from '#kernel/interventions/nullDirections.js';
import { CONFIGS, modelOf, randomWeights, tokenizer, tokenSet } from '#test/kit/model.js';
import { normals } from '#test/kit/numbers.js';

const config = CONFIGS['GPT-Neo'];
await initDevice({ device: 'cpu' });
const model = modelOf(config, randomWeights(config, 6));
const next = normals(4);
const random = (n: number): Float32Array => Float32Array.from({ length: n }, () => next());
const hook = 'blocks.0.hook_mlp_out';
const pushed = random(config.dModel);
const push = steer(model, hook, pushed, { scale: 2 });

/** Adds a vector from one position on. */
function pushFrom(position: number): Intervention {
  const v = random(config.dModel);
  return {
    ...push,
    edit: (x) => {
      const [before, rest] = tf.split(x, [position, x.shape[1]! - position], 1);
      return tf.concat([before, rest.add(tf.tensor(v))], 1);
    },
  };
}

/** log p of every token at every position, in float64. */
function logProbabilities(ids: Int32Array, interventions: Intervention[]): number[][] {
  const { logits } = model.forward(ids, 1, { edits: editsOf(interventions) });
  const data = logits!.dataSync();
  logits!.dispose();
  return Array.from(ids, (_, t) => {
    const row = Array.from(data.slice(t * config.vocab, (t + 1) * config.vocab));
    const top = Math.max(...row);
    const lse = top + Math.log(row.reduce((s, v) => s + Math.exp(v - top), 0));
    return row.map((v) => v - lse);
  });
}

describe('logitEffects', () => {
  it('agrees with a loop over sequences: probabilities, KL and loss, by token and by position', async () => {
    const tokens = tokenSet(5);
    const result = await logitEffects(model, [push], tokens, { sequences: 4, top: 6, nulls: 0 });
    let [kl, lossA, lossB] = [0, 0, 0];
    const [pA, pB] = [new Float64Array(config.vocab), new Float64Array(config.vocab)];
    const klAt = new Float64Array(8);
    for (let s = 0; s < 4; s++) {
      const ids = tokens.tokens.slice(s * 8, s * 8 + 8);
      const [a, b] = [logProbabilities(ids, []), logProbabilities(ids, [push])];
      for (let t = 0; t < 8; t++) {
        const here = a[t].reduce((sum, l, v) => sum + Math.exp(l) * (l - b[t][v]), 0);
        kl += here / 32;
        klAt[t] += here / 4;
        a[t].forEach((l, v) => (pA[v] += Math.exp(l) / 32));
        b[t].forEach((l, v) => (pB[v] += Math.exp(l) / 32));
        if (t === 7) continue;
        lossA -= a[t][ids[t + 1]] / 28;
        lossB -= b[t][ids[t + 1]] / 28;
      }
    }
    expect(result).toMatchObject({ n: 32, untouched: 0, sequences: 4, tested: config.vocab });
    expect(result.kl.value).toBeCloseTo(kl, 4);
    expect(result.loss.before).toBeCloseTo(lossA, 5);
    expect(result.loss.after).toBeCloseTo(lossB, 5);
    expect(result.loss.delta.value).toBeCloseTo(lossB - lossA, 5);
    expect(result.perPosition.map((p) => p.n)).toEqual(Array(8).fill(4));
    result.perPosition.forEach((p, t) => expect(p.kl).toBeCloseTo(klAt[t], 4));
    const order = [...pA.keys()].sort((u, v) => Math.abs(pB[v] - pA[v]) - Math.abs(pB[u] - pA[u]));
    expect(result.tokens.map((t) => t.id)).toEqual(order.slice(0, 6));
    for (const t of result.tokens) {
      expect(t.probabilityBefore).toBeCloseTo(pA[t.id], 6);
      expect(t.probabilityAfter).toBeCloseTo(pB[t.id], 6);
      expect(t.pTAdjusted).toBeGreaterThanOrEqual(t.pT);
    }
    expect(result.perToken.kl).toHaveLength(32);
    expect(result.perToken.kl.reduce((s, v) => s + v / 32, 0)).toBeCloseTo(kl, 4);
  });

  it('leaves out what nothing can have touched, and counts it', async () => {
    const late = pushFrom(5);
    const result = await logitEffects(model, [late], tokenSet(3), { nulls: 0 });
    expect(result).toMatchObject({ n: 9, untouched: 15 });
    expect(result.perPosition.map((p) => p.position)).toEqual([5, 6, 7]);
    const all = await logitEffects(model, [late], tokenSet(3), { nulls: 0, untouched: true });
    expect(all).toMatchObject({ n: 24, untouched: 0 });
    for (const p of all.perPosition.slice(0, 5)) {
      // The same logits twice; what is left of the divergence is the rounding of its sum.
      expect(p.kl).toBeLessThan(1e-12);
      expect(p.lossAfter).toBe(p.lossBefore);
    }
    expect(all.kl.value).toBeCloseTo((9 / 24) * result.kl.value, 8);
  });

  it('reads prompts after their last token, each of its own length, and chosen tokens in the order given', async () => {
    const prompts = ['3 4 5', '9 1'];
    const result = await logitEffects(model, [push], prompts, { tokens: ['7', 30], nulls: 9, seed: 2 });
    expect(result).toMatchObject({ n: 2, sequences: 2, tested: 2 });
    expect(result.tokens.map((t) => t.id)).toEqual([7, 30]);
    const delta = (id: number): number =>
      prompts.reduce((sum, prompt) => {
        const ids = tokenizer.encode(prompt);
        const [a, b] = [logProbabilities(ids, []).at(-1)!, logProbabilities(ids, [push]).at(-1)!];
        return sum + (Math.exp(b[id]) - Math.exp(a[id])) / 2;
      }, 0);
    expect(result.tokens[0].deltaProbability).toBeCloseTo(delta(7), 6);
    expect(result.chosen!.value).toBeCloseTo(delta(7) + delta(30), 6);
    expect(result.chosen!.nulls).toMatchObject([
      { kind: 'isotropic', from: config.dModel, runs: 9, seed: 2 },
      { kind: 'differences', runs: 9, seed: 2 },
    ]);
    expect(result.loss.n).toBe(0);
    expect(await logitEffects(model, [push], prompts, { tokens: ['7', 30], nulls: 9, seed: 2 })).toEqual(result);
  });

  it('of an intervention that changes nothing has no token to look at', async () => {
    const nothing = await logitEffects(model, [{ ...push, edit: (x) => x }], tokenSet(2), { nulls: 2 });
    expect(nothing).toMatchObject({ n: 0, untouched: 16, tokens: [], sequences: 0 });
    for (const { p } of nothing.kl.nulls) expect(p).toBe(1);
  });

  it('counts a token that is given twice once', async () => {
    const options = { nulls: 2, seed: 1 };
    const once = await logitEffects(model, [push], tokenSet(3), { ...options, tokens: [9, 4] });
    expect(await logitEffects(model, [push], tokenSet(3), { ...options, tokens: [9, '4', 9] })).toEqual(once);
  });

  it('refuses tokens that are none, and NaN', async () => {
    const wrong: Array<[object, string]> = [
      [{ tokens: '3 4' }, '2 tokens'],
      [{ tokens: 99 }, 'outside'],
    ];
    for (const [options, message] of wrong)
      await expect(logitEffects(model, [push], tokenSet(2), options)).rejects.toThrow(message);
    const broken = { ...push, edit: (x: tf.Tensor) => x.mul(NaN) };
    await expect(logitEffects(model, [broken], tokenSet(2), { nulls: 0 })).rejects.toThrow('not finite');
    await expect(logitEffects(model, [push], ' ', {})).rejects.toThrow('has no tokens');
  });
});

describe('a random direction', () => {
  const x = tf.tensor(random(2 * 8 * config.dModel), [2, 8, config.dModel]);
  const pass = { tokens: new Int32Array(16), batch: 2, time: 8, offset: 0, sequence: 0 };
  const moved = (i: Intervention, at = x): number[][][] => i.edit(at, hook, pass).sub(at).arraySync() as number[][][];
  const norm = (v: number[]): number => Math.hypot(...v);

  it('moves the same rows by the same norm, all along one line, and leaves the others bit for bit', async () => {
    const late = pushFrom(3);
    const sides = (seed: number) => nullDirections(model, [late], [], { nulls: 2, seed, nullKinds: 'isotropic' });
    const {
      own: [own],
      nulls: [
        {
          runs: [[other], [second]],
        },
      ],
    } = await sides(7);
    const [real, null_] = [moved(own), moved(other)];
    expect(real).toEqual(moved(late));
    for (let b = 0; b < 2; b++)
      for (let t = 0; t < 8; t++) {
        expect(norm(null_[b][t])).toBeCloseTo(norm(real[b][t]), 4);
        const dot = null_[b][t].reduce((s, v, j) => s + v * null_[0][7][j], 0);
        if (t >= 3) expect(dot / (norm(null_[b][t]) * norm(null_[0][7]))).toBeCloseTo(1, 5);
      }
    const bits = (t: tf.Tensor): Int32Array => new Int32Array((t.dataSync() as Float32Array).slice().buffer);
    const before = x.slice([0, 0, 0], [-1, 3, -1]);
    expect(bits(other.edit(x, hook, pass).slice([0, 0, 0], [-1, 3, -1]))).toEqual(bits(before));
    expect(moved(second)).not.toEqual(null_);
    const again = await sides(7);
    moved(again.own[0]);
    expect(moved(again.nulls[0].runs[0][0])).toEqual(null_);
    expect(() => moved(again.nulls[0].runs[0][0], x.slice([0, 0, 0], [1, -1, -1]))).toThrow('other sequences');
    const perPair = { ...late, hook: 'blocks.0.attn.hook_pattern' };
    await expect(nullDirections(model, [perPair], [], { nulls: 1 })).rejects.toThrow('pair of tokens');
  });

  it('is as large as all that interventions do at a hook together, and as what they do at a later hook in their own run', async () => {
    const v = random(config.dModel);
    const [twice, back] = [2, -1].map((scale) => steer(model, hook, v, { scale }));
    const {
      own: [own],
      nulls: [
        {
          runs: [[other]],
        },
      ],
    } = await nullDirections(model, [twice, push, back], [], { nulls: 1, nullKinds: 'isotropic' });
    const sum = v.map((one, j) => one + 2 * pushed[j]);
    for (const row of [...moved(own).flat()]) expect(norm(row)).toBeCloseTo(Math.hypot(...sum), 3);
    for (const row of moved(other).flat()) expect(norm(row)).toBeCloseTo(Math.hypot(...sum), 3);
    // A change that depends on the activation: the null's own activation is another, the norm is still that of the run.
    const double: Intervention = { ...push, edit: (at) => at.mul(2) };
    const later = await nullDirections(model, [double], [], { nulls: 1, nullKinds: 'isotropic' });
    moved(later.own[0]);
    const elsewhere = x.mul(5) as tf.Tensor3D;
    moved(later.nulls[0].runs[0][0], elsewhere).forEach((part, b) =>
      part.forEach((row, t) => expect(norm(row)).toBeCloseTo(norm((x.arraySync() as number[][][])[b][t]), 3)),
    );
  });

  it('is compared by size: p = (k + 1)/(R + 1)', () => {
    const sets = [
      { kind: 'isotropic', from: 8, runs: { length: 3 } },
      { kind: 'decoder', from: 5, runs: { length: 2 } },
    ] as const;
    expect(besideNulls(-3, [1, -4, 2, 0.5, 0.5], sets, 5)).toEqual({
      value: -3,
      nulls: [
        {
          kind: 'isotropic',
          from: 8,
          mean: -1 / 3,
          std: expect.closeTo(Math.sqrt(62) / 3, 12),
          max: -4,
          p: 2 / 4,
          runs: 3,
          seed: 5,
        },
        { kind: 'decoder', from: 5, mean: 0.5, std: 0, max: 0.5, p: 1 / 3, runs: 2, seed: 5 },
      ],
    });
    expect(besideNulls(3, [], [], 0)).toEqual({ value: 3, nulls: [] });
  });
});
