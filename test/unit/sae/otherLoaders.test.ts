/**
 * SAEs of programs without a layout of their own here, as SAELens's loaders know them: read by what the message proposes,
 * to the features of plain loops; what cannot be meant is refused.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { initGemm } from '#kernel/compute/gemm.js';
import { matrix } from '#kernel/compute/matrix.js';
import { ndarray, type NdArray } from '#kernel/io/ndarray.js';
import { torchCheckpoint } from '#kernel/io/torchWrite.js';
import { loadSae, type LoadSaeOptions } from '#kernel/sae/load.js';
import { reconstruct } from '#kernel/sae/sae.js';
import { normals } from '#test/kit/numbers.js';
import { toDense } from '#test/kit/rows.js';
import { testFolder } from '#test/kit/folder.js';

const folder = testFolder('loaders');
beforeAll(() => initGemm());

const [N, D, F] = [5, 4, 7];
const next = normals(8);
const random = (...shape: number[]): NdArray =>
  ndarray('F32', shape, Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, next));
/** W_enc [d, F], b_enc [F], W_dec [F, d], b_dec [d]. */
const [wEnc, bEnc, wDec, bDec] = [random(D, F), random(F), random(F, D), random(D)];
const x = matrix(N, D, random(N, D).data as Float32Array);
const at = (a: NdArray, i: number, j = 0): number => Number(a.data[i * (a.shape[1] ?? 1) + j]);

function turned(a: NdArray): NdArray {
  const [rows, cols] = a.shape;
  return ndarray('F32', [cols, rows], Float32Array.from({ length: rows * cols }, (_, i) => at(a, i % rows, Math.floor(i / rows)))); // prettier-ignore
}

/** f = ReLU((x − b_dec or 0)·W_enc + b_enc), x̂ = f·W_dec + b_dec by loops in float64. */
function expected(subtract: boolean): { f: number[]; y: number[] } {
  const f: number[] = [];
  const y: number[] = [];
  for (let n = 0; n < N; n++) {
    const own = Array.from({ length: F }, (_, k) => {
      let z = at(bEnc, k);
      for (let j = 0; j < D; j++) z += (x.data[n * D + j] - (subtract ? at(bDec, j) : 0)) * at(wEnc, j, k);
      return Math.max(0, z);
    });
    f.push(...own);
    for (let j = 0; j < D; j++) y.push(own.reduce((sum, v, k) => sum + v * at(wDec, k, j), at(bDec, j)));
  }
  return { f, y };
}

async function expectRead(path: string, options: LoadSaeOptions, subtract: boolean): Promise<void> {
  const sae = await loadSae(path, options);
  const { f, y } = expected(subtract);
  const { features, reconstruction } = reconstruct(sae, x);
  toDense(features).forEach((v, i) => expect(v).toBeCloseTo(f[i], 4));
  reconstruction.data.forEach((v, i) => expect(v).toBeCloseTo(y[i], 4));
}

let files = 0;
function pt(tensors: Record<string, NdArray>): string {
  const path = join(folder, `${files++}.pt`);
  writeFileSync(path, torchCheckpoint(tensors));
  return path;
}

describe('SAEs of programs without a layout', () => {
  it('Goodfire: what was seen is shown, and a map reads it', async () => {
    const path = pt({
      ...{ 'encoder_linear.weight': turned(wEnc), 'encoder_linear.bias': bEnc },
      ...{ 'decoder_linear.weight': turned(wDec), 'decoder_linear.bias': bDec },
    });
    await expect(loadSae(path)).rejects.toThrow(
      /no SAE known by these tensors: encoder_linear\.weight \[7, 4\], .*decoder_linear\.bias \[4\].*map/,
    );
    const map = {
      ...{ W_enc: 'encoder_linear.weight', b_enc: 'encoder_linear.bias' },
      ...{ W_dec: 'decoder_linear.weight', b_dec: 'decoder_linear.bias' },
    };
    await expectRead(path, { map, architecture: 'standard', applyBDecToInput: false }, false);
  });

  it('connor_rob and DeepSeek-R1: tensors alone, whose architecture is asked for', async () => {
    const path = pt({ W_enc: wEnc, b_enc: bEnc, W_dec: wDec, b_dec: bDec });
    await expect(loadSae(path)).rejects.toThrow(/weights without a config; give \{ architecture: 'standard' \}/);
    await expectRead(path, { architecture: 'standard' }, true);
  });

  it('mwhanna: an encoder that lies the other way round is told, and turned by the map that the message gives', async () => {
    const path = pt({ W_enc: turned(wEnc), b_enc: bEnc, W_dec: wDec, b_dec: bDec });
    const told = await loadSae(path, { architecture: 'standard' }).catch((e: Error) => e.message);
    expect(told).toMatch(/W_enc \[7, 4\] lie the other way round/);
    const map = Object.fromEntries([...String(told).matchAll(/(\w+): '(\w+)'/g)].map(([, to, from]) => [to, from]));
    expect(Object.keys(map)).toEqual(['W_enc', 'b_enc', 'W_dec', 'b_dec']);
    await expectRead(path, { map, architecture: 'standard' }, true);
  });

  it('cross-layer transcoders, whose decoders are many, are refused with what was seen', async () => {
    const path = pt({ W_enc_0: turned(wEnc), b_enc_0: bEnc, W_dec_0: random(F, 2, D), b_dec_0: bDec });
    await expect(loadSae(path)).rejects.toThrow(/no SAE known by these tensors: .*W_dec_0 \[7, 2, 4\]/);
  });
});
