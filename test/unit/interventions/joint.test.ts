import { describe, expect, it } from 'vitest';
import { initDevice } from '#kernel/compute/device.js';
import { matrix } from '#kernel/compute/matrix.js';
import { tf } from '#kernel/compute/tf.js';
import type { Intervention } from '#kernel/interventions/intervention.js';
import { steer } from '#kernel/interventions/steer.js';
import { jointMap } from '#kernel/interventions/joint.js';
import { CONFIGS, modelOf, randomWeights, tokenSet } from '#test/kit/model.js';
import { normals } from '#test/kit/numbers.js';
import { tinySae } from '#test/kit/sae.js';

const config = CONFIGS['GPT-2'];
await initDevice({ device: 'cpu' });
const model = modelOf(config, randomWeights(config, 6));
const next = normals(14);
const random = (n: number): Float32Array => Float32Array.from({ length: n }, () => next());
const [early, late] = ['blocks.0.hook_mlp_out', 'blocks.1.hook_resid_post'];
const vector = random(config.dModel);
const push = steer(model, early, vector, { scale: 2 });

const tokens = tokenSet(6);

/** The same push, from position 5 on. */
const fromFive: Intervention = {
  ...push,
  edit: (x) => {
    const [before, rest] = tf.split(x, [5, x.shape[1]! - 5], 1);
    return tf.concat([before, rest.add(tf.tensor(vector).mul(2))], 1);
  },
};
const sae = tinySae(late, config.dModel, 30, { architecture: 'topk', k: 4 }, { next, scale: { b_enc: 1, b_dec: 1 } });

describe('a joint map', () => {
  it('draws the touched tokens alone, in one embedding: what is equal lies at one place', async () => {
    const map = await jointMap(model, [fromFive], tokens, { hook: late, nulls: 3 });
    expect(Array.from(map.token)).toEqual(Array.from({ length: 48 }, (_, i) => i).filter((i) => i % 8 >= 5));
    expect(map).toMatchObject({ touched: 18, untouched: 30, notDrawn: 0 });
    const all = await jointMap(model, [fromFive], tokens, { hook: late, nulls: 3, untouched: true });
    expect(all.token).toHaveLength(48);
    expect([map.withUntouched, all.withUntouched]).toEqual([false, true]);
    for (let i = 0; i < 48; i++) {
      const moved = Math.hypot(all.after[2 * i] - all.before[2 * i], all.after[2 * i + 1] - all.before[2 * i + 1]);
      if (i % 8 < 5) expect(moved).toBe(0);
      else expect(moved).toBeGreaterThan(0);
      expect(all.delta[i] > 0).toBe(i % 8 >= 5);
    }
  });

  it('of PCA keeps differences straight: along the two axes of the map no arrow is longer than its Δ', async () => {
    const map = await jointMap(model, [push], tokens, { hook: late, nulls: 2 });
    map.token.forEach((token, i) => {
      const arrow = Math.hypot(map.after[2 * i] - map.before[2 * i], map.after[2 * i + 1] - map.before[2 * i + 1]);
      expect(arrow).toBeLessThanOrEqual(map.delta[token] * (1 + 1e-4));
    });
  });

  it('at the edited hook itself the random direction is as large, and the intervention moves all one way', async () => {
    const map = await jointMap(model, [push], tokens, { hook: early, nulls: 4, seed: 2 });
    const norm = Math.hypot(...vector) * 2;
    map.delta.forEach((d, i) => {
      expect(d).toBeCloseTo(norm, 3);
      expect(map.nullDelta[i]).toBeCloseTo(norm, 3);
    });
    expect(map.shift.value).toBeCloseTo(norm, 3);
    for (const { mean } of map.shift.nulls) expect(mean).toBeCloseTo(norm, 3);
    expect(map.coherence.value).toBeCloseTo(1, 5);
    expect(map.shift.nulls).toMatchObject([
      { kind: 'isotropic', from: config.dModel, runs: 4, seed: 2 },
      { kind: 'differences', from: 48, runs: 4, seed: 2 },
    ]);
  });

  it('Δ norms and coherence agree with a direct computation, in features too', async () => {
    const read = (edits?: Intervention): Float32Array => {
      const { captured, logits } = model.forward(tokens.tokens, 6, {
        capture: [late],
        ...(edits ? { edits: new Map([[early, [edits.edit]]]) } : {}),
      });
      logits!.dispose();
      return captured.get(late)!.dataSync<'float32'>().slice();
    };
    const d = config.dModel;
    const dense = (x: Float32Array): number[][] => {
      const { indptr, indices, values } = sae.encode(matrix(48, d, x));
      return Array.from({ length: 48 }, (_, i) => {
        const row = Array<number>(30).fill(0);
        for (let e = indptr[i]; e < indptr[i + 1]; e++) row[indices[e]] = values[e];
        return row;
      });
    };
    const [a, b] = [dense(read()), dense(read(push))];
    const map = await jointMap(model, [push], tokens, { sae, nulls: 1 });
    const sum = Array<number>(30).fill(0);
    let norms = 0;
    for (let i = 0; i < 48; i++) {
      const delta = a[i].map((v, f) => b[i][f] - v);
      delta.forEach((v, f) => (sum[f] += v));
      norms += Math.hypot(...delta);
      expect(map.delta[i]).toBeCloseTo(Math.hypot(...delta), 3);
    }
    expect(map.coherence.value).toBeCloseTo(Math.hypot(...sum) / norms, 4);
    expect(map.sae).toBe(sae.name);
  });

  it('is the same for the same seed, and draws a sample by it', async () => {
    for (const method of ['pca', 'umap'] as const) {
      const options = {
        hook: late,
        nulls: 2,
        method,
        points: 15,
        seed: 4,
        ...(method === 'umap' ? { nNeighbors: 5 } : {}),
      };
      const map = await jointMap(model, [push], tokens, options);
      expect(await jointMap(model, [push], tokens, options)).toEqual(map);
      expect(map.token).toHaveLength(15);
      expect(map.notDrawn).toBe(33);
      for (const side of [map.before, map.after, map.nullAfter]) {
        expect(side).toHaveLength(30);
        expect(side.every(Number.isFinite)).toBe(true);
      }
      const other = await jointMap(model, [push], tokens, { ...options, seed: 5 });
      expect(other.token).not.toEqual(map.token);
    }
  });

  it('refuses what cannot be drawn', async () => {
    const behind = steer(model, 'blocks.1.hook_mlp_out', vector, { scale: 1 });
    await expect(jointMap(model, [behind], tokens, { hook: early })).rejects.toThrow('Do they act before this hook');
    await expect(jointMap(model, [push], tokens, {})).rejects.toThrow('needs { hook }');
    await expect(jointMap(model, [push], tokens, { hook: late, minDist: 0 })).rejects.toThrow("minDist is UMAP's");
    await expect(jointMap(model, [push], tokens, { hook: 'blocks.0.attn.hook_pattern' })).rejects.toThrow('pair of');
    await expect(jointMap(model, [push], tokens, { sae, hook: 'blocks.0.mlp.hook_post' })).rejects.toThrow('width 15');
  });
});
