import { beforeAll, describe, expect, it } from 'vitest';
import { initDevice } from '#kernel/compute/device.js';
import { tf } from '#kernel/compute/tf.js';
import { knownHooks } from '#kernel/models/known.js';
import type { LanguageModel } from '#kernel/models/types.js';
import { bitsOf, expectKnownBits, raised } from '#test/kit/knownPasses.js';
import { CONFIGS, modelOf, randomWeights } from '#test/kit/model.js';

const B = 2;
const T = 9;
const tokens = Int32Array.from({ length: B * T }, (_, i) => (i * 17 + (i % 5)) % 37);

beforeAll(async () => {
  await initDevice();
});

describe.each(Object.keys(CONFIGS))('a pass of %s with known activations', (name) => {
  it('gives the bits of the whole pass, whichever hook is changed', () => {
    const before = tf.memory().numTensors;
    const model = modelOf(CONFIGS[name], randomWeights(CONFIGS[name], 3));
    expectKnownBits(model, tokens, B);
    model.dispose();
    expect(tf.memory().numTensors).toBe(before);
  });
});

describe('what a later pass is spared', () => {
  let model: LanguageModel;
  beforeAll(() => {
    model = modelOf(CONFIGS['GPT-2'], randomWeights(CONFIGS['GPT-2'], 3));
  });
  const at = (block: number, ...names: string[]): string[] => names.map((name) => `blocks.${block}.${name}`);

  it('is all before the block of the first change, and its attention and MLP where they ran', () => {
    expect(knownHooks(model, ['blocks.1.attn.hook_q'])).toEqual(at(1, 'hook_resid_pre'));
    expect(knownHooks(model, ['blocks.1.mlp.hook_post'])).toEqual(at(1, 'hook_resid_pre', 'hook_attn_out'));
    expect(knownHooks(model, ['ln_final.hook_normalized', 'blocks.0.hook_resid_post'])).toEqual(
      at(0, 'hook_resid_pre', 'hook_attn_out', 'hook_mlp_out'),
    );
  });

  it('is nothing where the embedding changes, nothing changes, or a hook before the change is read', () => {
    expect(knownHooks(model, ['hook_embed', 'blocks.1.hook_mlp_out'])).toEqual([]);
    expect(knownHooks(model, [])).toEqual([]);
    expect(knownHooks(model, ['blocks.1.hook_mlp_out'], ['blocks.0.hook_resid_post'])).toEqual([]);
  });

  it('runs none of it: work on the way is not done', () => {
    const hook = 'blocks.1.hook_resid_post';
    const clean = model.forward(tokens, B, { capture: knownHooks(model, [hook]) });
    const { captured, logits } = model.forward(tokens, B, {
      edits: raised(hook),
      capture: ['hook_embed', 'blocks.0.hook_resid_post', 'blocks.1.mlp.hook_post', hook],
      known: clean.captured,
    });
    expect([...captured.keys()]).toEqual([hook]);
    for (const x of [logits!, ...captured.values()]) x.dispose();
    bitsOf(clean);
  });
});
