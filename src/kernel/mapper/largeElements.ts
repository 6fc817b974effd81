/**
 * HDBSCAN of elements of a cover whose distances do not fit memory: core distances by the search for neighbours that maps
 * and lenses take (compute/knn.ts), the spanning tree from float64 distances, each summed where neither core distances nor a
 * float32 product rule it out. The labels are those of all float64 distances.
 */
import { breathe, checkAborted, type CallOptions } from '../compute/call.js';
import { SpanningTree } from '../compute/clustering/agglomerative.js';
import { hdbscanOfTree, type HdbscanSettings } from '../compute/clustering/hdbscan.js';
import { gemm } from '../compute/gemm.js';
import { exactKnn } from '../compute/knn.js';
import { requireMemory } from '../compute/memory.js';
import { gatherRows } from '../compute/rows.js';
import { exactDistance, prepare, type Space } from './space.js';

/** Multiplications between two looks at whether to stop. */
const SLICE = 5e7;
/** Neighbours more than asked for: the search rounds cosines in another order than distances here. */
const SPARE = 2;

/** Calls `use` for 0 … count − 1, each of which costs so much, and lets others work in between. */
async function inSlices(count: number, cost: number, call: CallOptions, use: (i: number) => void): Promise<void> {
  for (let i = 0, work = 0; i < count; i++) {
    use(i);
    if ((work += cost) <= SLICE) continue;
    work = 0;
    checkAborted(call.signal, 'HDBSCAN');
    call.onProgress?.({ label: 'HDBSCAN', done: i + 1, total: count, unit: 'points' });
    await breathe();
  }
}

/** The distance of each point to its neighbour number `minSamples`, itself counted. */
async function coreDistances(
  space: Space,
  ids: Int32Array,
  minSamples: number,
  call: CallOptions,
): Promise<Float64Array> {
  const { metric, x } = space;
  const m = ids.length;
  const core = new Float64Array(m);
  const last = Math.min(minSamples, m) - 2;
  if (last < 0) return core;
  if (metric === 'precomputed') {
    const row = new Float64Array(m);
    await inSlices(m, m, call, (i) => {
      for (let j = 0; j < m; j++) row[j] = j === i ? 0 : exactDistance(space, ids[i], ids[j]);
      core[i] = row.sort()[last + 1];
    });
    return core;
  }
  const k = Math.min(last + 1 + SPARE, m - 1);
  const { indices } = await exactKnn(gatherRows(x, ids), k, { ...call, metric });
  const near = new Float64Array(k);
  await inSlices(m, k * x.cols, call, (i) => {
    for (let r = 0; r < k; r++) near[r] = exactDistance(space, ids[i], ids[indices[i * k + r]]);
    core[i] = near.sort()[last];
  });
  return core;
}

/** Points whose products with all others are made at once. */
const BLOCK = 256;

/** Lower bounds of the distances of a point, from products of the points that come into the tree soon. */
class Bounds {
  readonly #space: Space;
  readonly #prepared: ReturnType<typeof prepare>;
  readonly #rows: Float32Array;
  readonly #products: Float32Array;
  /** Where the products of a point are: −1 nowhere. */
  readonly #place: Int32Array;

  constructor(
    space: Space,
    private readonly ids: Int32Array,
  ) {
    const { length: m } = ids;
    const { cols } = space.x;
    requireMemory(`HDBSCAN of ${m} points`, 4 * (m * cols + BLOCK * (m + cols)));
    this.#space = space;
    this.#prepared = prepare(space, ids);
    this.#rows = new Float32Array(BLOCK * cols);
    this.#products = new Float32Array(BLOCK * m);
    this.#place = new Int32Array(m).fill(-1);
  }

  /** Whether point j is no nearer than `below` to the tree's last point, by the products of that. */
  of(tree: SpanningTree): (j: number, below: number) => boolean {
    const { rows, squares, error } = this.#prepared;
    const { length: m } = this.ids;
    if (this.#place[tree.at] < 0) {
      const { cols } = this.#space.x;
      const soon = tree.soon(BLOCK);
      this.#place.fill(-1);
      soon.forEach((i, to) => {
        this.#place[i] = to;
        this.#rows.set(rows.subarray(i * cols, (i + 1) * cols), to * cols);
      });
      const left = this.#rows.subarray(0, soon.length * cols);
      gemm(left, rows, soon.length, m, cols, { transB: true, out: this.#products.subarray(0, soon.length * m) });
    }
    const [c, from] = [this.#products, this.#place[tree.at] * m];
    if (this.#space.metric === 'cosine') return (j, below) => 1 - c[from + j] - error > below;
    const own = squares[tree.at] - error;
    return (j, below) => own + squares[j] - 2 * c[from + j] > below * below * ROUNDED;
  }
}

/** Squares of lengths are rounded, which must not rule out a distance that is as long. */
const ROUNDED = 1 + 1e-12;

/** Labels of some points: clusters numbered by their first point, noise -1. */
export async function hdbscanOfRows(
  space: Space,
  ids: Int32Array,
  s: HdbscanSettings,
  call: CallOptions,
): Promise<Int32Array> {
  const m = ids.length;
  if (m < Math.max(2, s.minClusterSize)) return new Int32Array(m).fill(-1);
  const core = await coreDistances(space, ids, s.minSamples, call);
  const tree = new SpanningTree(m);
  const bounds = space.metric === 'precomputed' ? undefined : new Bounds(space, ids);
  const cost = 4 * m;
  await inSlices(m - 1, cost, call, () => {
    const [at, own] = [ids[tree.at], core[tree.at]];
    const far = bounds?.of(tree);
    tree.take((j, below) => {
      const least = Math.max(own, core[j]);
      if (least >= below || far?.(j, below)) return Infinity;
      return Math.max(least, exactDistance(space, at, ids[j]));
    });
  });
  return hdbscanOfTree(tree.merges(), m, s);
}
