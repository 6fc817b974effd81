/** Layouts on disk: layout.json, and the arrays beside it. */
import fs from 'node:fs/promises';
import path from 'node:path';
import { ndarray } from '../io/ndarray.js';
import { SafetensorsFile, writeSafetensors } from '../io/safetensors.js';
import type { Layout } from './types.js';

const META = 'layout.json';
const ARRAYS = 'layout.safetensors';

/** Writes a layout into an existing folder; the coordinates are F32 [points, axes]. */
export async function saveLayout(folder: string, layout: Layout): Promise<void> {
  const { coordinates, explainedVarianceRatio, ...meta } = layout;
  const tensors = { coordinates: ndarray('F32', [layout.points, layout.axes ?? 2], coordinates) };
  await writeSafetensors(path.join(folder, ARRAYS), tensors);
  await fs.writeFile(
    path.join(folder, META),
    JSON.stringify({
      ...meta,
      ...(explainedVarianceRatio ? { explainedVarianceRatio: [...explainedVarianceRatio] } : {}),
    }),
  );
}

/** Reads what saveLayout wrote. */
export async function loadLayout(folder: string): Promise<Layout> {
  const meta = JSON.parse(await fs.readFile(path.join(folder, META), 'utf8')) as Omit<
    Layout,
    'coordinates' | 'explainedVarianceRatio'
  > & { explainedVarianceRatio?: number[] };
  const file = await SafetensorsFile.open(path.join(folder, ARRAYS));
  try {
    const { data } = await file.read('coordinates');
    const { explainedVarianceRatio, ...rest } = meta;
    return {
      ...rest,
      coordinates: data as Float32Array,
      ...(explainedVarianceRatio ? { explainedVarianceRatio: Float64Array.from(explainedVarianceRatio) } : {}),
    };
  } finally {
    await file.close();
  }
}
