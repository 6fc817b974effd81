/**
 * Matching of largest total weight in a sparse bipartite graph: every row takes one of its columns or none, no column
 * is taken twice. Shortest augmenting paths over the edges there are (Jonker and Volgenant, "A shortest augmenting path
 * algorithm for dense and sparse linear assignment problems", Computing 38, 1987); each row has a column of its own of
 * weight 0, which means that it takes none.
 */
import { pauses, type CallOptions } from './call.js';

/** Edges of row i: starts[i] to starts[i + 1] − 1, each to a column at a weight; no column twice in a row. */
export interface Edges {
  rows: number;
  columns: number;
  starts: Uint32Array;
  column: Int32Array;
  weight: Float64Array;
}

export interface SparseAssignment {
  /** [rows]: the column of each, −1 = none. */
  columnOf: Int32Array;
  /**
   * Prices of rows and columns, ≥ 0, and 0 for those that are left over: the weight of no edge is above the sum of its
   * two prices, and that of a taken edge is the sum. An edge that was left out of the graph would change the total only
   * if its weight were above the sum of its prices.
   */
  rowPrice: Float64Array;
  columnPrice: Float64Array;
  /** Σ of the weights taken, float64. */
  total: number;
}

/** Milliseconds of work between two checks of the signal. */
const PIECE_MS = 200;

/**
 * @throws RangeError for an edge to a column that does not exist, or a weight that is NaN or infinite; AbortError when
 *   cancelled. Edges of weight ≤ 0 are never taken. Among equal optima the choice is deterministic.
 */
export async function sparseAssignment(edges: Edges, call: CallOptions = {}): Promise<SparseAssignment> {
  requireEdges(edges);
  const search = new PathSearch(edges);
  const pause = pauses(call.signal, 'assignment', PIECE_MS);
  const free = search.takeBest();
  for (const [i, row] of free.entries()) {
    search.augment(row);
    if (await pause()) call.onProgress?.({ label: 'assignment', done: i, total: free.length, unit: 'features' });
  }
  const { columnOf, rowPrice, columnPrice } = search;
  let total = 0;
  for (let row = 0; row < edges.rows; row++)
    for (let e = edges.starts[row]; e < edges.starts[row + 1]; e++)
      if (edges.column[e] === columnOf[row]) total += edges.weight[e];
  return { columnOf, rowPrice, columnPrice, total };
}

function requireEdges({ rows, columns, starts, column, weight }: Edges): void {
  if (starts.length !== rows + 1 || starts[rows] !== column.length || column.length !== weight.length)
    throw new RangeError(`edges of ${rows} rows: ${starts.length} starts, ${column.length} columns, ${weight.length} weights`); // prettier-ignore
  for (let e = 0; e < column.length; e++) {
    if (!(column[e] >= 0 && column[e] < columns))
      throw new RangeError(`edge ${e} goes to column ${column[e]}; columns are 0 to ${columns - 1}`);
    if (!Number.isFinite(weight[e]))
      throw new RangeError(`the weight of edge ${e} is ${weight[e]}; expected a finite number`);
  }
}

/** A partial matching, and the arrays of a search in it. */
class PathSearch {
  readonly columnOf: Int32Array;
  readonly rowPrice: Float64Array;
  readonly columnPrice: Float64Array;
  private readonly rowOf: Int32Array;
  /** State of the running search: distance of each column reached, the row before it, and whether it is settled. */
  private readonly distance: Float64Array;
  private readonly from: Int32Array;
  private readonly settled: Uint8Array;
  private reached: number[] = [];
  private readonly heap: Heap;

  constructor(private readonly edges: Edges) {
    const { rows, columns } = edges;
    this.columnOf = new Int32Array(rows).fill(-1);
    this.rowPrice = new Float64Array(rows);
    this.columnPrice = new Float64Array(columns);
    this.rowOf = new Int32Array(columns).fill(-1);
    this.distance = new Float64Array(columns).fill(Infinity);
    this.from = new Int32Array(columns).fill(-1);
    this.settled = new Uint8Array(columns);
    this.heap = new Heap(this.distance);
  }

  /**
   * Gives each row its best column where that is still free; returns the other rows, except those with nothing to gain.
   */
  takeBest(): number[] {
    const { rows, starts, column, weight } = this.edges;
    const left: number[] = [];
    for (let row = 0; row < rows; row++) {
      let best = -1;
      for (let e = starts[row]; e < starts[row + 1]; e++)
        if (weight[e] > this.rowPrice[row]) {
          this.rowPrice[row] = weight[e];
          best = column[e];
        }
      if (best < 0) continue;
      if (this.rowOf[best] >= 0) left.push(row);
      else this.take(row, best);
    }
    return left;
  }

  private take(row: number, column: number): void {
    this.columnOf[row] = column;
    this.rowOf[column] = row;
  }

  /**
   * Makes the cheapest chain of exchanges that begins with a row: it ends at a free column, or at a row that gives up
   * its own.
   */
  augment(start: number): void {
    const { distance, rowOf, rowPrice, heap } = this;
    // The row can stay without a column, at the cost of its price.
    let end = rowPrice[start];
    let without = start;
    let free = -1;
    this.relax(start, 0, end);
    for (let column = heap.pop(); column >= 0; column = heap.pop()) {
      const d = distance[column];
      if (d >= end) break;
      this.settled[column] = 1;
      const row = rowOf[column];
      if (row < 0) {
        end = d;
        free = column;
        break;
      }
      if (d + rowPrice[row] < end) {
        end = d + rowPrice[row];
        without = row;
      }
      this.relax(row, d, end);
    }
    this.correctPrices(start, end);
    this.exchange(start, free, without);
    for (const column of this.reached) {
      distance[column] = Infinity;
      this.settled[column] = 0;
    }
    this.reached = [];
    heap.clear();
  }

  private relax(row: number, base: number, limit: number): void {
    const { starts, column, weight } = this.edges;
    const { distance, from, settled, rowPrice, columnPrice, heap } = this;
    for (let e = starts[row]; e < starts[row + 1]; e++) {
      const c = column[e];
      if (settled[c]) continue;
      // Rounding must not make a step negative.
      const d = base + Math.max(0, rowPrice[row] + columnPrice[c] - weight[e]);
      if (!(d < distance[c]) || d >= limit) continue;
      if (distance[c] === Infinity) this.reached.push(c);
      distance[c] = d;
      from[c] = row;
      heap.push(c);
    }
  }

  private correctPrices(start: number, end: number): void {
    const { distance, settled, rowOf, rowPrice, columnPrice } = this;
    rowPrice[start] -= end;
    for (const column of this.reached) {
      if (!settled[column]) continue;
      const change = end - distance[column];
      columnPrice[column] += change;
      if (rowOf[column] >= 0) rowPrice[rowOf[column]] -= change;
    }
  }

  /** Shifts the columns along the chain: to a free column, or up to the row that stays without one. */
  private exchange(start: number, free: number, without: number): void {
    const { columnOf, from } = this;
    let column = free;
    if (free < 0) {
      if (without === start) return;
      column = columnOf[without];
      columnOf[without] = -1;
    }
    for (;;) {
      const row = from[column];
      const before = columnOf[row];
      this.take(row, column);
      if (row === start) return;
      column = before;
    }
  }
}

/**
 * Columns by distance, ties to the lower column. A column whose distance fell is in it twice; the nearer entry counts.
 */
class Heap {
  private items: number[] = [];
  private keys: number[] = [];

  constructor(private readonly distance: Float64Array) {}

  clear(): void {
    this.items = [];
    this.keys = [];
  }

  push(column: number): void {
    const { items, keys } = this;
    let at = items.length;
    items.push(column);
    keys.push(this.distance[column]);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!this.before(at, parent)) break;
      this.swap(at, parent);
      at = parent;
    }
  }

  /** The nearest column, −1 when there is none. */
  pop(): number {
    const { items, keys } = this;
    while (items.length > 0) {
      const [column, key] = [items[0], keys[0]];
      const [lastItem, lastKey] = [items.pop()!, keys.pop()!];
      if (items.length > 0) {
        items[0] = lastItem;
        keys[0] = lastKey;
        this.sink();
      }
      if (key === this.distance[column]) return column;
    }
    return -1;
  }

  private sink(): void {
    const size = this.items.length;
    for (let at = 0; ;) {
      let least = at;
      for (const child of [2 * at + 1, 2 * at + 2]) if (child < size && this.before(child, least)) least = child;
      if (least === at) return;
      this.swap(at, least);
      at = least;
    }
  }

  private before(i: number, j: number): boolean {
    const { items, keys } = this;
    return keys[i] < keys[j] || (keys[i] === keys[j] && items[i] < items[j]);
  }

  private swap(i: number, j: number): void {
    const { items, keys } = this;
    [items[i], items[j]] = [items[j], items[i]];
    [keys[i], keys[j]] = [keys[j], keys[i]];
  }
}
