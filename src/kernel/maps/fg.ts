/** fg.maps: layouts of rows, kept as artifacts, turned onto each other, and looked at point by point. */
import { asParameters } from '../artifacts/parameters.js';
import type { SparseActivations } from '../activations/types.js';
import { describeRows, type Matrix } from '../compute/matrix.js';
import type { MatrixInput } from '../io/matrixInput.js';
import { asMatrix } from '../io/matrixInput.js';
import { matrixId } from '../io/hash.js';
import type { FeatureMap } from '../correlation/types.js';
import { count, textItem } from '../present/items.js';
import { carriedBaselines } from '../activations/baselines.js';
import { baselinesForRows, type SaeBaselines } from '../sae/baselines.js';
import { withBaselines } from '../sae/fgBaselines.js';
import { forEach } from '../verb/beside.js';
import { KEPT, requireThing, rowsArg, thing, type Arg } from '../verb/common.js';
import type { Environment } from '../verb/environment.js';
import { namespace } from '../verb/namespace.js';
import { only } from '../verb/option.js';
import { verb } from '../verb/verb.js';
import { ALIGNED_UMAP, type AlignedLayouts } from './aligned.js';
import { ALIGNED_KIND, keptAligned } from './alignedKept.js';
import { distortion, stability, transform } from './fgQuality.js';
import { isActivations, sourceOf, withSource, type LaidOutSource } from './laidOut.js';
import { LiveLayout } from './liveLayout.js';
import { FOUND, identified, MEASURED, UMAP, UMAP_VERSION } from './options.js';
import { pca as pcaOf } from './pca.js';
import { TURN, turned } from './procrustes.js';
import { loadLayout, saveLayout } from './saved.js';
import type { Layout } from './types.js';
import { umap as umapOf, umapOfActivations } from './umap.js';

const rowsOf = rowsArg('x', 'n × d rows, or an SAE: its decoder rows.');

/** How layouts are kept. A layout has the identity of its rows: a feature map checks it against its SAE's decoder. */
const kept = {
  kind: 'layout' as const,
  version: 2,
  inputs: (_: unknown, x: Matrix) => ({ rows: matrixId(x) }),
  save: saveLayout,
  load: async (folder: string, x: LaidOutSource): Promise<Layout> =>
    withSource(await loadLayout(folder).then((l) => ofRows(l, x)), x),
};

/** The layout with the identity of its rows; a layout of activations has none. */
const ofRows = (layout: Layout, x: LaidOutSource): Layout =>
  isActivations(x) ? layout : { ...layout, rows: matrixId(x) };

/** Rows, or a store of activations. */
const umapArg: Arg<MatrixInput | SparseActivations, LaidOutSource> = {
  name: 'x',
  doc: 'n × d rows, an SAE: its decoder rows; or activations: their features by the cosine of their activations over all tokens.',
  parse: (given, at) =>
    typeof given === 'object' && isActivations(requireThing(given, at))
      ? (given as SparseActivations)
      : asMatrix(given as MatrixInput, at),
};

const BASELINES = { baselines: withBaselines('layouts', { identity: false }) } as const;

/** What is laid out of the baselines: their decoder rows, or their activations. */
const sourcesBeside = (env: Environment, x: LaidOutSource, given: true | SaeBaselines | undefined) => {
  if (given === undefined) return {};
  if (isActivations(x)) return carriedBaselines(x);
  const rows: Array<[string, LaidOutSource]> = Object.entries(baselinesForRows(env, x, given)).map(
    ([kind, { decoder }]) => [kind, decoder],
  );
  return Object.fromEntries(rows);
};

const line = ({ description, points, excluded }: Layout): string =>
  `${description}: ${count(points)} points${excluded > 0 ? `, ${count(excluded)} left out (NaN)` : ''}`;

const items = (layout: Layout) => [
  textItem(
    [line(layout), ...Object.entries(layout.baselines ?? {}).map(([kind, of]) => `${kind} baseline: ${line(of)}`)].join(
      '\n',
    ),
  ),
];

const pca = verb({
  doc: "PCA of n × d rows: coordinates on the first two axes of the centred rows, with each axis's share of the variance. Rows with NaN are left out and counted in `excluded`. The same call again loads the result.",
  args: [rowsOf],
  options: { ...BASELINES, ...KEPT },
  errors: ['Fewer than 2 finite rows are refused.'],
  run: ({ call }, x) => pcaOf(x, call),
  beside: ({ env, options }, x) =>
    forEach(sourcesBeside(env, x, options.baselines), (rows) => ({ args: [rows as Matrix] })),
  keep: {
    ...kept,
    what: 'PCA',
    title: (x) => `PCA of ${describeRows(x)}`,
    parameters: () => ({ method: 'pca' }),
  },
  show: (layout) => items(layout),
});

const umap = verb({
  doc: "UMAP of n × d rows, or of the features of activations, with umap-learn's semantics; the same seed gives the same layout. Rows with NaN and features that never fire are left out and counted in `excluded`. The same call again loads the result.",
  args: [umapArg],
  options: { ...UMAP, ...FOUND, ...MEASURED, ...BASELINES, ...KEPT },
  check({ baselines, neighbors, positions }) {
    if (baselines !== undefined && (neighbors ?? positions) !== undefined)
      throw new TypeError('fg.maps.umap: neighbors and positions are of one set of rows; lay out each baseline by itself'); // prettier-ignore
  },
  errors: [
    'Activations by another metric than cosine, or with neighbours or positions, are refused.',
    'Fewer than 4 finite rows, and a `minDist` above `spread`, and neighbours or positions that do not fit the rows, are refused.',
  ],
  run: async ({ env, options, call }, x) => {
    const live = new LiveLayout(env);
    const chosen = { ...only({ ...UMAP, ...FOUND, ...MEASURED }, options), ...call, onMoved: live.onMoved };
    const layout = await live.during(() => (isActivations(x) ? umapOfActivations(x, chosen) : umapOf(x, chosen)));
    live.done();
    return layout;
  },
  beside: ({ env, options }, x) => forEach(sourcesBeside(env, x, options.baselines), (of) => ({ args: [of] })),
  keep: {
    ...kept,
    inputs: (_, x) => ({ ...(isActivations(x) ? { activations: x.id } : { rows: matrixId(x) }), layout: UMAP_VERSION }),
    what: 'UMAP',
    title: (x) => `UMAP of ${isActivations(x) ? `the activations of ${x.meta.sae.name}` : describeRows(x)}`,
    parameters: ({ given }) =>
      asParameters({ method: 'umap', ...identified(only({ ...UMAP, ...FOUND, ...MEASURED }, given)) }),
  },
  show: (layout) => items(layout),
});

const layoutArg = (name: string, doc: string) => thing<Layout>(name, doc);

const align = verb({
  doc: 'Turns the second layout onto the first over the matched pairs of a map (Procrustes): rotated, mirrored where that fits better, scaled and shifted, so that counterparts lie as near to each other as the two pictures allow. Distances within it keep their proportions; the description says the turn, and how far apart the pairs still lie (1: as far as chance).',
  args: [
    layoutArg('fixed', 'The layout that stays: of the rows of A.'),
    layoutArg('moving', 'The layout that is turned: of the rows of B.'),
    thing<FeatureMap>('map', 'What fg.correlation.map returned for A and B.'),
  ],
  options: TURN,
  errors: ['Pairs outside the layouts, and fewer than 2 pairs that both place, are refused.'],
  run: ({ options }, fixed, moving, map) => {
    const layout = turned(fixed, moving, map.pairs, options);
    const source = sourceOf(moving);
    return Promise.resolve(source ? withSource(layout, source) : layout);
  },
  show: (layout) => items(layout),
});

const alignedRows = (name: string, of: string) => rowsArg(name, `Rows of ${of}, or its SAE: its decoder rows.`);

const aligned = verb({
  doc: "UMAP of two models in one plane, regularised towards the matched pairs of a map as umap-learn's AlignedUMAP is: each model keeps its own neighbours, and counterparts whose neighbourhoods are alike pull towards each other. The axes are of both and have no unit: nearness counts, between models too. Pulled pairs lie near because they are pulled, of wrong pairs too; `heldOut` says how near pairs lie that pulled nothing, beside exchanged ones. fg.show(layouts, { map }) draws them. The same call again loads the result.",
  args: [
    alignedRows('a', 'A'),
    alignedRows('b', 'B'),
    thing<FeatureMap>('map', 'What fg.correlation.map returned for A and B.'),
  ],
  options: { ...ALIGNED_UMAP, ...KEPT },
  kinds: [ALIGNED_KIND],
  errors: ['Pairs outside the rows, fewer than 2 pairs that pull, and fewer than 4 finite rows of either are refused.'],
  run: async ({ env, options, call }, a, b, { pairs }): Promise<AlignedLayouts> => {
    const live = new LiveLayout(env);
    const chosen = { ...call, fresh: options.fresh, onMoved: live.onMoved };
    const layouts = await live.during(() => keptAligned(env, [a, b], pairs, only(ALIGNED_UMAP, options), chosen));
    live.done();
    return layouts;
  },
  show: ({ layouts }) => layouts.flatMap((layout) => items(layout)),
});

export const maps = namespace({
  name: 'maps',
  doc: 'Layouts of rows, such as the decoder directions of an SAE, and how far they may be believed.',
  example: `// Two blobs of 40 points in 5 dimensions
const blobs = { rows: 80, cols: 5, data: Float32Array.from({ length: 400 }, (_, e) => (e < 200 ? 0 : 9) + Math.sin(e * e)) }
const axes = await fg.maps.pca(blobs)
await fg.maps.umap(blobs, { nNeighbors: 10, trustworthiness: 5 })`,
  verbs: { pca, umap, alignedUmap: aligned, align, transform, distortion, stability },
});
