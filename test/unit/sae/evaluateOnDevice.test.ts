/** The runs of an evaluation as graphs against the model's own passes: every family, activations replaced at every kind of hook. */
import { beforeAll, expect, it } from 'vitest';
import { initDevice } from '#kernel/compute/device.js';
import { DeviceMemoryError } from '#kernel/compute/graphs/failures.js';
import type { GraphDevice } from '#kernel/compute/graphs/host.js';
import type { LanguageModel } from '#kernel/models/types.js';
import { evaluateSae } from '#kernel/sae/evaluate.js';
import { TensorRuns } from '#kernel/sae/evaluatedRuns.js';
import { runsOn } from '#kernel/sae/evaluatedRunsOnDevice.js';
import { FAMILIES, figuresOfRuns, saeOfKind } from '#test/kit/deviceCases.js';
import { onEachDevice } from '#test/kit/devices.js';
import { modelOf, randomWeights, tokenSet } from '#test/kit/model.js';

const CONTEXT = 8;
const set = tokenSet(3, CONTEXT);

beforeAll(() => initDevice({ device: 'cpu' }));

async function same(model: LanguageModel, hook: string, device: GraphDevice, tileRows?: number): Promise<void> {
  const at = { model, hook, interventions: [] };
  const wanted = await figuresOfRuns(new TensorRuns(at), set);
  const runs = runsOn(at, device, tileRows);
  expect(runs).not.toBeInstanceOf(TensorRuns);
  const got = await figuresOfRuns(runs, set);
  for (const name of ['x', 'figures'] as const) {
    expect(got[name], hook).toHaveLength(wanted[name].length);
    const worst = Math.max(...wanted[name].map((v, i) => Math.abs(v - got[name][i]) / Math.max(1, Math.abs(v))));
    expect(worst, `${hook} ${name}`).toBeLessThan(2e-5);
  }
  expect(
    wanted.figures.some((v, i) => i % 4 === 3 && v > 1e-4),
    hook,
  ).toBe(true);
}

const HOOKS = ['hook_embed', 'blocks.0.attn.hook_z', 'blocks.0.attn.hook_result', 'blocks.1.ln2.hook_normalized', 'blocks.1.hook_resid_post']; // prettier-ignore

onEachDevice('runs of an evaluation', (device, provider) => {
  // A software GPU compiles each graph for a while.
  const families = Object.entries(FAMILIES).filter(([name]) => provider === 'cpu' || ['GPT-2', 'Gemma 2'].includes(name)); // prettier-ignore
  it.each(families)('have the figures of the model: %s', async (_, config) => {
    const model = modelOf(config, randomWeights(config, 5));
    for (const hook of provider === 'cpu' ? HOOKS : HOOKS.slice(-2)) await same(model, hook, device());
    // The unembedding in parts.
    await same(model, HOOKS.at(-1)!, device(), 10);
    model.dispose();
  });

  it('give an evaluation the figures of the CPU, with the SAE there too', async () => {
    const model = modelOf(FAMILIES['GPT-2'], randomWeights(FAMILIES['GPT-2'], 5));
    const hook = 'blocks.0.hook_mlp_out';
    const sae = saeOfKind({ architecture: 'topk', k: 4, hookName: hook }, 15, 60);
    const [pass, encode, decode] = [device(), device(), device()];
    const wanted = await evaluateSae(model, sae, set, { batchTokens: 16 });
    const got = await evaluateSae(model, sae, set, { batchTokens: 16, devices: { pass, encode, decode } });
    for (const name of [
      'ceClean',
      'ceSae',
      'ceZero',
      'ceMean',
      'klSae',
      'klZero',
      'klMean',
      'l0',
      'mseSumPerToken',
      'explainedVariance',
    ] as const)
      // prettier-ignore
      expect(Math.abs(got[name] - wanted[name]), name).toBeLessThan(1e-5 * Math.max(1, Math.abs(wanted[name])));
    expect(got.density).toEqual(wanted.density);
  });

  it('take fewer sequences at a time where there is no room, and say when one does not fit', async () => {
    const model = modelOf(FAMILIES['GPT-2'], randomWeights(FAMILIES['GPT-2'], 5));
    const at = { model, hook: 'blocks.0.hook_mlp_out', interventions: [] };
    /** A device without room for passes of more than some tokens; with logits kept there, for fewer. */
    const small = (most: number, changed: number): GraphDevice =>
      new Proxy(device(), {
        get(target, key) {
          if (key !== 'run') {
            const value: unknown = Reflect.get(target, key, target);
            return typeof value === 'function' ? (value.bind(target) as unknown) : value;
          }
          return (...[program, feeds, options]: Parameters<GraphDevice['run']>) => {
            const tokens = 'shape' in feeds['#next'] ? feeds['#next'].shape[0] : 0;
            return tokens > ('#clean' in feeds ? changed : most)
              ? Promise.reject(new DeviceMemoryError('no room'))
              : target.run(program, feeds, options);
          };
        },
      });
    const { figures } = await figuresOfRuns(new TensorRuns(at), set);
    const held = device().held;
    const got = await figuresOfRuns(runsOn(at, small(2 * CONTEXT, CONTEXT)), set);
    got.figures.forEach((v, i) => expect(v).toBeCloseTo(figures[i], 5));
    await expect(figuresOfRuns(runsOn(at, small(2 * CONTEXT, 0)), set)).rejects.toThrow(
      /does not fit the device with one sequence of 8 tokens: no room/,
    );
    await device().download(await device().upload(Float32Array.of(1), [1]));
    // The weights of the unembedding and the blocks stay; logits do not.
    expect(device().held).toBeLessThan(held + 4 * 2 * set.tokens.length * model.config.vocab + 200_000);
  });
});

it('stay on tensors where passes have no graph', () => {
  const model = modelOf(FAMILIES['GPT-2'], randomWeights(FAMILIES['GPT-2'], 5));
  const device = {} as GraphDevice;
  const at = { model, hook: 'blocks.0.attn.hook_pattern', interventions: [] };
  expect(runsOn(at, device)).toBeInstanceOf(TensorRuns);
  expect(runsOn({ ...at, hook: 'hook_embed' }, undefined)).toBeInstanceOf(TensorRuns);
});
