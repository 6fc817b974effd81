import { beforeAll, describe, expect, it } from 'vitest';
import { captureActivations } from '#kernel/models/capture.js';
import { saveActivations } from '#kernel/activations/save.js';
import { ArtifactStore } from '#kernel/artifacts/store.js';
import { initDevice } from '#kernel/compute/device.js';
import { matrix, row, type Matrix } from '#kernel/compute/matrix.js';
import { centerWritingWeights } from '#kernel/models/center.js';
import { weightShapes } from '#kernel/models/layout.js';
import type { LanguageModel, TokenSet } from '#kernel/models/types.js';
import { conformanceOf, neighboursOf, type Fit } from '#kernel/sae/conformance.js';
import { warningsOf } from '#kernel/sae/conformanceWords.js';
import { evaluateSae } from '#kernel/sae/evaluate.js';
import { conformanceWarnings } from '#kernel/sae/pairing.js';
import { createSae } from '#kernel/sae/sae.js';
import type { Sae, SaeConfig } from '#kernel/sae/types.js';
import { CONFIGS, modelOf, randomWeights, tokenizer } from '#test/kit/model.js';
import { saeOf } from '#test/kit/sae.js';
import { testStores } from '#test/kit/store.js';

beforeAll(() => initDevice({ device: 'cpu' }));

const newStore = testStores();

const config = { ...CONFIGS['GPT-2'], layers: 3 };
const LENGTH = 8;

function tokensOf(first?: number): TokenSet {
  const tokens = Int32Array.from({ length: 6 * LENGTH }, (_, i) =>
    first !== undefined && i % LENGTH === 0 ? first : 1 + ((7 * i * i + 3 * i) % 35),
  );
  return { id: `tokens ${first}`, tokens, sequences: 6, context: LENGTH, tokenizer, source: {} };
}

let plain: LanguageModel;
let centred: LanguageModel;
beforeAll(() => {
  const weights = randomWeights(config, 1);
  plain = modelOf(config, weights);
  const data = new Map([...weights].map(([name, { data }]) => [name, Float32Array.from(data)]));
  const untied = centerWritingWeights(config, data);
  centred = modelOf(
    untied,
    new Map([...weightShapes(untied)].map(([name, shape]) => [name, { shape, data: data.get(name)! }])),
  );
});

async function activations(model: LanguageModel, tokens: TokenSet, hook: string): Promise<Matrix> {
  for await (const { x } of captureActivations(model, tokens, hook, { batchTokens: 4096 })) return x;
  throw new Error('no activations');
}

/** One feature for each row, which reproduces it exactly: explained variance 1 there and less elsewhere. */
function fittingSae(x: Matrix, hook: string, more: Partial<SaeConfig> = {}): Sae {
  const [W_enc, W_dec] = [matrix(x.cols, x.rows), matrix(x.rows, x.cols)];
  for (let i = 0; i < x.rows; i++) {
    const norm = Math.hypot(...row(x, i));
    for (let j = 0; j < x.cols; j++)
      W_enc.data[j * x.rows + i] = W_dec.data[i * x.cols + j] = x.data[i * x.cols + j] / norm;
  }
  return saeOf(
    { W_enc, b_enc: new Float32Array(x.rows), W_dec, b_dec: new Float32Array(x.cols) },
    { architecture: 'topk', k: 1, applyBDecToInput: false, hookName: hook, ...more },
  );
}

describe('conformance of an SAE', () => {
  const tokens = tokensOf();
  const POST = 'blocks.1.hook_resid_post';

  it('is silent where the SAE fits, and knows explained variance, L0 and norm', async () => {
    const x = await activations(plain, tokens, POST);
    const { asked, others, expectedL0, warnings } = await conformanceOf(plain, fittingSae(x, POST), tokens, POST);
    expect(warnings).toEqual([]);
    expect(asked.explainedVariance).toBeCloseTo(1, 5);
    expect([asked.l0, expectedL0, asked.tokens]).toEqual([1, 1, 48]);
    const norms = Array.from({ length: x.rows }, (_, i) => Math.hypot(...row(x, i)));
    expect(asked.norm).toBeCloseTo(norms.reduce((a, b) => a + b) / x.rows, 4);
    expect(others.map((o) => o.hook)).toEqual(expect.arrayContaining(neighboursOf(plain, POST)));
  });

  it('looks at the layer, the one before and the one after, at no activation twice', () => {
    expect(neighboursOf(plain, POST).sort()).toEqual(
      [
        ...['hook_resid_mid', 'hook_attn_out', 'hook_mlp_out'].map((n) => `blocks.1.${n}`),
        ...['hook_resid_pre', 'hook_resid_mid', 'hook_resid_post', 'hook_attn_out', 'hook_mlp_out'].map(
          (n) => `blocks.0.${n}`,
        ),
        ...['hook_resid_mid', 'hook_resid_post', 'hook_attn_out', 'hook_mlp_out'].map((n) => `blocks.2.${n}`),
      ].sort(),
    );
    expect(neighboursOf(plain, 'blocks.1.mlp.hook_post')).toEqual(['blocks.0.mlp.hook_post', 'blocks.2.mlp.hook_post']);
  });

  it.each(['blocks.2.hook_resid_post', 'blocks.0.hook_resid_mid', 'blocks.1.hook_mlp_out', 'blocks.2.hook_attn_out'])(
    'names the neighbour %s that it was trained on',
    async (right) => {
      const sae = fittingSae(await activations(plain, tokens, right), POST);
      const { warnings } = await conformanceOf(plain, sae, tokens, POST);
      expect(warnings).toHaveLength(1);
      expect(warnings[0]).toMatch(
        new RegExp(`explains 100 % at ${right} but −?\\d+ % at ${POST}, where it was asked for.*L0 [01]\\.\\d+ .*norm`),
      );
    },
  );

  it('the block before is named as resid_pre where resid_pre was asked for', async () => {
    const [asked, right] = ['blocks.1.hook_resid_pre', 'blocks.2.hook_resid_pre'];
    const sae = fittingSae(await activations(plain, tokens, right), asked);
    expect((await conformanceOf(plain, sae, tokens, asked)).warnings[0]).toContain(`explains 100 % at ${right} but`);
  });

  it('tells of an SAE of the centred model on the plain one, and what to do', async () => {
    const x = await activations(centred, tokens, POST);
    const metadata = { model_from_pretrained_kwargs: { center_writing_weights: true } };
    const sae = fittingSae(x, POST, { metadata });
    const { warnings } = await conformanceOf(plain, sae, tokens, POST);
    expect(warnings[0]).toMatch(
      /explains 100 % of the activations at blocks\.1\.hook_resid_post when they are centred but −?\d+ % as they are; its config says center_writing_weights: true; load the model with \{ process: 'center' \}/,
    );
    expect((await conformanceOf(centred, sae, tokens, POST)).warnings).toEqual([]);
  });

  it('an SAE whose config asks for centring is told of even where it explains enough', async () => {
    const metadata = { model_from_pretrained_kwargs: { center_writing_weights: true } };
    const sae = fittingSae(await activations(plain, tokens, POST), POST, { metadata });
    expect((await conformanceOf(plain, sae, tokens, POST)).warnings[0]).toMatch(/not centred; load the model with/);
  });

  it('tells of activations that were scaled in training, with the scale', async () => {
    const hook = 'hook_embed';
    const d = plain.config.dModel;
    // ±x_j less a threshold that only scaled activations pass.
    const [W_enc, W_dec] = [matrix(d, 2 * d), matrix(2 * d, d)];
    for (let j = 0; j < d; j++)
      for (const [f, sign] of [
        [j, 1],
        [j + d, -1],
      ] as const)
        W_enc.data[j * 2 * d + f] = W_dec.data[f * d + j] = sign;
    const base = fittingSae(await activations(plain, tokens, hook), hook).config;
    const sae = createSae(
      { ...base, architecture: 'standard', k: undefined, dSae: 2 * d },
      { W_enc, W_dec, b_dec: new Float32Array(d), b_enc: new Float32Array(2 * d).fill(-0.4) },
    );
    const { asked, others, warnings } = await conformanceOf(plain, sae, tokens, hook);
    const scaled = others.find((o) => o.variant === 'scaled')!;
    expect(scaled.norm).toBeCloseTo(Math.sqrt(d), 3);
    expect(scaled.explainedVariance).toBeGreaterThan(asked.explainedVariance + 0.5);
    const s = (Math.sqrt(d) / asked.norm).toPrecision(3);
    expect(warnings[0]).toContain(`scaled by ${s}, which is not folded into its weights`);
  });

  it('tells of BOS before each sequence, where training had it', async () => {
    const [bos, body] = [36, tokensOf()];
    const model = Object.create(plain) as LanguageModel;
    Object.defineProperty(model, 'tokenizer', { value: { ...tokenizer, bosId: bos } });
    const withBos = { ...body, tokens: Int32Array.from(body.tokens), context: LENGTH, sequences: 6 };
    const rows: number[] = [];
    for (let s = 0; s < 6; s++) rows.push(bos, ...body.tokens.subarray(s * LENGTH, (s + 1) * LENGTH));
    const longer = { ...withBos, tokens: Int32Array.from(rows), context: LENGTH + 1 };
    const sae = fittingSae(await activations(plain, longer, POST), POST);
    const without = await conformanceOf(model, sae, body, POST);
    expect(without.others.find((o) => o.variant === 'with BOS')!.explainedVariance).toBeCloseTo(1, 5);
    expect(without.asked.explainedVariance).toBeLessThan(0.999);
    const has = await conformanceOf(model, fittingSae(await activations(plain, body, POST), POST), longer, POST);
    expect(has.others.find((o) => o.variant === 'without BOS')!.explainedVariance).toBeCloseTo(1, 5);
  });

  it('missing BOS is told of where it matters, with what to do', async () => {
    // A begin token that all later ones look at: its embedding is far larger than any other.
    const bos = 36;
    const weights = randomWeights(config, 1);
    const table = weights.get('transformer.wte.weight')!;
    const data = Float32Array.from(table.data);
    for (let j = 0; j < config.dModel; j++) data[bos * config.dModel + j] *= 40;
    const model = modelOf(config, new Map([...weights, ['transformer.wte.weight', { ...table, data }]]));
    const reads = Object.create(model) as LanguageModel;
    Object.defineProperty(reads, 'tokenizer', { value: { ...tokenizer, bosId: bos } });
    const body = tokensOf();
    const rows: number[] = [];
    for (let s = 0; s < 6; s++) rows.push(bos, ...body.tokens.subarray(s * LENGTH, (s + 1) * LENGTH));
    const longer = { ...body, tokens: Int32Array.from(rows), context: LENGTH + 1 };
    const hook = 'blocks.0.hook_attn_out';
    const sae = fittingSae(await activations(model, longer, hook), hook, { dSae: 54 });
    const { warnings } = await conformanceOf(reads, sae, body, hook);
    expect(warnings[0]).toMatch(
      /explains 100 % of the activations at blocks\.0\.hook_attn_out when sequences begin with BOS but −?\d+ % as they are; tokenize with \{ bos: true \}/,
    );
    expect((await conformanceOf(reads, sae, longer, hook)).warnings).toEqual([]);
  });

  it('padding is no text: figures are those of the texts alone', async () => {
    const x = await activations(plain, tokens, POST);
    const alone = await conformanceOf(plain, fittingSae(x, POST), tokens, POST);
    const wide = new Int32Array(6 * 12).fill(5);
    const padding = new Uint8Array(wide.length).fill(1);
    for (let s = 0; s < 6; s++) {
      wide.set(tokens.tokens.subarray(s * LENGTH, (s + 1) * LENGTH), s * 12);
      padding.fill(0, s * 12, s * 12 + LENGTH);
    }
    const padded = await conformanceOf(
      plain,
      fittingSae(x, POST),
      { ...tokens, tokens: wide, context: 12, padding },
      POST,
    );
    expect(padded.asked).toEqual(alone.asked);
    expect(padded.others).toEqual(alone.others);
  });

  it('a transcoder is looked at beside what it predicts', async () => {
    const [reads, writes] = ['blocks.1.hook_resid_mid', 'blocks.1.hook_mlp_out'];
    const [x, y] = [await activations(plain, tokens, reads), await activations(plain, tokens, writes)];
    const { config: own, W_enc } = fittingSae(x, reads);
    // One feature for each row, which writes what is behind the MLP there.
    const f = createSae(own, { W_enc, W_dec: y, b_enc: new Float32Array(48), b_dec: new Float32Array(x.cols) }).encode(
      x,
    );
    const W_dec = matrix(y.rows, y.cols, Float32Array.from(y.data));
    for (let i = 0; i < f.rows; i++)
      for (let j = 0; j < y.cols; j++) W_dec.data[f.indices[i] * y.cols + j] = y.data[i * y.cols + j] / f.values[i];
    const { k: _, ...rest } = own;
    const made = (hookName: string, hookNameOut: string): Sae =>
      createSae(
        { ...rest, architecture: 'jumprelu_transcoder', transcoder: true, hookName, hookNameOut },
        {
          ...{ W_enc, W_dec, b_enc: new Float32Array(48), b_dec: new Float32Array(x.cols) },
          threshold: Float32Array.from(f.values, (v) => v * 0.999),
        },
      );
    const right = await conformanceOf(plain, made(reads, writes), tokens, reads);
    expect(right.predicts).toBe(writes);
    const wrong = await conformanceOf(plain, made('blocks.2.hook_resid_mid', 'blocks.2.hook_mlp_out'), tokens, 'blocks.2.hook_resid_mid'); // prettier-ignore
    expect(wrong.predicts).toBe('blocks.2.hook_mlp_out');
    expect(right.asked.explainedVariance).toBeGreaterThan(wrong.asked.explainedVariance + 0.5);
    expect(wrong.warnings.join()).toMatch(
      /when it reads blocks\.1\.hook_resid_mid but|is it a transcoder of this model\?/,
    );
    // Without a word of what it predicts, nothing is said of variance.
    expect((await conformanceOf(plain, made(reads, ''), tokens, reads)).asked.explainedVariance).toBeNaN();
  });

  it('tells of an SAE of another model of the same width', async () => {
    const other = modelOf(config, randomWeights(config, 9));
    const sae = fittingSae(await activations(other, tokens, POST), POST, { dSae: 48 });
    const { asked, warnings } = await conformanceOf(plain, sae, tokens, POST);
    expect(asked.explainedVariance).toBeLessThan(0.2);
    expect(warnings[0]).toMatch(
      /explains −?\d+ % at blocks\.1\.hook_resid_post, and .*: is it an SAE of this model\? Measured on \d+ tokens/,
    );
  });

  it('another width and another tokenizer are refused, in evaluate too', async () => {
    const sae = fittingSae(await activations(plain, tokens, POST), POST);
    const strange = { ...tokens, tokenizer: { ...tokenizer, id: 'other' } };
    await expect(conformanceOf(plain, sae, strange, POST)).rejects.toThrow(/tokenizer other but model odd reads/);
    await expect(evaluateSae(plain, sae, strange)).rejects.toThrow(/tokenizer other but model odd reads/);
    await expect(conformanceOf(plain, sae, tokens, 'blocks.1.mlp.hook_post')).rejects.toThrow(
      /expects activations of width/,
    );
  });

  it('equal activations and dead SAEs are told of, not divided by', async () => {
    const same = { ...tokens, tokens: new Int32Array(48).fill(3) };
    const x = await activations(plain, same, 'hook_embed');
    const { asked, warnings } = await conformanceOf(plain, fittingSae(x, 'hook_embed'), same, 'hook_embed');
    expect(asked.explainedVariance).toBeNaN();
    expect(warnings[0]).toMatch(/all equal/);
    const sae = fittingSae(await activations(plain, tokens, POST), POST);
    const { W_enc, W_dec, b_dec } = sae;
    const dead = createSae(sae.config, { W_enc, W_dec, b_dec, b_enc: new Float32Array(48).fill(-1e6) });
    expect((await conformanceOf(plain, dead, tokens, POST)).warnings.join()).toMatch(/no feature that fires/);
  });

  it('is told once, stored, and not made again; can be silenced', async () => {
    const store = newStore();
    const sae = fittingSae(await activations(plain, tokens, 'blocks.2.hook_resid_post'), POST);
    const pairing = { model: plain, sae, tokens, hook: POST };
    const silent = await saveActivations(plain, sae, tokens, store, { conformance: false });
    expect(silent.warnings.filter((text) => text.includes('explains'))).toEqual([]);
    expect((await store.list()).map((r) => r.kind)).toEqual(['activations']);
    expect((await saveActivations(plain, sae, tokens, store)).warnings[0]).toContain('where it was asked for');
    expect(await conformanceWarnings(pairing, store)).toEqual([]);
    // Another session finds the figures.
    const again = new ArtifactStore(store.folder, { device: () => 'test' });
    let passes = 0;
    const counted = Object.create(plain) as LanguageModel;
    counted.forward = (...args) => (passes++, plain.forward(...args));
    expect(await conformanceWarnings({ ...pairing, model: counted }, again)).toHaveLength(1);
    expect(passes).toBe(0);
    expect((await again.list()).filter((r) => r.kind === 'conformance')).toHaveLength(1);
  });
});

describe('what the figures of a pairing are said to mean', () => {
  const fit = (hook: string, explainedVariance: number, meanError: number): Fit => ({
    ...{ hook, variant: 'as they are', tokens: 256, l0: 8, norm: 10, explainedVariance, meanError },
  });
  const [HERE, THERE, BEYOND] = ['blocks.1.hook_resid_post', 'blocks.0.hook_resid_post', 'blocks.0.hook_mlp_out'];
  const said = (asked: Fit, others: Fit[], turned?: number): string[] =>
    warningsOf({ asked, others, wantsCentred: false, centred: false, ...(turned === undefined ? {} : { turned }) }, {
      name: 's',
      config: { dIn: 16, dSae: 64, metadata: {} },
    } as unknown as Sae);

  it('another hook is named where both figures are for it, of an SAE that explains little', () => {
    const [warning] = said(fit(HERE, 0.5, 0.04), [fit(THERE, 0.6, 0.02), fit(BEYOND, 0.61, 0.035)], 0);
    expect(warning).toContain(`explains 60 % at ${THERE} but 50 % at ${HERE}, where it was asked for`);
    expect(warning).toContain(`the mean is 2.0 % of its error there, 4.0 % here: poorly trained, but of ${THERE}`);
  });

  it('it is said that they do not tell where they disagree, and nothing where the mean is for the hook asked for', () => {
    const [warning] = said(fit(HERE, 0.5, 0.04), [fit(THERE, 0.62, 0.035)], 0);
    expect(warning).toMatch(/explains 62 % .* these figures do not tell which hook it was trained on/);
    expect(said(fit(HERE, 0.5, 0.02), [fit(THERE, 0.62, 0.035)], 0)).toEqual([]);
    expect(said(fit(HERE, 0.5, 0.04), [fit(THERE, 0.53, 0.01)], 0)).toEqual([]);
  });

  it('nothing is asked of the very model and hook of training, nor is an SAE of another model given a hook', () => {
    expect(said(fit(HERE, 0.5, 0.04), [fit(THERE, 0.6, 0.02)])).toEqual([]);
    expect(said(fit(HERE, 0.1, 0.04), [fit(THERE, 0.24, 0.02)], 0.1)[0]).toMatch(/is it an SAE of this model\?/);
  });

  it('a baseline that explains little is named as one, and is not asked whose SAE it is', () => {
    const training = { baseline: 'frozenDecoder' };
    const sae = { name: 's', config: { dIn: 16, dSae: 64, metadata: { training } } } as unknown as Sae;
    const figures = { asked: fit(HERE, 0.1, 0.04), others: [], wantsCentred: false, centred: false };
    expect(warningsOf(figures, sae)[0]).toMatch(
      /^SAE s \(frozenDecoder\) explains 10 % .*: a baseline may explain as little\. Measured/,
    );
  });

  it('where the L0 of training comes back in other units, these are named', () => {
    const [asked, divided] = [fit(HERE, 0.8, 0.01), { ...fit(HERE, 0.75, 0.01), variant: 'divided' as const }];
    const figures = { asked: { ...asked, l0: 90 }, others: [divided], wantsCentred: false, centred: false };
    const sae = { name: 's', config: { dIn: 400, dSae: 64, metadata: {} } } as unknown as Sae;
    expect(warningsOf({ ...figures, expectedL0: 8 }, sae)[0]).toMatch(
      /has L0 90\.0 at blocks\.1\.hook_resid_post where 8\.00 is expected, and 8\.00 when they are divided by √d \/ their mean norm; the scale of its training data, about 2\.00, was folded into its weights twice/,
    );
    expect(warningsOf({ ...figures, expectedL0: 16 }, sae)[0]).toMatch(/where 16\.0 is expected\. Measured/);
  });

  it('of hooks that are explained about as well, the one with the least error of the mean is named', () => {
    const [warning] = said(fit(HERE, 0.1, 0.2), [fit(BEYOND, 0.62, 0.05), fit(THERE, 0.56, 0.03)], 0);
    expect(warning).toContain(`explains 56 % at ${THERE} but 10 % at ${HERE}, where it was asked for; give`);
  });
});
