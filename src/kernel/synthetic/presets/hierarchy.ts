/** The trees of SynthSAEBench: breadth-first numbers, and frequencies that exclusive children can have. */
import { requireWhole } from '../../compute/require.js';
/** Trees of features, all alike. */
export interface Trees {
  roots: number;
  branching: number;
  /** Levels below the roots. */
  depth: number;
}

/** Parent of each of n features: roots first, then level by level, `branching` children each; −1 outside the trees. */
export function hierarchyParents(n: number, { roots, branching, depth }: Trees): Int32Array {
  requireWhole('roots', roots, 1, n);
  const parents = new Int32Array(n).fill(-1);
  let [level, size] = [0, roots];
  let next = roots;
  for (let d = 0; d < depth; d++) {
    for (let i = 0; i < size * branching && next < n; i++) parents[next++] = level + Math.floor(i / branching);
    level += size;
    size *= branching;
  }
  return parents;
}

/**
 * The frequencies, with children brought down in proportion where together they exceed their parent, from the roots on.
 */
export function hierarchyFrequencies(base: Float64Array, parents: Int32Array): Float64Array {
  const p = base.slice();
  const sums = new Float64Array(p.length);
  for (let f = 0; f < p.length; f++) if (parents[f] >= 0) sums[parents[f]] += base[f];
  // Parents have smaller numbers than their children, so their frequency is final by now.
  for (let f = 0; f < p.length; f++) {
    const parent = parents[f];
    if (parent >= 0 && sums[parent] > p[parent]) p[f] = (base[f] * p[parent]) / sums[parent];
  }
  return p;
}
