/** Two tiny models over the same tokens, an SAE for each, and the facade on a session that collects. */
import { afterEach, beforeEach } from 'vitest';
import { createFg, type Fg } from '#kernel/api/index.js';
import { initDevice } from '#kernel/compute/device.js';
import { matrix } from '#kernel/compute/matrix.js';
import type { Sae } from '#kernel/sae/types.js';
import { collectingContext, type CollectedContext } from './context.js';
import { CONFIGS, modelOf, randomWeights } from './model.js';
import { normals } from './numbers.js';
import { saeOf } from './sae.js';

await initDevice({ device: 'cpu' });

export const hook = 'blocks.0.hook_mlp_out';
const config = CONFIGS['GPT-2'];
export const lmA = modelOf(config, randomWeights(config, 1));
export const lmB = modelOf(config, randomWeights(config, 2));

/** A random SAE whose first `dead` features never fire. */
export function randomSae(seed: number, dSae: number, modelId?: string, dead = 0, d = config.dModel): Sae {
  const next = normals(seed);
  const random = (n: number): Float32Array => Float32Array.from({ length: n }, () => next());
  const weights = {
    W_enc: matrix(d, dSae, random(d * dSae)),
    b_enc: Float32Array.from({ length: dSae }, (_, f) => (f < dead ? -1e6 : -2)),
    W_dec: matrix(dSae, d, random(dSae * d)),
    b_dec: random(d),
  };
  return saeOf(weights, { applyBDecToInput: false, hookName: hook, ...(modelId === undefined ? {} : { modelId }) });
}

export const saeA = randomSae(11, 24, lmA.id, 3);
export const saeB = randomSae(12, 16, lmB.id, 1);

/** Texts of numbers: what the models' tokenizer reads. */
export const texts = Array.from({ length: 40 }, (_, i) =>
  Array.from({ length: 10 }, (_, j) => 1 + ((7 * i * i + 3 * j * (i + 1)) % 36)).join(' '),
);

export interface World {
  context: CollectedContext;
  fg: Fg;
}

/** A fresh session for each test. */
export function freshFg(): World {
  const world = {} as World;
  beforeEach(async () => {
    world.context = collectingContext();
    world.fg = await createFg(world.context, { device: 'cpu' });
  });
  afterEach(() => world.context.remove());
  return world;
}
