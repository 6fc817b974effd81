/** Labels of points from all distances among them, for workers. */
import { agglomerative, type AgglomerativeSettings } from './agglomerative.js';
import { hdbscan, type HdbscanSettings } from './hdbscan.js';

export type DistanceRule =
  ({ kind: 'hdbscan' } & HdbscanSettings) | ({ kind: 'agglomerative' } & AgglomerativeSettings);

export interface LabelRequest {
  /** m × m, symmetric; overwritten. */
  distances: Float64Array;
  m: number;
  rule: DistanceRule;
}

/** [m] clusters numbered by their first point, noise -1. */
export function labelsOfDistances({ distances, m, rule }: LabelRequest): Int32Array {
  return rule.kind === 'hdbscan' ? hdbscan(distances, m, rule) : agglomerative(distances, m, rule);
}
