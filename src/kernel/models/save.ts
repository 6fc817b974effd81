/** Saves a model in Hugging Face's folder layout: config.json + model.safetensors. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { tf } from '../compute/tf.js';
import { writeFileAtomic } from '../io/files.js';
import { ndarray, type NdArray } from '../io/ndarray.js';
import { writeSafetensors } from '../io/safetensors.js';
import { writeConfig } from './config.js';
import type { TransformerModel } from './transformer.js';

/**
 * Writes config.json and model.safetensors (float32) into `folder`, made if missing. Tokenizer files are not written:
 * copy them beside. Loading the folder gives the same logits, bit for bit, and the same id.
 */
export async function saveModel(model: TransformerModel, folder: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  const tensors: Record<string, NdArray> = {};
  for (const [name, weight] of model.parameters()) tensors[name] = await floats(weight);
  await writeSafetensors(join(folder, 'model.safetensors'), tensors, { format: 'pt' });
  await writeFileAtomic(join(folder, 'config.json'), `${JSON.stringify(writeConfig(model.config), null, 2)}\n`);
}

async function floats(weight: tf.Tensor): Promise<NdArray> {
  return ndarray('F32', weight.shape, await weight.data<'float32'>());
}
