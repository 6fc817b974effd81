/** The values of a lens as files of an artifact. */
import fs from 'node:fs/promises';
import path from 'node:path';
import { ndarray } from '../io/ndarray.js';
import { SafetensorsFile, writeSafetensors } from '../io/safetensors.js';
import type { LensValues } from './types.js';

const FILES = { meta: 'lens.json', arrays: 'lens.safetensors' };

/** Writes a lens into an existing folder: lens.json, and values F64 [n, dims] in lens.safetensors. */
export async function saveLens(folder: string, { values, ...about }: LensValues): Promise<void> {
  const rows = about.dims > 0 ? values.length / about.dims : 0;
  await writeSafetensors(path.join(folder, FILES.arrays), { values: ndarray('F64', [rows, about.dims], values) });
  await fs.writeFile(path.join(folder, FILES.meta), JSON.stringify(about));
}

/** Reads what saveLens wrote. */
export async function loadLens(folder: string): Promise<LensValues> {
  const about = JSON.parse(await fs.readFile(path.join(folder, FILES.meta), 'utf8')) as Omit<LensValues, 'values'>;
  const file = await SafetensorsFile.open(path.join(folder, FILES.arrays));
  try {
    return { ...about, values: (await file.read('values')).data as Float64Array };
  } finally {
    await file.close();
  }
}
