/**
 * Neighbours within eps, kept from one cover to the next: points are cut into tiles that are near in the lens, and each
 * pair of tiles is multiplied once, when the first cover element asks for it.
 */
import { breathe, checkAborted, type CallOptions } from '../compute/call.js';
import { gemm } from '../compute/gemm.js';
import { memoryBudget } from '../compute/memory.js';
import { blockOf } from './dbscan.js';
import { find, singletons, unite } from '../compute/unionFind.js';
import { exactScore, prepare, type Prepared, type Space } from './space.js';

/** Points of a tile: a pair of places in two tiles is 14 bits. */
const TILE = 128;

/** Orders points so that runs of TILE are close in the lens: halves by the widest dimension, again and again. */
function tileOrder(lens: Float64Array, dims: number, n: number): Int32Array {
  const order = Int32Array.from({ length: n }, (_, i) => i);
  const split = (from: number, to: number): void => {
    if (to - from <= TILE) return;
    let widest = 0;
    let width = -1;
    for (let d = 0; d < dims; d++) {
      let [low, high] = [Infinity, -Infinity];
      for (let k = from; k < to; k++) {
        const v = lens[order[k] * dims + d];
        low = Math.min(low, v);
        high = Math.max(high, v);
      }
      if (high - low > width) {
        width = high - low;
        widest = d;
      }
    }
    const part = order.subarray(from, to).sort((a, b) => lens[a * dims + widest] - lens[b * dims + widest] || a - b);
    const tiles = Math.ceil(part.length / TILE);
    const middle = from + Math.floor(tiles / 2) * TILE;
    split(from, middle);
    split(middle, to);
  };
  split(0, n);
  return order;
}

/** Neighbours of pairs of tiles, as codes of two places. */
class TilePairs {
  #codes = new Uint16Array(1 << 16);
  #used = 0;
  readonly #at: Float64Array;
  readonly #count: Int32Array;

  constructor(readonly tiles: number) {
    this.#at = new Float64Array(tiles * tiles);
    this.#count = new Int32Array(tiles * tiles).fill(-1);
  }

  get bytes(): number {
    return this.#codes.byteLength;
  }

  has(a: number, b: number): boolean {
    return this.#count[a * this.tiles + b] >= 0;
  }

  begin(a: number, b: number): void {
    this.#at[a * this.tiles + b] = this.#used;
    this.#count[a * this.tiles + b] = 0;
  }

  add(pair: number, code: number): void {
    if (this.#used === this.#codes.length) {
      const more = new Uint16Array(2 * this.#used);
      more.set(this.#codes);
      this.#codes = more;
    }
    this.#codes[this.#used++] = code;
    this.#count[pair]++;
  }

  /**
   * Pairs of points that have a place ≥ 0, of two tiles: place of one and of the other from `to[at]` on. Gives the end.
   * @param to holds room for `room(a, b)` more
   */
  list(a: number, b: number, place: Int32Array, to: Int32Array, at: number): number {
    const pair = a * this.tiles + b;
    const codes = this.#codes;
    const first = this.#at[pair];
    const end = first + this.#count[pair];
    let k = at;
    for (let e = first; e < end; e++) {
      const i = place[a * TILE + (codes[e] >> 7)];
      const j = place[b * TILE + (codes[e] & 127)];
      if (i < 0 || j < 0) continue;
      to[k++] = i;
      to[k++] = j;
    }
    return k;
  }

  room(a: number, b: number): number {
    return 2 * this.#count[a * this.tiles + b];
  }
}

/**
 * DBSCAN with scikit-learn's labels from pairs of neighbours among m points: clusters numbered by their first core
 * point, a border point in the first cluster that reaches it, noise -1.
 */
export function labelsOfPairs(pairs: Int32Array, m: number, minSamples: number): Int32Array {
  const near = new Int32Array(m).fill(1);
  for (let e = 0; e < pairs.length; e++) near[pairs[e]]++;
  const parent = singletons(m);
  const core = Uint8Array.from(near, (count) => (count >= minSamples ? 1 : 0));
  for (let e = 0; e < pairs.length; e += 2) {
    const i = pairs[e];
    const j = pairs[e + 1];
    // Most are in one tree by now and have its root as parent.
    if (core[i] & core[j] && parent[i] !== parent[j]) unite(parent, i, j);
  }
  const labels = new Int32Array(m).fill(-1);
  let next = 0;
  for (let i = 0; i < m; i++) {
    if (!core[i]) continue;
    // The first of a component is its root.
    const root = find(parent, i);
    labels[i] = root === i ? next++ : labels[root];
  }
  for (let e = 0; e < pairs.length; e++) {
    const border = pairs[e];
    const by = pairs[e ^ 1];
    if (core[border] || !core[by]) continue;
    if (labels[border] < 0 || labels[by] < labels[border]) labels[border] = labels[by];
  }
  return labels;
}

/** DBSCAN of cover elements by the neighbours that earlier elements of any cover have found. */
export class NeighbourCache {
  readonly #order: Int32Array;
  /** Tile and place of each point. */
  readonly #position: Int32Array;
  readonly #pairs: TilePairs;
  /** Where the points of an element are in it, by position; -1 else. */
  readonly #place: Int32Array;
  /** Pairs of an element. */
  #list = new Int32Array(1 << 16);
  readonly #budget = memoryBudget();
  #prepared: Prepared | undefined;
  #full = false;

  constructor(
    private readonly space: Space,
    private readonly eps: number,
    lens: Float64Array,
    dims: number,
  ) {
    const n = space.points;
    this.#order = tileOrder(lens, dims, n);
    this.#position = new Int32Array(n);
    this.#order.forEach((i, at) => (this.#position[i] = at));
    const tiles = Math.ceil(n / TILE);
    this.#place = new Int32Array(tiles * TILE).fill(-1);
    this.#pairs = new TilePairs(tiles);
    // Codes of as many pairs, and a copy of the rows in tile order, must fit.
    this.#full = 4 * n * space.x.cols + 12 * tiles * tiles > this.#budget / 2;
  }

  /** DBSCAN's labels of some points, or undefined where keeping neighbours would take too much memory. */
  async labels(ids: Int32Array, minSamples: number, call: CallOptions): Promise<Int32Array | undefined> {
    if (this.#full) return undefined;
    const position = this.#position;
    const used = new Uint8Array(this.#pairs.tiles);
    for (const i of ids) used[Math.floor(position[i] / TILE)] = 1;
    const tiles = [...used.keys()].filter((t) => used[t]);
    await this.#fill(tiles, call);
    if (this.#full) return undefined;
    const pairs = this.#pairs;
    const place = this.#place;
    ids.forEach((i, at) => (place[position[i]] = at));
    let size = 0;
    for (const [k, a] of tiles.entries())
      for (let l = k; l < tiles.length; l++) {
        const room = pairs.room(a, tiles[l]);
        if (room === 0) continue;
        if (size + room > this.#list.length) {
          const more = new Int32Array(2 * (size + room));
          more.set(this.#list.subarray(0, size));
          this.#list = more;
        }
        size = pairs.list(a, tiles[l], place, this.#list, size);
      }
    for (const i of ids) place[position[i]] = -1;
    return labelsOfPairs(this.#list.subarray(0, size), ids.length, minSamples);
  }

  /** Multiplies the pairs of tiles that no element has asked for yet, runs of neighbouring tiles at once. */
  async #fill(tiles: readonly number[], call: CallOptions): Promise<void> {
    for (const [k, a] of tiles.entries()) {
      const missing = tiles.slice(k).filter((b) => !this.#pairs.has(a, b));
      for (let from = 0; from < missing.length;) {
        let to = from + 1;
        while (to < missing.length && missing[to] === missing[to - 1] + 1) to++;
        checkAborted(call.signal, 'Mapper');
        this.#multiply(a, missing[from], missing[to - 1]);
        from = to;
      }
      if (missing.length > 0) await breathe();
      // Codes may take a sixteenth of the budget, the list of an element four times that; past it nothing is kept, and
      // each element is multiplied by itself.
      if (this.#pairs.bytes > this.#budget / 16) {
        this.#full = true;
        this.#prepared = undefined;
        this.#list = new Int32Array(0);
        return;
      }
    }
  }

  #multiply(a: number, first: number, last: number): void {
    const { space, eps } = this;
    const n = this.#order.length;
    const d = space.x.cols;
    const { rows, squares, error } = (this.#prepared ??= prepare(space, this.#order));
    const [a0, a1] = [a * TILE, Math.min(n, (a + 1) * TILE)];
    const [b0, b1] = [first * TILE, Math.min(n, (last + 1) * TILE)];
    const width = b1 - b0;
    const out = blockOf((a1 - a0) * width);
    gemm(rows.subarray(a0 * d, a1 * d), rows.subarray(b0 * d, b1 * d), a1 - a0, width, d, { transB: true, out });
    const cosine = space.metric === 'cosine';
    const limit = cosine ? eps : eps * eps;
    const [sure, never] = [limit - error, limit + error];
    for (let b = first; b <= last; b++) {
      this.#pairs.begin(a, b);
      const pair = a * this.#pairs.tiles + b;
      const end = Math.min(n, (b + 1) * TILE);
      for (let i = a0; i < a1; i++) {
        const at = (i - a0) * width - b0;
        const q = cosine ? 0 : squares[i];
        for (let j = Math.max(b * TILE, i + 1); j < end; j++) {
          const score = cosine ? 1 - out[at + j] : q + squares[j] - 2 * out[at + j];
          if (score > never) continue;
          if (score > sure && exactScore(space, this.#order[i], this.#order[j]) > limit) continue;
          this.#pairs.add(pair, ((i - a0) << 7) | (j - b * TILE));
        }
      }
    }
  }
}
