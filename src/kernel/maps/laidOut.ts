/** The rows that a layout of this session was made of: what a picture needs beyond the coordinates. */
import type { Matrix } from '../compute/matrix.js';
import type { Layout } from './types.js';

const rowsOf = new WeakMap<Layout, Matrix>();

/** Notes the rows of a layout; gives the layout. */
export function withRows(layout: Layout, rows: Matrix): Layout {
  rowsOf.set(layout, rows);
  return layout;
}

/** The rows of a layout that fg.maps gave in this session; undefined for a copy of one, or one made by hand. */
export const laidOutRows = (layout: Layout): Matrix | undefined => rowsOf.get(layout);
