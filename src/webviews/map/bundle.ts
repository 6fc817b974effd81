/** A map read from the files of its bundle (protocol/map.ts): what an exported report carries in its page. */
import type { FeatureExample, MapColumns, MapMeta, MapSource } from '../../protocol/map.js';
import { decodeSafetensors, type NdArray } from '../../protocol/safetensors.js';

/** `read` gives one file of the bundle by its name, such as "columns.safetensors". */
export function bundleMapSource(read: (file: string) => Promise<Uint8Array>): MapSource {
  const once = new Map<string, Promise<Uint8Array>>();
  const file = (name: string) => {
    let bytes = once.get(name);
    if (!bytes) once.set(name, (bytes = read(name)));
    return bytes;
  };
  const json = async <T>(name: string) => JSON.parse(new TextDecoder().decode(await file(name))) as T;
  let tensors: Promise<Map<string, NdArray>> | undefined;
  const arrays = () =>
    (tensors ??= file('columns.safetensors').then((bytes) => decodeSafetensors(bytes, 'columns.safetensors').tensors));
  return {
    meta: () => json<MapMeta>('map.json'),
    columns: async (set) => columnsOf(await arrays(), set, await json<string[][]>(`${set}.labels.json`)),
    examples: async (set, point) => {
      const at = (await arrays()).get(`${set}.examplesAt`);
      if (!(at?.data instanceof BigInt64Array)) throw new Error(`columns.safetensors has no I64 ${set}.examplesAt`);
      if (point < 0 || point + 1 >= at.data.length)
        throw new Error(`set ${set} has ${at.data.length - 1} points; there is no point ${point}`);
      const bytes = await file(`${set}.examples.jsonl`);
      const line = new TextDecoder().decode(bytes.subarray(Number(at.data[point]), Number(at.data[point + 1])));
      return line.trim() === '' ? [] : (JSON.parse(line) as FeatureExample[]);
    },
  };
}

function columnsOf(tensors: Map<string, NdArray>, set: number, labels: string[][]): MapColumns {
  const floats = (name: string) => {
    const data = tensors.get(`${set}.${name}`)?.data;
    if (data !== undefined && !(data instanceof Float32Array)) throw new Error(`${set}.${name} is not F32`);
    return data;
  };
  const ints = (name: string) => {
    const data = tensors.get(`${set}.${name}`)?.data;
    if (data !== undefined && !(data instanceof Int32Array)) throw new Error(`${set}.${name} is not I32`);
    return data;
  };
  const needed = <T>(array: T | undefined, name: string): T => {
    if (array === undefined) throw new Error(`columns.safetensors has no ${set}.${name}; export the map again`);
    return array;
  };
  return {
    x: needed(floats('x'), 'x'),
    y: needed(floats('y'), 'y'),
    feature: needed(ints('feature'), 'feature'),
    firingRate: needed(floats('firingRate'), 'firingRate'),
    firings: needed(ints('firings'), 'firings'),
    partner: ints('partner'),
    r: floats('r'),
    labels,
  };
}
