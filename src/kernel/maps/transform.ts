/**
 * New points in a layout that is there: umap-learn's `transform` (umap_.py) with exact neighbours among the points of
 * the layout, which stay where they are. Each new point is placed by itself, its memberships in units of its largest
 * and its negative samples keyed by seed and nearest neighbour: where it lands does not depend on what else is placed,
 * and equal rows land on one point.
 */
import { pauses, type CallOptions } from '../compute/call.js';
import { crossKnn } from '../compute/knn.js';
import type { Matrix } from '../compute/matrix.js';
import { Random } from '../compute/random.js';
import { strengthsOf } from '../compute/shared/strengths.js';
import { sha256 } from '../io/hash.js';
import type { Given } from '../verb/option.js';
import type { Neighbours } from './fuzzyGraph.js';
import type { TRANSFORM, GivenNeighbors } from './options.js';
import { principalAxes, project } from './pca.js';
import { finiteRows, spread } from './rows.js';
import type { Layout } from './types.js';
import { GIVEN, requireNeighbours } from './umap.js';
import { curveParameters } from './umapCurve.js';

export type TransformOptions = Given<typeof TRANSFORM> & CallOptions;

/** What the layout's parameters say of how its points move. */
interface Forces {
  a: number;
  b: number;
  epochs: number;
  /** First step: a quarter of the layout's own, as in umap-learn. */
  step: number;
  negatives: number;
  repulsion: number;
  seed: number;
}

/** The trained side: rows and places of the points that the layout placed, and how far it was scaled since. */
interface Trained {
  rows: Matrix;
  places: Float32Array;
  axes: 2 | 3;
  scale: number;
}

const numberOf = ({ parameters }: Layout, name: string): number => {
  const v = parameters[name];
  if (typeof v !== 'number')
    throw new Error(`the layout's parameters have no ${name}; make it again with fg.maps.umap`);
  return v;
};

function trainedSide(layout: Layout, rows: Matrix): Trained {
  const axes = layout.axes ?? 2;
  const { matrix: finite, index } = finiteRows(rows);
  // Layouts that were turned onto others have another unit; the curve is of the one they were made in.
  const scale = typeof layout.parameters.scale === 'number' ? layout.parameters.scale : 1;
  const places = new Float32Array(index.length * axes);
  index.forEach((from, to) => {
    for (let c = 0; c < axes; c++) places[to * axes + c] = layout.coordinates[from * axes + c] / scale;
  });
  return { rows: finite, places, axes, scale };
}

function forcesOf(layout: Layout, options: TransformOptions): Forces {
  const { a, b } = layout.parameters;
  const curve =
    typeof a === 'number' && typeof b === 'number'
      ? { a, b }
      : curveParameters(numberOf(layout, 'spread'), numberOf(layout, 'minDist'));
  return {
    ...curve,
    epochs: options.nEpochs ?? Math.max(1, Math.floor(numberOf(layout, 'nEpochs') / 3)),
    step: numberOf(layout, 'learningRate') / 4,
    negatives: numberOf(layout, 'negativeSampleRate'),
    repulsion: numberOf(layout, 'repulsionStrength'),
    seed: options.seed ?? numberOf(layout, 'seed'),
  };
}

/** A number as umap-learn bounds it. */
const clipped = (v: number): number => Math.max(-4, Math.min(4, v));

/** Moves one point, which starts at the weighted mean of its neighbours, through all epochs. */
function settle(at: Float64Array, near: Int32Array, w: Float32Array, trained: Trained, f: Forces): void {
  const { axes, places } = trained;
  const points = trained.rows.rows;
  const largest = w.reduce((m, v) => Math.max(m, v), 0);
  const random = new Random(f.seed).fork(`point near ${near[0]}`);
  const towards = (j: number): number => {
    let d2 = 0;
    for (let c = 0; c < axes; c++) d2 += (at[c] - places[j * axes + c]) ** 2;
    return d2;
  };
  const move = (j: number, by: number, step: number): void => {
    for (let c = 0; c < axes; c++) at[c] += step * clipped(by * (at[c] - places[j * axes + c]));
  };
  // Samples that are due, of each neighbour: it is drawn w / largest times an epoch.
  const due = new Float64Array(near.length);
  const owed = new Float64Array(near.length);
  for (let epoch = 0; epoch < f.epochs; epoch++) {
    const step = f.step * (1 - epoch / f.epochs);
    for (let p = 0; p < near.length; p++) {
      if (w[p] < largest / f.epochs) continue;
      due[p] += w[p] / largest;
      if (due[p] < 1) continue;
      due[p] -= 1;
      const d2 = towards(near[p]);
      if (d2 > 0) move(near[p], (-2 * f.a * f.b * d2 ** (f.b - 1)) / (1 + f.a * d2 ** f.b), step);
      for (owed[p] += f.negatives; owed[p] >= 1; owed[p]--) {
        const j = random.int(points);
        const away = towards(j);
        if (away > 0) move(j, (2 * f.repulsion * f.b) / ((0.001 + away) * (1 + f.a * away ** f.b)), step);
      }
    }
  }
}

async function settled(trained: Trained, near: Neighbours, layout: Layout, options: TransformOptions) {
  const forces = forcesOf(layout, options);
  const points = near.indices.length / near.k;
  const { axes, places, scale } = trained;
  // umap-learn's: the nearest counts by its distance too.
  const localConnectivity = Math.max(0, numberOf(layout, 'localConnectivity') - 1);
  const out = new Float32Array(points * axes);
  const w = new Float32Array(near.k);
  const pause = pauses(options.signal, 'transform');
  for (let i = 0; i < points; i++) {
    const own = near.indices.subarray(i * near.k, (i + 1) * near.k);
    const distances = near.distances.subarray(i * near.k, (i + 1) * near.k);
    const meanDistance = distances.reduce((s, v) => s + v, 0) / (near.k + 1);
    strengthsOf(distances, { k: near.k, localConnectivity, meanDistance }, w);
    const sum = w.reduce((s, v) => s + v, 0);
    const at = new Float64Array(axes);
    own.forEach((j, p) => {
      for (let c = 0; c < axes; c++) at[c] += (sum > 0 ? w[p] / sum : 1 / near.k) * places[j * axes + c];
    });
    settle(at, own, w, trained, forces);
    for (let c = 0; c < axes; c++) out[i * axes + c] = at[c] * scale;
    if (await pause())
      options.onProgress?.({ label: 'New points in a layout', done: i + 1, total: points, unit: 'points' });
  }
  return out;
}

async function neighboursOf(
  x: Matrix,
  trained: Trained,
  layout: Layout,
  options: TransformOptions,
): Promise<Neighbours> {
  const { neighbors: given } = options;
  if (given) return { ...given, k: given.indices.length / x.rows };
  if (layout.description.includes(GIVEN))
    throw new TypeError(
      'fg.maps.transform: the layout is of neighbours that were given; expected { neighbors } of the new rows among its rows, by the same distance',
    );
  const k = Math.min(numberOf(layout, 'nNeighbors'), trained.rows.rows);
  const metric = layout.parameters.metric === 'cosine' ? 'cosine' : 'euclidean';
  return { ...(await crossKnn(x, trained.rows, k, { metric, ...options })), k };
}

/** @throws RangeError where the given neighbours do not fit, or the widths differ */
function requireFit(layout: Layout, rows: Matrix, x: Matrix, given: GivenNeighbors | undefined): void {
  if (x.cols !== rows.cols)
    throw new RangeError(
      `fg.maps.transform: x has ${x.cols} columns but the layout is of rows with ${rows.cols}; give rows of the same space`,
    );
  if (!given) return;
  if (layout.excluded > 0)
    throw new RangeError(
      `fg.maps.transform: the layout left ${layout.excluded} rows out (NaN); make it without them before giving neighbours`,
    );
  requireNeighbours(given, x.rows, rows.rows);
}

/**
 * Places of new rows in a layout whose rows are `rows`. Rows with NaN or infinity get none and are counted.
 * @throws RangeError when the widths differ or given neighbours do not fit; TypeError when the layout needs neighbours
 *   that were not given; AbortError
 */
export async function transformed(
  layout: Layout,
  rows: Matrix,
  x: Matrix,
  options: TransformOptions = {},
): Promise<Layout> {
  requireFit(layout, rows, x, options.neighbors);
  const kept = finiteRows(x);
  if (kept.index.length < x.rows && options.neighbors)
    throw new RangeError(
      `fg.maps.transform: ${x.rows - kept.index.length} of ${x.rows} rows have NaN or infinity; leave them out before giving neighbours`,
    );
  const trained = trainedSide(layout, rows);
  const coordinates =
    kept.index.length === 0
      ? new Float32Array(0)
      : layout.method === 'pca'
        ? await projected(trained, kept.matrix, options)
        : await settled(trained, await neighboursOf(kept.matrix, trained, layout, options), layout, options);
  return {
    id: sha256(['transform 1', layout.id, `${x.rows} ${x.cols}`, x.data, JSON.stringify([options.nEpochs, options.seed]), ...(options.neighbors ? [options.neighbors.indices, options.neighbors.distances] : [])]), // prettier-ignore
    coordinates: spread(coordinates, kept.index, x.rows, trained.axes),
    points: x.rows,
    method: layout.method,
    ...(layout.axes && { axes: layout.axes }),
    description: `new points in the layout of ${layout.points} (${layout.description})`,
    parameters: { ...layout.parameters },
    excluded: x.rows - kept.index.length,
  };
}

/** On the axes of the rows of the layout. */
async function projected({ rows }: Trained, x: Matrix, call: CallOptions): Promise<Float32Array> {
  return project(x, await principalAxes(rows, 2, call), 2);
}
