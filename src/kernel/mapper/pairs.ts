/**
 * Neighbours within eps, kept from one cover to the next: points are cut into tiles that are near in the lens, and each
 * pair of tiles is multiplied once, when the first cover element asks for it.
 */
import { breathe, checkAborted, type CallOptions } from '../compute/call.js';
import { gemm } from '../compute/gemm.js';
import { memoryBudget } from '../compute/memory.js';
import { Bits, blockOf } from './dbscan.js';
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

  of(a: number, b: number): Uint16Array {
    const pair = a * this.tiles + b;
    return this.#codes.subarray(this.#at[pair], this.#at[pair] + this.#count[pair]);
  }
}

export class NeighbourCache {
  readonly #order: Int32Array;
  /** Tile and place of each point. */
  readonly #position: Int32Array;
  readonly #pairs: TilePairs;
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
    this.#pairs = new TilePairs(tiles);
    // Codes of as many pairs, and a copy of the rows in tile order, must fit.
    this.#full = 4 * n * space.x.cols + 12 * tiles * tiles > memoryBudget() / 2;
  }

  /** Neighbours among some points, or undefined where keeping them would take too much memory. */
  async bits(ids: Int32Array, call: CallOptions): Promise<Bits | undefined> {
    if (this.#full) return undefined;
    const position = this.#position;
    const tiles = [...new Set(Int32Array.from(ids, (i) => Math.floor(position[i] / TILE)))].sort((a, b) => a - b);
    await this.#fill(tiles, call);
    if (this.#full) return undefined;
    const bits = new Bits(ids.length);
    const place = new Int32Array(this.#order.length).fill(-1);
    ids.forEach((i, at) => (place[position[i]] = at));
    for (let i = 0; i < ids.length; i++) bits.join(i, i);
    for (const [k, a] of tiles.entries()) {
      for (let l = k; l < tiles.length; l++) {
        const b = tiles[l];
        for (const code of this.#pairs.of(a, b)) {
          const i = place[a * TILE + (code >> 7)];
          const j = place[b * TILE + (code & 127)];
          if (i >= 0 && j >= 0) bits.join(i, j);
        }
      }
    }
    return bits;
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
      // Codes may take a quarter of the budget; past that nothing is kept, and each element is multiplied by itself.
      if (this.#pairs.bytes > memoryBudget() / 4) {
        this.#full = true;
        this.#prepared = undefined;
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
    for (let b = first; b <= last; b++) {
      this.#pairs.begin(a, b);
      const pair = a * this.#pairs.tiles + b;
      const end = Math.min(n, (b + 1) * TILE);
      for (let i = a0; i < a1; i++) {
        const at = (i - a0) * width - b0;
        const q = cosine ? 0 : squares[i];
        for (let j = Math.max(b * TILE, i + 1); j < end; j++) {
          const score = cosine ? 1 - out[at + j] : q + squares[j] - 2 * out[at + j];
          if (score > limit + error) continue;
          if (score > limit - error && exactScore(space, this.#order[i], this.#order[j]) > limit) continue;
          this.#pairs.add(pair, ((i - a0) << 7) | (j - b * TILE));
        }
      }
    }
  }
}
