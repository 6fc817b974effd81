import { describe, expect, it } from 'vitest';
import { initDevice } from '#kernel/compute/device.js';
import { matrix, row } from '#kernel/compute/matrix.js';
import { ablate, clamp, scale } from '#kernel/interventions/clamp.js';
import { direction } from '#kernel/interventions/direction.js';
import {
  describeAll,
  editsOf,
  identityOf,
  INTERVENTIONS_VERSION,
  type Intervention,
} from '#kernel/interventions/intervention.js';
import { patch, patchFeatures } from '#kernel/interventions/patch.js';
import { run } from '#kernel/interventions/run.js';
import { featureSource } from '#kernel/interventions/source.js';
import { capProjection, project, steer, steerFeature } from '#kernel/interventions/steer.js';
import { reconstruct } from '#kernel/sae/sae.js';
import { CONFIGS, modelOf, randomWeights, referenceSettings, tokenizer } from '#test/kit/model.js';
import { normals } from '#test/kit/numbers.js';
import { referenceForward } from '#test/kit/referenceModel.js';
import { withFeatures } from '#test/kit/referenceSae.js';
import { SAE_KINDS, tinySae } from '#test/kit/sae.js';

await initDevice({ device: 'cpu' });
const config = CONFIGS['GPT-Neo'];
const weights = randomWeights(config, 6);
const model = modelOf(config, weights);
const hook = 'blocks.0.hook_resid_post';
const next = normals(13);
const vector = (): Float32Array => Float32Array.from({ length: 15 }, () => next());
const ids = Int32Array.of(3, 17, 5, 22, 9, 30, 1);
const set = {
  id: 'four',
  tokens: Int32Array.from({ length: 28 }, (_, i) => (5 * i * i + 2) % 37),
  sequences: 4,
  context: 7,
  tokenizer,
  source: {},
};
const at = async (interventions: Intervention[], tokens = ids): Promise<Float32Array> =>
  (await run(model, interventions, tokens, { capture: [hook] })).captured[hook].data;
const bits = (x: Float32Array): Int32Array => new Int32Array(x.buffer, x.byteOffset, x.length);
const clean = await at([]);
const cleanLogits = (await run(model, [], ids)).logits.data;

describe.each(Object.entries(SAE_KINDS))('an SAE that is %s', (_, kind) => {
  const sae = tinySae(hook, 15, 24, kind);

  it('does nothing, to the last bit, where it is asked to change nothing', async () => {
    const x = matrix(7, 15, clean);
    const { indptr, indices, values } = sae.encode(x);
    const e = indptr[3];
    const silent = [...Array(24).keys()].find((f) => !indices.subarray(indptr[3], indptr[4]).includes(f))!;
    const nothing: Intervention[] = [
      steer(model, hook, vector(), { scale: 0 }),
      steer(model, hook, new Float32Array(15), { scale: 3 }),
      clamp(model, sae, indices[e], { value: values[e], positions: 3 }),
      clamp(model, sae, silent, { value: 0, positions: 3 }),
      scale(model, sae, 'all', { by: 1 }),
      ablate(model, sae, silent, { positions: 3 }),
      patch(model, hook, { prompt: ids }),
      patch(model, hook, { from: 2, positions: 2 }),
      patchFeatures(model, sae, 'all', { prompt: ids }),
      patchFeatures(model, sae, [1, 2, 3], { from: -1, positions: 'last' }),
      capProjection(model, hook, vector(), { cap: 1e6 }),
    ];
    for (const one of nothing) {
      const result = await run(model, [one], ids, { capture: [hook] });
      expect(bits(result.captured[hook].data), one.description).toEqual(bits(clean));
      expect(bits(result.logits.data), one.description).toEqual(bits(cleanLogits));
    }
    expect(bits(await at(nothing))).toEqual(bits(clean));
  });

  it('without any of its features is its decoding of nothing and its error', async () => {
    const x = matrix(7, 15, clean);
    const { reconstruction } = reconstruct(sae, x);
    const bare = Array.from({ length: 7 }, (_, t) => withFeatures(sae, row(x, t), (f) => f.map(() => 0), 'drop'));
    const kept = await at([ablate(model, sae, 'all')]);
    const dropped = await at([ablate(model, sae, 'all', { errorTerm: 'drop' })]);
    kept.forEach((v, i) => {
      const nothing = bare[Math.floor(i / 15)][i % 15];
      expect(v).toBeCloseTo(nothing + clean[i] - reconstruction.data[i], 4);
      expect(dropped[i]).toBeCloseTo(nothing, 4);
    });
  });

  it('leaves every bit of the positions that are not chosen', async () => {
    for (const one of [
      clamp(model, sae, [0, 1, 2], { value: 3, positions: [2, 5], errorTerm: 'drop' }),
      ablate(model, sae, 'all', { positions: [2, 5] }),
    ]) {
      const x = await at([one]);
      for (const t of [0, 1, 3, 4, 6])
        expect(bits(row(matrix(7, 15, x), t))).toEqual(bits(row(matrix(7, 15, clean), t)));
      for (const t of [2, 5]) expect(row(matrix(7, 15, x), t)).not.toEqual(row(matrix(7, 15, clean), t));
    }
  });
});

describe('properties of interventions', () => {
  it('steering is linear in α at the hook', async () => {
    const v = vector();
    const steps = await Promise.all(
      [-3, 0.5, 2, 100].map(async (a) => [a, await at([steer(model, hook, v, { scale: a })])] as const),
    );
    for (const [a, x] of steps) x.forEach((value, i) => expect(value).toBe(Math.fround(clean[i] + a * v[i % 15])));
  });

  it('projecting out twice is projecting out once, and leaves nothing along the direction', async () => {
    const v = vector();
    const once = await at([project(model, hook, v)]);
    const twice = await at([project(model, hook, v), project(model, hook, v)]);
    once.forEach((x, i) => expect(Math.abs(x - twice[i])).toBeLessThan(1e-6));
    for (let t = 0; t < 7; t++) expect(Math.abs(v.reduce((s, w, j) => s + w * once[15 * t + j], 0))).toBeLessThan(1e-5);
    const capped = await at([capProjection(model, hook, v, { cap: -0.5 })]);
    const norm = Math.hypot(...v);
    for (let t = 0; t < 7; t++) {
      const along = (x: Float32Array): number => v.reduce((s, w, j) => s + w * x[15 * t + j], 0) / norm;
      expect(along(capped)).toBeCloseTo(Math.min(along(clean), -0.5), 4);
    }
  });

  it('at one hook the order given is the order done: features are read as the one before left them', async () => {
    const sae = tinySae(hook, 15, 24, SAE_KINDS.topk);
    // A feature that its own decoder row makes fire.
    const own = (f: number): number => row(sae.W_dec, f).reduce((s, w, j) => s + w * sae.W_enc.data[24 * j + f], 0);
    const chosen = [...Array(24).keys()].sort((a, b) => own(b) - own(a))[0];
    const push = steerFeature(model, sae, chosen, { scale: 5 });
    const set4 = clamp(model, sae, chosen, { value: 1 });
    const steered = await at([push]);
    const first = await at([push, set4]);
    const second = await at([set4, push]);
    for (let t = 0; t < 7; t++) {
      const then = withFeatures(sae, steered.slice(15 * t, 15 * t + 15), (f) =>
        f.map((v, i) => (i === chosen ? 1 : v)),
      );
      then.forEach((v, j) => expect(first[15 * t + j]).toBeCloseTo(v, 4));
    }
    expect(Math.max(...first.map((v, i) => Math.abs(v - second[i])))).toBeGreaterThan(0.1);
    expect(identityOf(model, [push, set4])).not.toEqual(identityOf(model, [set4, push]));
    expect(identityOf(model, [push])).toEqual([{ ...push.parameters, version: INTERVENTIONS_VERSION }]);
    expect(describeAll([push, set4])).toBe(`${push.description}; ${set4.description}`);
  });

  it('at several hooks the model gives the order, whichever way they are listed', async () => {
    const early = steer(model, 'blocks.0.hook_resid_pre', vector(), { scale: 2 });
    const late = project(model, hook, vector());
    expect(bits(await at([early, late]))).toEqual(bits(await at([late, early])));
    expect(identityOf(model, [early, late])).toEqual(identityOf(model, [late, early]));
  });

  it('several features are clamped from one reading, so that their order does not matter', async () => {
    const sae = tinySae(hook, 15, 24);
    const together = await at([clamp(model, sae, [9, 2, 14], { value: 2 })]);
    expect(bits(together)).toEqual(bits(await at([clamp(model, sae, [14, 9, 2], { value: 2 })])));
    for (let t = 0; t < 7; t++)
      withFeatures(sae, clean.slice(15 * t, 15 * t + 15), (f) =>
        f.map((v, i) => ([2, 9, 14].includes(i) ? 2 : v)),
      ).forEach((v, j) => expect(together[15 * t + j]).toBeCloseTo(v, 4));
  });

  it('one sequence in a batch is edited as it is alone, in the model and in generation', async () => {
    const sae = tinySae(hook, 15, 24, SAE_KINDS['topk, rescaled']);
    const chosen = [
      clamp(model, sae, 3, { value: 4, positions: { token: 17 } }),
      project(model, hook, vector(), { positions: -1 }),
    ];
    const tokens = Int32Array.of(...ids, 17, 2, 2, 17, 9, 9, 17);
    const { captured, logits } = model.forward(tokens, 2, { capture: [hook], edits: editsOf(chosen) });
    const both = captured.get(hook)!.dataSync<'float32'>().slice();
    [...captured.values(), logits!].forEach((t) => t.dispose());
    for (const s of [0, 1])
      (await at(chosen, tokens.slice(7 * s, 7 * s + 7))).forEach((v, i) => expect(both[105 * s + i]).toBeCloseTo(v, 4));
    const text = await model.generate([...ids].join(' '), { edits: editsOf(chosen), tokens: 1, stopAtEos: false });
    const last = (await run(model, chosen, ids)).logits;
    const predicted = row(last, 6);
    expect(Number(text)).toBe(predicted.indexOf(Math.max(...predicted)));
  });
});

describe('directions from means', () => {
  const mean = (rows: number[][]): number[] => rows[0].map((_, j) => rows.reduce((s, r) => s + r[j], 0) / rows.length);
  const rowsOf = (tokens: ArrayLike<number>): number[][] => {
    const x = referenceForward(referenceSettings(config), weights, Array.from(tokens)).get(hook)!;
    return Array.from({ length: tokens.length }, (_, t) => [...x.slice(15 * t, 15 * t + 15)]);
  };

  it('are means over prompts at their last token, over datasets at every one, and their differences', async () => {
    const prompts = await direction(model, hook, ['3 17 5', '22 9'], '30');
    const a = mean([rowsOf([3, 17, 5])[2], rowsOf([22, 9])[1]]);
    const b = rowsOf([30])[0];
    prompts.vector.forEach((v, j) => expect(v).toBeCloseTo(a[j] - b[j], 4));
    expect(prompts.description).toBe('(mean of 2 prompts − "30")');
    const data = await direction(model, hook, set, undefined, { sequences: 3 });
    const all = mean([0, 1, 2].flatMap((s) => rowsOf(set.tokens.subarray(7 * s, 7 * s + 7))));
    data.vector.forEach((v, j) => expect(v).toBeCloseTo(all[j], 4));
    const chosen = await direction(model, hook, '17 4 17', undefined, { positions: { token: 17 } });
    mean([rowsOf([17, 4, 17])[0], rowsOf([17, 4, 17])[2]]).forEach((v, j) =>
      expect(chosen.vector[j]).toBeCloseTo(v, 4),
    );
    const push = steer(model, hook, prompts, { scale: 2 });
    expect(push.description).toBe(`steer ${hook} by 2 × (mean of 2 prompts − "30") at all positions`);
  });

  it('refuse what has no mean', async () => {
    await expect(direction(model, hook, '', undefined)).rejects.toThrow('has no tokens');
    await expect(direction(model, hook, '3', '4', { positions: 1 })).rejects.toThrow('position 1 is outside');
    await expect(direction(model, 'blocks.0.attn.hook_pattern', '3', undefined)).rejects.toThrow('per pair of tokens');
  });
});

describe('the identity of an intervention', () => {
  it('is what changes the result, and prints for people', async () => {
    const sae = tinySae(hook, 15, 24);
    const source = await featureSource(model, sae, set);
    const fewer = await featureSource(model, sae, set, { sequences: 2 });
    const distinct = [
      clamp(model, sae, 3, { value: 1 }),
      clamp(model, sae, 3, { value: 2 }),
      clamp(model, sae, 4, { value: 1 }),
      clamp(model, sae, 3, { value: 1, positions: 'last' }),
      clamp(model, sae, 3, { value: 1, errorTerm: 'drop' }),
      clamp(model, sae, 3, { value: 1, hook: 'blocks.1.hook_resid_post' }),
      clamp(model, tinySae(hook, 15, 24, {}, { next: normals(99) }), 3, { value: 1 }),
      scale(model, sae, 3, { by: 1 }),
      ablate(model, sae, 3),
      ablate(model, sae, 'all'),
      ablate(model, sae, 3, { method: 'mean', source }),
      ablate(model, sae, 3, { method: 'mean', source: fewer }),
      ablate(model, sae, 3, { method: 'resample', source }),
      ablate(model, sae, 3, { method: 'resample', source, seed: 1 }),
      patch(model, hook, { prompt: ids }),
      patch(model, hook, { prompt: ids, from: 2 }),
      patch(model, hook, { from: 2 }),
      patch(model, hook, { prompt: '3 4' }),
      patchFeatures(model, sae, 3, { prompt: ids }),
      project(model, hook, new Float32Array(15).fill(1)),
      capProjection(model, hook, new Float32Array(15).fill(1), { cap: 0 }),
      steer(model, hook, new Float32Array(15).fill(1), { scale: 1 }),
      steer(model, hook, new Float32Array(15).fill(1), { scale: 1, normalize: 'unit' }),
    ];
    expect(new Set(distinct.map((i) => JSON.stringify(i.parameters))).size).toBe(distinct.length);
    for (const { parameters } of distinct) expect(JSON.parse(JSON.stringify(parameters))).toEqual(parameters);
    expect(clamp(model, sae, [5, 3], { value: 1 }).parameters).toEqual(
      clamp(model, sae, [3, 5], { value: 1 }).parameters,
    );
    expect(distinct.map((i) => i.description)).toEqual(
      expect.arrayContaining([
        `clamp feature 3 of ${sae.name} to 1 at the last position`,
        `clamp feature 3 of ${sae.name} to 1 at all positions, error term dropped`,
        `ablate all 24 features of ${sae.name} at all positions`,
        `ablate feature 3 of ${sae.name} to the mean over 28 tokens at all positions`,
        `resample feature 3 of ${sae.name} from 28 tokens (seed 1) at all positions`,
        `patch ${hook} from "3 4", at all positions`,
        `patch ${hook} from position 2 of the same text, at all positions`,
        `patch ${hook} from "3 17 5 22 9 30 1" at position 2, at all positions`,
      ]),
    );
  });
});

describe('bad input of an intervention', () => {
  const sae = tinySae(hook, 15, 24);
  const source = {
    id: '',
    sae: 'another',
    hook,
    model,
    description: '',
    n: 1,
    means: () => () => clean,
    draws: () => () => clean,
  };

  it.each<[string, () => unknown]>([
    [
      'unknown hook "blocks.0.resid_post"; did you mean',
      () => clamp(model, sae, 3, { value: 1, hook: 'blocks.0.resid_post' }),
    ],
    [
      'takes rows of width 15 but blocks.0.mlp.hook_post of odd has width 23',
      () => ablate(model, sae, 3, { hook: 'blocks.0.mlp.hook_post' }),
    ],
    ['per pair of tokens', () => patch(model, 'blocks.0.attn.hook_attn_scores', { prompt: '3' })],
    ['feature 24 is outside', () => clamp(model, sae, 24, { value: 1 })],
    ['feature -1 is outside', () => scale(model, sae, [3, -1], { by: 1 })],
    ['feature 0.5 is outside', () => ablate(model, sae, 0.5)],
    ['no feature is given', () => ablate(model, sae, [])],
    ['feature 3 is given twice', () => ablate(model, sae, [3, 4, 3])],
    ['mean-ablation takes values from activations; give { source }', () => ablate(model, sae, 3, { method: 'mean' })],
    ['activations of another SAE', () => ablate(model, sae, 3, { method: 'resample', source })],
    ['give { sae }', () => project(model, hook, vector(), { errorTerm: 'drop' })],
    ['the vector is zero', () => project(model, hook, new Float32Array(15))],
    ['the vector is zero', () => steer(model, hook, new Float32Array(15), { scale: 1, normalize: 'unit' })],
    ['a patch needs where it comes from', () => patch(model, hook, {})],
    ['has no tokens', () => patch(model, hook, { prompt: ' ' })],
    ['position 2 is outside a text of 1 tokens', () => patch(model, hook, { prompt: '3', from: 2 })],
    ['does not occur in "3"', () => patch(model, hook, { prompt: '3', positions: { token: 17 } })],
    ['another model', () => clamp(model, tinySae(hook, 15, 24, { modelId: 'another' }), 3, { value: 1 })],
    ['another model', () => patchFeatures(model, tinySae(hook, 15, 24, { modelId: 'x' }), 3, { prompt: '3' })],
  ])('is refused by name when the intervention is made: %s', (message, make) => {
    expect(make).toThrow(message);
  });

  it('is refused where values come from another hook or model', async () => {
    const made = await featureSource(model, sae, set);
    const elsewhere = { method: 'mean', source: made, hook: 'blocks.1.hook_resid_post' } as const;
    expect(() => ablate(model, sae, 3, elsewhere)).toThrow(`activations at ${hook}, not at blocks.1.hook_resid_post`);
    const second = modelOf(config, randomWeights(config, 7));
    expect(() => ablate(second, sae, 3, { method: 'mean', source: made })).toThrow(second.id);
    expect(() => ablate(second, sae, 3, { method: 'mean', source: made, allowOtherModel: true })).not.toThrow();
  });

  it('is refused before anything runs where it depends on the text', async () => {
    await expect(
      run(model, [patch(model, hook, { prompt: '3 4 5', positions: [0, 1, 2], from: [0, 1] })], ids),
    ).rejects.toThrow('2 positions to take from do not pair with 3 to patch; give one, or as many');
    await expect(run(model, [patch(model, hook, { from: 9, positions: 0 })], ids)).rejects.toThrow(
      'position 9 is outside',
    );
    await expect(run(model, [], '')).rejects.toThrow('has no tokens');
    await expect(run(model, [], ids, { capture: ['hook'] })).rejects.toThrow('unknown hook "hook"');
    await expect(run(model, [], new Int32Array(13))).rejects.toThrow('exceed the context of 12');
  });
});
