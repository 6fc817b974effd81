/** Files of no known layout, read by { map }: canonical names to the file's own. */
import { basename } from 'node:path';
import type { Matrix } from '../../compute/matrix.js';
import type { SaeWeights } from '../types.js';
import { decoderParts } from './decoderAlone.js';
import type { SaeFiles } from './files.js';
import type { Layout, LoadSaeOptions, MappedTensor, SaeParts } from './layout.js';
import { bareConfig } from './stateDict.js';

const CANONICAL: ReadonlyArray<keyof SaeWeights> = [
  ...(['W_enc', 'b_enc', 'W_dec', 'b_dec', 'threshold', 'r_mag', 'b_mag', 'W_skip'] as const),
];

export const mapped: Layout = {
  name: 'the map that was given',
  signs: '{ map: { W_enc: …, b_enc: …, W_dec: …, b_dec: … } }',
  recognises: (files) => files.options.map !== undefined,
  async read(files): Promise<SaeParts> {
    const map = files.option('map')!;
    requireMap(files, map);
    const vector = (name: keyof SaeWeights): Promise<Float32Array> => {
      const to = map[name]!;
      return files.vector(typeof to === 'string' ? to : to.tensor);
    };
    // Sizes come from the biases; without these, from W_dec as it is said to lie.
    const bias = (name: 'b_enc' | 'b_dec'): number | undefined =>
      map[name] ? files.shape(nameOf(map[name]))[0] : undefined;
    const dOut = bias('b_dec');
    const dSae = bias('b_enc');
    const W_dec = await oriented(files, map, 'W_dec', dSae, dOut);
    const b_dec = map.b_dec ? await vector('b_dec') : new Float32Array(W_dec.cols);
    if (map.W_enc === undefined) return decoderParts(files, W_dec, b_dec);
    const weights: SaeWeights = {
      W_enc: await oriented(files, map, 'W_enc', undefined, W_dec.rows),
      b_enc: map.b_enc ? await vector('b_enc') : new Float32Array(W_dec.rows),
      W_dec,
      b_dec,
    };
    for (const name of ['r_mag', 'b_mag'] as const) if (map[name]) weights[name] = await vector(name);
    if (map.threshold) weights.threshold = await thresholds(files, nameOf(map.threshold), W_dec.rows);
    if (map.W_skip) weights.W_skip = await oriented(files, map, 'W_skip', W_dec.cols, weights.W_enc.rows);
    return { config: await bareConfig(files, weights, basename(files.path)), weights };
  },
};

function nameOf(to: MappedTensor): string {
  return to === null ? '' : typeof to === 'string' ? to : to.tensor;
}

function requireMap(files: SaeFiles, map: NonNullable<LoadSaeOptions['map']>): void {
  const unknown = Object.keys(map).filter((name) => !CANONICAL.includes(name as keyof SaeWeights));
  if (unknown.length > 0)
    throw new Error(
      `{ map } has ${unknown.join(', ')}; it takes ${CANONICAL.join(', ')} (of a gated SAE, b_enc is the gate's bias)`,
    );
  const absent = Object.values(map).filter((to) => to !== null && !files.has(nameOf(to)));
  if (absent.length > 0)
    throw new Error(`{ map } names ${absent.map(nameOf).join(', ')}, but ${files.path} has ${files.describe()}`);
  const needed = map.W_enc === undefined ? (['W_dec'] as const) : (['b_enc', 'W_dec', 'b_dec'] as const);
  const missing = needed.filter((name) => map[name] === undefined || (name === 'W_dec' && map[name] === null));
  if (missing.length > 0)
    throw new Error(
      `{ map } must say where ${missing.join(', ')} ${missing.length > 1 ? 'are' : 'is'} (null for a bias that there is not); ${files.path} has ${files.describe()}`,
    );
}

async function thresholds(files: SaeFiles, name: string, dSae: number): Promise<Float32Array> {
  return files.shape(name).length === 1 ? files.vector(name) : new Float32Array(dSae).fill(await files.scalar(name));
}

/** The matrix as [rows, cols], turned when only that fits; where both fit, or nothing is known, the map must say it. */
async function oriented(
  files: SaeFiles,
  map: NonNullable<LoadSaeOptions['map']>,
  name: 'W_enc' | 'W_dec' | 'W_skip',
  rows: number | undefined,
  cols: number | undefined,
): Promise<Matrix> {
  const to = map[name]!;
  if (typeof to !== 'string') return files.matrix(to.tensor, to.transpose);
  const shape = files.shape(to);
  const fits = (a: number, b: number): boolean =>
    (rows === undefined || a === rows) && (cols === undefined || b === cols);
  const [straight, turned] = [fits(shape[0], shape[1]), fits(shape[1], shape[0])];
  if (straight && turned)
    throw new Error(
      `${files.path}: the shape of ${to} [${shape.join(', ')}] does not tell which way it lies; give { map: { ${name}: { tensor: ${JSON.stringify(to)}, transpose: false } } } if it is ${CANONICAL_SHAPES[name]}, transpose: true if not`,
    );
  return files.matrix(to, turned);
}

const CANONICAL_SHAPES = { W_enc: '[d_in, d_sae]', W_dec: '[d_sae, d_out]', W_skip: '[d_out, d_in]' } as const;
