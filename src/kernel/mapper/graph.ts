/** Mapper: lens → cover → clusters of each element → nerve. */
import type { CallOptions } from '../compute/call.js';
import type { Matrix } from '../compute/matrix.js';
import type { MapperOptions } from './options.js';
import { prepareMapper } from './plan.js';
import type { MapperGraph } from './types.js';

export type { MapperOptions } from './options.js';

/**
 * The Mapper graph of n × d points (Singh, Mémoli and Carlsson 2007), nodes as KeplerMapper's on the same lens and
 * clusterer. Rows with NaN are left out and counted. Anything a reader must know (all noise, one cube, an empty graph,
 * a nearly constant lens) is in `warnings`.
 *
 * @throws RangeError for a lens that is nearly constant in every dimension
 */
export async function mapperGraph(x: Matrix, options: MapperOptions & CallOptions = {}): Promise<MapperGraph> {
  const { cover, ...plan } = options;
  return (await prepareMapper(x, { ...plan, reuse: false })).run(cover, plan);
}
