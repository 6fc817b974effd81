/**
 * Files as they are published: samples in the repository, made by the scripts beside them, and real ones in the folder of
 * shared data beside the checkout, where it is. What holds of real files is tested on both.
 */
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';

const goldens = resolve(import.meta.dirname, '../goldens');
/** Data that is not of this repository; tests of it are skipped where it is absent. */
export const shared = resolve(import.meta.dirname, '../../../shared/data');

/** `there`, after a word where it is not. */
function noted<T extends { name: string; folder: string }>(files: T): T & { there: boolean } {
  const there = existsSync(files.folder);
  if (!there) console.warn(`skipped: ${files.name} is not at ${files.folder}`);
  return { ...files, there };
}

/** Plain text with stories parted by blank lines. */
export const STORIES = join(goldens, 'stories.txt');

/** Two checkpoints of top-k SAEs with k = 4, `sae_${features}_4.pt`: `small` and `large` features of width `d`. */
export const CHECKPOINTS = [
  noted({ name: 'the sample SAEs', folder: join(goldens, 'pre-bias'), small: 96, large: 256, d: 16 }),
  noted({ name: 'the SAEs of TinyStories-1M', folder: join(shared, 'saes'), small: 128, large: 1024, d: 64 }),
];

/** Language models of Llama's architecture: folders with expected.safetensors and tokens-expected.json beside the model. */
export const LLAMAS = [
  noted({ name: 'the sample Llama', folder: join(goldens, 'llama'), layers: 2, vocab: 400 }),
  noted({ name: 'stories260K', folder: join(shared, 'stories260K'), layers: 5, vocab: 512 }),
];
