/** Null runs of many directions where they are made fastest: on the device in use, or by the pool's workers. */
import { checkAborted } from '../compute/call.js';
import { graphDevice } from '../compute/graphs/current.js';
import type { GraphDevice } from '../compute/graphs/host.js';
import { DeviceNorms } from '../compute/shuffledNormsOnDevice.js';
import { poolNulls } from './poolNulls.js';
import type { ShareNulls } from './scores.js';

/** Multiplications of a run below which the way to a device costs more than it saves. */
const WORTH = 1e7;

/** Null runs on a device: those of the CPU within the rounding of float32. */
export const deviceNulls =
  (device: GraphDevice): ShareNulls =>
  async (product, runs, nextOrder, { signal, done }) => {
    const { n } = product;
    const norms = new DeviceNorms(device, product);
    const sums = new Float64Array(runs);
    try {
      for (let first = 0; first < runs;) {
        checkAborted(signal, 'null runs');
        const count = Math.min(norms.batch, runs - first);
        const orders = new Uint32Array(count * n);
        for (let run = 0; run < count; run++) orders.set(nextOrder(), run * n);
        sums.set(await norms.sums(orders, { signal }), first);
        first += count;
        done(first);
      }
    } finally {
      await norms.close();
    }
    return sums;
  };

/** On the device where it makes scores faster, else by the pool. */
export const sharedNulls: ShareNulls = (product, ...rest) => {
  const device = product.n * product.p * product.q >= WORTH ? graphDevice('scores') : undefined;
  return (device ? deviceNulls(device) : poolNulls)(product, ...rest);
};
