/** UMAP's options, by umap-js's names. */
import type { CallOptions } from '../compute/call.js';
import type { Matrix } from '../compute/matrix.js';
import { asMatrixNow, MATRIX_FORMS, type MatrixInput } from '../io/matrixInput.js';
import type { Watched } from './types.js';
import { renamed } from '../verb/nulls.js';
import { choice, real, value, whole, type Given } from '../verb/option.js';

/** Part of what identifies a layout: raised when the same options give another one. */
export const UMAP_VERSION = 'umap 5';

export const UMAP = {
  nNeighbors: whole({
    doc: 'Size of the local neighbourhood, the point itself included; at most the number of points.',
    min: 2,
    default: 15,
  }),
  minDist: real({
    doc: 'Distance up to which points count as together in the layout; at most `spread`.',
    min: 0,
    default: 0.1,
  }),
  spread: real({ doc: 'Length over which membership falls by e beyond `minDist`.', above: 0, default: 1 }),
  a: real({
    doc: 'Of the curve 1 / (1 + a·d^2b) that pulls and pushes follow, with `b`; `minDist` and `spread` are then not used.',
    above: 0,
    fallback: 'fitted to `minDist` and `spread`',
  }),
  b: real({ doc: 'Of the curve; goes with `a`.', above: 0, fallback: 'fitted to `minDist` and `spread`' }),
  metric: choice(['euclidean', 'cosine'], {
    doc: 'Of the rows.',
    fallback: "'euclidean', and of activations 'cosine'",
  }),
  nComponents: choice([2, 3], {
    doc: 'Dimensions of the layout. The picture of three is turned by dragging.',
    usual: 2,
  }),
  nEpochs: whole({ doc: 'Epochs of the optimiser.', min: 1, fallback: '500 up to 10,000 points, else 200' }),
  learningRate: real({ doc: 'First step of the optimiser.', above: 0, default: 1 }),
  negativeSampleRate: real({ doc: 'Points pushed off for each that is pulled.', min: 1, default: 5 }),
  repulsionStrength: real({ doc: 'Weight of the push.', min: 0, default: 1 }),
  setOpMixRatio: real({ doc: '1: fuzzy union; 0: intersection.', min: 0, max: 1, default: 1 }),
  localConnectivity: real({ doc: 'Nearest neighbours taken to be wholly connected.', min: 1, default: 1 }),
  init: choice(['spectral', 'pca', 'random'], {
    doc: "Where points start. A graph in pieces starts from 'pca' instead of 'spectral', and the description says so.",
    default: 'spectral',
  }),
  seed: whole({ doc: 'Draws the start and the points that are pushed off.', default: 0 }),
} as const;

/** Neighbours and positions that were found before, in place of UMAP's own search and start. */
export const FOUND = {
  neighbors: value<GivenNeighbors>(
    'an object such as { indices: Int32Array, distances: Float32Array }',
    {
      doc: 'Neighbours of every row, n × k each, nearest first and without the row itself: by a distance of your own, or exact ones shared between layouts. `nNeighbors` and `metric` are then not used for the graph.',
      fallback: 'the exact neighbours by `metric`',
    },
    (v) => typeof v === 'object' && v !== null && 'indices' in v && 'distances' in v,
  ),
  positions: {
    ...value<MatrixInput | Float32Array>(`a Float32Array of n × 2 numbers, or ${MATRIX_FORMS}`, {
      doc: 'Where points start, as they are: the layout of other rows of the same points, say; n × 3 with `nComponents` 3.',
      fallback: '`init`',
    }),
    rows: true,
    parse: (given: unknown, name: string): Matrix | Float32Array | undefined =>
      given === undefined || given instanceof Float32Array ? given : asMatrixNow(given as MatrixInput, name),
  },
} as const;

/** Options by the names in identities of kept layouts. */
export const identified = <O extends object>(options: O) => renamed(options, { neighbors: 'neighbours' });

/** Of new points in a layout. */
export const TRANSFORM = {
  nEpochs: whole({ doc: 'Epochs in which a new point moves.', min: 1, fallback: 'a third of the layout’s own' }),
  seed: whole({ doc: 'Draws the points that a new one is pushed off.', fallback: 'that of the layout' }),
  neighbors: {
    ...FOUND.neighbors,
    doc: 'Neighbours of every new row among the rows of the layout, m × k each, nearest first; needed where the layout itself was made of given ones.',
    fallback: 'the exact neighbours by the metric of the layout',
  },
} as const;

export interface GivenNeighbors {
  indices: Int32Array;
  distances: Float32Array;
}

/** What is measured of a finished layout. */
export const MEASURED = {
  trustworthiness: whole({
    doc: 'Also measure trustworthiness with this many neighbours, over at most 2,000 points drawn by the seed.',
    min: 1,
    fallback: 'not measured',
  }),
} as const;

export type UmapOptions = Given<typeof UMAP> & Given<typeof FOUND> & Given<typeof MEASURED> & CallOptions & Watched;
