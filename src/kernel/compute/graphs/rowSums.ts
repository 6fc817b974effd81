/** Weighted sums of rows of a matrix as a graph: what decoding is, with few of many rows in each sum. */
import { Graph } from './graph.js';
import type { Program } from './host.js';

/**
 * Σ_e values[i, e] · rows[indices[i, e]] + before. Inputs: values [N, 1, w], indices (int32) [N, w], rows [F, d], and
 * before, [d] or [N, d]. Output: sum [N, d]. Where fewer than w rows count, values are 0 and indices any.
 */
export const ROW_SUMS: Program = {
  key: 'row sums',
  build: () => {
    const g = new Graph();
    const gathered = g.op('Gather', [g.input('rows'), g.input('indices', 'int32')], { axis: 0 }); // [N, w, d]
    const sum = g.op('Squeeze', [g.matMul(g.input('values'), gathered), g.whole(1)]);
    return g.build({ sum: g.add(sum, g.input('before')) });
  },
};
