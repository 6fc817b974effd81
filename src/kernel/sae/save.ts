/** Writes an SAE in the layout of a training library: one writer each in writers/. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { writeFileAtomic } from '../io/files.js';
import { writeSafetensors } from '../io/safetensors.js';
import { choice, value, type Given } from '../verb/option.js';
import type { Sae } from './types.js';
import { dictionaryLearningFiles } from './writers/dictionaryLearning.js';
import { saelensFiles } from './writers/saelens.js';
import { sparsifyFiles } from './writers/sparsify.js';
import { vectorTensor, type SaeOutput } from './writers/tensors.js';

/** density is [d_sae], written as log10(share + 1e-10), as SAELens does. */
export const SAVE = {
  layout: choice(['saelens', 'sparsify', 'dictionary_learning', 'neuronpedia'], {
    doc: 'Program whose files are written: cfg.json and sae_weights.safetensors, cfg.json and sae.safetensors, config.json and ae.pt, or batch-0.json and more with the features for Neuronpedia, which needs `activations`.',
    usual: 'saelens',
  }),
  density: value<ArrayLike<number>>(
    'one number for each feature',
    { doc: "Share of tokens on which each feature fires, for the saelens layout's sparsity.", fallback: 'not written' },
    (v) => Array.isArray(v) || ArrayBuffer.isView(v),
  ),
} as const;

/** Programs whose files are of an SAE alone. */
export type SaveLayout = Exclude<NonNullable<Given<typeof SAVE>['layout']>, 'neuronpedia'>;

export type SaveSaeOptions = Omit<Given<typeof SAVE>, 'layout'> & { readonly layout?: SaveLayout };

const WRITERS: Readonly<Record<SaveLayout, (sae: Sae) => SaeOutput>> = {
  saelens: saelensFiles,
  sparsify: sparsifyFiles,
  dictionary_learning: dictionaryLearningFiles,
};

/**
 * Writes `sae` into `folder`, made if missing. loadSae reads it back to equal features, and the library whose layout it is
 * reads it too: saelens with SAE.load_from_disk (equal weights, bit for bit, and an equal id, but for batchtopk, which it has
 * as jumprelu), sparsify with SparseCoder.load_from_disk, dictionary_learning with load_dictionary. The config is written
 * last: a folder without it is an unfinished save. Throws when the library has no such SAE.
 */
export async function saveSae(sae: Sae, folder: string, options: SaveSaeOptions = {}): Promise<void> {
  const { density, layout = SAVE.layout.usual as SaveLayout } = options;
  const writer = WRITERS[layout];
  if (density && layout !== 'saelens')
    throw new Error(`density is part of the saelens layout; ${layout} has no place for it`);
  if (density && density.length !== sae.config.dSae) {
    throw new RangeError(`density needs one value for each of ${sae.config.dSae} features but has ${density.length}`);
  }
  const { config, weights } = writer(sae);
  await mkdir(folder, { recursive: true });
  const path = join(folder, weights.name);
  if (weights.bytes) await writeFileAtomic(path, weights.bytes);
  else await writeSafetensors(path, weights.tensors);
  if (density) {
    const sparsity = Float32Array.from(density, (share) => Math.log10(share + 1e-10));
    await writeSafetensors(join(folder, 'sparsity.safetensors'), { sparsity: vectorTensor(sparsity) });
  }
  await writeFileAtomic(join(folder, config.name), `${JSON.stringify(config.json, null, 2)}\n`);
}
