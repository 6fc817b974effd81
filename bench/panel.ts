/**
 * A move of the interventions panel's slider: one changed forward pass of an example model, its features, the tables and
 * the JSON of the answer. 1,024 features, a prompt of 64 tokens; median of 20 moves, against the panel's aim of 300 ms.
 */
import path from 'node:path';
import { initDevice } from '#kernel/compute/device.js';
import { matrix } from '#kernel/compute/matrix.js';
import { Random } from '#kernel/compute/random.js';
import { InterventionsPanel } from '#kernel/interventions/panel.js';
import { loadModel } from '#kernel/models/load.js';
import { createSae } from '#kernel/sae/sae.js';
import type { Sae } from '#kernel/sae/types.js';
import type { BenchResult } from './types.js';

const FEATURES = 1024;
const TOKENS = 64;
const MOVES = 20;
const AIM_MS = 300;
const HOOK = 'blocks.0.hook_mlp_out';

/** Random weights: a run costs the same whatever they are. */
function randomSae(dIn: number): Sae {
  const random = new Random(0);
  const normal = (n: number): Float32Array => Float32Array.from({ length: n }, () => random.normal() / Math.sqrt(dIn));
  return createSae(
    {
      ...{ architecture: 'topk', k: 16, dIn, dSae: FEATURES, applyBDecToInput: true, normalizeActivations: 'none' },
      ...{ hookName: HOOK, modelName: 'bench', metadata: {} },
    },
    {
      W_enc: matrix(dIn, FEATURES, normal(dIn * FEATURES)),
      b_enc: new Float32Array(FEATURES),
      W_dec: matrix(FEATURES, dIn, normal(dIn * FEATURES)),
      b_dec: new Float32Array(dIn),
    },
  );
}

export async function run(): Promise<BenchResult[]> {
  await initDevice({ device: 'cpu' });
  const results: BenchResult[] = [];
  for (const name of ['tiny-stories-1L', 'tiny-stories-2L']) {
    const model = await loadModel(path.resolve('examples/models', name));
    const panel = new InterventionsPanel({ model, sae: randomSae(model.config.dModel), title: name });
    const word = model.tokenizer.encode('Once upon a time, there was a king who lived in a castle. ');
    const ids = Array.from({ length: TOKENS }, (_, i) => word[i % word.length]);
    let prompt = model.tokenizer.decode(ids);
    while (model.tokenizer.encode(prompt).length > TOKENS) prompt = prompt.slice(0, -1);
    const signal = new AbortController().signal;
    const times: number[] = [];
    for (let move = 0; move < MOVES + 3; move++) {
      const interventions = [{ feature: 5, kind: move % 2 ? 'clamp' : 'steer', value: 1 + move / 7, positions: 'all' }];
      const started = performance.now();
      JSON.stringify(await panel.answer('bench', 'run', { prompt, interventions }, signal));
      // The first ones also run the prompt unchanged and warm the code.
      if (move >= 3) times.push(performance.now() - started);
    }
    const ours = times.sort((a, b) => a - b)[MOVES >> 1];
    model.dispose();
    const size = `${name}, ${FEATURES} features, ${model.tokenizer.encode(prompt).length} tokens`;
    results.push({
      name: 'slider of the panel',
      size,
      ours,
      peer: AIM_MS,
      unit: 'ms',
      speedup: AIM_MS / ours,
      note: 'peer: the aim, no program',
    });
  }
  return results;
}
