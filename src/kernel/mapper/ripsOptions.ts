/** Options of persistent homology. */
import type { CallOptions } from '../compute/call.js';
import { nullsOf } from '../verb/common.js';
import type { NullsApart } from '../verb/nulls.js';
import { choice, flag, real, whole, type Given } from '../verb/option.js';
import { NULL_KINDS } from './nullData.js';

export const RIPS = {
  maxDim: choice([0, 1, 2], { doc: 'Highest dimension of homology: 0 components, 1 loops, 2 hollows.', usual: 1 }),
  metric: choice(['euclidean', 'cosine'], { doc: 'Of points.', usual: 'euclidean' }),
  precomputed: flag({ doc: 'The points are an n × n matrix of distances.', usual: false }),
  landmarks: whole({
    doc: 'Points that the complex is built on. Fewer points than that are all taken.',
    min: 1,
    fallback: '1,000, or 250 with maxDim 2',
  }),
  sampling: choice(['maxmin', 'random'], {
    doc: "'maxmin': spread out, with the least covering radius; 'random': a plain sample, dense where the data is.",
    usual: 'maxmin',
  }),
  threshold: real({
    doc: 'Largest edge.',
    min: 0,
    fallback: 'the enclosing radius, beyond which nothing changes',
  }),
  nulls: nullsOf(NULL_KINDS, {
    doc: 'Null data sets that the longest bars are held against; precomputed distances have none.',
    fallback: '20 (0 for precomputed distances)',
    seed: 'seed + 1',
  }),
  seed: whole({ doc: 'Of landmarks.', usual: 0 }),
};
export interface RipsPersistenceOptions extends NullsApart<Given<typeof RIPS>>, CallOptions {}
