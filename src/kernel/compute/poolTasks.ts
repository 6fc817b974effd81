/**
 * The tasks of pool workers, by name. A task takes a structured-cloneable payload, returns one, and keeps no state.
 * `transfer` names buffers of the result that are handed over instead of copied.
 */
import { labelsOfDistances, type LabelRequest } from './clustering/labels.js';
import { takePart } from './shared/phaseTable.js';
import type { PhaseRequest } from './shared/pieces.js';
import { drawSpan, type SpanRequest } from './sampling/span.js';
import { initGemmOfWorker } from './gemm.js';
import { shuffledNorms, type ShuffledProduct } from './shuffledNorms.js';
import { shortestPaths, type DistanceGraph } from './shortestPaths.js';

export interface TaskResult {
  value: unknown;
  transfer?: ArrayBuffer[];
}
export type PoolTask = (payload: unknown) => TaskResult | Promise<TaskResult>;

export const poolTasks: Readonly<Record<string, PoolTask>> = {
  /** Gives its payload back: for tests and for warming workers up. */
  echo: (payload) => ({ value: payload }),
  /** Consecutive samples of a world's law. */
  drawSpan: (payload) => {
    const value = drawSpan(payload as SpanRequest);
    const transfer = [value.x, value.indptr, value.indices, value.values].map((a) => a.buffer as ArrayBuffer);
    return { value, transfer };
  },
  /** Rows of distances of every point from some sources. */
  shortestPaths: (payload) => {
    const { graph, sources } = payload as { graph: DistanceGraph; sources: Int32Array };
    const value = shortestPaths(graph, sources);
    return { value, transfer: [value.buffer as ArrayBuffer] };
  },
  /** Clusters of points by HDBSCAN or agglomerative clustering. */
  clusterLabels: (payload) => {
    const value = labelsOfDistances(payload as LabelRequest);
    return { value, transfer: [value.buffer as ArrayBuffer] };
  },
  /** Null runs of SVCCA; each worker multiplies on one thread. */
  shuffledNorms: async (payload) => {
    await initGemmOfWorker();
    const { product, orders } = payload as { product: ShuffledProduct; orders: Uint32Array };
    const value = await shuffledNorms(product, orders);
    return { value, transfer: [value.buffer as ArrayBuffer] };
  },
  /** Pieces of a phase of work on shared memory, until none is left. */
  sharedPhase: (payload) => {
    takePart(payload as PhaseRequest);
    return { value: undefined };
  },
};
