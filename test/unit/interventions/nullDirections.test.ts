/** What an effect is held against: nulls that a meaningless direction passes no more often than chance lets it. */
import { describe, expect, it } from 'vitest';
import { captureActivations } from '#kernel/models/capture.js';
import { initDevice } from '#kernel/compute/device.js';
import { matrix, row, type Matrix } from '#kernel/compute/matrix.js';
import { Random } from '#kernel/compute/random.js';
import { ablate, clamp } from '#kernel/interventions/clamp.js';
import type { Intervention } from '#kernel/interventions/intervention.js';
import { logitEffects } from '#kernel/interventions/logitEffects.js';
import { nullDirections } from '#kernel/interventions/nullDirections.js';
import type { NullKind } from '#kernel/interventions/options.js';
import { steer, steerFeature } from '#kernel/interventions/steer.js';
import type { TokenSet } from '#kernel/models/types.js';
import { createSae } from '#kernel/sae/sae.js';
import { CONFIGS, modelOf, randomWeights, tokenizer } from '#test/kit/model.js';
import { normals } from '#test/kit/numbers.js';
import { saeOf } from '#test/kit/sae.js';

const config = CONFIGS['GPT-Neo'];
await initDevice({ device: 'cpu' });
const weights = randomWeights(config, 6);
const model = modelOf(config, weights);
const hook = 'blocks.0.hook_mlp_out';
const next = normals(9);
const d = config.dModel;
const sae = saeOf(
  {
    W_enc: matrix(
      d,
      60,
      Float32Array.from({ length: 60 * d }, () => next()),
    ),
    b_enc: new Float32Array(60),
    W_dec: matrix(
      60,
      d,
      Float32Array.from({ length: 60 * d }, (_, i) => (i < 2 * d ? 0 : next())),
    ),
    b_dec: new Float32Array(d),
  },
  { architecture: 'topk', k: 4, applyBDecToInput: false, hookName: hook },
);

function tokenSet(sequences: number, context = 8): TokenSet {
  const tokens = Int32Array.from({ length: sequences * context }, (_, i) => (i * i + 5 * (i % 7)) % config.vocab);
  return { id: 'tokens', tokens, sequences, context, tokenizer, source: {} };
}
const tokens = tokenSet(3);

async function rowsAt(at: string): Promise<Matrix> {
  for await (const { x } of captureActivations(model, tokens, at, {})) return x;
  throw new Error('no activations');
}

/** p of a chosen token's Δ probability under one kind of null, of many meaningless interventions. */
async function pValues(trials: number, nullKinds: NullKind, made: (random: Random) => Intervention): Promise<number[]> {
  const random = new Random(77).fork('trials');
  const p: number[] = [];
  for (let trial = 0; trial < trials; trial++) {
    const options = { tokens: [random.int(config.vocab)], nulls: 19, nullKinds, seed: trial };
    const { chosen } = await logitEffects(model, [made(random)], tokens, options);
    p.push(chosen!.nulls[0].p);
  }
  return p;
}

/** Largest distance of the empirical distribution of p from that of a uniform p on 1/20, 2/20, … 1. */
function distanceFromUniform(p: readonly number[]): number {
  let most = 0;
  for (let k = 1; k <= 20; k++)
    most = Math.max(most, Math.abs(p.filter((v) => v <= k / 20 + 1e-9).length / p.length - k / 20));
  return most;
}

const TRIALS = 120;
/** Kolmogorov's bound at 0.1 %: 1.95/√n. */
const BOUND = 1.95 / Math.sqrt(TRIALS);

describe('a direction that means nothing', () => {
  it("has a uniform p beside differences of activations, where it is the difference of two tokens' activations", async () => {
    const rows = await rowsAt(hook);
    const meaningless = (random: Random): Intervention => {
      const [i, j] = random.permutation(rows.rows);
      return steer(model, hook, row(rows, i).map((v, k) => v - row(rows, j)[k]), { scale: 3, normalize: 'unit' }); // prettier-ignore
    };
    const p = await pValues(TRIALS, 'differences', meaningless);
    expect(distanceFromUniform(p)).toBeLessThan(BOUND);
    expect(p.filter((v) => v <= 0.05).length / TRIALS).toBeLessThan(0.125);
  });

  it('has a uniform p beside other decoder rows, where it is a decoder row', async () => {
    const p = await pValues(TRIALS, 'decoder', (random) =>
      steerFeature(model, sae, 2 + random.int(58), { scale: 0.5 }),
    );
    expect(distanceFromUniform(p)).toBeLessThan(BOUND);
  });
});

describe('a direction that does something', () => {
  it('is found beside every kind: the row of the unembedding that raises the token', async () => {
    const late = 'blocks.1.hook_resid_post';
    const at = createSae({ ...sae.config, hookName: late }, {
      W_enc: sae.W_enc,
      b_enc: sae.b_enc,
      b_dec: sae.b_dec,
      W_dec: matrix(60, d, sae.W_dec.data.slice()),
    }); // prettier-ignore
    const token = 11;
    const toward = new Float32Array(d);
    // What raises the logit most, before the last normalisation: by differences in float64 of the model itself.
    const probe = async (j: number): Promise<number> => {
      const v = new Float32Array(d);
      v[j] = 1;
      const { tokens: moved } = await logitEffects(model, [steer(model, late, v, { scale: 0.01 })], tokens, { tokens: [token], nulls: 0 }); // prettier-ignore
      return moved[0].deltaLogit;
    };
    for (let j = 0; j < d; j++) toward[j] = await probe(j);
    row(at.W_dec, 5).set(toward.map((v) => v / Math.hypot(...toward)));
    const push = steerFeature(model, at, 5, { scale: 3 });
    const { chosen } = await logitEffects(model, [push], tokens, { tokens: [token], nulls: 39 });
    expect(chosen!.value).toBeGreaterThan(0);
    expect(chosen!.nulls.map(({ kind, p }) => [kind, p])).toEqual([
      ['isotropic', 1 / 40],
      ['differences', 1 / 40],
      ['decoder', 1 / 40],
    ]);
  });
});

describe('kinds of nulls', () => {
  it('are all that there are by default: decoder rows for features of one SAE at a hook, without its own and dead rows', async () => {
    const kinds = async (list: Intervention[], data = [tokens]): Promise<Array<[NullKind, number]>> =>
      (await nullDirections(model, list, data, { nulls: 2 })).nulls.map(({ kind, from }) => [kind, from]);
    const vector = steer(model, hook, row(sae.W_dec, 9), { scale: 1 });
    expect(await kinds([vector])).toEqual([['isotropic', d], ['differences', 24]]); // prettier-ignore
    for (const [own, left] of [
      [steerFeature(model, sae, 3, { scale: 1 }), 57],
      [clamp(model, sae, [3, 4, 5], { value: 1 }), 55],
      [ablate(model, sae, 1), 58],
    ] as const)
      expect(await kinds([own])).toEqual([['isotropic', d], ['differences', 24], ['decoder', left]]); // prettier-ignore
    expect((await kinds([ablate(model, sae, 'all')])).map(([kind]) => kind)).toEqual(['isotropic', 'differences']);
    expect((await kinds([vector, ablate(model, sae, 3)])).map(([kind]) => kind)).toEqual(['isotropic', 'differences']);
    // One token has no difference.
    expect(await kinds([vector], [tokenSet(1, 1)])).toEqual([['isotropic', d]]);
    expect(await kinds([])).toEqual([]);
  });

  it('are refused by name where they cannot be drawn', async () => {
    const run = (list: Intervention[], nullKinds: NullKind | NullKind[], data = [tokens]) =>
      nullDirections(model, list, data, { nulls: 2, nullKinds });
    const vector = steer(model, hook, row(sae.W_dec, 9), { scale: 1 });
    await expect(run([vector], 'decoder')).rejects.toThrow(
      `nullKinds 'decoder' needs interventions that change features of one SAE at ${hook}`,
    );
    await expect(run([vector], ['differences'], [tokenSet(1, 1)])).rejects.toThrow('give longer or more texts');
  });

  it('are the same for the same seed', async () => {
    const run = () => logitEffects(model, [ablate(model, sae, 7)], tokens, { nulls: 3, seed: 4 });
    const first = await run();
    expect(first.kl.nulls).toHaveLength(3);
    expect((await run()).kl).toEqual(first.kl);
  });
});
