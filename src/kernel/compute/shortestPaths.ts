/** Shortest paths in a graph of distances (Dijkstra), for workers. */

/** Undirected, both directions stored. */
export interface DistanceGraph {
  indptr: Int32Array;
  indices: Int32Array;
  weights: Float64Array;
}

/** Distances of every point from each source, one row after the other; Infinity where no path leads. */
export function shortestPaths(graph: DistanceGraph, sources: Int32Array): Float64Array {
  const { indptr, indices, weights } = graph;
  const n = indptr.length - 1;
  const out = new Float64Array(sources.length * n).fill(Infinity);
  // A binary heap of points with their places in it, so that a shorter path moves an entry instead of adding one.
  const heap = new Int32Array(n);
  const place = new Int32Array(n);
  sources.forEach((source, s) => {
    const dist = out.subarray(s * n, (s + 1) * n);
    place.fill(-1);
    let size = 0;
    const rise = (v: number, from: number): void => {
      let i = from;
      while (i > 0) {
        const parent = (i - 1) >> 1;
        if (dist[heap[parent]] <= dist[v]) break;
        heap[i] = heap[parent];
        place[heap[i]] = i;
        i = parent;
      }
      heap[i] = v;
      place[v] = i;
    };
    dist[source] = 0;
    rise(source, size++);
    while (size > 0) {
      const u = heap[0];
      const last = heap[--size];
      if (size > 0) {
        let i = 0;
        for (;;) {
          let child = 2 * i + 1;
          if (child >= size) break;
          if (child + 1 < size && dist[heap[child + 1]] < dist[heap[child]]) child++;
          if (dist[heap[child]] >= dist[last]) break;
          heap[i] = heap[child];
          place[heap[i]] = i;
          i = child;
        }
        heap[i] = last;
        place[last] = i;
      }
      for (let e = indptr[u]; e < indptr[u + 1]; e++) {
        const v = indices[e];
        const way = dist[u] + weights[e];
        if (way < dist[v]) {
          const fresh = dist[v] === Infinity;
          dist[v] = way;
          rise(v, fresh ? size++ : place[v]);
        }
      }
    }
  });
  return out;
}
