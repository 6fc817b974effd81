/** How an architecture fires on a device: the part of its file that is a graph (../encodeGraph.ts). */
import type { Graph, Value } from '../../compute/graphs/graph.js';
import type { SaeConfig } from '../types.js';

/** Vectors [d_sae] that a graph may take: weights, e^r_mag, and the norms of decoder rows. */
export type DeviceVector = 'b_enc' | 'threshold' | 'b_mag' | 'r_scale' | 'norms';

export interface DeviceBlock {
  readonly g: Graph;
  readonly config: SaeConfig;
  /** [N, F]: x̃·W_enc without the bias. */
  readonly z: Value;
  vector(name: DeviceVector): Value;
}

export interface OnDevice {
  /** Which of the values of a row are its entries: the k largest, the largest of each of k groups, or all. */
  readonly keeps: 'k' | 'each group' | 'all';
  /** [N, F]: what fires, where it is above 0. */
  fire(block: DeviceBlock): Value;
  /** Entries are chosen by |value| and keep their signs; default: by value. */
  readonly signed?: boolean;
}

/** z + b_enc, times decoder norms where activations are rescaled by these: addBias of select.ts. */
export function biased({ g, config, z, vector }: DeviceBlock): Value {
  const sum = g.add(z, vector('b_enc'));
  return config.rescaleActsByDecoderNorm ? g.mul(sum, vector('norms')) : sum;
}
