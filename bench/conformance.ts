/**
 * Whether an SAE fits a model, looked at for the first time: two passes of 256 tokens, and an encoding at the hook, at
 * each neighbour and for each form of the activations. Example models, 1,024 and 16,384 features; median of 5, against the
 * aim of 2 s. Stored figures cost a file.
 */
import path from 'node:path';
import { initDevice } from '#kernel/compute/device.js';
import { matrix } from '#kernel/compute/matrix.js';
import { Random } from '#kernel/compute/random.js';
import { tokenizeTexts } from '#kernel/models/datasets.js';
import { loadModel } from '#kernel/models/load.js';
import { conformanceOf } from '#kernel/sae/conformance.js';
import { createSae } from '#kernel/sae/sae.js';
import type { Sae } from '#kernel/sae/types.js';
import { generateStories } from '#kernel/synthetic/stories/generate.js';
import type { BenchResult } from './types.js';

const RUNS = 5;
const AIM_MS = 2000;
const HOOK = 'blocks.0.hook_resid_post';

/** Random weights: a run costs the same whatever they are. */
function randomSae(dIn: number, dSae: number): Sae {
  const random = new Random(0);
  const normal = (n: number): Float32Array => Float32Array.from({ length: n }, () => random.normal() / Math.sqrt(dIn));
  return createSae(
    {
      ...{ architecture: 'topk', k: 16, dIn, dSae, applyBDecToInput: true, normalizeActivations: 'none' },
      ...{ hookName: HOOK, modelName: 'bench', metadata: {} },
    },
    {
      ...{ W_enc: matrix(dIn, dSae, normal(dIn * dSae)), b_enc: new Float32Array(dSae) },
      ...{ W_dec: matrix(dSae, dIn, normal(dIn * dSae)), b_dec: new Float32Array(dIn) },
    },
  );
}

export async function run(): Promise<BenchResult[]> {
  await initDevice({ device: 'cpu' });
  const texts = generateStories({ stories: 20, seed: 0 }).map(({ text }) => text);
  const results: BenchResult[] = [];
  for (const name of ['tiny-stories-1L', 'tiny-stories-2L']) {
    const model = await loadModel(path.resolve('examples/models', name));
    const tokens = tokenizeTexts(texts, model.tokenizer, { context: 128, source: {} });
    for (const features of [1024, 16384]) {
      const sae = randomSae(model.config.dModel, features);
      const times: number[] = [];
      for (let i = 0; i <= RUNS; i++) {
        const started = performance.now();
        await conformanceOf(model, sae, tokens, HOOK);
        // The first one warms the code.
        if (i > 0) times.push(performance.now() - started);
      }
      const ours = times.sort((a, b) => a - b)[RUNS >> 1];
      results.push({
        ...{ name: 'conformance', size: `${name}, ${features} features`, ours, peer: AIM_MS, unit: 'ms' },
        ...{ speedup: AIM_MS / ours, note: 'the peer is the aim' },
      });
    }
    model.dispose();
  }
  return results;
}
