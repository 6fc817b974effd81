/** Null runs of many directions by the pool's workers: each works alone on some runs, so that all cores are busy. */
import { checkAborted } from '../compute/call.js';
import { pool, runTask } from '../compute/pool.js';
import { shuffledNorms } from '../compute/shuffledNorms.js';
import type { ShareNulls } from './scores.js';

/** Runs a task: about a second of work, against some 10 ms for the copy of both sides. */
const RUNS = 8;

/**
 * The same bits as on one thread: a product's sums do not depend on the number of threads (compute/nativeProduct.ts).
 */
export const poolNulls: ShareNulls = async (product, runs, nextOrder, { signal, done }) => {
  const sums = new Float64Array(runs);
  const { size, threaded } = pool();
  const tasks = Math.ceil(runs / RUNS);
  let next = 0;
  let finished = 0;
  const lane = async (): Promise<void> => {
    while (next < tasks) {
      checkAborted(signal, 'null runs');
      const first = next++ * RUNS;
      const count = Math.min(RUNS, runs - first);
      const orders = new Uint32Array(count * product.n);
      for (let run = 0; run < count; run++) orders.set(nextOrder(), run * product.n);
      const found = threaded
        ? await runTask<Float64Array>('shuffledNorms', { product, orders }, { signal, callerWaits: true })
        : await shuffledNorms(product, orders);
      sums.set(found, first);
      finished += count;
      done(finished);
    }
  };
  await Promise.all(Array.from({ length: threaded ? Math.min(size + 1, tasks) : 1 }, lane));
  return sums;
};
