/**
 * SAEs that do not belong where they are used, on the example models and on a real one, from files and through fg: each
 * fault is planted, told of in figures with the line that mends it, and silent once it is mended.
 */
import { cpSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createFg } from '#kernel/api/index.js';
import { initDevice } from '#kernel/compute/device.js';
import { matrix } from '#kernel/compute/matrix.js';
import { ndarray, toFloat32 } from '#kernel/io/ndarray.js';
import { SafetensorsFile, writeSafetensors } from '#kernel/io/safetensors.js';
import { createSae } from '#kernel/sae/sae.js';
import type { Sae } from '#kernel/sae/types.js';
import { collectingContext, type CollectedContext } from '#test/kit/context.js';

const root = path.resolve(import.meta.dirname, '../..');
const models = path.join(root, 'examples/models');
const real = path.resolve(root, '../shared/data/stories260K');
const there = existsSync(real);
if (!there) console.warn(`skipped: no real model at ${real}`);

type Fg = Awaited<ReturnType<typeof createFg>>;
type Model = Awaited<ReturnType<Fg['models']['load']>>;
let context: CollectedContext;
let fg: Fg;
beforeAll(async () => {
  await initDevice({ device: 'cpu' });
  context = collectingContext();
  fg = await createFg(context);
});
afterAll(() => context.remove());

let folders = 0;
/** The SAE as another program would give it: a SAELens folder, which says nothing of this model's identity. */
async function arriving(
  sae: Sae,
  change: { cfg?: object; metadata?: object },
  options: Parameters<Fg['sae']['load']>[1] = {},
): Promise<Sae> {
  const folder = await fg.sae.save(sae, `arriving-${folders++}`);
  const file = path.join(folder, 'cfg.json');
  const { metadata, ...cfg } = JSON.parse(readFileSync(file, 'utf8')) as { metadata: Record<string, unknown> };
  const { fgnb_model_id: _, training: __, ...rest } = metadata;
  writeFileSync(file, JSON.stringify({ ...cfg, ...change.cfg, metadata: { ...rest, ...change.metadata } }));
  return fg.sae.load(folder, options);
}

/** What a call printed of conformance. */
async function warnings(run: () => Promise<unknown>): Promise<string[]> {
  const before = context.printed.length;
  await run();
  return context.printed.slice(before).filter((line) => line.startsWith('Warning: SAE'));
}

function withWeights(sae: Sae, change: Partial<Pick<Sae, 'W_enc' | 'W_dec' | 'b_dec' | 'threshold'>>): Sae {
  const { W_enc, b_enc, W_dec, b_dec, threshold } = sae;
  return createSae(sae.config, { W_enc, b_enc, W_dec, b_dec, ...(threshold ? { threshold } : {}), ...change });
}

const times = ({ rows, cols, data }: Sae['W_enc'], by: number): Sae['W_enc'] =>
  matrix(
    rows,
    cols,
    data.map((v) => v * by),
  );

describe('an SAE of an example model that arrives', () => {
  const [LOW, HIGH, MLP] = ['blocks.0.hook_resid_post', 'blocks.1.hook_resid_post', 'blocks.0.hook_mlp_out'];
  let lm: Model;
  let text: ReturnType<Fg['datasets']['stories']>;
  let low: Sae;
  beforeAll(async () => {
    lm = await fg.models.load(path.join(models, 'tiny-stories-2L'));
    text = fg.datasets.stories({ stories: 200, context: 64, samples: 200 });
    low = await train(lm, LOW, { k: 16, features: 512, steps: 400 });
  });
  const train = (model: Model, hook: string, more: object = {}): Promise<Sae> =>
    fg.sae.train(model, text, {
      ...{ hook, architecture: 'topk', k: 12, features: 256, steps: 150, trainBatchSizeTokens: 512, lr: 3e-3 },
      ...more,
    });
  const evaluate = (model: Model, sae: Sae): Promise<string[]> =>
    warnings(() => fg.sae.evaluate(model, sae, text, { samples: 4 }));

  it('is silent where it belongs, and refused on tokens of another tokenizer', async () => {
    expect(await evaluate(lm, await arriving(low, {}))).toEqual([]);
    if (!there) return;
    const other = await fg.models.load(real);
    const ids = fg.datasets.fromTexts(['Once upon a time there was a king'], { context: 8 }).tokens(other);
    await expect(fg.sae.evaluate(lm, low, ids)).rejects.toThrow(/was made with tokenizer .* but model tiny-stories-2L/);
    await expect(fg.activations.save(lm, low, ids)).rejects.toThrow(/was made with tokenizer/);
  });

  it('at the wrong layer, the right one is named', async () => {
    const [warning, ...more] = await evaluate(lm, await arriving(low, { metadata: { hook_name: HIGH } }));
    expect(more).toEqual([]);
    expect(warning).toMatch(
      /explains [789]\d % at blocks\.0\.hook_resid_post but −?\d+ % at blocks\.1\.hook_resid_post, where it was asked for; give \{ hook: 'blocks\.0\.hook_resid_post' \}/,
    );
    expect(warning).toMatch(/Measured on 256 tokens: L0 1\d\.\d \(expected 16\.0\), mean norm of activations \d/);
  });

  it('at the wrong kind of hook, the right one is named', async () => {
    const mlp = await train(lm, MLP);
    for (const wrong of ['blocks.0.hook_attn_out', 'blocks.0.hook_resid_mid']) {
      const [warning] = await evaluate(lm, await arriving(mlp, { metadata: { hook_name: wrong } }));
      expect(warning).toMatch(/explains \d\d % at blocks\.0\.hook_mlp_out but −?\d+ % at blocks\.0\.hook_(attn|resid)/);
    }
  });

  it.each([
    ['topk', { k: 8, features: 256, steps: 30 }],
    ['standard', { k: undefined, l1Coefficient: 1, features: 256, steps: 40 }],
  ])('poorly trained and one layer off, the right layer is named: %s', async (architecture, more) => {
    const poor = await train(lm, LOW, { architecture, ...more });
    expect(await evaluate(lm, await arriving(poor, {}))).toEqual([]);
    const [warning, ...rest] = await evaluate(lm, await arriving(poor, { metadata: { hook_name: HIGH } }));
    expect(rest).toEqual([]);
    expect(warning).toMatch(
      /explains [4567]\d % at blocks\.0\.hook_resid_post but [345]\d % at blocks\.1\.hook_resid_post, where it was asked for/,
    );
    expect(warning).toMatch(/poorly trained, but of blocks\.0\.hook_resid_post by both; give \{ hook: /);
  });

  it('of another model of the same width, no more is explained than of activations in another basis', async () => {
    const other = await fg.models.load(path.join(models, 'tiny-stories-1L'));
    const [warning] = await evaluate(lm, await arriving(await train(other, LOW), {}));
    expect(warning).toMatch(/explains −?\d+ % at blocks\.0\.hook_resid_post.*: is it an SAE of this model\?/);
  });

  it('of a centred model, whose mean the plain model has', async () => {
    // What LayerNorm takes away again: the model says the same, its stream has a mean.
    const folder = path.join(context.artifactFolder, '..', 'offset-model');
    cpSync(path.join(models, 'tiny-stories-2L'), folder, { recursive: true });
    const file = path.join(folder, 'model.safetensors');
    const opened = await SafetensorsFile.open(file);
    const tensors = Object.fromEntries(
      await Promise.all(opened.names().map(async (name) => [name, await opened.read(name)] as const)),
    );
    await opened.close();
    const name = 'transformer.h.0.mlp.c_proj.bias';
    const moved = toFloat32(tensors[name]).map((v) => v + 3);
    await writeSafetensors(file, { ...tensors, [name]: ndarray('F32', tensors[name].shape, moved) });
    const offset = await fg.models.load(folder);
    const centred = await fg.models.load(folder, { process: 'center' });
    const sae = await train(centred, LOW);
    const says = await arriving(sae, { metadata: { model_from_pretrained_kwargs: { center_writing_weights: true } } });
    const told =
      /explains \d\d % of the activations at blocks\.0\.hook_resid_post when they are centred but −?\d+ % as they are.*; load the model with \{ process: 'center' \}/;
    const [warning] = await evaluate(offset, says);
    expect(warning).toMatch(told);
    expect(warning).toContain('its config says center_writing_weights: true');
    expect(await evaluate(centred, says)).toEqual([]);
    const mute = await arriving(sae, { metadata: { model_name: 'mute' } });
    expect((await evaluate(offset, mute))[0]).toMatch(told);
    // Heads and neurons are the same on both models: the config asks for nothing there.
    const head = await arriving(await train(lm, 'blocks.0.attn.hook_z'), {
      metadata: { model_from_pretrained_kwargs: { center_writing_weights: true } },
    });
    expect(await evaluate(lm, head)).toEqual([]);
  });

  it('with the scale of its training data not folded into its weights', async () => {
    const scaled = { architecture: 'standard', k: undefined, l1Coefficient: 0.5 };
    // Of a norm far below √d.
    const hook = 'blocks.0.hook_attn_out';
    const sae = await train(lm, hook, { ...scaled, normalizeActivations: 'expected_average_only_in' });
    const ids = text.tokens(lm).tokens.slice(0, 256);
    const x = lm.forward(ids, 4, { capture: [hook], stopAt: hook }).captured.get(hook)!;
    const s = Math.sqrt(128) / (await x.norm('euclidean', 2).mean().data())[0];
    x.dispose();
    expect(s).toBeGreaterThan(3);
    // The weights as training left them, before the scale was folded in.
    const raw = withWeights(sae, {
      ...{ W_enc: times(sae.W_enc, 1 / s), W_dec: times(sae.W_dec, s) },
      b_dec: sae.b_dec.map((v) => v * s),
    });
    const cfg = { normalize_activations: 'expected_average_only_in' };
    expect(await evaluate(lm, await arriving(raw, { cfg }, { normScalingFactor: s }))).toEqual([]);
    const [unfolded] = await evaluate(lm, await arriving(raw, { cfg }, { normScalingFactor: 1 }));
    expect(unfolded).toMatch(
      /explains \d\d % .* when they are scaled to norm √d but .* load it with \{ normScalingFactor/,
    );
    expect(Number(/scaled by ([\d.]+),/.exec(unfolded)?.[1])).toBeCloseTo(s, 1);
  });

  it('with the scale of its training data folded in twice, which thresholds show', async () => {
    const hook = 'blocks.0.hook_attn_out';
    const k = 16;
    const topk = await train(lm, hook, { k, normalizeActivations: 'expected_average_only_in' });
    const { normScalingFactor: s } = topk.config.metadata.training as { normScalingFactor: number };
    expect(s).toBeGreaterThan(3);
    const tensor = lm.forward(text.tokens(lm).tokens.slice(0, 256), 4, { capture: [hook], stopAt: hook });
    const x = matrix(256, 128, await tensor.captured.get(hook)!.data<'float32'>());
    tensor.captured.get(hook)!.dispose();
    const { W_enc, b_enc, W_dec, b_dec } = topk;
    const all = createSae({ ...topk.config, k: topk.config.dSae }, topk).encode(x).values;
    const threshold = new Float32Array(topk.config.dSae).fill([...all].sort((a, b) => b - a)[256 * k]);
    const right = createSae({ ...topk.config, architecture: 'jumprelu' }, { W_enc, b_enc, W_dec, b_dec, threshold });
    // Folded already, and its cfg left as it was: loading folds again.
    const cfg = { k, normalize_activations: 'expected_average_only_in' };
    const [warning, ...more] = await evaluate(lm, await arriving(right, { cfg }, { normScalingFactor: s }));
    expect(more).toEqual([]);
    expect(warning).toMatch(
      /explains [78]\d % of the activations at blocks\.0\.hook_attn_out when they are divided by √d \/ their mean norm but .* folded into its weights twice: load it with \{ normScalingFactor: 1 \}.*L0 \d\d\.\d \(expected 16\.0\)/,
    );
    expect(Number(/about ([\d.]+), was folded/.exec(warning)?.[1]) / s).toBeCloseTo(1, 0);
    expect(await evaluate(lm, await arriving(right, { cfg }, { normScalingFactor: 1 }))).toEqual([]);
    // Without thresholds a larger input hides the biases, and next to nothing changes: there is nothing to say.
    const twice = await arriving(topk, { cfg: { normalize_activations: cfg.normalize_activations } }, { normScalingFactor: s }); // prettier-ignore
    expect(await evaluate(lm, twice)).toEqual([]);
    const explained = async (sae: Sae) => (await fg.sae.evaluate(lm, sae, text, { samples: 4 })).explainedVariance;
    expect(Math.abs((await explained(twice)) - (await explained(topk)))).toBeLessThan(0.03);
  });

  it('with a threshold that was not scaled when the norm was folded, and the option that mends it', async () => {
    const k = low.config.k as number;
    const ids = text.tokens(lm).tokens.slice(0, 256);
    const tensor = lm.forward(ids, 4, { capture: [LOW], stopAt: LOW }).captured.get(LOW)!;
    const x = matrix(256, 128, await tensor.data<'float32'>());
    const s = Math.sqrt(128) / (await tensor.norm('euclidean', 2).mean().data())[0];
    tensor.dispose();
    // The threshold that keeps k features on average: BatchTopK's.
    const values = [...createSae({ ...low.config, k: low.config.dSae }, low).encode(x).values].sort((a, b) => b - a);
    const threshold = values[256 * k];
    const batch = (t: number): Sae =>
      createSae(
        { ...low.config, architecture: 'jumprelu' },
        {
          ...{ W_enc: low.W_enc, b_enc: low.b_enc, W_dec: low.W_dec, b_dec: low.b_dec },
          threshold: new Float32Array(low.config.dSae).fill(t),
        },
      );
    const cfg = { k };
    expect(await evaluate(lm, await arriving(batch(threshold), { cfg }))).toEqual([]);
    const wrong = batch(threshold * s);
    const [warning, ...more] = await evaluate(lm, await arriving(wrong, { cfg }));
    expect(more).toEqual([]);
    expect(warning).toMatch(
      /this BatchTopK SAE was saved with its threshold unscaled; load it with \{ thresholdScale: /,
    );
    const thresholdScale = Number(/thresholdScale: ([\d.]+)/.exec(warning)?.[1]);
    expect(thresholdScale * s).toBeCloseTo(1, 1);
    expect(await evaluate(lm, await arriving(wrong, { cfg }, { thresholdScale }))).toEqual([]);
  });

  it('is told once, found again by a new kernel without a pass of the model, and can be silenced', async () => {
    const sae = await arriving(low, { metadata: { hook_name: HIGH, model_name: 'once' } });
    expect(await warnings(() => fg.activations.save(lm, sae, text, { conformance: false }))).toEqual([]);
    expect(await warnings(() => fg.activations.save(lm, sae, text))).toHaveLength(1);
    expect(await evaluate(lm, sae)).toEqual([]);
    const kept = (await fg.artifacts.list()).filter(({ kind }) => kind === 'conformance').length;
    const again = collectingContext(undefined, { artifactFolder: context.artifactFolder });
    const later = await createFg(again);
    const quiet = Object.create(lm, {
      forward: { value: () => expect.unreachable('the model ran although the figures are kept') },
    }) as Model;
    await later.activations.save(quiet, sae, text);
    expect(again.printed.filter((line) => line.startsWith('Warning: SAE'))).toHaveLength(1);
    expect((await later.artifacts.list()).filter(({ kind }) => kind === 'conformance')).toHaveLength(kept);
    again.remove();
  });
});

describe.skipIf(!there)('an SAE of a real model', () => {
  it(
    'whose sequences began with BOS is told of sequences without, with both figures',
    { timeout: 240_000 },
    async () => {
      const lm = await fg.models.load(real);
      const load = (bos: boolean) =>
        fg.datasets.load(path.resolve(real, '../tinystories-sample.txt'), {
          ...{ context: 64, samples: 60, splitAt: 'blank-lines', separator: 'none' as const },
          bos,
        });
      const hook = 'blocks.2.hook_attn_out';
      const trained = await fg.sae.train(lm, await load(true), {
        ...{ hook, architecture: 'topk', k: 12, features: 256, steps: 100, trainBatchSizeTokens: 512, lr: 3e-3 },
      });
      const sae = await arriving(trained, { metadata: { prepend_bos: true } });
      const [warning, ...more] = await warnings(async () =>
        fg.sae.evaluate(lm, sae, await load(false), { samples: 4 }),
      );
      expect(more).toEqual([]);
      expect(warning).toMatch(
        /begin with BOS \(prepend_bos: true\), which these do not: it explains \d\d % when sequences begin with BOS, \d\d % as they are; tokenize with \{ bos: true \}/,
      );
      const same = await arriving(trained, { metadata: { prepend_bos: true, model_name: 'again' } });
      expect(await warnings(async () => fg.sae.evaluate(lm, same, await load(true), { samples: 4 }))).toEqual([]);
    },
  );
});
