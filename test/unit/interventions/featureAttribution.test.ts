import { describe, expect, it } from 'vitest';
import { attributionTable } from '#kernel/present/interventions.js';
import { AbortError } from '#kernel/compute/call.js';
import { initDevice } from '#kernel/compute/device.js';
import { matrix, row } from '#kernel/compute/matrix.js';
import { tf } from '#kernel/compute/tf.js';
import { attribute, type Attribution } from '#kernel/interventions/featureAttribution.js';
import type { AttributionTarget } from '#kernel/interventions/probe.js';
import type { Sae, SaeConfig } from '#kernel/sae/types.js';
import { CONFIGS, modelOf, randomWeights, referenceSettings, tokenizer } from '#test/kit/model.js';
import { normals } from '#test/kit/numbers.js';
import { referenceForward } from '#test/kit/referenceModel.js';
import { tinySae } from '#test/kit/sae.js';

await initDevice({ device: 'cpu' });
const next = normals(21);
const dSae = 40;
const ids = [3, 17, 5, 22, 9, 30, 1];
const prompt = ids.join(' ');

function saeOf(d: number, more: Partial<SaeConfig> = {}): Sae {
  const scale = { b_enc: 1, W_dec: 0.3, b_dec: 0.2 };
  return tinySae('blocks.0.hook_mlp_out', d, dSae, { architecture: 'topk', k: 6, ...more }, { next, scale });
}

/** The target in float64 from logits [T, V]. */
function read(logits: Float64Array, vocab: number, target: AttributionTarget): number {
  const T = logits.length / vocab;
  if (target === 'loss') {
    let loss = 0;
    for (let t = 0; t < T - 1; t++) {
      const at = Array.from(logits.subarray(t * vocab, (t + 1) * vocab));
      const top = Math.max(...at);
      loss += (top + Math.log(at.reduce((s, v) => s + Math.exp(v - top), 0)) - at[ids[t + 1]]) / (T - 1);
    }
    return loss;
  }
  const position = (target.position ?? -1) < 0 ? T + (target.position ?? -1) : target.position!;
  const minus = target.minus === undefined ? 0 : logits[position * vocab + Number(target.minus)];
  return logits[position * vocab + Number(target.token)] - minus;
}

/** The target with the activation at the SAE's hook changed, by the float64 reference. */
function reference(name: string, target: AttributionTarget, hook: string, edit?: (x: Float64Array) => void): number {
  const config = CONFIGS[name];
  const out = referenceForward(referenceSettings(config), randomWeights(config, 8), ids, edit ? { [hook]: edit } : {});
  return read(out.get('logits')!, config.vocab, target);
}

/** What each feature writes at each position, from the definition: activation × decoder row. */
function contributions(sae: Sae, name: string): Map<number, Float64Array> {
  const config = CONFIGS[name];
  const hook = sae.config.hookName;
  const x = referenceForward(referenceSettings(config), randomWeights(config, 8), ids).get(hook)!;
  const d = sae.config.dIn;
  const { indptr, indices, values } = sae.encode(matrix(ids.length, d, Float32Array.from(x)));
  const out = new Map<number, Float64Array>();
  for (let i = 0; i < ids.length; i++)
    for (let e = indptr[i]; e < indptr[i + 1]; e++) {
      const f = indices[e];
      if (!out.has(f)) out.set(f, new Float64Array(ids.length * d));
      for (let j = 0; j < d; j++) out.get(f)![i * d + j] = values[e] * row(sae.W_dec, f)[j];
    }
  return out;
}

const TARGETS: Record<string, AttributionTarget> = {
  'a logit difference': { token: 4, minus: 11 },
  'a logit before the end': { token: 20, position: 3 },
  'the loss': 'loss',
};

describe('gradient × activation', () => {
  for (const name of ['GPT-2', 'GPT-Neo', 'GPT-NeoX'])
    it(`of ${name} is the slope of the target in each feature: against central differences in float64`, async () => {
      const config = CONFIGS[name];
      const sae = saeOf(config.dModel);
      const model = modelOf(config, randomWeights(config, 8));
      const parts = contributions(sae, name);
      for (const target of Object.values(TARGETS)) {
        const { all, value, hook } = await attribute(model, sae, prompt, target, { verify: 0 });
        expect(value).toBeCloseTo(reference(name, target, hook), 4);
        expect(new Set(all.feature)).toEqual(new Set(parts.keys()));
        const h = 1e-4;
        all.feature.forEach((f, k) => {
          const moved = (by: number): number =>
            reference(name, target, hook, (x) => x.forEach((_, i) => (x[i] += by * parts.get(f)![i])));
          const slope = (moved(h) - moved(-h)) / (2 * h);
          expect(Math.abs(all.attribution[k] - slope)).toBeLessThan(2e-4 * Math.max(1, Math.abs(slope)));
        });
      }
    });

  it('lists features by size with the token that gave most, and only those that reach the target', async () => {
    const config = CONFIGS['GPT-2'];
    const sae = saeOf(config.dModel);
    const model = modelOf(config, randomWeights(config, 8));
    const result = await attribute(model, sae, prompt, { token: 1, position: 2 }, { top: 5, verify: 0 });
    expect(result.target).toBe('logit of "1" after token 2');
    expect(result.features).toHaveLength(5);
    const sizes = Array.from(result.all.attribution, Math.abs);
    expect(sizes).toEqual([...sizes].sort((a, b) => b - a));
    for (const f of result.features) {
      // Attention is causal: what comes after position 2 gives nothing.
      expect(f.position).toBeLessThanOrEqual(2);
      expect(f.token).toBe(String(ids[f.position]));
      expect(f).not.toHaveProperty('ablation');
    }
    expect(result).not.toHaveProperty('agreement');
  });
});

describe('true ablation', () => {
  it('is the target without the feature, by the float64 reference, and the ranks are compared', async () => {
    const name = 'GPT-2';
    const sae = saeOf(CONFIGS[name].dModel);
    const model = modelOf(CONFIGS[name], randomWeights(CONFIGS[name], 8));
    const target = TARGETS['a logit difference'];
    const result = await attribute(model, sae, prompt, target, { verify: 12, seed: 3, permutations: 199 });
    const parts = contributions(sae, name);
    const clean = reference(name, target, result.hook);
    const known = [...result.all.feature.keys()].filter((k) => !Number.isNaN(result.all.ablation[k]));
    expect(known).toHaveLength(12);
    // Half are the first six.
    expect(known.slice(0, 6)).toEqual([0, 1, 2, 3, 4, 5]);
    for (const k of known) {
      const part = parts.get(result.all.feature[k])!;
      const without = reference(name, target, result.hook, (x) => x.forEach((_, i) => (x[i] -= part[i])));
      expect(result.all.ablation[k]).toBeCloseTo(clean - without, 4);
    }
    const { rho, n, p, runs, seed } = result.agreement!;
    expect({ n, runs, seed }).toEqual({ n: 12, runs: 199, seed: 3 });
    expect(rho).toBeGreaterThan(0.5);
    expect(p).toBeLessThan(0.1);
    // The drawn half by itself: everything after the first six.
    const rank = (values: number[]): number[] => values.map((v) => values.filter((w) => w < v).length);
    const rest = known.slice(6);
    const [a, b] = [result.all.attribution, result.all.ablation].map((of) => rank(rest.map((k) => of[k])));
    const squares = a.reduce((s, v, i) => s + (v - b[i]) ** 2, 0);
    expect(result.agreementOfDrawn).toMatchObject({ n: 6, runs: 199, seed: 3 });
    expect(result.agreementOfDrawn!.rho).toBeCloseTo(1 - (6 * squares) / (6 * 35), 10);
    expect(await attribute(model, sae, prompt, target, { verify: 12, seed: 3, permutations: 199 })).toEqual(result);
    const few = await attribute(model, sae, prompt, target, { verify: 4, permutations: 9 });
    expect(few).not.toHaveProperty('agreementOfDrawn');
  });
});

describe('integrated gradients', () => {
  it('add up to what removing every feature does, nearer with more steps; the error term stays', async () => {
    const name = 'GPT-Neo';
    const sae = saeOf(CONFIGS[name].dModel);
    const model = modelOf(CONFIGS[name], randomWeights(CONFIGS[name], 8));
    for (const target of Object.values(TARGETS)) {
      const run = (steps: number): Promise<Attribution> =>
        attribute(model, sae, prompt, target, { method: 'integrated', steps, verify: 0 });
      const [few, many] = [await run(2), await run(64)];
      const parts = contributions(sae, name);
      const bare = reference(name, target, many.hook, (x) => {
        for (const part of parts.values()) x.forEach((_, i) => (x[i] -= part[i]));
      });
      expect(many.allAblated).toBeCloseTo(reference(name, target, many.hook) - bare, 4);
      const miss = (a: Attribution): number => Math.abs(a.total - a.allAblated);
      expect(miss(many)).toBeLessThan(0.01 * Math.abs(many.allAblated) + 1e-3);
      expect(miss(many)).toBeLessThan(miss(few) + 1e-4);
    }
  });

  it('of one step is the gradient half way', async () => {
    const name = 'GPT-2';
    const sae = saeOf(CONFIGS[name].dModel);
    const model = modelOf(CONFIGS[name], randomWeights(CONFIGS[name], 8));
    const target = TARGETS['a logit difference'];
    const { all, hook } = await attribute(model, sae, prompt, target, { method: 'integrated', steps: 1, verify: 0 });
    const parts = contributions(sae, name);
    const f = all.feature[0];
    const at = (by: number): number =>
      reference(name, target, hook, (x) => {
        for (const [g, part] of parts) x.forEach((_, i) => (x[i] += (g === f ? by - 0.5 : -0.5) * part[i]));
      });
    expect(all.attribution[0]).toBeCloseTo((at(1e-4) - at(-1e-4)) / 2e-4, 3);
  });
});

describe('SAEs that scale their input', () => {
  it('are taken in the units of the activation: removing every feature leaves bias and error', async () => {
    const config = CONFIGS['GPT-2'];
    const model = modelOf(config, randomWeights(config, 8));
    for (const more of [
      { normalizeActivations: 'layer_norm' },
      { normalizeActivations: 'constant_norm_rescale' },
      { rescaleActsByDecoderNorm: true },
    ] as const) {
      const sae = saeOf(config.dModel, more);
      const target = TARGETS['a logit difference'];
      const result = await attribute(model, sae, prompt, target, { method: 'integrated', steps: 64, verify: 5 });
      expect(Math.abs(result.total - result.allAblated)).toBeLessThan(0.02 * Math.abs(result.allAblated) + 1e-3);
      expect(result.allAblated).not.toBe(0);
    }
  });
});

describe('attribution over several sequences', () => {
  it('give the mean of what each gives alone', async () => {
    const config = CONFIGS['GPT-2'];
    const model = modelOf(config, randomWeights(config, 8));
    const sae = saeOf(config.dModel);
    const prompts = [prompt, '7 7 12 30'];
    const target: AttributionTarget = { token: [4, 5], minus: 11 };
    const both = await attribute(model, sae, prompts, target, { verify: 6 });
    const alone = await Promise.all(prompts.map((p) => attribute(model, sae, p, target, { verify: 0 })));
    expect(both.sequences).toBe(2);
    expect(both.target).toContain('mean over 2 sequences');
    expect(both.value).toBeCloseTo((alone[0].value + alone[1].value) / 2, 5);
    both.all.feature.forEach((f, k) => {
      const of = (a: Attribution): number => a.all.attribution[a.all.feature.indexOf(f)] ?? 0;
      expect(both.all.attribution[k]).toBeCloseTo((of(alone[0]) + of(alone[1])) / 2, 5);
    });
  });
});

describe('bad input of an attribution', () => {
  it('is refused by name before anything runs', async () => {
    const config = CONFIGS['GPT-2'];
    const model = modelOf(config, randomWeights(config, 8));
    const sae = saeOf(config.dModel);
    const wrong: Array<[Parameters<typeof attribute>[3], Parameters<typeof attribute>[4], string]> = [
      [{ token: '3 4' }, {}, '"3 4" is 2 tokens of odd ("3" "4")'],
      [{ token: 37 }, {}, 'token id 37 is outside odd, which has ids 0 to 36'],
      [{ token: 3, position: 7 }, {}, 'position 7 is outside a sequence of 7 tokens'],
      [{ token: 3, position: -8 }, {}, 'position -8 is outside'],
      [{ token: 3 }, { hook: 'blocks.0.mlp.hook_post' }, 'activations of width 15 but blocks.0.mlp.hook_post'],
      [{ token: 3 }, { hook: 'blocks.0.mlp_out' }, 'unknown hook "blocks.0.mlp_out"'],
      [{ token: 3 }, { steps: 8 }, "give method: 'integrated'"],
    ];
    for (const [target, options, message] of wrong)
      await expect(attribute(model, sae, prompt, target, options)).rejects.toThrow(message);
    await expect(attribute(model, sae, ' ', 'loss')).rejects.toThrow('has no tokens');
    await expect(attribute(model, sae, '4', 'loss')).rejects.toThrow('at least 2 tokens');
    const other = { id: 'x', tokens: Int32Array.of(1), sequences: 1, context: 1, source: {} };
    await expect(
      attribute(model, sae, { ...other, tokenizer: { ...tokenizer, id: 'another' } }, 'loss'),
    ).rejects.toThrow('another');
    await expect(attribute(model, saeOf(config.dModel, { modelId: 'another' }), prompt, 'loss')).rejects.toThrow(
      'another',
    );
  });

  it('stops when cancelled, and leaves no tensors behind', async () => {
    const config = CONFIGS['GPT-2'];
    const model = modelOf(config, randomWeights(config, 8));
    const sae = saeOf(config.dModel);
    await attribute(model, sae, prompt, 'loss', { verify: 4 });
    const { numTensors } = tf.memory();
    await attribute(model, sae, prompt, 'loss', { verify: 4 });
    expect(tf.memory().numTensors).toBe(numTensors);
    const signal = AbortSignal.abort();
    await expect(attribute(model, sae, prompt, 'loss', { signal })).rejects.toThrow(AbortError);
  });
});

describe('attribution where there is no effect', () => {
  it('the agreement with ablation is NaN and the table says why, instead of a perfect correlation of ties', async () => {
    const config = CONFIGS['GPT-2'];
    const model = modelOf(config, randomWeights(config, 8));
    // One token's logit less its own: 0 whatever is removed.
    const target = { token: 4, minus: 4 };
    for (const verify of [6, 11, 40]) {
      const result = await attribute(model, saeOf(config.dModel), prompt, target, { verify });
      expect(result.all.attribution.every((v) => v === 0)).toBe(true);
      for (const agreement of [result.agreement!, result.agreementOfDrawn!])
        expect(agreement).toMatchObject({ rho: NaN, p: NaN });
      const text = JSON.stringify(attributionTable(result, { id: 'sae' }));
      expect(text).toContain('no rank correlation, Spearman and p are NaN');
      expect(text).not.toContain('Spearman 1');
    }
  });
});
