/** fg.maps: two-dimensional layouts of rows, kept as artifacts. */
import fs from 'node:fs/promises';
import path from 'node:path';
import type { CallOptions } from '../compute/call.js';
import type { Matrix } from '../compute/matrix.js';
import { sha256 } from '../io/hash.js';
import { ndarray } from '../io/ndarray.js';
import { SafetensorsFile, writeSafetensors } from '../io/safetensors.js';
import { pca } from '../maps/pca.js';
import type { Layout } from '../maps/types.js';
import { umap, type UmapOptions } from '../maps/umap.js';
import { parametersOf, type Environment } from './environment.js';

export interface MapsApi {
  /** PCA of the rows: the first two axes. */
  pca(x: Matrix, options?: CallOptions & { fresh?: boolean }): Promise<Layout>;
  /** UMAP of the rows; the same seed gives the same layout. */
  umap(x: Matrix, options?: UmapOptions & { fresh?: boolean }): Promise<Layout>;
}

const CODE_VERSION = 1;
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

async function loadLayout(folder: string): Promise<Layout> {
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
    x: Matrix,
    options: (CallOptions & { fresh?: boolean }) | undefined,
    make: (call: Required<CallOptions>) => Promise<Layout>,
  ): Promise<Layout> => {
    const rows = sha256([`${x.rows} ${x.cols}`, x.data]);
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
        make: async (folder) => saveLayout(folder, await make(call)),
        load: loadLayout,
      }),
    );
    env.tellCached(value.description, cached, record);
    return value;
  };
  return {
    pca: (x, options) => layout('pca', x, options, (call) => pca(x, call)),
    umap: (x, options) => layout('umap', x, options, (call) => umap(x, { ...options, ...call })),
  };
}
