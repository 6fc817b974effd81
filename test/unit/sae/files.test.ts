import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { initGemm } from '#kernel/compute/gemm.js';
import { matrix } from '#kernel/compute/matrix.js';
import { Random } from '#kernel/compute/random.js';
import { SafetensorsFile, writeSafetensors } from '#kernel/io/safetensors.js';
import { loadSae } from '#kernel/sae/load.js';
import { saveSae } from '#kernel/sae/save.js';
import type { Sae, SaeConfig } from '#kernel/sae/types.js';
import { saeOf } from '#test/kit/sae.js';
import { CHECKPOINTS } from '#test/kit/samples.js';
import { testFolder } from '#test/kit/folder.js';

let folder = '';
beforeAll(async () => {
  await initGemm();
  folder = testFolder('sae-files');
});

const D = 4;
const F = 9;
function randomSae(o: Partial<SaeConfig> = {}): Sae {
  const random = new Random(1);
  const normals = (n: number) => random.normals(new Float32Array(n));
  return saeOf(
    { W_enc: matrix(D, F, normals(D * F)), b_enc: normals(F), W_dec: matrix(F, D, normals(F * D)), b_dec: normals(D) },
    {
      architecture: 'topk',
      k: 3,
      applyBDecToInput: false,
      hookName: 'blocks.1.hook_mlp_out',
      modelName: 'tiny-2L',
      modelId: 'abc',
      contextSize: 64,
      metadata: { training: { lr: 0.1 } },
      ...o,
    },
  );
}

/** Writes a SAELens folder by hand. */
async function directory(
  name: string,
  cfg: object,
  extra: Record<string, { dtype: 'F32'; shape: number[]; data: Float32Array }> = {},
): Promise<string> {
  const at = join(folder, name);
  await saveSae(randomSae(), at);
  await writeFile(join(at, 'cfg.json'), JSON.stringify(cfg));
  if (Object.keys(extra).length > 0) {
    const { W_enc, b_enc, W_dec, b_dec } = randomSae();
    const t = (data: Float32Array, ...shape: number[]) => ({ dtype: 'F32' as const, shape, data });
    await writeSafetensors(join(at, 'sae_weights.safetensors'), {
      W_enc: t(W_enc.data, D, F),
      b_enc: t(b_enc, F),
      W_dec: t(W_dec.data, F, D),
      b_dec: t(b_dec, D),
      ...extra,
    });
  }
  return at;
}

describe('SAELens directories', () => {
  it.each([
    {},
    { architecture: 'standard', k: undefined, applyBDecToInput: true, normalizeActivations: 'layer_norm' },
    { rescaleActsByDecoderNorm: true, modelId: undefined, contextSize: undefined },
  ] as Array<Partial<SaeConfig>>)('a saved SAE comes back bit for bit: %o', async (o) => {
    const sae = randomSae(o);
    const at = join(folder, `round-${JSON.stringify(o).length}`);
    await saveSae(sae, at);
    const back = await loadSae(at);
    expect(JSON.parse(JSON.stringify(back.config))).toEqual(JSON.parse(JSON.stringify({ ...sae.config })));
    for (const name of ['W_enc', 'W_dec'] as const) expect(back[name]).toEqual(sae[name]);
    for (const name of ['b_enc', 'b_dec'] as const) expect(back[name]).toEqual(sae[name]);
    expect(back.id).toBe(sae.id);
    expect((await loadSae(join(at, 'sae_weights.safetensors'))).id).toBe(sae.id);
  });

  it('cfg.json has the keys of SAELens 6, and sparsity is log10', async () => {
    const at = join(folder, 'keys');
    await saveSae(randomSae(), at, { density: [1, 0.1, 0, ...Array<number>(6).fill(0.01)] });
    const cfg = JSON.parse(await readFile(join(at, 'cfg.json'), 'utf8')) as object;
    expect(cfg).toMatchObject({
      architecture: 'topk',
      d_in: 4,
      d_sae: 9,
      k: 3,
      dtype: 'float32',
      apply_b_dec_to_input: false,
      normalize_activations: 'none',
      rescale_acts_by_decoder_norm: false,
    });
    expect(cfg).toMatchObject({
      metadata: {
        model_name: 'tiny-2L',
        hook_name: 'blocks.1.hook_mlp_out',
        context_size: 64,
        sae_lens_version: '6.18.0',
      },
    });
    const file = await SafetensorsFile.open(join(at, 'sparsity.safetensors'));
    const { data } = await file.read('sparsity');
    await file.close();
    expect([data[0], data[1], data[2]]).toEqual([expect.closeTo(0, 6), expect.closeTo(-1, 6), expect.closeTo(-10, 4)]);
  });

  it('reads the flat cfg of versions before 6 with its renames and defaults', async () => {
    const at = await directory('flat', {
      d_in: D,
      d_sae: F,
      hook_point: 'blocks.0.hook_mlp_out',
      model_name: 'tiny-stories-1L-21M',
      activation_fn_str: 'relu',
      normalize_activations: false,
      dtype: 'torch.float32',
      hook_point_layer: 0,
      sae_lens_version: '3.14.0',
    });
    const { config } = await loadSae(at);
    expect(config).toMatchObject({
      architecture: 'standard',
      applyBDecToInput: true,
      normalizeActivations: 'none',
      hookName: 'blocks.0.hook_mlp_out',
      modelName: 'tiny-stories-1L-21M',
    });
    expect(config.metadata).toEqual({ hook_point_layer: 0, sae_lens_version: '3.14.0' });
  });

  it('activation topk makes an old standard SAE a topk one', async () => {
    const at = await directory('oldtopk', {
      d_in: D,
      d_sae: F,
      hook_name: 'h',
      activation_fn: 'topk',
      activation_fn_kwargs: { k: 2 },
      architecture: 'standard',
    });
    expect((await loadSae(at)).config).toMatchObject({ architecture: 'topk', k: 2 });
  });

  it('refuses an unfolded activation scale without its value, and folds it with', async () => {
    const at = await directory('unfolded', {
      d_in: D,
      d_sae: F,
      architecture: 'standard',
      normalize_activations: true,
    });
    await expect(loadSae(at)).rejects.toThrow(/normScalingFactor/);
    const sae = await loadSae(at, { normScalingFactor: 2 });
    const raw = randomSae();
    expect(sae.config.normalizeActivations).toBe('none');
    expect(sae.W_enc.data[5]).toBeCloseTo(2 * raw.W_enc.data[5], 6);
    expect(sae.W_dec.data[5]).toBeCloseTo(raw.W_dec.data[5] / 2, 6);
    expect(sae.b_dec[1]).toBeCloseTo(raw.b_dec[1] / 2, 6);
    expect(sae.b_enc).toEqual(raw.b_enc);
    await writeFile(join(at, 'activation_scaler.json'), '{"scaling_factor": 2}');
    expect((await loadSae(at)).id).toBe(sae.id);
  });

  it('scaling_factor: ones mean nothing, others need finetuning_scaling_factor and scale the decoder', async () => {
    const cfg = { d_in: D, d_sae: F, architecture: 'standard' };
    const factor = (value: number) => ({
      scaling_factor: { dtype: 'F32' as const, shape: [F], data: new Float32Array(F).fill(value) },
    });
    expect((await loadSae(await directory('ones', cfg, factor(1)))).W_dec).toEqual(randomSae().W_dec);
    await expect(loadSae(await directory('twos', cfg, factor(2)))).rejects.toThrow(/finetuning_scaling_factor/);
    const sae = await loadSae(await directory('declared', { ...cfg, finetuning_scaling_factor: true }, factor(2)));
    sae.W_dec.data.forEach((v, i) => expect(v).toBe(2 * randomSae().W_dec.data[i]));
  });

  it.each(['temporal'])('refuses %s by name, with what to do', async (architecture) => {
    const at = await directory(`arch-${architecture}`, { d_in: D, d_sae: F, architecture });
    await expect(loadSae(at)).rejects.toThrow(
      new RegExp(`SAE architecture "${architecture}" is not supported: .* W_dec alone`),
    );
  });

  it('refuses other architectures than there are, shapes than the cfg says, unknown normalisation, a missing file', async () => {
    const base = { d_in: D, d_sae: F };
    await expect(loadSae(await directory('odd', { ...base, architecture: 'odd' }))).rejects.toThrow(
      /"odd" is not supported; supported are standard, topk, gated/,
    );
    await expect(loadSae(await directory('gelu', { ...base, activation_fn: 'gelu' }))).rejects.toThrow(
      /"gelu" of a standard SAE is not supported/,
    );
    await expect(loadSae(await directory('shape', { ...base, d_sae: 10 }))).rejects.toThrow(
      /W_enc must be \[4, 10\] .* but is \[4, 9\]/,
    );
    await expect(loadSae(await directory('norm', { ...base, normalize_activations: 'weird' }))).rejects.toThrow(
      /"weird" is not known/,
    );
    const at = await directory('missing', base);
    await rm(join(at, 'sae_weights.safetensors'));
    await expect(loadSae(at)).rejects.toThrow(/sae_weights.safetensors is missing/);
    await expect(loadSae(join(folder, 'nowhere'))).rejects.toThrow(/no such file or folder/);
  });

  it('refuses weights that are NaN', async () => {
    const nan = { b_enc: { dtype: 'F32' as const, shape: [F], data: new Float32Array(F).fill(NaN) } };
    await expect(loadSae(await directory('nan', { d_in: D, d_sae: F }, nan))).rejects.toThrow(
      /b_enc holds NaN at element 0/,
    );
  });
});

describe('bare state dicts', () => {
  const t = (data: Float32Array, ...shape: number[]) => ({ dtype: 'F32' as const, shape, data });
  const saved = async (name: string) => {
    const { W_enc, b_enc, W_dec, b_dec } = randomSae();
    await writeSafetensors(join(folder, name), {
      pre_bias: t(b_dec, D),
      encoder_bias: t(b_enc, F),
      encoder_weights: t(W_enc.data, D, F),
      decoder_weights: t(W_dec.data, F, D),
    });
    return join(folder, name);
  };
  it('k comes from the name, or from the option, or is asked for', async () => {
    expect((await loadSae(await saved('sae_9_2.safetensors'))).config).toMatchObject({
      architecture: 'topk',
      k: 2,
      dIn: 4,
      dSae: 9,
      applyBDecToInput: true,
    });
    await expect(loadSae(await saved('sae_8_2.safetensors'))).rejects.toThrow(/give \{ k \}/);
    expect((await loadSae(await saved('other.safetensors'), { k: 5, hookName: 'h' })).config).toMatchObject({
      k: 5,
      hookName: 'h',
    });
  });
  it('weights without a config need the architecture', async () => {
    const { W_enc, b_enc, W_dec, b_dec } = randomSae();
    const path = join(folder, 'bare.safetensors');
    await writeSafetensors(path, {
      W_enc: t(W_enc.data, D, F),
      b_enc: t(b_enc, F),
      W_dec: t(W_dec.data, F, D),
      b_dec: t(b_dec, D),
    });
    await expect(loadSae(path)).rejects.toThrow(/give \{ architecture/);
    expect((await loadSae(path, { architecture: 'standard', applyBDecToInput: false })).config.applyBDecToInput).toBe(
      false,
    );
    await writeSafetensors(path, { weight: t(b_dec, D), other: t(b_enc, F) });
    await expect(loadSae(path)).rejects.toThrow(/no SAE known by these tensors: other \[9\], weight \[4\].*\{ map:/);
  });

  it.for(CHECKPOINTS)('$name load: two widths, k = 4', async ({ folder: at, there, small, large, d }, { skip }) => {
    if (!there) skip();
    for (const dSae of [small, large]) {
      const sae = await loadSae(join(at, `sae_${dSae}_4.pt`));
      expect(sae.config).toMatchObject({ architecture: 'topk', k: 4, dIn: d, dSae });
      const x = matrix(50, d, new Random(1).normals(new Float32Array(50 * d)));
      const { indptr } = sae.encode(x);
      for (let i = 0; i < 50; i++) expect(indptr[i + 1] - indptr[i]).toBeLessThanOrEqual(4);
    }
  });
});
