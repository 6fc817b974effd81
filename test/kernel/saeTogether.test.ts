/** fg.sae.train with a list of options: one pass of the model, each SAE as it is alone. */
import fs from 'node:fs';
import path from 'node:path';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { createFg, type Fg } from '#kernel/api/index.js';
import { initDevice } from '#kernel/compute/device.js';
import { createModel } from '#kernel/models/create.js';
import { matrix } from '#kernel/compute/matrix.js';
import { columnMeans } from '#kernel/compute/rows.js';
import type { LanguageModel } from '#kernel/models/types.js';
import { modelSources } from '#kernel/sae/source.js';
import { collectingContext, type CollectedContext } from '#test/kit/context.js';
import { CONFIGS, tokenizer } from '#test/kit/model.js';

beforeAll(() => initDevice({ device: 'cpu' }));

type Options = Parameters<Fg['sae']['train']>[2];
const mlp: Options = {
  ...{ hook: 'blocks.0.hook_mlp_out', features: 64, architecture: 'topk', k: 6, steps: 40, lr: 3e-3, seed: 5 },
  ...{ trainBatchSizeTokens: 48, deadFeatureWindow: 20, normalizeActivations: 'expected_average_only_in' },
};
const LIST: Options[] = [
  mlp,
  { ...mlp, k: 3 },
  { ...mlp, seed: 6, trainBatchSizeTokens: 96, steps: 25 },
  { ...mlp, hook: 'blocks.0.hook_resid_post', architecture: 'standard', k: undefined, l1Coefficient: 0.1 },
  {
    ...{ ...mlp, k: undefined, architecture: 'skip_transcoder', l1Coefficient: 0.1 },
    ...{ hook: 'blocks.0.ln2.hook_normalized', hookOut: 'blocks.0.hook_mlp_out' },
  },
];
const texts = Array.from({ length: 60 }, (_, i) =>
  Array.from({ length: 12 }, (_, j) => 1 + ((5 * i + j * j) % 36)).join(' '),
);
const data = (fg: Fg) => fg.datasets.fromTexts(texts, { context: 12 });

const contexts: CollectedContext[] = [];
afterEach(() => contexts.splice(0).forEach((context) => context.remove()));

/** A session with a model that counts the sequences that it runs. */
async function session(): Promise<{ fg: Fg; context: CollectedContext; lm: LanguageModel; ran: () => number }> {
  const context = collectingContext();
  contexts.push(context);
  const fg = await createFg(context);
  const lm = createModel(CONFIGS['GPT-2'], { seed: 3, tokenizer, name: 'tiny' });
  let sequences = 0;
  const counting = new Proxy(lm, {
    get(model, name, receiver) {
      if (name !== 'forward') return Reflect.get(model, name, receiver) as unknown;
      return (ids: Int32Array, batch: number, options: object) => {
        sequences += batch;
        return model.forward(ids, batch, options);
      };
    },
  });
  return { fg, context, lm: counting, ran: () => sequences };
}

describe('fg.sae.train with a list', () => {
  it('gives each SAE as it is alone, to the bit, from one pass over the text', async () => {
    const alone = await session();
    const expected = [];
    for (const options of LIST) expected.push(await alone.fg.sae.train(alone.lm, data(alone.fg), options));
    const { fg, context, lm, ran } = await session();
    const found = await fg.sae.train(lm, data(fg), LIST);
    expect(found.map(({ id }) => id)).toEqual(expected.map(({ id }) => id));
    expect(found.map(({ history }) => history)).toEqual(expected.map(({ history }) => history));
    // One pass over the 60 texts, and the sample that looks whether they are text at all.
    expect(ran()).toBeLessThan(2 * data(fg).tokens(lm).sequences);
    expect(ran()).toBeLessThan(0.5 * alone.ran());
    // One chart and one table of all.
    expect(
      context.shown.filter((items) => JSON.stringify(items).includes(`Training of ${LIST.length} SAEs`)),
    ).toHaveLength(2);
    // The same call, together or alone, loads them.
    const before = ran();
    expect((await fg.sae.train(lm, data(fg), [LIST[1], LIST[0]])).map(({ id }) => id)).toEqual([
      found[1].id,
      found[0].id,
    ]);
    expect((await fg.sae.train(lm, data(fg), LIST[3])).id).toBe(found[3].id);
    expect(ran()).toBe(before);
  });

  it('trains what is missing when some are there already', async () => {
    const { fg, lm } = await session();
    const first = await fg.sae.train(lm, data(fg), LIST[3]);
    const [again, other] = await fg.sae.train(lm, data(fg), [LIST[3], LIST[0]]);
    expect(again.id).toBe(first.id);
    expect(other.config.hookName).toBe(mlp.hook);
  });

  it('cancelled in mid-run goes on from where each was, to the same SAEs', async () => {
    const whole = await session();
    const expected = await whole.fg.sae.train(whole.lm, data(whole.fg), LIST);
    const { fg, context, lm } = await session();
    const stop = new AbortController();
    const stopped = fg.sae.train(lm, data(fg), [
      {
        ...LIST[0],
        signal: stop.signal,
        onProgress: ({ unit, done }) => unit === 'steps' && done > 20 && stop.abort(),
      },
      ...LIST.slice(1),
    ]);
    await expect(stopped).rejects.toThrow(/cancelled/);
    const unfinished = fs.readdirSync(`${context.artifactFolder}/unfinished`);
    expect(unfinished.length).toBeGreaterThan(1);
    // Every one that had begun is an SAE to load and use.
    const lines = context.printed.flatMap((line) => /kept: fg\.sae\.load\("(.*)"\)/.exec(line)?.[1] ?? []);
    expect(lines.length).toBe(unfinished.length);
    for (const line of lines) {
      const { config, encode } = await fg.sae.load(line);
      expect(encode(matrix(2, config.dIn, new Float32Array(2 * config.dIn).fill(0.3))).rows).toBe(2);
    }
    const found = await fg.sae.train(lm, data(fg), LIST);
    expect(found.map(({ id }) => id)).toEqual(expected.map(({ id }) => id));
    expect(found.map(({ history }) => history)).toEqual(expected.map(({ history }) => history));
  });

  it('says which one cannot be trained, and keeps the others', async () => {
    const { fg, lm, ran } = await session();
    await expect(fg.sae.train(lm, data(fg), [LIST[0], { ...LIST[1], lr: 1e30 }])).rejects.toThrow(
      /SAE 2 of 2: SAE training stopped: .*; the other one is kept/s,
    );
    const before = ran();
    await fg.sae.train(lm, data(fg), LIST[0]);
    expect(ran()).toBe(before);
  });

  it('a state that cannot be written stops its own training alone; the call goes on from the last one', async () => {
    const whole = await session();
    const expected = await whole.fg.sae.train(whole.lm, data(whole.fg), LIST.slice(0, 2));
    const { fg, context, lm } = await session();
    const states = `${context.artifactFolder}/unfinished`;
    let blocked = '';
    const onProgress = ({ unit, done }: { unit?: string; done: number }): void => {
      if (unit !== 'steps' || done < 20 || blocked || !fs.existsSync(states)) return;
      blocked = path.join(states, fs.readdirSync(states)[0]);
      fs.renameSync(blocked, `${context.artifactFolder}/aside`);
      fs.writeFileSync(blocked, '');
    };
    const stopped = fg.sae.train(lm, data(fg), [{ ...LIST[0], onProgress }, LIST[1]]);
    await expect(stopped).rejects.toThrow(
      /SAE \d of 2: SAE training stopped at step \d+: .*its state of step \d+ is kept.*; the other one is kept/s,
    );
    fs.rmSync(blocked);
    fs.renameSync(`${context.artifactFolder}/aside`, blocked);
    const found = await fg.sae.train(lm, data(fg), LIST.slice(0, 2));
    expect(found.map(({ id }) => id)).toEqual(expected.map(({ id }) => id));
    expect(found.map(({ history }) => history)).toEqual(expected.map(({ history }) => history));
  });

  it('checks every entry before anything runs', async () => {
    const { fg, lm, ran } = await session();
    await expect(fg.sae.train(lm, data(fg), [])).rejects.toThrow(/list of options is empty/);
    const typo = { ...mlp, kk: 3 } as unknown as Options;
    await expect(fg.sae.train(lm, data(fg), [mlp, typo])).rejects.toThrow(/options 2 of 2.*kk/s);
    await expect(fg.sae.train(lm, data(fg), [{ ...mlp, expansion: 2 }])).rejects.toThrow(/both say how many/);
    expect(ran()).toBe(0);
  });

  it('activations on the disk are read by every later training, which runs no model', async () => {
    const { fg, lm, ran, context } = await session();
    const plain = await fg.sae.train(lm, data(fg), mlp);
    const passed = ran();
    // The same SAE is made again from the disk, beside a transcoder: one pass writes both hooks.
    const both = await fg.sae.train(lm, data(fg), [
      { ...mlp, cache: 'f32', fresh: true },
      { ...LIST[4], cache: 'f32' },
    ]);
    expect(ran() - passed).toBeLessThanOrEqual(passed);
    expect(both[0].id).toBe(plain.id);
    expect(context.printed.join()).toMatch(/hook_mlp_out are written as f32, [\d.]+ [kKM]i?B: trainings with/);
    const before = ran();
    const again = await fg.sae.train(lm, data(fg), { ...mlp, k: 2, seed: 9, cache: 'f32' });
    const transcoder = await fg.sae.train(lm, data(fg), { ...LIST[4], seed: 9, cache: 'f32' });
    expect(ran()).toBe(before);
    const alone = await session();
    expect((await alone.fg.sae.train(alone.lm, data(alone.fg), { ...mlp, k: 2, seed: 9 })).id).toBe(again.id);
    expect((await alone.fg.sae.train(alone.lm, data(alone.fg), { ...LIST[4], seed: 9 })).id).toBe(transcoder.id);
    // Rounded activations make an SAE of its own, near that one.
    const rounded = await fg.sae.train(lm, data(fg), { ...mlp, cache: 'bf16' });
    expect(rounded.id).not.toBe(plain.id);
    const end = ({ history }: typeof rounded): number => history.at(-1)!.loss;
    expect(Math.abs(end(rounded) / end(plain) - 1)).toBeLessThan(0.05);
  });

  it('a piece that was damaged on the disk is refused as it is read', async () => {
    const { fg, lm, context } = await session();
    await fg.sae.train(lm, data(fg), { ...mlp, cache: 'f32' });
    const kept = fs.readdirSync(context.artifactFolder).find((name) => name.startsWith('training-activations-'))!;
    const file = path.join(context.artifactFolder, kept, 'piece-000000.safetensors');
    const bytes = fs.readFileSync(file);
    bytes[bytes.length - 3] ^= 1;
    fs.writeFileSync(file, bytes);
    await expect(fg.sae.train(lm, data(fg), { ...mlp, k: 2, cache: 'f32' })).rejects.toThrow(/piece-000000/);
  });

  it('a transcoder says what it reads and predicts, has frozen baselines, and needs a hook to predict', async () => {
    const { fg, lm } = await session();
    const options: Options = { ...LIST[4], steps: 300, trainBatchSizeTokens: 96, lrDecaySteps: 100 };
    const transcoder = await fg.sae.train(lm, data(fg), options);
    const { hook, hookOut } = options;
    expect(transcoder.config).toMatchObject({ transcoder: true, hookName: hook, hookNameOut: hookOut });
    const sample = data(fg).tokens(lm);
    const [source] = modelSources(lm, sample, [{ hook: hook!, hookOut }], { batchTokens: 4096 });
    let [error, spread] = [0, 0];
    for await (const both of source.batches()) {
      const [x, y] = [matrix(both.rows, lm.hookWidth(hook!)), matrix(both.rows, lm.hookWidth(hookOut!))];
      for (let i = 0; i < both.rows; i++) {
        x.data.set(both.data.subarray(i * both.cols, i * both.cols + x.cols), i * x.cols);
        y.data.set(both.data.subarray(i * both.cols + x.cols, (i + 1) * both.cols), i * y.cols);
      }
      const mean = columnMeans(y);
      transcoder.decode(transcoder.encode(x)).data.forEach((v, at) => {
        error += (v - y.data[at]) ** 2;
        spread += (y.data[at] - mean[at % y.cols]) ** 2;
      });
    }
    expect(1 - error / spread).toBeGreaterThan(0.8);
    expect(Math.abs(1 - error / spread - transcoder.history.at(-1)!.explainedVariance)).toBeLessThan(0.1);

    const baselines = await fg.sae.baselines(lm, transcoder, data(fg));
    expect(Object.keys(baselines)).toEqual(['frozenDecoder', 'softFrozenDecoder', 'frozenEncoder']);
    for (const made of Object.values(baselines)) expect(made.config).toMatchObject({ hookNameOut: hookOut });
    await expect(fg.sae.baselines(lm, transcoder, data(fg), { kinds: ['pca'] })).rejects.toThrow(/is a transcoder/);
    await expect(fg.sae.train(lm, data(fg), { ...options, hookOut: undefined })).rejects.toThrow(
      /skip_transcoder reads one activation and predicts another: .* \{ hookOut \}/,
    );
    await expect(fg.sae.train(lm, data(fg), { ...mlp, hookOut })).rejects.toThrow(/leave \{ hookOut \} out/);
    await expect(fg.sae.train(lm, data(fg), { ...options, applyBDecToInput: true })).rejects.toThrow(
      /transcoder cannot subtract b_dec/,
    );
  });

  it('a multiple of the width is the number of features that it means', async () => {
    const { fg, lm } = await session();
    const width = lm.hookWidth(mlp.hook);
    const { features: _, ...rest } = mlp;
    const [a, b] = await fg.sae.train(lm, data(fg), [
      { ...rest, expansion: 2 },
      { ...rest, features: 2 * width },
    ]);
    expect(a.id).toBe(b.id);
    expect(a.config.dSae).toBe(2 * width);
  });
});

it('activations that are not kept are still captured once for readers of several hooks', async () => {
  const { fg, lm, ran } = await session();
  const tokens = data(fg).tokens(lm);
  const hooks = ['blocks.0.hook_mlp_out', 'blocks.1.hook_resid_post'];
  const read = async (source: { batches(): AsyncIterable<{ rows: number }> }): Promise<number> => {
    let rows = 0;
    for await (const piece of source.batches()) rows += piece.rows;
    return rows;
  };
  const sources = modelSources(lm, tokens, hooks, { batchTokens: 48, cacheBytes: 0 });
  const rows = await Promise.all([...sources, sources[0]].map(read));
  const { sequences, context } = tokens;
  expect(rows).toEqual([1, 1, 1].map(() => sequences * context));
  expect(ran()).toBe(sequences);
});
