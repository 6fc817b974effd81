/** The files of a bundle that the page itself holds: what an exported report carries. */
import type { FeatureExample } from '../../protocol/map.js';
import { decodeSafetensors, type NdArray } from '../../protocol/safetensors.js';

export class PageBundle {
  private readonly once = new Map<string, Promise<Uint8Array>>();
  private readonly decoded = new Map<string, Promise<Map<string, NdArray>>>();

  /** `read` gives one file of the bundle by its name, such as "columns.safetensors". */
  constructor(private readonly read: (file: string) => Promise<Uint8Array>) {}

  file(name: string): Promise<Uint8Array> {
    let bytes = this.once.get(name);
    if (!bytes) this.once.set(name, (bytes = this.read(name)));
    return bytes;
  }

  async json<T>(name: string): Promise<T> {
    return JSON.parse(new TextDecoder().decode(await this.file(name))) as T;
  }

  tensors(name = 'columns.safetensors'): Promise<Map<string, NdArray>> {
    let tensors = this.decoded.get(name);
    if (!tensors) {
      tensors = this.file(name).then((bytes) => decodeSafetensors(bytes, name).tensors);
      this.decoded.set(name, tensors);
    }
    return tensors;
  }

  /** Dataset examples of a point: one line of the set's file. */
  async examples(set: number, point: number): Promise<FeatureExample[]> {
    const at = (await this.tensors()).get(`${set}.examplesAt`);
    if (!(at?.data instanceof BigInt64Array)) throw new Error(`columns.safetensors has no I64 ${set}.examplesAt`);
    if (point < 0 || point + 1 >= at.data.length)
      throw new Error(`set ${set} has ${at.data.length - 1} points; there is no point ${point}`);
    const bytes = await this.file(`${set}.examples.jsonl`);
    const line = new TextDecoder().decode(bytes.subarray(Number(at.data[point]), Number(at.data[point + 1])));
    return line.trim() === '' ? [] : (JSON.parse(line) as FeatureExample[]);
  }
}

export function floatsOf(tensors: Map<string, NdArray>, name: string): Float32Array | undefined {
  const data = tensors.get(name)?.data;
  if (data !== undefined && !(data instanceof Float32Array)) throw new Error(`${name} is not F32`);
  return data;
}

export function intsOf(tensors: Map<string, NdArray>, name: string): Int32Array | undefined {
  const data = tensors.get(name)?.data;
  if (data !== undefined && !(data instanceof Int32Array)) throw new Error(`${name} is not I32`);
  return data;
}

/** The array, or an error that names the missing column. */
export function needed<T>(array: T | undefined, name: string): T {
  if (array === undefined) throw new Error(`columns.safetensors has no ${name}; run the cell and export again`);
  return array;
}
