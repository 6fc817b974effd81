/** Features of SAEs of every architecture, read one by one and all together, are those of encode. */
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { beforeAll, expect, it } from 'vitest';
import { initGemm } from '#kernel/compute/gemm.js';
import { matrix } from '#kernel/compute/matrix.js';
import { rowNorms } from '#kernel/compute/rows.js';
import { FeatureRows, featureSet } from '#kernel/interventions/features.js';
import { normalizeInput, type InputNorm } from '#kernel/sae/normalize.js';
import { architectureOf } from '#kernel/sae/architectures/index.js';
import { loadSae, type LoadSaeOptions } from '#kernel/sae/load.js';
import type { Sae } from '#kernel/sae/types.js';
import { toDense } from '#test/kit/rows.js';
import { goldens, maximum, type LayoutCase } from '#test/kit/saeLayouts.js';
import { testFolder } from '#test/kit/folder.js';

let folder = '';
beforeAll(async () => {
  await initGemm();
  folder = testFolder('sae-features');
});

const x = matrix(goldens.x.length, goldens.x[0].length, Float32Array.from(goldens.x.flat()));

async function load({ name, files, load: path, options }: LayoutCase): Promise<Sae> {
  const at = join(folder, name.replaceAll(/\W+/g, '-'));
  for (const [file, bytes] of Object.entries(files)) {
    await mkdir(dirname(join(at, file)), { recursive: true });
    await writeFile(join(at, file), Buffer.from(bytes, 'base64'));
  }
  return loadSae(join(at, path), options as LoadSaeOptions);
}

it.each(goldens.cases)('single features are read and attributed as all are: $name', async (golden) => {
  const sae = await load(golden);
  if (sae.config.transcoder) {
    expect(() => new FeatureRows(sae, 'all')).toThrow(/is a transcoder: it reads .* and predicts/);
    return;
  }
  const dense = toDense(sae.encode(x));
  const scale = maximum([...dense]);
  const chosen = [0, 3, 7, 11];
  for (const [ids, set] of [
    [chosen, featureSet(sae, chosen)],
    [Array.from({ length: 12 }, (_, f) => f), 'all'],
  ] as const) {
    const { values } = new FeatureRows(sae, set).read(x);
    for (let i = 0; i < x.rows; i++)
      ids.forEach((f, k) =>
        expect(Math.abs(values[i * ids.length + k] - dense[i * 12 + f])).toBeLessThan(1e-5 * scale),
      );
  }
  expectSlope(sae, dense, scale);
});

/** Where a feature fires its activation is scale·(x̃·w) + bias, which attribution takes the gradient of. */
function expectSlope(sae: Sae, dense: Float32Array, scale: number): void {
  const { applyBDecToInput, normalizeActivations, architecture, rescaleActsByDecoderNorm } = sae.config;
  const { x: input } = normalizeInput(x, normalizeActivations as InputNorm);
  const norms = rescaleActsByDecoderNorm ? rowNorms(sae.W_dec) : undefined;
  dense.forEach((value, at) => {
    const [i, f] = [Math.floor(at / 12), at % 12];
    const line = architectureOf(architecture).slope(sae.config, sae, f);
    if (value === 0 || !line) return;
    let dot = 0;
    for (let j = 0; j < x.cols; j++)
      dot += (input.data[i * x.cols + j] - (applyBDecToInput ? sae.b_dec[j] : 0)) * sae.W_enc.data[j * 12 + f];
    expect(Math.abs((line.scale * dot + line.bias) * (norms ? norms[f] : 1) - value)).toBeLessThan(1e-5 * scale);
  });
}
