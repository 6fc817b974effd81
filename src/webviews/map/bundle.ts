/** A map read from the files of its bundle (protocol/map.ts): what an exported report carries in its page. */
import type { MapColumns, MapMeta, MapSource } from '../../protocol/map.js';
import type { NdArray } from '../../protocol/safetensors.js';
import { floatsOf, intsOf, needed, PageBundle } from '../ui/bundle.js';

/** `read` gives one file of the bundle by its name, such as "columns.safetensors". */
export function bundleMapSource(read: (file: string) => Promise<Uint8Array>): MapSource {
  const bundle = new PageBundle(read);
  return {
    meta: () => bundle.json<MapMeta>('map.json'),
    columns: async (set) => columnsOf(await bundle.tensors(), set, await bundle.json<string[][]>(`${set}.labels.json`)),
    examples: (set, point) => bundle.examples(set, point),
  };
}

function columnsOf(tensors: Map<string, NdArray>, set: number, labels: string[][]): MapColumns {
  const floats = (name: string) => needed(floatsOf(tensors, `${set}.${name}`), `${set}.${name}`);
  const ints = (name: string) => needed(intsOf(tensors, `${set}.${name}`), `${set}.${name}`);
  return {
    x: floats('x'),
    y: floats('y'),
    feature: ints('feature'),
    firingRate: floats('firingRate'),
    firings: ints('firings'),
    partner: intsOf(tensors, `${set}.partner`),
    r: floatsOf(tensors, `${set}.r`),
    x2: floatsOf(tensors, `${set}.x2`),
    y2: floatsOf(tensors, `${set}.y2`),
    delta: floatsOf(tensors, `${set}.delta`),
    labels,
  };
}
