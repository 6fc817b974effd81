import { describe, expect, it } from 'vitest';
import type { SparseActivations } from '#kernel/activations/types.js';
import { initDevice } from '#kernel/compute/device.js';
import type { FeatureMap } from '#kernel/correlation/types.js';
import { bothModels, type BothModelsOptions, type ModelSide } from '#kernel/interventions/pairs.js';
import { run } from '#kernel/interventions/run.js';
import { CONFIGS, modelOf, randomWeights } from '#test/kit/model.js';
import { withFeatures } from '#test/kit/referenceSae.js';
import { SAE_KINDS, tinySae } from '#test/kit/sae.js';

await initDevice({ device: 'cpu' });
const model = modelOf(CONFIGS['GPT-2'], randomWeights(CONFIGS['GPT-2'], 4));
const hook = 'blocks.0.hook_resid_post';
const ids = Int32Array.of(3, 17, 5, 22, 9, 30, 1);
const map = { featuresA: 24, featuresB: 24 } as FeatureMap;

/** A side whose features have standard deviation 2 and largest activation 5. */
function sideOf(more: (typeof SAE_KINDS)[string]): ModelSide {
  const sae = tinySae(hook, 15, 24, more);
  const every = (value: number): Float64Array => new Float64Array(24).fill(value);
  const statistics = { max: every(5), sum: every(30), sumSquares: every(130) };
  const meta = { tokens: 10, sae: { id: sae.id, name: sae.name } };
  return { model, sae, activations: { meta, statistics } as unknown as SparseActivations };
}

describe('bothModels', () => {
  it.each(Object.entries(SAE_KINDS))('steers by as much as the feature writes: %s', async (_, more) => {
    const side = sideOf(more);
    const x = (await run(model, [], ids, { capture: [hook] })).captured[hook].data;
    for (const [options, by] of [
      [{ amount: 1.5 }, 3],
      [{ amount: -1, units: 'max' }, -5],
      [{ amount: 0.7, units: 'raw' }, 0.7],
    ] as Array<[Partial<BothModelsOptions>, number]>) {
      const { a } = bothModels(map, { a: 6, b: 2, r: 1 }, { a: side, b: side }, { kind: 'steer', ...options });
      const y = (await run(model, [a], ids, { capture: [hook] })).captured[hook].data;
      for (let t = 0; t < ids.length; t++)
        withFeatures(side.sae, x.slice(15 * t, 15 * t + 15), (f) => f.map((v, i) => (i === 6 ? v + by : v))).forEach(
          (v, j) => expect(y[15 * t + j]).toBeCloseTo(v, 4),
        );
    }
  });

  it('refuses units of what has none', () => {
    const side = sideOf({});
    const pair = { a: 6, b: 2, r: 1 };
    const make = (options: BothModelsOptions) => () => bothModels(map, pair, { a: side, b: side }, options);
    expect(make({ kind: 'scale', amount: 2, units: 'std' })).toThrow('scale is the same in any units');
    expect(make({ kind: 'ablate', units: 'max' })).toThrow('ablate is the same in any units');
  });
});
