/** fg.maps: new points in a layout, and how far a layout may be believed, point by point. */
import { asParameters } from '../artifacts/parameters.js';
import { matrix, type Matrix } from '../compute/matrix.js';
import { gatherRows } from '../compute/rows.js';
import { matrixId } from '../io/hash.js';
import { count, textItem } from '../present/items.js';
import { KEPT, rowsArg, thing } from '../verb/common.js';
import { only, whole } from '../verb/option.js';
import { verb } from '../verb/verb.js';
import { ActivationRows } from './activationRows.js';
import { isActivations, laidOutRows, sourceOf, withSource, type LaidOutSource } from './laidOut.js';
import { identified, TRANSFORM, UMAP_VERSION } from './options.js';
import { loadLayout, saveLayout } from './saved.js';
import { displacements } from './stability.js';
import { transformed } from './transform.js';
import { pointQuality } from './trustworthiness.js';
import type { Layout } from './types.js';
import { otherSeeds } from './umap.js';

const layoutArg = (doc: string) => thing<Layout>('layout', doc);

/** @throws TypeError for a layout whose rows are not at hand */
function requireSource(layout: Layout, name: string): LaidOutSource {
  const source = sourceOf(layout);
  if (!source)
    throw new TypeError(
      `${name}: the rows of the layout are not at hand; give what fg.maps.umap or fg.maps.pca returned in this session (the same call again loads it)`,
    );
  return source;
}

function requireRows(layout: Layout, name: string): Matrix {
  requireSource(layout, name);
  const rows = laidOutRows(layout);
  if (!rows) throw new TypeError(`${name}: the layout is of activations; new points need a layout of rows`);
  return rows;
}

export const transform = verb({
  doc: 'Places new rows in a layout whose points stay where they are: umap-learn’s transform, with exact neighbours among the rows of the layout; on a PCA layout, its axes. Where a row lands does not depend on the others, and a row of the layout lands near its own place. Rows with NaN get no place and are counted. The same call again loads the result.',
  args: [
    layoutArg('What fg.maps.umap or fg.maps.pca returned in this session, also after fg.maps.align.'),
    rowsArg('x', 'm × d rows of the same space, or an SAE: its decoder rows.'),
  ],
  options: { ...TRANSFORM, ...KEPT },
  errors: [
    'A layout of activations, one whose rows are not at hand, and rows of another width are refused.',
    'Neighbours that do not fit are refused, as is a layout of given neighbours without them.',
  ],
  check: (_, layout) => void requireRows(layout, 'fg.maps.transform'),
  run: async ({ options, call }, layout, x) => {
    const rows = requireRows(layout, 'fg.maps.transform');
    const placed = await transformed(layout, rows, x, { ...only(TRANSFORM, options), ...call });
    return withSource({ ...placed, rows: matrixId(x) }, x);
  },
  keep: {
    kind: 'layout',
    version: 2,
    what: 'New points in a layout',
    inputs: (_, layout, x) => ({ rows: matrixId(x), layout: layout.id }),
    parameters: ({ given }) => asParameters({ method: 'transform', ...identified(only(TRANSFORM, given)) }),
    save: saveLayout,
    load: async (folder, _, x) => withSource({ ...(await loadLayout(folder)), rows: matrixId(x) }, x),
  },
  show: ({ description, points, excluded }) => [
    textItem(`${count(points)} ${description}${excluded > 0 ? `, ${count(excluded)} left out (NaN)` : ''}`),
  ],
});

/** How far a layout may be believed, point by point. */
export interface LayoutDistortion {
  /** Neighbours that were compared. */
  readonly k: number;
  /** Mean trust, as scikit-learn's, and mean continuity; `chance`: both of a layout at random. */
  readonly trustworthiness: number;
  readonly continuity: number;
  readonly chance: number;
  /** `trust` and `continuity` of each point (NaN: it has no place), for the `columns` of fg.show. */
  readonly columns: { readonly trust: Float32Array; readonly continuity: Float32Array };
}

/** Mean trust where neighbours are drawn at random: ranks are then uniform from 1 to n − 1. */
const atRandom = (n: number, k: number): number => 1 - ((n - 1 - k) * (n - k)) / ((n - 1) * (2 * n - 3 * k - 1));

/** Values of the placed points back at their points. */
function spreadOver(layout: Layout, index: Int32Array, values: Float64Array): Float32Array {
  const out = new Float32Array(layout.points).fill(NaN);
  index.forEach((to, from) => (out[to] = values[from]));
  return out;
}

/** The points that the layout placed, and their coordinates. */
function placedPoints(layout: Layout): { index: Int32Array; y: Matrix } {
  const { coordinates, points } = layout;
  const axes: number = layout.axes ?? 2;
  const index = Int32Array.from([...Array(points).keys()].filter((i) => Number.isFinite(coordinates[i * axes])));
  const y = matrix(index.length, axes);
  index.forEach((from, to) => y.data.set(coordinates.subarray(axes * from, axes * (from + 1)), axes * to));
  return { index, y };
}

export const distortion = verb({
  doc: 'What a layout does to each point’s neighbourhood: trust (1: its neighbours in the picture are neighbours in the data) and continuity (1: its neighbours in the data are neighbours in the picture), whose means are trustworthiness and continuity (Venna & Kaski 2001), beside what a layout at random has. `columns` colours a map by them: fg.show(layout, { columns: distortion.columns }). The same call again loads the result.',
  args: [layoutArg('What fg.maps.umap or fg.maps.pca returned in this session.')],
  options: { k: whole({ doc: 'Neighbours that are compared.', min: 1, default: 15 }), ...KEPT },
  errors: ['A layout whose rows are not at hand, and k of half the placed points or more, are refused.'],
  check: (_, layout) => void requireSource(layout, 'fg.maps.distortion'),
  run: async ({ options: { k }, call }, layout): Promise<LayoutDistortion> => {
    const source = requireSource(layout, 'fg.maps.distortion');
    const { index, y } = placedPoints(layout);
    const x = isActivations(source) ? await ActivationRows.read(source, call) : gatherRows(source, index);
    const metric = layout.parameters.metric === 'cosine' ? 'cosine' : 'euclidean';
    const quality = await pointQuality(x, y, { k, metric, ...call });
    const mean = (values: Float64Array): number => values.reduce((sum, v) => sum + v, 0) / values.length;
    return {
      k,
      trustworthiness: mean(quality.trust),
      continuity: mean(quality.continuity),
      chance: atRandom(index.length, k),
      columns: {
        trust: spreadOver(layout, index, quality.trust),
        continuity: spreadOver(layout, index, quality.continuity),
      },
    };
  },
  keep: {
    kind: 'map-distortion',
    version: 1,
    what: 'Distortion of a layout',
    inputs: (_, layout) => ({ layout: layout.id }),
  },
  show: ({ k, trustworthiness, continuity, chance }) => [
    textItem(
      `trustworthiness ${trustworthiness.toFixed(3)}, continuity ${continuity.toFixed(3)} over ${k} neighbours (a layout at random: ${chance.toFixed(3)})`,
    ),
  ],
});

/** How much of a layout is its seed's. */
export interface LayoutStability {
  readonly runs: number;
  /** Mean displacement of the points over the other seeds, in units of the layout's spread (root mean square from its centre). */
  readonly displacement: number;
  /** The same with the points of the other layouts exchanged at random. */
  readonly chance: number;
  /** Displacement of each point (NaN: it has no place), for the `columns` of fg.show. */
  readonly columns: { readonly 'moved by seed': Float32Array };
}

export const stability = verb({
  doc: 'How far each point of a UMAP layout moves with the seed: the same graph laid out by further seeds, each rotated, mirrored and scaled onto the layout (Procrustes), and the mean distance of a point from its place, in units of the layout’s spread, beside that of exchanged points. `columns` colours a map by it. The same call again loads the result.',
  args: [layoutArg('What fg.maps.umap returned in this session.')],
  options: {
    runs: whole({ doc: 'Further seeds, those that follow the layout’s own.', min: 1, default: 4 }),
    ...KEPT,
  },
  errors: ['Layouts of another method, of given neighbours or positions, or whose rows are not at hand are refused.'],
  check: (_, layout) => {
    requireSource(layout, 'fg.maps.stability');
    if (layout.method !== 'umap')
      throw new TypeError(`fg.maps.stability: the layout is of ${layout.method}, which draws nothing; expected UMAP`);
  },
  run: async ({ options: { runs }, call }, layout): Promise<LayoutStability> => {
    const source = requireSource(layout, 'fg.maps.stability');
    const { index, y } = placedPoints(layout);
    const seed = Number(layout.parameters.seed);
    const seeds = Array.from({ length: runs }, (_, r) => seed + 1 + r);
    const [points, axes] = [y.rows, y.cols];
    const others = await otherSeeds(source, layout, seeds, call);
    const all = [y.data, ...others].map((coordinates) => ({ points, axes, coordinates }));
    const { displacement, mean, chance } = displacements(all, seed);
    return {
      ...{ runs, displacement: mean, chance },
      columns: { 'moved by seed': spreadOver(layout, index, displacement) },
    };
  },
  keep: {
    kind: 'map-stability',
    version: 1,
    what: 'Stability of a layout',
    inputs: (_, layout) => ({ layout: layout.id, umap: UMAP_VERSION }),
  },
  show: ({ runs, displacement, chance }) => [
    textItem(
      `points move by ${displacement.toFixed(3)} of the layout's spread over ${count(runs)} further seeds (exchanged at random: ${chance.toFixed(3)})`,
    ),
  ],
});
