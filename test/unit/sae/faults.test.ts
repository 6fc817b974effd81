/** Files that were once read wrongly: each comes out right, or is refused with words. Skipped where they are absent. */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { initDevice } from '#kernel/compute/device.js';
import { initGemm } from '#kernel/compute/gemm.js';
import { matrix, type Matrix } from '#kernel/compute/matrix.js';
import { toFloat32 } from '#kernel/io/ndarray.js';
import { SafetensorsFile } from '#kernel/io/safetensors.js';
import { loadModel } from '#kernel/models/load.js';
import type { TransformerModel } from '#kernel/models/transformer.js';
import type { TokenSet } from '#kernel/models/types.js';
import { loadSae } from '#kernel/sae/load.js';
import type { Sae } from '#kernel/sae/types.js';

const INPUTS = ['../../../../shared', '../../../../../shared']
  .map((shared) => join(import.meta.dirname, shared, 'faults/sae/inputs'))
  .find((folder) => existsSync(folder));
if (!INPUTS) console.warn('SAE fault files: skipped, shared/faults/sae/inputs is not beside the project');

beforeAll(async () => {
  await initGemm();
  await initDevice();
});

async function tensor(name: string, key: string): Promise<Matrix> {
  const file = await SafetensorsFile.open(join(INPUTS!, name));
  const read = await file.read(key);
  await file.close();
  return matrix(read.shape[0], read.shape[1], toFloat32(read));
}

function dense(sae: Sae, x: Matrix): Float32Array {
  const f = sae.encode(x);
  const out = new Float32Array(f.rows * f.cols);
  for (let i = 0; i < f.rows; i++)
    for (let e = f.indptr[i]; e < f.indptr[i + 1]; e++) out[i * f.cols + f.indices[e]] = f.values[e];
  return out;
}

describe.skipIf(!INPUTS)('SAE files with thresholds', () => {
  it.each([
    ['gemmascope/params.npz', 'gemmascope_std', {}],
    ['gemmascope', 'gemmascope_std', {}],
    ['dl-jump', 'dl_Jump_file', {}],
    ['dl-jump/ae.pt', 'dl_Jump_file', {}],
    ['dl-matryoshka/ae.pt', 'dl_Matryoshka_file', {}],
  ] as const)('%s encodes as its library does', async (path, expected, options) => {
    const sae = await loadSae(join(INPUTS!, path), options);
    const f = dense(sae, await tensor('x.safetensors', 'x'));
    const wanted = await tensor(`${expected}.expected.safetensors`, 'f');
    const top = Math.max(...wanted.data);
    expect(f.length).toBe(wanted.data.length);
    f.forEach((v, i) => expect(Math.abs(v - wanted.data[i])).toBeLessThan(1e-5 * top));
  });

  it.each([
    ['gemmascope/params.npz', { architecture: 'standard', applyBDecToInput: false }, /says "jumprelu"/],
    ['dl-jump/ae.pt', { architecture: 'standard' }, /says "jumprelu"/],
    ['dl-matryoshka/ae.pt', { architecture: 'standard' }, /says "matryoshka_batchtopk"/],
    ['lens-standard-with-threshold', {}, /threshold \[40\] would not be used/],
  ] as const)('%s is not read as a plain ReLU SAE', async (path, options, message) => {
    await expect(loadSae(join(INPUTS!, path), options)).rejects.toThrow(message);
  });
});

describe.skipIf(!INPUTS)('a layer_norm SAE', () => {
  it('decodes into the units of x, and refuses features that do not carry them', async () => {
    const sae = await loadSae(join(INPUTS!, 'sae-layernorm'));
    const x = await tensor('x.safetensors', 'x');
    const far = matrix(
      x.rows,
      x.cols,
      x.data.map((v) => 40 * v + 7),
    );
    const features = sae.encode(far);
    const back = sae.decode(features);
    const { origin: _, ...bare } = features;
    expect(() => sae.decode(bare)).toThrow(/normalises each row .* give x as the second argument/);
    expect(sae.decode(bare, far)).toEqual(back);
    // Features are those of the normalised row: the scale of x must come back from the row itself.
    const near = sae.decode(sae.encode(x));
    for (let i = 0; i < back.data.length; i++)
      expect(Math.abs(back.data[i] - (40 * near.data[i] + 7))).toBeLessThan(0.02);
  });
});

describe.skipIf(!INPUTS)('an SAE in its model', () => {
  const hook = 'blocks.1.hook_resid_pre';
  async function tokensOf(model: TransformerModel): Promise<TokenSet> {
    const texts = JSON.parse(await readFile(join(INPUTS!, 'texts.json'), 'utf8')) as string[];
    const tokens = Int32Array.from(texts.flatMap((text) => [...model.tokenizer!.encode(text)]));
    return { tokens, context: 19, sequences: texts.length, id: 'texts', source: {}, tokenizer: model.tokenizer! };
  }

  it('a layer_norm SAE decodes to the norm that SAELens gives: 1218.2 over 570 tokens', async () => {
    const model = await loadModel(join(INPUTS!, 'model-a'));
    const sae = await loadSae(join(INPUTS!, 'sae-layernorm'));
    const { tokens } = await tokensOf(model);
    const x = (await model
      .forward(tokens, 30, { capture: [hook] })
      .captured.get(hook)!
      .data()) as Float32Array;
    const { data } = sae.decode(sae.encode(matrix(570, 24, x.slice())));
    expect(Math.sqrt(data.reduce((sum, v) => sum + v * v, 0))).toBeCloseTo(1218.2, 1);
  });
});
