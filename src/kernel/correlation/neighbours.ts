/** k-nearest-neighbour Jaccard: do the two sides agree on which rows lie closest to each row? */
import { exactKnn } from '../compute/knn.js';
import { matrix } from '../compute/matrix.js';
import type { Metric } from './metric.js';

interface Neighbours {
  n: number;
  /** n × k row ids. */
  indices: Int32Array;
}

/** Mean over rows of |N_X ∩ N_Y| / |N_X ∪ N_Y| with the k nearest by cosine, itself excluded. */
export function jaccard(k: number): Metric<Neighbours> {
  return {
    async prepare({ n, d, rows }) {
      if (k >= n) throw new RangeError(`${k} neighbours asked for among ${n} pairs; choose fewer than ${n}`);
      const { indices } = await exactKnn(matrix(n, d, Float32Array.from(rows)), k, { metric: 'cosine' });
      return { n, indices };
    },
    value(x, y, order) {
      // Position of y's rows in the pairing: neighbour order[i] of y stands for row i.
      const pairOf = new Uint32Array(x.n);
      for (let i = 0; i < x.n; i++) pairOf[order[i]] = i;
      const mark = new Int32Array(x.n).fill(-1);
      let sum = 0;
      for (let i = 0; i < x.n; i++) {
        for (let j = 0; j < k; j++) mark[x.indices[i * k + j]] = i;
        let common = 0;
        for (let j = 0; j < k; j++) if (mark[pairOf[y.indices[order[i] * k + j]]] === i) common++;
        sum += common / (2 * k - common);
      }
      return Promise.resolve(sum / x.n);
    },
    describe: () => `k = ${k} nearest by cosine`,
    warning: (_x, _y, n) =>
      k > n / 5 ? `k = ${k} is not small beside ${n} pairs: random pairs overlap too, see the null` : undefined,
  };
}
