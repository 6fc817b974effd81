/** fg.maps: two-dimensional layouts of rows, kept as artifacts. */
import fs from 'node:fs/promises';
import path from 'node:path';
import type { CallOptions } from '../compute/call.js';
import { asMatrix, type MatrixInput } from '../compute/matrixInput.js';
import type { Matrix } from '../compute/matrix.js';
import { matrixId } from '../io/hash.js';
import { ndarray } from '../io/ndarray.js';
import { SafetensorsFile, writeSafetensors } from '../io/safetensors.js';
import { pca } from '../maps/pca.js';
import type { Layout } from '../maps/types.js';
import { umap, type UmapOptions } from '../maps/umap.js';
import { parametersOf, type Environment } from '../verb/environment.js';
import { CALL, requireOptions, type OptionNames } from './given.js';
import { count, withSummary } from '../present/items.js';

export interface LayoutOptions extends CallOptions {
  /** Compute again even when the layout is in the artifact folder. */
  fresh?: boolean;
}

/** Two-dimensional layouts of rows, such as the decoder directions of an SAE. */
export interface MapsApi {
  /**
   * PCA of n × d rows (a matrix, an SAE, number[][], a tensor): coordinates on the first two axes of the centred rows, with each axis's share of the variance.
   * Rows with NaN are left out and counted in `excluded`. The same call again loads the result.
   */
  pca(x: MatrixInput, options?: LayoutOptions): Promise<Layout>;
  /**
   * UMAP of n × d rows with umap-learn's semantics; the same seed gives the same layout. Rows with NaN are left out and
   * counted in `excluded`. The same call again loads the result.
   */
  umap(x: MatrixInput, options?: UmapOptions & LayoutOptions): Promise<Layout>;
}

const PCA_OPTIONS: OptionNames<LayoutOptions> = { fresh: true, ...CALL };
const UMAP_OPTIONS: OptionNames<UmapOptions & LayoutOptions> = {
  nNeighbors: true,
  minDist: true,
  spread: true,
  metric: true,
  nEpochs: true,
  learningRate: true,
  negativeSampleRate: true,
  repulsionStrength: true,
  setOpMixRatio: true,
  localConnectivity: true,
  init: true,
  seed: true,
  trustworthiness: true,
  ...PCA_OPTIONS,
};

const CODE_VERSION = 2;
const META = 'layout.json';
const ARRAYS = 'layout.safetensors';

async function saveLayout(folder: string, layout: Layout): Promise<void> {
  const { coordinates, explainedVarianceRatio, ...meta } = layout;
  const tensors = { coordinates: ndarray('F32', [layout.points, 2], coordinates) };
  await writeSafetensors(path.join(folder, ARRAYS), tensors);
  await fs.writeFile(
    path.join(folder, META),
    JSON.stringify({
      ...meta,
      ...(explainedVarianceRatio ? { explainedVarianceRatio: [...explainedVarianceRatio] } : {}),
    }),
  );
}

/** A layout from its artifact. */
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

export function mapsApi(env: Environment): MapsApi {
  const layout = async (
    method: 'pca' | 'umap',
    given: MatrixInput,
    options: LayoutOptions | undefined,
    make: (x: Matrix, call: Required<CallOptions>) => Promise<Layout>,
  ): Promise<Layout> => {
    const x = await asMatrix(given, 'x');
    if (method === 'pca') requireOptions('fg.maps.pca', options, PCA_OPTIONS);
    else requireOptions<UmapOptions & LayoutOptions>('fg.maps.umap', options, UMAP_OPTIONS);
    const rows = matrixId(x);
    const key = {
      kind: 'layout',
      parameters: { method, ...parametersOf(options ?? {}) },
      inputs: { rows },
      codeVersion: CODE_VERSION,
    };
    const { value, cached, record } = await env.call(options, (call) =>
      env.store.compute(key, {
        fresh: options?.fresh,
        title: `${method.toUpperCase()} of ${x.rows} × ${x.cols}`,
        make: async (folder) => saveLayout(folder, await make(x, call)),
        load: async (folder) => ({ ...(await loadLayout(folder)), rows }),
      }),
    );
    env.tellCached(value.description, cached, record);
    const { description, points, excluded } = value;
    return withSummary(
      value,
      () => `${description}: ${count(points)} points${excluded > 0 ? `, ${count(excluded)} left out (NaN)` : ''}`,
    );
  };
  return {
    pca: (x, options) => layout('pca', x, options, pca),
    umap: (x, options) => layout('umap', x, options, (rows, call) => umap(rows, { ...options, ...call })),
  };
}
