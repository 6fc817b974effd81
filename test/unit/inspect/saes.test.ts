/** An inspected SAE says what the loaded one is, and loads exactly when the loader takes it as it stands. */
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { initGemm } from '#kernel/compute/gemm.js';
import { inspect } from '#kernel/inspect/inspect.js';
import type { FindingCode, Inspection } from '#kernel/inspect/types.js';
import { inspectionText } from '#kernel/inspect/words.js';
import type { NdArray } from '#kernel/io/ndarray.js';
import { loadSae } from '#kernel/sae/load.js';
import { goldens, layCase, type CaseChange } from '#test/kit/saeLayouts.js';
import { testFolder } from '#test/kit/folder.js';

let folder = '';
let made = 0;
beforeAll(async () => {
  await initGemm();
  folder = testFolder('saes-inspect');
});

const lay = (name: string, change?: CaseChange): Promise<string> =>
  layCase(join(folder, `case ${made++}`), name, change);

const codes = ({ unusual }: Inspection): FindingCode[] => unusual.map(({ code }) => code);

async function accepted(path: string): Promise<Awaited<ReturnType<typeof loadSae>> | undefined> {
  return loadSae(path).catch(() => undefined);
}

describe('an SAE of every layout is told apart', () => {
  it.each(goldens.cases.map(({ name }) => name))('is said to load exactly when it loads: %s', async (name) => {
    const at = await lay(name);
    const found = await inspect(at, 'asked');
    const sae = await accepted(at);
    // One matrix is taken as an array, and a state dict of no layout as arrays that a map makes an SAE.
    expect(found.loads, JSON.stringify(found.unusual)).toBe(sae !== undefined || found.kind === 'arrays');
    if (!sae) return expect(['needs-option', 'norm-not-folded', undefined]).toContain(codes(found)[0]);
    const { architecture, dIn, dSae, dOut, k, hookName, modelName, applyBDecToInput } = sae.config;
    expect(found).toMatchObject({
      kind: 'sae',
      load: "const sae = await fg.sae.load('asked')",
      sae: {
        ...{ architecture, dIn, dSae, dOut: dOut ?? dIn, k: k ?? null, subtractsBDec: applyBDecToInput },
        ...{ hook: hookName || null, model: modelName || null },
      },
    });
    const stored = found.tensors.reduce((sum, { bytes }) => sum + bytes, 0);
    expect(found.memory.stored).toBe(stored);
    expect(found.values.looked).toBeGreaterThan(0);
    expect(inspectionText(found)).toContain(`${architecture}`);
  });
});

const vector = (value: number): NdArray => ({ dtype: 'F32', shape: [12], data: new Float32Array(12).fill(value) });

describe('what is unusual', () => {
  it.each([
    [
      'SAELens 6 standard',
      { tensors: { threshold: vector(1) } },
      'unknown-tensor',
      /threshold \[12\] would not be used/,
    ],
    ['SAELens 6 standard', { fields: { post_gain: 3 } }, 'unknown-field', /post_gain are not known/],
    ['SAELens 6 standard', { fields: { architecture: 'temporal' } }, 'config-refused', /temporal/],
    ['SAELens 6 jumprelu', { tensors: { b_enc: vector(NaN) } }, 'not-finite', /NaN or infinity in b_enc/],
    [
      'SAELens 6 jumprelu',
      { tensors: { threshold: { ...vector(1), shape: [6, 2] } } },
      'config-refused',
      /one dimension/,
    ],
    ['SAELens 6 jumprelu', { tensors: { b_dec: vector(1) } }, 'shape-mismatch', /b_dec must be \[6\].* but is \[12\]/],
    [
      'SAELens 6 standard',
      { fields: { normalize_activations: 'expected_average_only_in' } },
      'norm-not-folded',
      /normScalingFactor/,
    ],
    ['sparsify topk', { fields: { activation: 'softmax' } }, 'config-refused', /activation "softmax" is not known/],
    ['Llama Scope', { fields: { use_glu_encoder: true } }, 'config-refused', /use_glu_encoder/],
    ['state dict with threshold', {}, 'needs-option', /give \{ applyBDecToInput \}/],
    ['dictionary_learning BatchTopKSAE without a config', {}, 'needs-option', /architecture: 'batchtopk'/],
  ] as Array<[string, CaseChange, FindingCode, RegExp]>)('%s with %j', async (name, change, code, told) => {
    const at = await lay(name, change);
    const found = await inspect(at, at);
    expect(found.loads).toBe(false);
    expect(found.unusual).toContainEqual(
      expect.objectContaining({ code, severity: 'refused', text: expect.stringMatching(told) }),
    );
    expect(await accepted(at)).toBeUndefined();
    expect(inspectionText(found)).toMatch(/refused: /);
  });

  it('a scale beside the weights, centred models and thresholds of BatchTopK are told, and load', async () => {
    expect(codes(await inspect(await lay('SAELens checkpoint with its scale'), 'a'))).toContain('norm-folded-on-load');
    const centred = { metadata: { model_from_pretrained_kwargs: { center_writing_weights: true } } };
    expect(codes(await inspect(await lay('SAELens 6 standard', { fields: centred }), 'a'))).toEqual(['centered-model']);
    const single = { tensors: { threshold: vector(0.5) } };
    expect(codes(await inspect(await lay('SAELens 6 jumprelu', single), 'a'))).toEqual(['single-threshold']);
    const scaled = { sae: { architecture: 'batchtopk', normalize_activations: 'expected_average_only_in' } };
    const beside = { 'runner_cfg.json': scaled };
    const found = await inspect(await lay('SAELens 6 jumprelu', { ...single, beside }), 'a');
    expect(found.unusual).toEqual([
      expect.objectContaining({
        code: 'unscaled-threshold',
        severity: 'warning',
        text: expect.stringMatching(/L0 with k/),
      }),
    ]);
    expect(found.loads).toBe(true);
    expect(codes(await inspect(await lay('SAELens 6 jumprelu'), 'a'))).toEqual([]);
  });

  it('a folder of several SAEs lists them, and one of them is found by inside', async () => {
    const at = join(folder, 'several');
    for (const layer of [0, 1])
      for (const [path, bytes] of Object.entries(goldens.cases.find(({ name }) => name === 'sparsify topk')!.files)) {
        const to = join(at, path.replace('layers.3', `layers.${layer}`));
        await mkdir(dirname(to), { recursive: true });
        await writeFile(to, Buffer.from(bytes, 'base64'));
      }
    const found = await inspect(at, 'here');
    expect(found).toMatchObject({
      kind: 'saes',
      saes: ['layers.0', 'layers.1'],
      load: "const sae = await fg.sae.load('here/layers.0')",
      loads: true,
    });
    expect(inspectionText(found)).toMatch(/SAEs inside\n {2}layers\.0\n {2}layers\.1/);
    const one = await inspect(at, 'here', { inside: 'layers.1' });
    expect(one.sae).toMatchObject({ layout: 'sparsify', architecture: 'topk', hook: 'blocks.1.hook_resid_post' });
    await expect(inspect(at, 'here', { inside: '../other' })).rejects.toThrow(/leaves its folder/);
  });
});
