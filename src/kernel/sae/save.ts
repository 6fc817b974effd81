/** Writes an SAE as a SAELens 6 directory: cfg.json, sae_weights.safetensors and, when known, sparsity.safetensors. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Matrix } from '../compute/matrix.js';
import { writeFileAtomic } from '../io/files.js';
import { writeSafetensors } from '../io/safetensors.js';
import { cfgOf } from './cfg.js';
import type { Sae } from './types.js';

export interface SaveSaeOptions {
  /** [d_sae]: share of tokens on which each feature fires; written as log10(share + 1e-10), as SAELens does. */
  density?: ArrayLike<number>;
}

/**
 * Writes `sae` into `folder`, made if missing. loadSae reads back equal weights, bit for bit, and an equal id; SAELens
 * reads the folder with SAE.load_from_disk. The cfg is written last: a folder without it is an unfinished save.
 */
export async function saveSae(sae: Sae, folder: string, options: SaveSaeOptions = {}): Promise<void> {
  await mkdir(folder, { recursive: true });
  const { density } = options;
  if (density && density.length !== sae.config.dSae) {
    throw new RangeError(`density needs one value for each of ${sae.config.dSae} features but has ${density.length}`);
  }
  const matrixOf = (m: Matrix) => ({ dtype: 'F32' as const, shape: [m.rows, m.cols], data: m.data });
  const vector = (data: Float32Array) => ({ dtype: 'F32' as const, shape: [data.length], data });
  await writeSafetensors(join(folder, 'sae_weights.safetensors'), {
    W_enc: matrixOf(sae.W_enc),
    b_enc: vector(sae.b_enc),
    W_dec: matrixOf(sae.W_dec),
    b_dec: vector(sae.b_dec),
  });
  if (density) {
    const sparsity = Float32Array.from(density, (share) => Math.log10(share + 1e-10));
    await writeSafetensors(join(folder, 'sparsity.safetensors'), { sparsity: vector(sparsity) });
  }
  await writeFileAtomic(join(folder, 'cfg.json'), `${JSON.stringify(cfgOf(sae.config), null, 2)}\n`);
}
