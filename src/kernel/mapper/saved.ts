/** Mapper graphs on disk: what an artifact of kind "mapper" holds. */
import fs from 'node:fs/promises';
import path from 'node:path';
import { ndarray, type NdArray } from '../io/ndarray.js';
import { SafetensorsFile, writeSafetensors } from '../io/safetensors.js';
import type { LensValues, MapperGraph } from './types.js';

const META = 'mapper.json';
const ARRAYS = 'mapper.safetensors';
const INTEGERS = [
  'membersAt',
  'members',
  'cube',
  'cluster',
  'edges',
  'weight',
  'triangles',
  'tetrahedra',
  'component',
  'noise',
  'excluded',
] as const;

type Integers = Record<(typeof INTEGERS)[number], Int32Array>;
type Meta = Omit<MapperGraph, keyof Integers | 'lens' | 'norms'> & { lens: Omit<LensValues, 'values'> };

/** Writes a graph into an existing folder; arrays are safetensors, so that Python opens them. */
export async function saveGraph(folder: string, graph: MapperGraph): Promise<void> {
  const { lens, norms, ...rest } = graph;
  const { values, ...about } = lens;
  const tensors: Record<string, NdArray> = { lens: ndarray('F64', [graph.points, lens.dims], values) };
  if (norms) tensors.norms = ndarray('F32', [norms.length], norms);
  for (const key of INTEGERS) tensors[key] = ndarray('I32', [graph[key].length], graph[key]);
  await writeSafetensors(path.join(folder, ARRAYS), tensors);
  const meta = Object.fromEntries(
    Object.entries(rest).filter(([key]) => !(INTEGERS as readonly string[]).includes(key)),
  );
  await fs.writeFile(path.join(folder, META), `${JSON.stringify({ ...meta, lens: about })}\n`);
}

/** Reads what saveGraph wrote. */
export async function loadGraph(folder: string): Promise<MapperGraph> {
  const { lens, ...meta } = JSON.parse(await fs.readFile(path.join(folder, META), 'utf8')) as Meta;
  const file = await SafetensorsFile.open(path.join(folder, ARRAYS));
  try {
    const arrays: Partial<Integers> = {};
    for (const key of INTEGERS) arrays[key] = (await file.read(key)).data as Int32Array;
    const norms = file.names().includes('norms') ? { norms: (await file.read('norms')).data as Float32Array } : {};
    const values = (await file.read('lens')).data as Float64Array;
    return { ...meta, ...norms, ...(arrays as Integers), lens: { ...lens, values } };
  } finally {
    await file.close();
  }
}
