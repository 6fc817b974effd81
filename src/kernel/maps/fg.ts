/** fg.maps: two-dimensional layouts of rows, kept as artifacts. */
import { asParameters } from '../artifacts/parameters.js';
import { describeRows, type Matrix } from '../compute/matrix.js';
import { matrixId } from '../io/hash.js';
import { count, textItem } from '../present/items.js';
import { KEPT, rowsArg } from '../verb/common.js';
import { namespace } from '../verb/namespace.js';
import { only } from '../verb/option.js';
import { verb } from '../verb/verb.js';
import { withRows } from './laidOut.js';
import { FOUND, MEASURED, UMAP, UMAP_VERSION } from './options.js';
import { pca as pcaOf } from './pca.js';
import { loadLayout, saveLayout } from './saved.js';
import type { Layout } from './types.js';
import { umap as umapOf } from './umap.js';

const rowsOf = rowsArg('x', 'n × d rows, or an SAE: its decoder rows.');

/** How layouts are kept: a picture of the SAE's features asks which rows one is of. */
const kept = {
  kind: 'layout' as const,
  version: 2,
  inputs: (_: unknown, x: Matrix) => ({ rows: matrixId(x) }),
  save: saveLayout,
  load: async (folder: string, x: Matrix): Promise<Layout> =>
    withRows({ ...(await loadLayout(folder)), rows: matrixId(x) }, x),
};

const items = ({ description, points, excluded }: Layout) => [
  textItem(`${description}: ${count(points)} points${excluded > 0 ? `, ${count(excluded)} left out (NaN)` : ''}`),
];

const pca = verb({
  doc: "PCA of n × d rows: coordinates on the first two axes of the centred rows, with each axis's share of the variance. Rows with NaN are left out and counted in `excluded`. The same call again loads the result.",
  args: [rowsOf],
  options: KEPT,
  errors: ['Fewer than 2 finite rows are refused.'],
  run: ({ call }, x) => pcaOf(x, call),
  keep: {
    ...kept,
    what: 'PCA',
    title: (x) => `PCA of ${describeRows(x)}`,
    parameters: () => ({ method: 'pca' }),
  },
  show: (layout) => items(layout),
});

const umap = verb({
  doc: "UMAP of n × d rows with umap-learn's semantics; the same seed gives the same layout. Rows with NaN are left out and counted in `excluded`. The same call again loads the result.",
  args: [rowsOf],
  options: { ...UMAP, ...FOUND, ...MEASURED, ...KEPT },
  errors: [
    'Fewer than 4 finite rows, and a `minDist` above `spread`, and neighbours or positions that do not fit the rows, are refused.',
  ],
  run: ({ options, call }, x) => umapOf(x, { ...only({ ...UMAP, ...FOUND, ...MEASURED }, options), ...call }),
  keep: {
    ...kept,
    inputs: (_, x) => ({ rows: matrixId(x), layout: UMAP_VERSION }),
    what: 'UMAP',
    title: (x) => `UMAP of ${describeRows(x)}`,
    parameters: ({ given }) => asParameters({ method: 'umap', ...only({ ...UMAP, ...FOUND, ...MEASURED }, given) }),
  },
  show: (layout) => items(layout),
});

export const maps = namespace({
  name: 'maps',
  doc: 'Two-dimensional layouts of rows, such as the decoder directions of an SAE.',
  example: `// Two blobs of 40 points in 5 dimensions
const blobs = { rows: 80, cols: 5, data: Float32Array.from({ length: 400 }, (_, e) => (e < 200 ? 0 : 9) + Math.sin(e * e)) }
const axes = await fg.maps.pca(blobs)
await fg.maps.umap(blobs, { nNeighbors: 10, trustworthiness: 5 })`,
  verbs: { pca, umap },
});
