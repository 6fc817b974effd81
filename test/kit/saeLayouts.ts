/** Files of every layout with their features and reconstructions: test/goldens/sae-layouts.py. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

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
