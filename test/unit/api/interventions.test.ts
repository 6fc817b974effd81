import { describe, expect, it } from 'vitest';
import { DISPLAY } from '#kernel/present/items.js';
import { matrix, row } from '#kernel/compute/matrix.js';
import { tf } from '#kernel/compute/tf.js';
import { correlate } from '#kernel/correlation/map.js';
import type { FeatureMap } from '#kernel/correlation/types.js';
import { INTERVENTIONS_VERSION } from '#kernel/models/edits.js';
import { lossPerToken } from '#kernel/models/tokenLoss.js';
import { reconstruct } from '#kernel/sae/sae.js';
import type { OutputItem } from '#protocol/notebook.js';
import { freshFg, hook, lmA, lmB, randomSae, saeA, saeB, texts } from '#test/kit/fg.js';

const world = freshFg();
const data = () => world.fg.datasets.fromTexts(texts, { context: 10 });
const textOf = (value: object): string =>
  (value as { [DISPLAY](): OutputItem[] })
    [DISPLAY]()
    .flatMap((item) => item.text ?? [])
    .join('');
const v = Float32Array.from({ length: 15 }, (_, j) => Math.cos(j));

describe('fg.activations.save with interventions', () => {
  it('keeps what the changed model gives, under an identity of its own', async () => {
    const { fg, context } = world;
    const push = fg.interventions.steer(lmA, 'blocks.0.hook_resid_pre', v, { scale: 3, positions: { token: 5 } });
    const clampOne = fg.interventions.clamp(lmA, saeA, 5, { value: 2, positions: [0, -1] });
    const plain = await fg.activations.save(lmA, saeA, data());
    const changed = await fg.activations.save(lmA, saeA, data(), { interventions: [push, clampOne] });
    expect(changed.id).not.toBe(plain.id);
    const { record } = (await fg.artifacts.find(changed.id))!;
    expect(record.parameters.interventions).toEqual(
      [push, clampOne].map(({ parameters }) => ({ ...parameters, version: INTERVENTIONS_VERSION })),
    );
    expect(record.title).toContain(`${push.description}; ${clampOne.description}`);
    expect((await fg.artifacts.find(plain.id))!.record.parameters).not.toHaveProperty('interventions');

    // Row by row against runs of single sequences.
    const set = data().tokens(lmA);
    let t = 0;
    for await (const { rows } of changed.shards())
      for (let i = 0; i < rows.rows; i++, t++) {
        if (t % 100 !== 5) continue;
        const s = Math.floor(t / 10);
        const ids = set.tokens.slice(10 * s, 10 * s + 10);
        const here = ids.includes(5) ? [push, clampOne] : [clampOne];
        const x = (await fg.interventions.run(lmA, here, ids, { capture: [hook] })).captured[hook];
        const { indices, values } = saeA.encode(matrix(1, 15, row(x, t % 10).slice()));
        const [from, to] = [rows.indptr[i], rows.indptr[i + 1]];
        expect([...rows.indices.subarray(from, to)]).toEqual([...indices]);
        values.forEach((value, e) => expect(rows.values[from + e]).toBeCloseTo(value, 4));
      }
    expect(t).toBe(440);

    context.printed.length = 0;
    expect((await fg.activations.save(lmA, saeA, data(), { interventions: [clampOne, push] })).id).toBe(changed.id);
    expect(context.printed.join('\n')).toContain('loaded from cache');
    expect((await fg.activations.save(lmA, saeA, data(), { interventions: push })).id).not.toBe(changed.id);
    expect((await fg.activations.save(lmA, saeA, data(), { interventions: [] })).id).toBe(plain.id);
  });

  it('refuses what cannot act on the text, before anything runs or is kept', async () => {
    const { fg, context } = world;
    const late = fg.interventions.steer(lmA, hook, v, { scale: 1, positions: 10 });
    await expect(fg.activations.save(lmA, saeA, data(), { interventions: late })).rejects.toThrow(
      'position 10 is outside a text of 10 tokens',
    );
    expect(context.progressed).toEqual([null]);
    expect(await fg.artifacts.list()).toEqual([]);
  });
});

describe('fg.sae.evaluate with interventions', () => {
  it('changes every run: the losses are those of the changed model, with and without the SAE', async () => {
    const { fg } = world;
    const push = fg.interventions.steer(lmA, hook, v, { scale: 2, positions: { from: 3 } });
    const set = data().tokens(lmA);
    const plain = await fg.sae.evaluate(lmA, saeA, data(), { samples: 6 });
    const e = await fg.sae.evaluate(lmA, saeA, data(), { samples: 6, interventions: push, batchTokens: 20 });
    const mean = (x: Float32Array): number => x.reduce((s, loss) => s + loss, 0) / x.length;
    const loss = async (edits: Parameters<typeof lossPerToken>[2]): Promise<number> =>
      mean(await lossPerToken(lmA, set, { ...edits, sequences: 6 }));
    expect(e.ceClean).toBeCloseTo(await loss({ edits: new Map([[hook, [push.edit]]]) }), 4);
    expect(e.ceClean).not.toBeCloseTo(plain.ceClean, 2);
    const replace = (x: tf.Tensor): tf.Tensor => {
      const flat = matrix(x.size / 15, 15, x.dataSync<'float32'>());
      return tf.tensor(reconstruct(saeA, flat).reconstruction.data, x.shape);
    };
    expect(e.ceSae).toBeCloseTo(await loss({ edits: new Map([[hook, [push.edit, replace]]]) }), 4);
    const zero = (x: tf.Tensor): tf.Tensor => tf.zerosLike(x);
    expect(e.ceZero).toBeCloseTo(await loss({ edits: new Map([[hook, [zero]]]) }), 4);
    const bad = fg.interventions.steer(lmA, hook, v, { scale: 2, positions: 12 });
    await expect(fg.sae.evaluate(lmA, saeA, data(), { interventions: bad })).rejects.toThrow('position 12 is outside');
  });
});

describe('fg.interventions', () => {
  it('prints what was made, in words', async () => {
    const { interventions } = world.fg;
    const difference = await interventions.direction(lmA, hook, '3 4', { minus: '5' });
    expect(textOf(difference)).toMatch(/^\("3 4" − "5"\) at blocks\.0\.hook_mlp_out of odd, norm [\d.]+$/);
    const source = await interventions.source(lmA, saeA, data());
    expect(textOf(source)).toBe(`activations of ${saeA.name} on 440 tokens`);
    for (const made of [
      interventions.steer(lmA, hook, difference, { scale: 2 }),
      interventions.steerFeature(lmA, saeA, 5, { scale: 2 }),
      interventions.clamp(lmA, saeA, 5, { value: 2 }),
      interventions.scale(lmA, saeA, 5, { by: 2 }),
      interventions.ablate(lmA, saeA, [5, 6], { method: 'mean', source }),
      interventions.patch(lmA, hook, { prompt: '3 4' }),
      interventions.patchFeatures(lmA, saeA, 5, { prompt: '3 4' }),
      interventions.project(lmA, hook, difference),
      interventions.cap(lmA, hook, v, { cap: 1 }),
    ])
      expect(textOf(made)).toBe(made.description);
    const clampOne = interventions.clamp(lmA, saeA, 5, { value: 2 });
    const result = await interventions.run(lmA, clampOne, '3 4 5', { capture: [hook] });
    expect(textOf(result)).toBe(`3 tokens through odd, ${clampOne.description}; captured ${hook}`);
    expect(result.pieces).toEqual(['3', '4', '5']);
    expect([result.logits.rows, result.logits.cols]).toEqual([3, 37]);
  });

  it('refuses misspelt options, promises and unusable texts', async () => {
    const { interventions } = world.fg;
    const misspelt = { value: 1, position: 3 } as { value: number };
    expect(() => interventions.clamp(lmA, saeA, 5, misspelt)).toThrow('has no option "position"');
    expect(() => interventions.patch(lmA, hook, { promt: '3' } as object)).toThrow('has no option "promt"');
    const later = interventions.direction(lmA, hook, '3') as unknown as Float32Array;
    expect(() => interventions.steer(lmA, hook, later, { scale: 1 })).toThrow('write "await"');
    await later;
    const third = interventions.clamp(lmA, saeA, 5, { value: 1, positions: 3 });
    expect(() => interventions.validate(lmA, third, '3 4 5')).toThrow('position 3 is outside a text of 3 tokens');
    expect(() => interventions.validate(lmA, third, '3 4 5 6')).not.toThrow();
    expect(() => interventions.validate(lmA, [third], data())).not.toThrow();
    expect(() => interventions.validate(lmB, third, '3 4 5 6')).toThrow(lmB.id);
  });

  it('continues prompts with positions that are checked first, and that may be yet to come', async () => {
    const { interventions } = world.fg;
    const late = interventions.steer(lmA, hook, v, { scale: 30, positions: 5 });
    const result = await interventions.compare(lmA, late, ['3 4 5', '6'], { tokens: 8, temperature: 0.7, seed: 3 });
    for (const { prompt, before, after } of result.rows) {
      const same = 5 - prompt.split(' ').length + 1;
      expect(after.split(' ').slice(0, same)).toEqual(before.split(' ').slice(0, same));
      const edits = new Map([[late.hook, [late.edit]]]);
      expect(await lmA.generate(prompt, { tokens: 8, temperature: 0.7, seed: 3, edits })).toBe(after);
    }
    result.tokens!.forEach((token) => expect(token.after).toBe(token.before));
    await expect(interventions.compare(lmA, late, ['3', '4'], { tokens: 4 })).rejects.toThrow('4 generated ones');
  });

  it('takes means and draws from saved activations as from the text itself', async () => {
    const { fg } = world;
    const saved = await fg.activations.save(lmA, saeA, data());
    const fromSaved = await fg.interventions.source(lmA, saeA, saved);
    const fromText = await fg.interventions.source(lmA, saeA, data(), { samples: 44 });
    for (const method of ['mean', 'resample'] as const) {
      const outputs = await Promise.all(
        [fromSaved, fromText].map(async (source) => {
          const one = fg.interventions.ablate(lmA, saeA, 'all', { method, source, seed: 4 });
          return (await fg.interventions.run(lmA, one, texts[3], { capture: [hook] })).captured[hook].data;
        }),
      );
      outputs[0].forEach((x, i) => expect(x).toBeCloseTo(outputs[1][i], 4));
    }
    await expect(fg.interventions.source(lmA, randomSae(99, 24, lmA.id), saved)).rejects.toThrow(saeA.id);
    await expect(fg.interventions.source(lmA, saeB, data())).rejects.toThrow(lmB.id);
    await expect(fg.interventions.source(lmA, saeA, saved, { samples: 3 })).rejects.toThrow('leave { samples } out');
    expect(() => fg.interventions.ablate(lmA, saeA, 5, { source: fromSaved })).toThrow('zero-ablation takes no values');
    // An empty prompt is a mistake, not the absence of one.
    await expect(fg.interventions.direction(lmA, hook, '3', { minus: '' })).rejects.toThrow('has no tokens');
  });
});

describe('in both models through a matched pair', () => {
  const map = {
    featuresA: 24,
    featuresB: 16,
    method: 'argmax',
    minFirings: 10,
    pairs: { a: Int32Array.of(7, 5, 5, 9), b: Int32Array.of(3, 11, 8, 8), r: Float32Array.of(0.2, 0.6, 0.7, 0.7) },
  } as FeatureMap;

  it('the pair of a feature is the one of highest r, from either side', () => {
    const { pairOf } = world.fg.interventions;
    expect(pairOf(map, 5)).toEqual({ a: 5, b: 8, r: Math.fround(0.7) });
    expect(pairOf(map, 8, { side: 'B' })).toEqual({ a: 5, b: 8, r: Math.fround(0.7) });
    expect(pairOf(map, 11, { side: 'B' })).toEqual({ a: 5, b: 11, r: Math.fround(0.6) });
    expect(() => pairOf(map, 4)).toThrow('feature 4 of side A is in no matched pair (argmax, at least 10 firings)');
    expect(() => pairOf(map, 24)).toThrow('outside side A of the map, which has features 0 to 23');
    expect(() => pairOf(map, 16, { side: 'B' })).toThrow('features 0 to 15');
  });

  it('each side is moved in units of its own feature', async () => {
    const { fg } = world;
    const a = { model: lmA, sae: saeA, activations: await fg.activations.save(lmA, saeA, data()) };
    const b = { model: lmB, sae: saeB, activations: await fg.activations.save(lmB, saeB, data()) };
    // Standard deviations and maxima by plain loops over the rows.
    const values = async (side: typeof a, feature: number): Promise<number[]> => {
      const out: number[] = [];
      for await (const { rows } of side.activations.shards())
        for (let i = 0; i < rows.rows; i++) {
          const at = rows.indices.subarray(rows.indptr[i], rows.indptr[i + 1]).indexOf(feature);
          out.push(at < 0 ? 0 : rows.values[rows.indptr[i] + at]);
        }
      return out;
    };
    for (const [side, feature, key] of [
      [a, 5, 'a'],
      [b, 8, 'b'],
    ] as const) {
      const x = await values(side, feature);
      const mean = x.reduce((s, w) => s + w, 0) / x.length;
      const std = Math.sqrt(x.reduce((s, w) => s + (w - mean) ** 2, 0) / x.length);
      const clamped = fg.interventions.bothModels(a, b, map, 5, { kind: 'clamp', amount: 2, positions: 'last' })[key];
      expect(clamped.parameters).toMatchObject({
        kind: 'clamp',
        features: [feature],
        sae: side.sae.id,
        positions: 'last',
      });
      expect(clamped.parameters.value).toBeCloseTo(2 * std, 6);
      const steered = fg.interventions.bothModels(
        a,
        b,
        map,
        { a: 5, b: 8, r: 1 },
        {
          kind: 'steer',
          amount: -1,
          units: 'max',
        },
      )[key];
      expect(steered.parameters.scale).toBeCloseTo(-Math.max(...x), 6);
      const raw = fg.interventions.bothModels(a, b, map, 8, { kind: 'clamp', amount: 3, units: 'raw', side: 'B' })[key];
      expect(raw.parameters).toMatchObject({ value: 3, features: [feature] });
      for (const kind of ['scale', 'ablate'] as const)
        expect(
          fg.interventions.bothModels(a, b, map, 5, { kind, ...(kind === 'scale' ? { amount: 2 } : {}) })[key]
            .parameters,
        ).toMatchObject({ kind, features: [feature] });
    }
    const both = fg.interventions.bothModels(a, b, map, 5, { kind: 'ablate' });
    expect(textOf(both)).toBe(`A: ${both.a.description}; B: ${both.b.description} (r 0.700)`);

    const { bothModels } = fg.interventions;
    expect(() => bothModels(a, b, map, { a: 0, b: 8, r: 0 }, { kind: 'clamp', amount: 1 })).toThrow(
      `feature 0 of ${saeA.name} never fires in 440 tokens: its std is no unit`,
    );
    expect(() => bothModels(b, a, map, 5, { kind: 'ablate' })).toThrow('side A of the map has 24 features');
    expect(() => bothModels(a, { ...b, activations: a.activations }, map, 5, { kind: 'ablate' })).toThrow(saeB.id);
    expect(() => bothModels(a, b, map, 5, { kind: 'clamp' })).toThrow('how much to clamp is not said; give { amount }');
    expect(() => bothModels(a, b, map, 5, { kind: 'ablate', amount: 1 })).toThrow('ablating has no amount');
    const real = await correlate(a.activations, b.activations);
    const { pair } = bothModels(a, b, real, real.pairs.a[0], { kind: 'ablate' });
    expect(pair.a).toBe(real.pairs.a[0]);
  });
});
