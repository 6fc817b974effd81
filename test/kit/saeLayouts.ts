/** Files of every layout with their features and reconstructions: test/goldens/sae-layouts.py. */
import { readFileSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { NdArray } from '#kernel/io/ndarray.js';
import { SafetensorsFile, writeSafetensors } from '#kernel/io/safetensors.js';

export interface LayoutCase {
  name: string;
  /** Path → base64. */
  files: Record<string, string>;
  /** What is loaded, in the folder of the files. */
  load: string;
  options: object;
  /** What the config must say. */
  config: { architecture?: string };
  /** [N][d_sae] and [N][d_out], float64. */
  f: number[][];
  y: number[][];
}

export const goldens = JSON.parse(readFileSync(join(import.meta.dirname, '../goldens/sae-layouts.json'), 'utf8')) as {
  x: number[][];
  cases: LayoutCase[];
  decoder: number[][];
  decoders: Record<string, string>;
};

export const maximum = (values: readonly number[]): number => values.reduce((m, v) => Math.max(m, Math.abs(v)), 0);

/** What is changed of a case: tensors (undefined: taken out) and fields of every file of their kind, files beside. */
export interface CaseChange {
  tensors?: Record<string, NdArray | undefined>;
  fields?: object;
  beside?: Record<string, object>;
}

/** Writes the files of a golden case into the folder `at`, changed; gives what is to be loaded. */
export async function layCase(at: string, name: string, change: CaseChange = {}): Promise<string> {
  const { tensors, fields, beside = {} } = change;
  const found = goldens.cases.find((c) => c.name === name)!;
  for (const [path, bytes] of Object.entries(found.files)) {
    const to = join(at, path);
    await mkdir(dirname(to), { recursive: true });
    await writeFile(to, Buffer.from(bytes, 'base64'));
    if (fields && path.endsWith('.json'))
      await writeFile(to, JSON.stringify({ ...(JSON.parse(await readFile(to, 'utf8')) as object), ...fields }));
    if (tensors && path.endsWith('.safetensors')) await changeTensors(to, tensors);
  }
  for (const [path, json] of Object.entries(beside)) await writeFile(join(at, path), JSON.stringify(json));
  return join(at, found.load);
}

async function changeTensors(path: string, tensors: Record<string, NdArray | undefined>): Promise<void> {
  const file = await SafetensorsFile.open(path);
  const all: Record<string, NdArray> = {};
  for (const tensor of file.names()) all[tensor] = await file.read(tensor);
  await file.close();
  for (const [tensor, value] of Object.entries(tensors)) {
    if (value) all[tensor] = value;
    else delete all[tensor];
  }
  await writeSafetensors(path, all);
}
