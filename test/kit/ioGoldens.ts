/** Arrays as numpy and PyTorch write them, with their values. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

interface Values {
  shape: number[];
  values: number[];
}
interface Named {
  name: string;
  /** base64 */
  bytes: string;
}

/** Files made by numpy and PyTorch: test/goldens/io.py. */
export const goldens = JSON.parse(readFileSync(join(import.meta.dirname, '../goldens/io.json'), 'utf8')) as {
  npy: Array<Named & Values>;
  npyRefused: Named[];
  npz: Named[];
  npzArrays: Record<string, Values>;
  npzObjects: string;
  zip64: string;
  torch: Array<Named & { tensors: Record<string, Values & { dtype: string }> }>;
  torchRefused: Array<Named & { global: string }>;
  pickle: Array<{ protocol: number; bytes: string }>;
};

export const fromBase64 = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'base64'));
