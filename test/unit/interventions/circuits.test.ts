import { describe, expect, it } from 'vitest';
import { initDevice } from '#kernel/compute/device.js';
import { matrix, row } from '#kernel/compute/matrix.js';
import { tf } from '#kernel/compute/tf.js';
import { circuit } from '#kernel/interventions/circuits.js';
import { spearman } from '#kernel/compute/statistics.js';
import type { Sae, SaeConfig } from '#kernel/sae/types.js';
import { CONFIGS, modelOf, randomWeights, referenceSettings } from '#test/kit/model.js';
import { normals } from '#test/kit/numbers.js';
import { referenceForward } from '#test/kit/referenceModel.js';
import { tinySae } from '#test/kit/sae.js';

await initDevice({ device: 'cpu' });
const name = 'GPT-2';
const config = CONFIGS[name];
const weights = randomWeights(config, 8);
const model = modelOf(config, weights);
const next = normals(33);
const d = config.dModel;
const dSae = 32;
const ids = [3, 17, 5, 22, 9, 30];

function saeOf(hookName: string, more: Partial<SaeConfig> = {}): Sae {
  const scale = { b_enc: 1, W_dec: 0.15, b_dec: 0.2 };
  return tinySae(hookName, d, dSae, { architecture: 'topk', k: 6, ...more }, { next, scale });
}
const [upHook, downHook] = ['blocks.0.hook_mlp_out', 'blocks.1.hook_resid_post'];
const up = saeOf(upHook);
const down = saeOf(downHook);

/** The downstream activation at a position in float64, with the upstream hook changed. */
function downstream(edit: (x: Float64Array) => void, position: number): Float64Array {
  const out = referenceForward(referenceSettings(config), weights, ids, { [upHook]: edit });
  return out.get(downHook)!.subarray(position * d, (position + 1) * d);
}

/** What an upstream feature writes at each position. */
function contribution(feature: number): Float64Array {
  const x = referenceForward(referenceSettings(config), weights, ids).get(upHook)!;
  const { indptr, indices, values } = up.encode(matrix(ids.length, d, Float32Array.from(x)));
  const out = new Float64Array(ids.length * d);
  for (let i = 0; i < ids.length; i++)
    for (let e = indptr[i]; e < indptr[i + 1]; e++)
      if (indices[e] === feature) for (let j = 0; j < d; j++) out[i * d + j] = values[e] * row(up.W_dec, feature)[j];
  return out;
}

describe('a circuit of two layers', () => {
  for (const position of [-1, 3])
    it(`verifies edges by true ablation and attributes them by the slope, at position ${position}`, async () => {
      const result = await circuit(model, up, down, ids.join(' '), { position, targets: 4, sources: 5 });
      const at = position < 0 ? ids.length + position : position;
      expect(result.edges).toHaveLength(20);
      const nothing = (): void => undefined;
      const clean = down.encode(matrix(1, d, Float32Array.from(downstream(nothing, at))));
      const activation = (x: Float64Array, f: number): number => {
        const { indices, values } = down.encode(matrix(1, d, Float32Array.from(x)));
        return values[indices.indexOf(f as never)] ?? 0;
      };
      const strongest = [...clean.indices.keys()].sort((i, j) => clean.values[j] - clean.values[i]);
      expect(result.downstream.nodes.map((n) => n.feature)).toEqual(strongest.slice(0, 4).map((i) => clean.indices[i]));
      const pre = (x: Float64Array, f: number): number => {
        let sum = down.b_enc[f];
        for (let j = 0; j < d; j++) sum += (x[j] - down.b_dec[j]) * row(down.W_enc, j)[f];
        return sum;
      };
      for (const { source, target, attribution, verified } of result.edges) {
        const part = contribution(source);
        const by = (share: number) => downstream((x) => x.forEach((_, i) => (x[i] += share * part[i])), at);
        expect(verified).toBeCloseTo(activation(downstream(nothing, at), target) - activation(by(-1), target), 3);
        const slope = (pre(by(1e-4), target) - pre(by(-1e-4), target)) / 2e-4;
        expect(attribution).toBeCloseTo(slope, 3);
      }
      const { agreement, edges } = result;
      expect(agreement).toMatchObject({ n: 20, runs: 999, seed: 0 });
      expect(agreement.rho).toBeCloseTo(
        spearman(
          edges.map((e) => e.attribution),
          edges.map((e) => e.verified),
        ),
        12,
      );
      const sizes = edges.map((e) => Math.abs(e.verified));
      expect(sizes).toEqual([...sizes].sort((x, y) => y - x));
      // Attention is causal.
      for (const node of result.upstream.nodes) expect(node.position).toBeLessThanOrEqual(at);
    });

  it('takes targets by id, and SAEs that scale their input', async () => {
    const scaled = saeOf(downHook, { normalizeActivations: 'layer_norm', rescaleActsByDecoderNorm: true });
    const { downstream: all, edges } = await circuit(model, up, scaled, ids.join(' '), { targets: 6, sources: 3 });
    const features = [all.nodes[2].feature, all.nodes[0].feature];
    const chosen = await circuit(model, up, scaled, ids.join(' '), { features, sources: 3 });
    expect(chosen.downstream.nodes.map((n) => n.feature)).toEqual(features);
    // The pre-activation from its definition: rows scaled to mean 0 and deviation 1, then encoded, times ‖decoder row‖.
    const pre = (x: Float64Array, f: number): number => {
      const mean = x.reduce((a, v) => a + v, 0) / d;
      const std = Math.sqrt(x.reduce((a, v) => a + (v - mean) ** 2, 0) / (d - 1));
      let sum = scaled.b_enc[f];
      for (let j = 0; j < d; j++) sum += ((x[j] - mean) / (std + 1e-5) - scaled.b_dec[j]) * row(scaled.W_enc, j)[f];
      return sum * Math.hypot(...row(scaled.W_dec, f));
    };
    for (const { source, target, attribution } of edges) {
      const part = contribution(source);
      const by = (share: number) => downstream((x) => x.forEach((_, i) => (x[i] += share * part[i])), ids.length - 1);
      expect(attribution).toBeCloseTo((pre(by(1e-4), target) - pre(by(-1e-4), target)) / 2e-4, 3);
    }
  });

  it('refuses a wrong order, features that do not fire, and positions outside', async () => {
    const prompt = ids.join(' ');
    await expect(circuit(model, down, up, prompt)).rejects.toThrow('swap the SAEs?');
    await expect(circuit(model, up, up, prompt)).rejects.toThrow('does not run before');
    await expect(circuit(model, up, down, prompt, { features: [dSae] })).rejects.toThrow(`feature ${dSae} is outside`);
    const fires = (await circuit(model, up, down, prompt)).downstream.nodes.map((n) => n.feature);
    const silent = Array.from({ length: dSae }, (_, f) => f).find((f) => !fires.includes(f))!;
    await expect(circuit(model, up, down, prompt, { features: [silent] })).rejects.toThrow('does not fire on "30"');
    await expect(circuit(model, up, down, prompt, { position: 6 })).rejects.toThrow('position 6 is outside');
    await expect(circuit(model, up, down, prompt, { targets: 2, features: [1] })).rejects.toThrow('leave { targets }');
    await expect(circuit(model, up, saeOf(downHook, { modelId: 'another' }), prompt)).rejects.toThrow('another');
  });

  it('leaves no tensors behind', async () => {
    await circuit(model, up, down, ids.join(' '));
    const { numTensors } = tf.memory();
    await circuit(model, up, down, ids.join(' '));
    expect(tf.memory().numTensors).toBe(numTensors);
  });
});
