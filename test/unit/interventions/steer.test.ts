import { describe, expect, it } from 'vitest';
import { initDevice } from '#kernel/compute/device.js';
import { row } from '#kernel/compute/matrix.js';
import { tf } from '#kernel/compute/tf.js';
import { editsOf, type Intervention } from '#kernel/interventions/intervention.js';
import { steer, steerFeature } from '#kernel/interventions/steer.js';
import type { Sae, SaeConfig } from '#kernel/sae/types.js';
import { CONFIGS, modelOf, randomWeights } from '#test/kit/model.js';
import { normals } from '#test/kit/numbers.js';
import { tinySae } from '#test/kit/sae.js';

const config = CONFIGS['GPT-2'];
await initDevice({ device: 'cpu' });
const model = modelOf(config, randomWeights(config, 5));
const hook = 'blocks.0.hook_mlp_out';
const next = normals(9);
const random = (n: number): Float32Array => Float32Array.from({ length: n }, () => next());

/** Values at a hook of two sequences of `length` tokens, with the edits of interventions. */
function captured(at: string, length: number, interventions: Intervention[] = []): Float32Array {
  const tokens = Int32Array.from({ length: 2 * length }, (_, i) => (7 * i + 3) % config.vocab);
  const { captured: kept, logits } = model.forward(tokens, 2, { capture: [at], edits: editsOf(interventions) });
  const values = kept.get(at)!.dataSync<'float32'>().slice();
  tf.dispose([...kept.values(), logits!]);
  return values;
}

function sae(more: Partial<SaeConfig> = {}, dIn = config.dModel, dSae = 20): Sae {
  return tinySae(hook, dIn, dSae, more, { next, scale: { b_enc: 1, b_dec: 1 } });
}

describe('steer', () => {
  it.each([
    ['all', 6],
    ['last', 6],
    ['last', 1],
  ] as const)('adds scale × vector at %s positions of sequences of %i and to nothing else', (positions, length) => {
    const vector = random(config.dModel);
    const before = captured(hook, length);
    const after = captured(hook, length, [steer(model, hook, vector, { scale: -2.5, positions })]);
    const expected = Array.from(before, (x, i) => {
      const position = Math.floor(i / config.dModel) % length;
      return positions === 'all' || position === length - 1 ? x + -2.5 * vector[i % config.dModel] : x;
    });
    // One rounding of the product and one of the sum; what is not steered keeps its bits.
    after.forEach((x, i) => {
      const untouched = expected[i] === before[i];
      if (untouched) expect(x).toBe(before[i]);
      else expect(Math.abs(x - expected[i])).toBeLessThan(1e-6 * (1 + Math.abs(expected[i])));
    });
  });

  it('reaches what comes after the hook', () => {
    const vector = random(config.dModel);
    const at = 'blocks.1.hook_resid_post';
    const before = captured(at, 4);
    const after = captured(at, 4, [steer(model, 'blocks.1.hook_mlp_out', vector, { scale: 3 })]);
    after.forEach((x, i) => expect(x).toBeCloseTo(before[i] + 3 * vector[i % config.dModel], 4));
  });

  // As many positions as heads: axes that are mixed up would go unnoticed in the shapes.
  it.each(['all', 'last'] as const)('takes all heads of a hook with heads, head by head, %s positions', (positions) => {
    const z = 'blocks.0.attn.hook_z';
    const length = config.heads;
    const vector = random(config.dModel);
    const before = captured(z, length);
    const after = captured(z, length, [steer(model, z, vector, { scale: 2, positions })]);
    after.forEach((x, i) => {
      const position = Math.floor(i / config.dModel) % length;
      const step = positions === 'all' || position === length - 1 ? 2 * vector[i % config.dModel] : 0;
      expect(x).toBeCloseTo(before[i] + step, 5);
    });
  });

  it('of scale 0 gives the same tensor back, bit for bit', () => {
    const { edit } = steer(model, hook, random(config.dModel), { scale: 0 });
    const x = tf.tensor([-0, 1e-42, 3, ...random(12)], [1, 1, 15]);
    expect(edit(x, hook, { tokens: Int32Array.of(1), batch: 1, time: 1, offset: 0, sequence: 0 })).toBe(x);
    x.dispose();
    const off = captured(hook, 5, [steer(model, hook, random(config.dModel), { scale: 0 })]);
    expect(new Uint32Array(off.buffer)).toEqual(new Uint32Array(captured(hook, 5).buffer));
  });

  it('keeps its own copy of the vector', () => {
    const vector = random(config.dModel);
    const push = steer(model, hook, vector, { scale: 1 });
    const before = captured(hook, 3, [push]);
    vector.fill(99);
    expect(captured(hook, 3, [push])).toEqual(before);
  });

  it('leaves no tensors behind', () => {
    const push = steer(model, hook, random(config.dModel), { scale: 1, positions: 'last' });
    captured(hook, 4, [push]);
    const { numTensors } = tf.memory();
    captured(hook, 4, [push]);
    expect(tf.memory().numTensors).toBe(numTensors);
  });

  it('says what it does, and is identified by what changes the result', () => {
    const vector = random(config.dModel);
    const one = steer(model, hook, vector, { scale: 4, name: 'king − man' });
    expect(one.description).toBe(`steer ${hook} by 4 × king − man at all positions`);
    const same = steer(model, hook, vector.slice(), { scale: 4, name: 'other words' });
    expect(same.parameters).toEqual(one.parameters);
    const others = [
      steer(model, hook, vector, { scale: 5 }),
      steer(model, hook, vector, { scale: 4, positions: 'last' }),
      steer(model, 'blocks.1.hook_mlp_out', vector, { scale: 4 }),
      steer(model, hook, random(config.dModel), { scale: 4 }),
    ];
    for (const other of others) expect(other.parameters).not.toEqual(one.parameters);
  });

  it('refuses what cannot be added, naming what was given and what is expected', () => {
    const fine = random(config.dModel);
    const options = { scale: 1 };
    expect(() => steer(model, hook, random(7), options)).toThrow(
      `steering needs a vector of width 15 (${hook} of odd) but got 7`,
    );
    expect(() => steer(model, hook, fine.with(2, NaN), options)).toThrow('steering vector has NaN at position 2');
    expect(() => steer(model, hook, fine.with(0, -Infinity), options)).toThrow('has -Infinity at position 0');
    expect(() => steer(model, 'blocks.0.mlp_out', fine, options)).toThrow(
      /unknown hook .* did you mean blocks\.0\.hook_mlp_out/,
    );
    expect(() => steer(model, 'blocks.0.attn.hook_pattern', new Float32Array(36), options)).toThrow(
      'one value per pair of tokens',
    );
  });
});

describe('steerFeature', () => {
  it('steers along the decoder row at the hook of the SAE', () => {
    const made = sae();
    const push = steerFeature(model, made, 3, { scale: 2, positions: 'last' });
    expect(push).toMatchObject({
      hook,
      parameters: steer(model, hook, row(made.W_dec, 3), { scale: 2, positions: 'last' }).parameters,
    });
    expect(push.description).toContain(`2 × feature 3 of ${made.name} at the last position`);
    expect(steerFeature(model, made, 3, { scale: 2, hook: 'blocks.1.hook_mlp_out' }).hook).toBe(
      'blocks.1.hook_mlp_out',
    );
  });

  it('takes SAEs of hooks with heads, which see all heads as one row', () => {
    const z = 'blocks.1.attn.hook_z';
    const made = sae({ hookName: z });
    const after = captured(z, 4, [steerFeature(model, made, 1, { scale: 1 })]);
    captured(z, 4).forEach((x, i) => expect(after[i]).toBeCloseTo(x + row(made.W_dec, 1)[i % config.dModel], 5));
  });

  it('refuses features that are not there, SAEs of another width, of another model, and without a hook', () => {
    const made = sae();
    for (const feature of [-1, 20, 1.5, NaN])
      expect(() => steerFeature(model, made, feature, { scale: 1 })).toThrow(
        `feature ${feature} is outside ${made.name}, which has features 0 to 19`,
      );
    expect(() => steerFeature(model, sae({}, 8), 0, { scale: 1 })).toThrow('width 15');
    const other = sae({ modelId: 'another model' });
    expect(() => steerFeature(model, other, 0, { scale: 1 })).toThrow(new RegExp(`another model.*${model.id}`));
    expect(steerFeature(model, other, 0, { scale: 1, allowOtherModel: true }).hook).toBe(hook);
    expect(() => steerFeature(model, sae({ modelId: model.id }), 0, { scale: 1 })).not.toThrow();
    expect(() => steerFeature(model, sae({ hookName: '' }), 0, { scale: 1 })).toThrow('give { hook }');
  });
});

describe('editsOf', () => {
  it('keeps the order in which interventions of one hook were given', () => {
    const names: string[] = [];
    const step = (name: string, at: string): Intervention => ({
      hook: at,
      description: name,
      parameters: {},
      edit: (x) => {
        names.push(name);
        return x.mul(name === 'double' ? 2 : 1).add(name === 'add' ? 1 : 0);
      },
    });
    const base = captured(hook, 3);
    const after = captured(hook, 3, [step('double', hook), step('other', 'blocks.1.hook_mlp_out'), step('add', hook)]);
    expect(names).toEqual(['double', 'add', 'other']);
    after.forEach((x, i) => expect(x).toBeCloseTo(2 * base[i] + 1, 4));
    expect([...editsOf([])]).toEqual([]);
  });
});
