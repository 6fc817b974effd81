/**
 * Labels of the elements of a cover, in order: large ones by distances in the workers, those whose distances do not fit
 * memory without them, the rest on this thread.
 */
import { checkAborted, type CallOptions } from '../compute/call.js';
import { labelsOfDistances } from '../compute/clustering/labels.js';
import { memoryBudget } from '../compute/memory.js';
import { pool, runTask } from '../compute/pool.js';
import type { Clusterer } from './cluster.js';
import type { Cover } from './cover.js';
import { dbscan } from './dbscan.js';
import { hdbscanOfRows } from './largeElements.js';
import { pairDistances, type KeptDistances } from './pairDistances.js';
import type { NeighbourCache } from './pairs.js';

export interface LabelledElement {
  element: number;
  /** Its points. */
  ids: Int32Array;
  /** A label for each: 0 … clusters-1, noise -1. */
  labels: Int32Array;
}

/** What a plan keeps from one cover to the next. */
export interface PlanCaches {
  neighbours?: NeighbourCache;
  distances?: KeptDistances;
}

/** Points from which on an element is worth a message to a worker. */
const IN_WORKER = 128;

interface Waiting {
  element: number;
  ids: Int32Array;
  labels: Promise<Int32Array> | Int32Array;
  /** Size of the distances that a worker holds for it. */
  bytes: number;
}

/** Elements with fewer points than the clusterer needs are left out. */
export async function* labelElements(
  cover: Cover,
  clusterer: Clusterer,
  { neighbours, distances: kept }: PlanCaches,
  call: CallOptions,
): AsyncGenerator<LabelledElement> {
  const { space, rule } = clusterer;
  // A consumer that stops early ends what is still running.
  const stop = new AbortController();
  const signal = call.signal ? AbortSignal.any([call.signal, stop.signal]) : stop.signal;
  const queue: Waiting[] = [];
  let running = 0;
  let bytes = 0;
  const first = async (): Promise<LabelledElement> => {
    const { element, ids, labels, bytes: held } = queue.shift()!;
    const found = await labels;
    if (held > 0) running--;
    bytes -= held;
    return { element, ids, labels: found };
  };
  try {
    for (let element = 0; element < cover.elements; element++) {
      const ids = cover.points.subarray(cover.at[element], cover.at[element + 1]);
      const m = ids.length;
      if (m < clusterer.minPoints) continue;
      checkAborted(call.signal, 'Mapper');
      if (rule.kind === 'dbscan') {
        const labels = (await neighbours?.labels(ids, rule.minSamples, call)) ?? (await dbscan(space, ids, rule, call));
        yield { element, ids, labels };
        continue;
      }
      if (rule.kind === 'hdbscan' && 8 * m * m > memoryBudget()) {
        while (queue.length > 0) yield await first();
        yield { element, ids, labels: await hdbscanOfRows(space, ids, rule, call) };
        continue;
      }
      const held = m < IN_WORKER ? 0 : 8 * m * m;
      while (queue.length > 0 && held > 0 && bytes + held > memoryBudget() / 2) yield await first();
      const distances = await pairDistances(space, ids, call, kept);
      while (held > 0 && running >= pool().size) yield await first();
      const request = { distances, m, rule };
      if (held === 0) queue.push({ element, ids, labels: labelsOfDistances(request), bytes: 0 });
      else {
        const transfer = [distances.buffer as ArrayBuffer];
        const labels = runTask<Int32Array>('clusterLabels', request, { transfer, signal });
        // Awaited in its turn, and then it throws; until then a failure is no unhandled rejection.
        labels.catch(() => undefined);
        queue.push({ element, ids, labels, bytes: held });
        running++;
        bytes += held;
      }
      while (running === 0 && queue.length > 0) yield await first();
    }
    while (queue.length > 0) yield await first();
  } finally {
    stop.abort();
  }
}
