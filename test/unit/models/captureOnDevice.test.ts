/** Forward passes as graphs against the model's own pass, at every hook of every family. */
import type { Tensor } from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, it } from 'vitest';
import { initDevice } from '#kernel/compute/device.js';
import { capturedWidth, captureHooks } from '#kernel/models/capture.js';
import { captureOnDevice, runsOnCpu } from '#kernel/models/captureOnDevice.js';
import { modelNames } from '#kernel/models/layout.js';
import { passGraph } from '#kernel/models/passGraph.js';
import { FAMILIES } from '#test/kit/deviceCases.js';
import { onEachDevice } from '#test/kit/devices.js';
import { CONFIGS, modelOf, randomWeights, tokenSet } from '#test/kit/model.js';

const set = tokenSet(5, 8);
const pairwise = /hook_(attn_scores|pattern)$/;

beforeAll(() => initDevice({ device: 'cpu' }));

onEachDevice('a forward pass', (device) => {
  it.each(Object.entries(FAMILIES))('gives what the model gives: %s', async (_, config) => {
    const model = modelOf(config, randomWeights(config, 5));
    const hooks = model.hooks.filter((hook) => !pairwise.test(hook));
    const widths = hooks.map((hook) => capturedWidth(model, hook));
    const values = hooks.map(() => ({ wanted: [] as number[], got: [] as number[] }));
    for await (const { xs } of captureHooks(model, set, hooks))
      xs.forEach(({ data }, i) => values[i].wanted.push(...data));
    // Passes of two sequences: the last one is shorter.
    for await (const { firstToken, rows, xs } of captureOnDevice(device(), model, set, hooks, { batchTokens: 16 })) {
      expect(firstToken * widths[0]).toBe(values[0].got.length);
      for (const [i, x] of xs.entries()) {
        const { data, shape } = await device().download(x);
        expect(shape).toEqual([rows, widths[i]]);
        values[i].got.push(...(data as Float32Array));
      }
    }
    for (const [i, hook] of hooks.entries()) {
      const { wanted, got } = values[i];
      const scale = Math.max(...wanted.map(Math.abs));
      const error = Math.max(...wanted.map((v, i) => Math.abs(v - got[i]) / scale));
      expect(got.length, hook).toBe(wanted.length);
      expect(error, hook).toBeLessThan(5e-6);
    }
    model.dispose();
  });

  it('frees every block, and keeps the weights for the next call', async () => {
    const model = modelOf(CONFIGS['GPT-2'], randomWeights(CONFIGS['GPT-2'], 6));
    const run = async (): Promise<number> => {
      for await (const block of captureOnDevice(device(), model, set, ['blocks.1.hook_mlp_out'], { batchTokens: 8 }))
        expect(block.rows).toBe(8);
      const probe = await device().upload(new Float32Array(1), [1]);
      device().free(probe);
      return device().held;
    };
    expect(await run()).toBe(await run());
  });

  it('refuses what the model refuses', async () => {
    const model = modelOf(CONFIGS['GPT-2'], randomWeights(CONFIGS['GPT-2'], 6));
    const first = (tokens: typeof set, hook: string) => captureOnDevice(device(), model, tokens, [hook], {}).next();
    await expect(first(set, 'blocks.0.attn.hook_pattern')).rejects.toThrow('one value per pair of tokens');
    await expect(first(set, 'blocks.9.hook_mlp_out')).rejects.toThrow('unknown hook');
    await expect(first(tokenSet(1, 13), 'hook_embed')).rejects.toThrow('exceed the context of 12');
    const odd = { ...set, tokens: set.tokens.map(() => 99) };
    await expect(first(odd, 'hook_embed')).rejects.toThrow('outside the vocabulary of 37');
  });
});

describe('where passes run', () => {
  it('is the cpu for weights that are trained and for edits, with the reason', () => {
    const config = CONFIGS['GPT-2'];
    expect(runsOnCpu(modelOf(config, randomWeights(config, 5)), undefined)).toBeUndefined();
    expect(runsOnCpu(modelOf(config, randomWeights(config, 5), true), undefined)).toBe('its weights are trained');
    const edits = new Map([['hook_embed', [(x: Tensor) => x]]]);
    expect(runsOnCpu(modelOf(config, randomWeights(config, 5)), edits)).toContain('interventions');
    expect(() => passGraph(config, modelNames(config), { hooks: ['hook_none'] })).toThrow('does not pass hook_none');
  });
});
