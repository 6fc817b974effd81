import { describe, expect, it } from 'vitest';
import { initDevice } from '#kernel/compute/device.js';
import { matrix, row } from '#kernel/compute/matrix.js';
import { tf } from '#kernel/compute/tf.js';
import type { FeatureMap } from '#kernel/correlation/types.js';
import { transfer } from '#kernel/interventions/transfer.js';
import type { Sae } from '#kernel/sae/types.js';
import { CONFIGS, modelOf, randomWeights, tokenSet } from '#test/kit/model.js';
import { normals } from '#test/kit/numbers.js';
import { saeOf } from '#test/kit/sae.js';

await initDevice({ device: 'cpu' });
const config = CONFIGS['GPT-2'];
const model = modelOf(config, randomWeights(config, 8));
const next = normals(51);
const random = (n: number, scale = 1): Float32Array => Float32Array.from({ length: n }, () => scale * next());
const d = config.dModel;
const dSae = 24;
const [early, late] = ['blocks.0.hook_mlp_out', 'blocks.1.hook_resid_post'];

/** An SAE of random weights; `order` renames the features of another. */
function saeAt(hookName: string, of?: Sae, order?: number[]): Sae {
  const from = of ?? {
    W_enc: matrix(d, dSae, random(d * dSae)),
    b_enc: random(dSae),
    W_dec: matrix(dSae, d, random(dSae * d)),
    b_dec: random(d),
  };
  const at = order ?? Array.from({ length: dSae }, (_, f) => f);
  return saeOf(
    {
      W_enc: matrix(
        d,
        dSae,
        Float32Array.from({ length: d * dSae }, (_, e) => row(from.W_enc, Math.floor(e / dSae))[at[e % dSae]]),
      ),
      b_enc: Float32Array.from(at, (f) => from.b_enc[f]),
      W_dec: matrix(
        dSae,
        d,
        Float32Array.from({ length: d * dSae }, (_, e) => row(from.W_dec, at[Math.floor(e / d)])[e % d]),
      ),
      b_dec: from.b_dec,
    },
    { hookName },
  );
}

function mapOf(a: number[], b: number[]): FeatureMap {
  const none = { i: new Int32Array(dSae).fill(-1), r: new Float32Array(dSae).fill(NaN) };
  return {
    id: 'map',
    tokens: 1,
    featuresA: dSae,
    featuresB: dSae,
    counterparts: 1,
    bestAofB: none.i,
    rAofB: none.r,
    bestBofA: none.i,
    rBofA: none.r,
    pairs: { a: Int32Array.from(a), b: Int32Array.from(b), r: Float32Array.from(a, (_, i) => 1 - i / 100) },
    method: 'by hand',
    minFirings: 1,
  };
}

const tokens = tokenSet(5);
const all = Array.from({ length: dSae }, (_, f) => f);
/** Feature f of the twin is feature order[f] of the first. */
const order = all.map((f) => (5 * f + 3) % dSae);
const inverse = all.map((f) => order.indexOf(f));

describe('transfer of an ablation', () => {
  it('between an SAE and itself with renamed features is complete, and far above shuffled pairs', async () => {
    const sae = saeAt(early);
    const twin = saeAt(early, sae, order);
    const result = await transfer({ model, sae }, { model, sae: twin }, mapOf(all, inverse), tokens, {
      pairs: 12,
      nulls: 199,
      seed: 3,
    });
    expect(result.pairs.length).toBeGreaterThan(6);
    for (const pair of result.pairs) {
      expect(pair.similarity).toBeCloseTo(1, 5);
      expect(pair.others).toBeLessThan(0.9);
      expect(pair.b).toBe(inverse[pair.a]);
    }
    expect(result.score).toBeCloseTo(1, 5);
    expect(result.p).toBe(1 / 200);
    expect(result.null).toMatchObject({ kind: 'shuffled pairs', runs: 199 });
    expect(result.null.mean).toBeLessThan(0.8);
    expect(result.watched).toBe('same hook');
    expect(result.warnings[0]).toContain('encoder and decoder rows overlap');
    const again = { pairs: 12, nulls: 199, seed: 3 };
    expect(await transfer({ model, sae }, { model, sae: twin }, mapOf(all, inverse), tokens, again)).toEqual(result);
  });

  it('with counterparts that are none is no better than the shuffled ones', async () => {
    const sae = saeAt(early);
    const twin = saeAt(early, sae, order);
    // Wrong by one: every feature is matched with the counterpart of its neighbour.
    const wrong = all.map((f) => inverse[(f + 1) % dSae]);
    const result = await transfer({ model, sae }, { model, sae: twin }, mapOf(all, wrong), tokens, { nulls: 199 });
    expect(result.p).toBeGreaterThan(0.02);
    expect(result.score).toBeLessThan(0.6);
  });

  it('watches SAEs downstream through the model: against dense Δ from one forward pass each', async () => {
    const sae = saeAt(early);
    const watch = saeAt(late);
    const [twin, twinWatch] = [saeAt(early), saeAt(late)];
    const [map, watchMap] = [mapOf(all, all), mapOf([1, 4, 7, 9, 12, 20], [3, 5, 7, 10, 2, 21])];
    const result = await transfer({ model, sae, watch }, { model, sae: twin, watch: twinWatch }, map, tokens, {
      watchMap,
      pairs: 3,
      nulls: 9,
    });
    const dense = (s: Sae, x: Float32Array): number[][] => {
      const { indptr, indices, values } = s.encode(matrix(x.length / d, d, x));
      return Array.from({ length: x.length / d }, (_, i) => {
        const out = Array<number>(dSae).fill(0);
        for (let e = indptr[i]; e < indptr[i + 1]; e++) out[indices[e]] = values[e];
        return out;
      });
    };
    const read = (hook: string, edit?: (x: tf.Tensor) => tf.Tensor): Float32Array => {
      const edits = edit && new Map([[early, [edit]]]);
      const { captured, logits } = model.forward(tokens.tokens, 5, { capture: [hook], edits });
      logits!.dispose();
      return captured.get(hook)!.dataSync<'float32'>().slice();
    };
    const vector = (s: Sae, w: Sae, feature: number, at: Int32Array): number[] => {
      const x = read(early);
      const features = dense(s, x);
      const without = x.map((v, e) => v - features[Math.floor(e / d)][feature] * row(s.W_dec, feature)[e % d]);
      const before = dense(w, read(late));
      const after = dense(
        w,
        read(late, (t) => tf.tensor(without, t.shape)),
      );
      return Array.from(at, (f) => {
        const values = before.map((r) => r[f]);
        const mean = values.reduce((a, b) => a + b, 0) / values.length;
        const std = Math.sqrt(values.reduce((a, b) => a + (b - mean) ** 2, 0) / values.length);
        const delta = after.reduce((sum, r, i) => sum + r[f] - before[i][f], 0) / values.length;
        return std > 0 ? delta / std : 0;
      });
    };
    for (const { a, b, similarity } of result.pairs) {
      const u = vector(sae, watch, a, watchMap.pairs.a);
      const v = vector(twin, twinWatch, b, watchMap.pairs.b);
      const dot = u.reduce((sum, x, k) => sum + x * v[k], 0);
      expect(similarity).toBeCloseTo(dot / (Math.hypot(...u) * Math.hypot(...v)), 3);
    }
    expect(result.coordinates).toBe(6);
    expect(result).toMatchObject({ watched: 'downstream', warnings: [], choose: 'highest-r' });
    const ranks = await transfer({ model, sae, watch }, { model, sae: twin, watch: twinWatch }, map, tokens, {
      ...{ watchMap, pairs: 3, nulls: 9 },
      measure: 'spearman',
    });
    expect(ranks.measure).toBe('spearman');
    expect(ranks.pairs[0].similarity).not.toBe(result.pairs[0].similarity);
  });

  it('leaves the ablated pair out of the vectors also where the same SAE is named as the one that is watched', async () => {
    const [sae, twin] = [saeAt(early), saeAt(early)];
    const map = mapOf(all, inverse);
    const bare = await transfer({ model, sae }, { model, sae: twin }, map, tokens, { pairs: 5, nulls: 9 });
    const named = await transfer({ model, sae, watch: sae }, { model, sae: twin, watch: twin }, map, tokens, {
      ...{ watchMap: { ...map }, pairs: 5, nulls: 9 },
    });
    expect(named).toEqual(bare);
  });

  it('takes pairs at random by the seed instead', async () => {
    const [sae, twin] = [saeAt(early), saeAt(early)];
    const drawn = async (seed: number): Promise<number[]> => {
      const options = { pairs: 6, nulls: 9, choose: 'random', seed } as const;
      const { pairs, choose } = await transfer({ model, sae }, { model, sae: twin }, mapOf(all, all), tokens, options);
      expect(choose).toBe('random');
      return pairs.map((p) => p.a);
    };
    const first = await drawn(1);
    expect(await drawn(1)).toEqual(first);
    expect(await drawn(2)).not.toEqual(first);
    expect([...first].sort((a, b) => a - b)).not.toEqual(first);
  });

  it('refuses maps of other SAEs, hooks in the wrong order, and too few pairs', async () => {
    const [sae, watch] = [saeAt(early), saeAt(late)];
    const side = { model, sae };
    const map = mapOf(all, all);
    await expect(transfer(side, side, { ...map, featuresA: 7 }, tokens)).rejects.toThrow('7 features on side A');
    await expect(transfer({ ...side, watch }, side, map, tokens)).rejects.toThrow('{ watchMap }');
    const reversed = { model, sae: watch, watch: sae };
    await expect(transfer(reversed, reversed, map, tokens, { watchMap: map })).rejects.toThrow('runs before');
    await expect(transfer(side, side, mapOf([], []), tokens)).rejects.toThrow('needs at least 2');
  });
});
