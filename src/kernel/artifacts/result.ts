/** Results of plain objects, numbers and typed arrays in an artifact's folder: result.json and result.safetensors. */
import { join } from 'node:path';
import { readJson, writeFileAtomic } from '../io/files.js';
import { ndarray, type NdArray } from '../io/ndarray.js';
import { SafetensorsFile, writeSafetensors } from '../io/safetensors.js';

const JSON_FILE = 'result.json';
const ARRAY_FILE = 'result.safetensors';

/**
 * In the JSON, { "$array": name } stands for an array of the safetensors file, { "$number": "NaN" } for what JSON
 * lacks.
 */
type Tagged = { $array?: string; $number?: string };

const DTYPES = new Map<unknown, 'F32' | 'F64' | 'I32' | 'U32' | 'U8'>([
  [Float32Array, 'F32'],
  [Float64Array, 'F64'],
  [Int32Array, 'I32'],
  [Uint32Array, 'U32'],
  [Uint8Array, 'U8'],
]);

/** Writes a result into an existing folder; arrays go under their path, such as "features.latent". */
export async function saveResult(folder: string, result: object): Promise<void> {
  const arrays: Record<string, NdArray> = {};
  const plain = (value: unknown, path: string): unknown => {
    if (typeof value === 'number' && !Number.isFinite(value)) return { $number: String(value) };
    if (typeof value !== 'object' || value === null) return value;
    if (ArrayBuffer.isView(value)) {
      const dtype = DTYPES.get(value.constructor);
      if (!dtype) throw new TypeError(`${path} is ${value.constructor.name}, which results do not hold`);
      const data = value as Float32Array;
      arrays[path] = ndarray(dtype, [data.length], data);
      return { $array: path };
    }
    if (Array.isArray(value)) return value.map((v, i) => plain(v, `${path}.${i}`));
    const entries = Object.entries(value).filter(([, v]) => v !== undefined);
    return Object.fromEntries(entries.map(([k, v]) => [k, plain(v, path ? `${path}.${k}` : k)]));
  };
  const json = plain(result, '');
  await writeSafetensors(join(folder, ARRAY_FILE), arrays);
  await writeFileAtomic(join(folder, JSON_FILE), `${JSON.stringify(json, null, 1)}\n`);
}

/** Reads what saveResult wrote. Throws when a file is missing or an array of the JSON is not there. */
export async function loadResult<T extends object>(folder: string): Promise<T> {
  const json = await readJson(join(folder, JSON_FILE));
  const file = await SafetensorsFile.open(join(folder, ARRAY_FILE));
  try {
    const revive = async (value: unknown): Promise<unknown> => {
      if (typeof value !== 'object' || value === null) return value;
      const { $array, $number } = value as Tagged;
      if (typeof $array === 'string') return (await file.read($array)).data;
      if (typeof $number === 'string') return Number($number);
      if (Array.isArray(value)) return Promise.all(value.map(revive));
      const entries = Object.entries(value);
      return Object.fromEntries(await Promise.all(entries.map(async ([k, v]) => [k, await revive(v)] as const)));
    };
    return (await revive(json)) as T;
  } finally {
    await file.close();
  }
}
