import { describe, expect, it } from 'vitest';
import { initDevice } from '#kernel/compute/device.js';
import { row } from '#kernel/compute/matrix.js';
import { ablate, clamp, scale } from '#kernel/interventions/clamp.js';
import { editsOf, type Intervention } from '#kernel/interventions/intervention.js';
import { patch, patchFeatures } from '#kernel/interventions/patch.js';
import { run } from '#kernel/interventions/run.js';
import { featureSource } from '#kernel/interventions/source.js';
import { capProjection, project, steer, steerFeature } from '#kernel/interventions/steer.js';
import type { Sae } from '#kernel/sae/types.js';
import { CONFIGS, modelOf, randomWeights, referenceSettings, tokenizer } from '#test/kit/model.js';
import { normals } from '#test/kit/numbers.js';
import { referenceForward } from '#test/kit/referenceModel.js';
import { decodeRow, encodeRow, withFeatures } from '#test/kit/referenceSae.js';
import { SAE_KINDS, tinySae } from '#test/kit/sae.js';

await initDevice({ device: 'cpu' });
const ids = Int32Array.of(3, 17, 5, 22, 9, 30, 1);
const other = Int32Array.of(8, 2, 33, 17, 4, 11, 25);
const next = normals(77);
const vector = (n: number): Float32Array => Float32Array.from({ length: n }, () => next());

/** Rows at a hook, changed row by row: what the row at position t becomes, from the row and from the source's rows. */
type Change = (x: Float64Array, t: number, source: Float64Array[]) => ArrayLike<number>;

/**
 * Model and reference with the same change at a hook of one model: the activation at the hook and the logits agree, so the
 * change is what the definition says, and it reaches what the model computes from it.
 */
async function agree(
  name: string,
  hook: string,
  intervention: (model: ReturnType<typeof modelOf>) => Intervention,
  change: Change,
  positions?: readonly number[],
): Promise<void> {
  const config = CONFIGS[name];
  const weights = randomWeights(config, 8);
  const model = modelOf(config, weights);
  const settings = referenceSettings(config);
  const clean = referenceForward(settings, weights, [...other]).get(hook)!;
  const width = clean.length / other.length;
  const source = Array.from(other, (_, t) => clean.slice(t * width, (t + 1) * width));
  const expected = referenceForward(settings, weights, [...ids], {
    [hook]: (x) => {
      const rows = Array.from(ids, (_, t) => x.slice(t * width, (t + 1) * width));
      rows.forEach((r, t) => {
        if (!positions || positions.includes(t)) x.set(Array.from(change(r, t, source)), t * width);
      });
    },
  });
  const made = intervention(model);
  const got = await run(model, [made], ids, { capture: [hook] });
  const near = (a: Float32Array, b: Float64Array): number => {
    const size = Math.sqrt(b.reduce((s, v) => s + v * v, 0) / b.length);
    return Math.max(...a.map((v, i) => Math.abs(v - b[i]))) / size;
  };
  expect(near(got.captured[hook].data, expected.get(hook)!)).toBeLessThan(2e-5);
  expect(near(got.logits.data, expected.get('logits')!)).toBeLessThan(1e-4);
  model.dispose();
}

const MODELS = ['GPT-2', 'GPT-NeoX'];
const hook = 'blocks.0.hook_mlp_out';
const saeOf = (kind: string, at = hook, d = 15): Sae => tinySae(at, d, 24, SAE_KINDS[kind]);

describe.each(MODELS)('%s against the float64 reference', (name) => {
  it.each(Object.keys(SAE_KINDS))('clamps, scales and ablates features of an SAE that is %s', async (kind) => {
    const sae = saeOf(kind);
    for (const errorTerm of ['keep', 'drop'] as const) {
      const set = (f: number[], wanted: (v: number, i: number) => number, which: number[]): number[] =>
        f.map((v, i) => (which.includes(i) ? wanted(v, i) : v));
      await agree(
        name,
        hook,
        (model) => clamp(model, sae, [2, 7], { value: 1.5, errorTerm }),
        (x) => withFeatures(sae, x, (f) => set(f, () => 1.5, [2, 7]), errorTerm),
      );
      await agree(
        name,
        hook,
        (model) => scale(model, sae, [0, 3, 4, 9, 11], { by: -2, errorTerm, positions: [1, -1] }),
        (x) => withFeatures(sae, x, (f) => set(f, (v) => -2 * v, [0, 3, 4, 9, 11]), errorTerm),
        [1, 6],
      );
      await agree(
        name,
        hook,
        (model) => ablate(model, sae, 'all', { errorTerm, positions: 'last' }),
        (x) => withFeatures(sae, x, (f) => f.map(() => 0), errorTerm),
        [6],
      );
    }
  });

  it('adds directions, at their own length, at length 1 and at the length of the activation', async () => {
    const v = vector(15);
    const norm = Math.hypot(...v);
    const along = (x: Float64Array, by: number): Float64Array => x.map((value, j) => value + by * v[j]);
    const at = 'blocks.1.hook_resid_pre';
    await agree(
      name,
      at,
      (m) => steer(m, at, v, { scale: -1.5 }),
      (x) => along(x, -1.5),
    );
    await agree(
      name,
      at,
      (m) => steer(m, at, v, { scale: 2, normalize: 'unit' }),
      (x) => along(x, 2 / norm),
    );
    await agree(
      name,
      at,
      (m) => steer(m, at, v, { scale: 0.5, normalize: 'residual' }),
      (x) => along(x, (0.5 * Math.hypot(...x)) / norm),
    );
  });

  it('steers on top of the reconstruction where the error term is dropped', async () => {
    for (const kind of ['standard', 'topk, rescaled, layer_norm']) {
      const sae = saeOf(kind);
      await agree(
        name,
        hook,
        (m) => steerFeature(m, sae, 5, { scale: 3, errorTerm: 'drop' }),
        (x) => {
          const { f, scale: s, shift } = encodeRow(sae, x);
          return decodeRow(sae, f, s, shift).map((v, j) => v + 3 * row(sae.W_dec, 5)[j]);
        },
      );
    }
  });

  it('takes a direction out, or caps it, with and without the error term', async () => {
    const v = vector(15);
    const norm = Math.hypot(...v);
    const u = Array.from(v, (x) => x / norm);
    const sae = saeOf('standard');
    const base = (x: Float64Array, drop: boolean): ArrayLike<number> =>
      drop ? withFeatures(sae, x, (f) => f, 'drop') : x;
    const set = (x: ArrayLike<number>, wanted: (c: number) => number): number[] => {
      const c = u.reduce((s, value, j) => s + value * x[j], 0);
      return u.map((value, j) => x[j] + (wanted(c) - c) * value);
    };
    for (const errorTerm of ['keep', 'drop'] as const) {
      const drop = errorTerm === 'drop';
      await agree(
        name,
        hook,
        (m) => project(m, hook, v, { errorTerm, sae }),
        (x) => set(base(x, drop), () => 0),
      );
      await agree(
        name,
        hook,
        (m) => capProjection(m, hook, v, { cap: 0.2, errorTerm, sae }),
        (x) => set(base(x, drop), (c) => Math.min(c, 0.2)),
      );
    }
  });

  it('patches activations and features from another prompt and from other positions', async () => {
    await agree(
      name,
      hook,
      (m) => patch(m, hook, { prompt: other }),
      (_, t, source) => source[t],
    );
    await agree(
      name,
      hook,
      (m) => patch(m, hook, { prompt: [...other].join(' '), positions: [1, 4], from: -1 }),
      (_, _t, source) => source[6],
      [1, 4],
    );
    await agree(
      name,
      hook,
      (m) => patch(m, hook, { prompt: other, positions: { token: 17 } }),
      (_, _t, source) => source[3],
      [1],
    );
    for (const kind of Object.keys(SAE_KINDS)) {
      const sae = saeOf(kind);
      await agree(
        name,
        hook,
        (m) => patchFeatures(m, sae, [1, 6, 8, 20], { prompt: other, positions: [2, 3], from: [5, 0] }),
        (x, t, source) => {
          const taken = encodeRow(sae, source[t === 2 ? 5 : 0]).f;
          return withFeatures(sae, x, (f) => f.map((v, i) => ([1, 6, 8, 20].includes(i) ? taken[i] : v)));
        },
        [2, 3],
      );
    }
    const sae = saeOf('topk');
    await agree(
      name,
      hook,
      (m) => patch(m, hook, { prompt: other, errorTerm: 'drop', sae }),
      (_, t, source) => withFeatures(sae, source[t], (f) => f, 'drop'),
    );
  });
});

describe('hooks with heads and of the MLP', () => {
  it('take rows of all heads together', async () => {
    for (const [at, d] of [
      ['blocks.1.attn.hook_z', 15],
      ['blocks.0.attn.hook_q', 15],
      ['blocks.0.mlp.hook_post', 23],
      ['ln_final.hook_normalized', 15],
      ['blocks.0.ln1.hook_scale', 1],
    ] as const) {
      const v = vector(d);
      await agree(
        'GPT-2',
        at,
        (m) => steer(m, at, v, { scale: 2, positions: 3 }),
        (x) => x.map((w, j) => w + 2 * v[j]),
        [3],
      );
      if (d === 1) continue;
      const sae = saeOf('topk', at, d);
      await agree(
        'GPT-2',
        at,
        (m) => clamp(m, sae, 3, { value: 2 }),
        (x) => withFeatures(sae, x, (f) => f.map((value, i) => (i === 3 ? 2 : value))),
      );
    }
  });
});

describe('patching from the same text', () => {
  it('reads the other position as earlier interventions left it', async () => {
    const config = CONFIGS['GPT-2'];
    const model = modelOf(config, randomWeights(config, 8));
    const v = vector(15);
    const clean = (await run(model, [], ids, { capture: [hook] })).captured[hook];
    const both = await run(
      model,
      [steer(model, hook, v, { scale: 1, positions: 2 }), patch(model, hook, { from: 2, positions: [4, 5] })],
      ids,
      { capture: [hook] },
    );
    const after = both.captured[hook];
    for (const t of [4, 5]) expect(row(after, t)).toEqual(row(after, 2));
    row(after, 2).forEach((x, j) => expect(x).toBeCloseTo(row(clean, 2)[j] + v[j], 5));
    for (const t of [0, 1, 3, 6]) expect(row(after, t)).toEqual(row(clean, t));
  });
});

describe('mean and resample', () => {
  const config = CONFIGS['GPT-2'];
  const model = modelOf(config, randomWeights(config, 8));
  const tokens = Int32Array.from({ length: 5 * 7 }, (_, i) => (11 * i * i + 3 * i) % 37);
  const set = { id: 'five', tokens, sequences: 5, context: 7, tokenizer, source: {} };

  it('take the mean, or whole rows, of the activations of other tokens', async () => {
    for (const kind of ['standard', 'topk, rescaled']) {
      const sae = saeOf(kind);
      const source = await featureSource(model, sae, set);
      const weights = randomWeights(config, 8);
      const rows: number[][] = [];
      for (let s = 0; s < 5; s++) {
        const x = referenceForward(referenceSettings(config), weights, [...tokens.subarray(7 * s, 7 * s + 7)]).get(
          hook,
        )!;
        for (let t = 0; t < 7; t++) rows.push(encodeRow(sae, x.slice(15 * t, 15 * t + 15)).f);
      }
      const chosen = [0, 4, 5, 13];
      const mean = (i: number): number => rows.reduce((sum, f) => sum + f[i], 0) / rows.length;
      await agree(
        'GPT-2',
        hook,
        (m) => {
          expect(m.id).toBe(model.id);
          return ablate(m, sae, chosen, { method: 'mean', source });
        },
        (x) => withFeatures(sae, x, (f) => f.map((v, i) => (chosen.includes(i) ? mean(i) : v))),
      );
      const got = await run(model, [ablate(model, sae, chosen, { method: 'resample', source, seed: 5 })], ids, {
        capture: [hook],
      });
      const clean = (await run(model, [], ids, { capture: [hook] })).captured[hook];
      const taken = Array.from(ids, (_, t) => {
        const fits = rows.findIndex((donor) => {
          const expected = withFeatures(sae, row(clean, t), (f) =>
            f.map((v, i) => (chosen.includes(i) ? donor[i] : v)),
          );
          return row(got.captured[hook], t).every((v, j) => Math.abs(v - expected[j]) < 1e-4);
        });
        expect(fits).toBeGreaterThanOrEqual(0);
        return fits;
      });
      expect(new Set(taken).size).toBeGreaterThan(2);
    }
  });

  it('draw by seed, sequence and position: the same however many sequences run at once, and never themselves', async () => {
    const sae = saeOf('standard');
    const source = await featureSource(model, sae, set);
    const edited = (batch: number, first: number, seed: number): Float32Array => {
      const { captured, logits } = model.forward(tokens.slice(7 * first, 7 * (first + batch)), batch, {
        capture: [hook],
        edits: editsOf([ablate(model, sae, 'all', { method: 'resample', source, seed })]),
        sequence: first,
      });
      const values = captured.get(hook)!.dataSync<'float32'>().slice();
      [...captured.values(), logits!].forEach((t) => t.dispose());
      return values;
    };
    const all = edited(5, 0, 1);
    const apart = [edited(2, 0, 1), edited(3, 2, 1)].flatMap((x) => [...x]);
    all.forEach((v, i) => expect(v).toBeCloseTo(apart[i], 4));
    expect(edited(5, 0, 2)).not.toEqual(all);
    const clean = model
      .forward(tokens, 5, { capture: [hook], stopAt: hook })
      .captured.get(hook)!
      .dataSync<'float32'>();
    for (let r = 0; r < 35; r++) expect(all.slice(15 * r, 15 * r + 15)).not.toEqual(clean.slice(15 * r, 15 * r + 15));
  });
});
