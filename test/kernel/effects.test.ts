/** Attribution and circuits on an example model, with two SAEs trained for a few seconds. */
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createFg, type Fg } from '#kernel/api/index.js';
import type { LanguageModel } from '#kernel/models/types.js';
import type { Sae } from '#kernel/sae/types.js';
import { collectingContext } from '#test/kit/context.js';

const context = collectingContext();
let fg: Fg;
let lm: LanguageModel;
let [early, late] = [] as Sae[];
const prompt = 'Once upon a time, there was a little';

beforeAll(async () => {
  fg = await createFg(context, { device: 'cpu' });
  lm = await fg.models.load(path.resolve(import.meta.dirname, '../../examples/models/tiny-stories-2L'));
  const training = fg.datasets.stories({ seed: 100, stories: 400, context: 64 });
  const recipe = {
    architecture: 'topk',
    k: 16,
    features: 256,
    steps: 80,
    trainBatchSizeTokens: 512,
    lr: 2e-3,
    normalizeActivations: 'expected_average_only_in',
    seed: 0,
  } as const;
  early = await fg.sae.train(lm, training, { ...recipe, hook: 'blocks.0.hook_mlp_out' });
  late = await fg.sae.train(lm, training, { ...recipe, hook: 'blocks.1.hook_mlp_out' });
});
afterAll(() => context.remove());

describe('on the 2-layer example model', () => {
  it('attribution by gradient ranks features as true ablation does', async () => {
    const target = { token: ' girl', minus: ' boy' };
    const { agreement } = await fg.interventions.attribution(lm, early, prompt, target);
    expect(agreement!.rho).toBeGreaterThan(0.9);
    expect(agreement!.p).toBe(0.001);
  });

  it('integrated gradients add up to removing every feature', async () => {
    const target = { token: ' girl', minus: ' boy' };
    const found = await fg.interventions.attribution(lm, early, prompt, target, { method: 'integrated', verify: 0 });
    expect(Math.abs(found.total - found.allAblated)).toBeLessThan(0.02 * Math.abs(found.allAblated) + 0.01);
  });

  it('edges of a circuit, attributed by gradient, are what ablation verifies', async () => {
    const { agreement, edges } = await fg.interventions.circuit(lm, early, late, prompt);
    expect(agreement.rho).toBeGreaterThan(0.9);
    expect(agreement.p).toBe(0.001);
    expect(edges[0].verified).not.toBe(0);
  });
});
