import { readdirSync } from 'node:fs';
import { beforeEach, describe, expect, it } from 'vitest';
import type { ArtifactStore } from '#kernel/artifacts/store.js';
import { densityWarnings, saveActivations as saveChecked } from '#kernel/activations/save.js';
import type { ActivationsMeta } from '#kernel/activations/types.js';
import type { Sae, SaeConfig } from '#kernel/sae/types.js';
import { fakeModel, fakeTokens } from '#test/kit/fakeModel.js';
import { fromDense, toDense } from '#test/kit/rows.js';
import { testStores } from '#test/kit/store.js';

const newStore = testStores();
let store: ArtifactStore;
beforeEach(() => void (store = newStore()));

const hook = 'blocks.0.hook_mlp_out';

/** Its features are the input's values minus 5, positive part. */
function fakeSae(config: Partial<SaeConfig> = {}): Sae & { calls: number } {
  const sae = {
    name: 'fake sae',
    id: 'sae-A',
    calls: 0,
    W_dec: { rows: 4, cols: 4, data: new Float32Array(16) },
    config: { architecture: 'standard', dIn: 4, dSae: 4, hookName: hook, modelName: 'fake', metadata: {}, ...config },
    encode(x: { rows: number; cols: number; data: Float32Array }) {
      sae.calls++;
      return fromDense(
        x.data.map((v) => Math.max(0, v - 5)),
        x.rows,
        x.cols,
      );
    },
  };
  return sae as unknown as Sae & { calls: number };
}

/** These SAEs only encode: whether an SAE fits is tested with whole ones (test/unit/sae/conformance.test.ts). */
const saveActivations: typeof saveChecked = (model, sae, tokens, store, options) =>
  saveChecked(model, sae, tokens, store, { conformance: false, ...options });

describe('saveActivations', () => {
  it('stores what the SAE says of every token, and loads it the second time', async () => {
    const model = fakeModel();
    const sae = fakeSae();
    const tokens = fakeTokens(5, 6);
    const first = await saveActivations(model, sae, tokens, store, { batchTokens: 12 });
    expect(first.cached).toBe(false);
    expect(first.activations.id).toBe(first.record.id);
    expect(first.activations.meta).toMatchObject({ hook, tokens: 30, features: 4, tokenSet: { id: 'tokens-A' } });
    expect(await first.activations.tokenIds()).toEqual(tokens.tokens);
    expect(first.activations.piece(3)).toBe(' t3');
    for await (const { rows } of first.activations.shards()) {
      const expected = Float32Array.from({ length: 120 }, (_, i) => {
        const t = Math.floor(i / 4);
        return Math.max(0, Math.fround(Math.fround(tokens.tokens[t] + (t % 6) / 10 + (i % 4) / 100) - 5));
      });
      expect(toDense(rows)).toEqual(expected);
    }
    const calls = sae.calls;
    const second = await saveActivations(model, sae, tokens, store);
    expect(second.cached).toBe(true);
    expect(second.activations.id).toBe(first.activations.id);
    expect(sae.calls).toBe(calls);
    expect((await saveActivations(model, sae, tokens, store, { fresh: true })).cached).toBe(false);
  });

  it('stores ignored tokens and padding without entries, counted, under another identity', async () => {
    const tokens = fakeTokens(2, 6);
    const plain = await saveActivations(fakeModel(), fakeSae(), tokens, store);
    const padding = new Uint8Array(12).fill(1, 10);
    const ignoring = await saveActivations(fakeModel(), fakeSae(), { ...tokens, padding }, store, {
      ignoreTokens: [7],
    });
    expect(ignoring.activations.id).not.toBe(plain.activations.id);
    expect(plain.activations.meta).not.toHaveProperty('ignored');
    expect(ignoring.activations.meta).toMatchObject({ tokens: 12, ignored: 3 });
    const read = async ({ activations }: typeof plain) => {
      for await (const { rows } of activations.shards()) return toDense(rows);
      return new Float32Array(0);
    };
    const expected = await read(plain);
    for (const t of [7, 10, 11]) expected.fill(0, 4 * t, 4 * t + 4);
    expect(await read(ignoring)).toEqual(expected);
  });

  it('leaves out what the SAE was trained without, by its file, and not when the call says so', async () => {
    const tokens = fakeTokens(2, 6);
    const sae = fakeSae();
    Object.assign(sae, {
      config: { ...sae.config, metadata: { exclude_special_tokens: [7], seqpos_slice: [0, -1] } },
    });
    const saved = await saveActivations(fakeModel(), sae, tokens, store);
    expect([...((await saved.activations.ignored()) ?? [])]).toEqual([0, 0, 0, 0, 0, 1, 0, 1, 0, 0, 0, 1]);
    const all = await saveActivations(fakeModel(), sae, tokens, store, { ignoreTokens: [], allPositions: true });
    expect(all.activations.meta).not.toHaveProperty('ignored');
    expect(all.activations.id).not.toBe(saved.activations.id);
  });

  it('gives other tokens another artifact', async () => {
    const a = await saveActivations(fakeModel(), fakeSae(), fakeTokens(2, 6), store);
    const b = await saveActivations(
      fakeModel(),
      fakeSae(),
      fakeTokens(2, 6, (i) => i + 1, 'tokens-B'),
      store,
    );
    expect(b.activations.id).not.toBe(a.activations.id);
  });

  it('refuses an SAE of another width, naming both, before any forward pass', async () => {
    const model = fakeModel([6]);
    const run = saveActivations(model, fakeSae(), fakeTokens(2, 6), store);
    await expect(run).rejects.toThrow(/width 4 .*has width 6/);
    expect(model.batches).toEqual([]);
  });

  it('refuses an SAE of another model with both identities, unless allowed', async () => {
    const sae = fakeSae({ modelId: 'model-B' });
    const run = saveActivations(fakeModel(), sae, fakeTokens(2, 6), store);
    await expect(run).rejects.toThrow(/model-B.*model-A/);
    const allowed = await saveActivations(fakeModel(), sae, fakeTokens(2, 6), store, { allowOtherModel: true });
    expect(allowed.activations.meta.tokens).toBe(12);
  });

  it('refuses NaN with its place and leaves no artifact', async () => {
    const model = fakeModel([4], (token, position, j) => (token === 8 && j === 2 ? NaN : position));
    const run = saveActivations(model, fakeSae(), fakeTokens(2, 6), store);
    await expect(run).rejects.toThrow(/NaN at sequence 1, position 2, dimension 2/);
    expect(readdirSync(store.folder)).toEqual([]);
  });

  it('leaves no artifact when aborted', async () => {
    const controller = new AbortController();
    const run = saveActivations(fakeModel(), fakeSae(), fakeTokens(5, 6), store, {
      batchTokens: 6,
      signal: controller.signal,
      onProgress: () => controller.abort(),
    });
    await expect(run).rejects.toMatchObject({ name: 'AbortError' });
    expect(readdirSync(store.folder)).toEqual([]);
  });
});

describe('densityWarnings', () => {
  const meta = (features: number, l0: number) =>
    ({
      tokens: 1000,
      features,
      nonZeros: l0 * 1000,
      hook,
      sae: { name: 'S' },
      model: { name: 'M' },
    }) as ActivationsMeta;
  const standard = { architecture: 'standard', metadata: {} } as const;
  const topk = { architecture: 'topk', k: 32, metadata: {} } as const;

  it('says nothing of an SAE that fires as trained', () => {
    expect(densityWarnings(meta(16_384, 20), standard)).toEqual([]);
    expect(densityWarnings(meta(16_384, 17.4), topk)).toEqual([]);
    expect(densityWarnings(meta(64, 20), standard)).toEqual([]);
  });

  it('warns of the density of a wrong SAE: 34 % where 0.2 % is right', () => {
    expect(densityWarnings(meta(16_384, 5571), standard)).toEqual([
      expect.stringMatching(/34\.0 % of 16384.*is S the SAE/),
    ]);
  });

  it('warns of an L0 far from k or from the training L0', () => {
    expect(densityWarnings(meta(16_384, 4), topk)).toEqual([expect.stringMatching(/L0 is 4\.00.*top 32/)]);
    const trained = { ...standard, metadata: { training: { finalL0: 167 } } };
    expect(densityWarnings(meta(16_384, 20), trained)).toEqual([expect.stringMatching(/L0 is 20\.0.*ended at 167/)]);
    expect(densityWarnings(meta(16_384, 100), trained)).toEqual([]);
  });
});
