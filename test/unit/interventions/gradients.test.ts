import { describe, expect, it } from 'vitest';
import { initDevice } from '#kernel/compute/device.js';
import { tf } from '#kernel/compute/tf.js';
import { clamp } from '#kernel/interventions/clamp.js';
import { editsOf, type Intervention } from '#kernel/interventions/intervention.js';
import { project, steer } from '#kernel/interventions/steer.js';
import type { HookEdit } from '#kernel/models/types.js';
import { CONFIGS, modelOf, randomWeights } from '#test/kit/model.js';
import { normals } from '#test/kit/numbers.js';
import { tinySae } from '#test/kit/sae.js';

await initDevice({ device: 'cpu' });
const config = CONFIGS['GPT-2'];
const model = modelOf(config, randomWeights(config, 5));
const next = normals(2);
const random = (n: number): Float32Array => Float32Array.from({ length: n }, () => next());
const ids = Int32Array.of(3, 17, 5, 22);
const [early, hook] = ['blocks.0.hook_resid_pre', 'blocks.0.hook_mlp_out'];
const weights = random(4 * 37);
const x0 = random(4 * 15);

/** A number read from the logits, of the activation at an early hook. */
function target(x: tf.Tensor, interventions: readonly Intervention[]): tf.Scalar {
  const edits = new Map<string, readonly HookEdit[]>(editsOf(interventions));
  edits.set(early, [() => x]);
  const { logits } = model.forward(ids, 1, { edits });
  return logits!.mul(tf.tensor(weights, [1, 4, 37])).sum();
}

describe('gradients through interventions', () => {
  it('go through steering: against central differences of what runs', () => {
    const push = steer(model, hook, random(15), { scale: 2, positions: [0, 2] });
    const x = tf.tensor(x0, [1, 4, 15]);
    const gradient = tf
      .grad((at: tf.Tensor) => target(at, [push]))(x)
      .dataSync<'float32'>();
    const value = (moved: Float32Array): number =>
      tf.tidy(() => target(tf.tensor(moved, [1, 4, 15]), [push]).dataSync()[0]);
    const h = 2 ** -7;
    for (let i = 0; i < 60; i += 7) {
      const [up, down] = [x0.slice(), x0.slice()];
      up[i] += h;
      down[i] -= h;
      const slope = (value(up) - value(down)) / (2 * h);
      expect(Math.abs(gradient[i] - slope)).toBeLessThan(0.01 * (1 + Math.abs(slope)));
    }
    const none = steer(model, hook, random(15), { scale: 0 });
    expect(
      tf
        .grad((at: tf.Tensor) => target(at, [none]))(x)
        .dataSync(),
    ).toEqual(
      tf
        .grad((at: tf.Tensor) => target(at, []))(x)
        .dataSync(),
    );
    x.dispose();
  });

  it('are refused, by name, where they would leave out the path through the intervention', () => {
    const sae = tinySae(hook, 15, 24);
    const x = tf.tensor(x0, [1, 4, 15]);
    for (const one of [
      clamp(model, sae, 3, { value: 2 }),
      project(model, hook, random(15)),
      steer(model, hook, random(15), { scale: 2, normalize: 'residual' }),
    ])
      expect(() => tf.grad((at: tf.Tensor) => target(at, [one]))(x)).toThrow('while gradients are taken');
    x.dispose();
  });
});

describe('model.generate', () => {
  it('takes interventions, one or several, after edits of the same hook', async () => {
    const push = steer(model, hook, random(15), { scale: 4 });
    const away = project(model, hook, random(15), { positions: -1 });
    const how = { tokens: 6, stopAtEos: false };
    const byEdits = await model.generate('3 17 5', { ...how, edits: editsOf([push, away]) });
    expect(await model.generate('3 17 5', { ...how, interventions: [push, away] })).toBe(byEdits);
    expect(await model.generate('3 17 5', { ...how, edits: editsOf([push]), interventions: away })).toBe(byEdits);
    expect(await model.generate('3 17 5', how)).not.toBe(byEdits);
    const late = steer(model, hook, random(15), { scale: 1, positions: 9 });
    await expect(model.generate('3 17 5', { ...how, interventions: late })).rejects.toThrow('position 9 is outside');
  });
});
