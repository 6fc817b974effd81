/** What a layout of this session was made of: what a picture or new points need beyond the coordinates. */
import type { SparseActivations } from '../activations/types.js';
import type { Matrix } from '../compute/matrix.js';
import type { Layout } from './types.js';

/** Rows, or a store whose features are the rows. */
export type LaidOutSource = Matrix | SparseActivations;

const sources = new WeakMap<Layout, LaidOutSource>();

export const isActivations = (x: object): x is SparseActivations => 'shards' in x && 'statistics' in x;

/** Notes what a layout is of; gives the layout. */
export function withSource(layout: Layout, source: LaidOutSource): Layout {
  sources.set(layout, source);
  return layout;
}

/** What a layout that fg.maps gave in this session is of; undefined for a copy of one, or one made by hand. */
export const sourceOf = (layout: Layout): LaidOutSource | undefined => sources.get(layout);

/** The rows of such a layout; undefined where it is of activations. */
export function laidOutRows(layout: Layout): Matrix | undefined {
  const source = sources.get(layout);
  return source && !isActivations(source) ? source : undefined;
}
