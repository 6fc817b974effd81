/** Saves a model in Hugging Face's folder layout: config.json + model.safetensors. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { writeFileAtomic } from '../io/files.js';
import { toF16 } from '../io/half.js';
import { ndarray, type NdArray } from '../io/ndarray.js';
import { writeSafetensors } from '../io/safetensors.js';
import { writeConfig } from './config.js';
import { weightShapes } from './layout.js';
import type { TransformerModel } from './transformer.js';

/**
 * Writes config.json and model.safetensors into `folder`, made if missing. Tokenizer files are not written: copy them
 * beside. With dtype F32 (default) loading the folder gives the same logits, bit for bit, and the same id; F16 halves
 * the file and rounds the weights.
 */
export async function saveModel(
  model: TransformerModel,
  folder: string,
  options: { dtype?: 'F32' | 'F16' } = {},
): Promise<void> {
  await mkdir(folder, { recursive: true });
  const tensors: Record<string, NdArray> = {};
  for (const [name, shape] of weightShapes(model.config)) {
    const values = await model.weightValues(name);
    tensors[name] =
      options.dtype === 'F16' ? ndarray('F16', shape, Uint16Array.from(values, toF16)) : ndarray('F32', shape, values);
  }
  await writeSafetensors(join(folder, 'model.safetensors'), tensors, { format: 'pt' });
  const { eosId, bosId } = model.tokenizer;
  const config = { ...writeConfig(model.config), eos_token_id: eosId ?? null, bos_token_id: bosId ?? null };
  await writeFileAtomic(join(folder, 'config.json'), `${JSON.stringify(config, null, 2)}\n`);
}
