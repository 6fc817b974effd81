/**
 * The linear assignment problem: which row takes which column so that the total is smallest (or largest).
 *
 * Augmenting row reduction and shortest augmenting paths of Jonker and Volgenant ("A shortest augmenting path algorithm
 * for dense and sparse linear assignment problems", Computing 38, 1987) in the rectangular form of Crouse ("On
 * implementing 2D rectangular assignment algorithms", IEEE TAES 52, 2016), which scipy's linear_sum_assignment follows.
 * Column prices start at 0 and only those of assigned columns ever fall, so columns may outnumber rows.
 */
import { pauses, type CallOptions } from './call.js';

export interface Assignment {
  /** [min(rows, cols)] rows that were assigned, ascending. */
  rows: Int32Array;
  /** [min(rows, cols)] the column of each. */
  cols: Int32Array;
  /** Sum of the assigned entries, float64. */
  total: number;
}

export interface AssignmentOptions extends CallOptions {
  /** Largest total instead of smallest. Default false. */
  maximize?: boolean;
}

/** Milliseconds of work between two checks of the signal. */
const PIECE_MS = 200;

/**
 * Assigns min(rows, cols) rows to different columns so that the sum of their entries is smallest (largest with
 * `maximize`). `entries` is rows × cols, row-major; sums and prices are float64, so the optimum is that of the entries
 * as given. Among equal optima the choice is deterministic. O(min² · max) at worst. Throws on NaN or infinity, with its
 * place, and AbortError when cancelled.
 */
export async function linearAssignment(
  entries: Float32Array | Float64Array,
  rows: number,
  cols: number,
  options: AssignmentOptions = {},
): Promise<Assignment> {
  requireEntries(entries, rows, cols);
  const turned = rows > cols;
  const cost = costs(entries, rows, cols, options.maximize ?? false, turned);
  const [n, m] = turned ? [cols, rows] : [rows, cols];
  const columnOf = await solve(cost, n, m, options);
  const pairs = Array.from(columnOf, (c, r) => (turned ? [c, r] : [r, c])).sort((a, b) => a[0] - b[0]);
  let total = 0;
  for (const [r, c] of pairs) total += entries[r * cols + c];
  return { rows: Int32Array.from(pairs, (p) => p[0]), cols: Int32Array.from(pairs, (p) => p[1]), total };
}

function requireEntries(entries: Float32Array | Float64Array, rows: number, cols: number): void {
  if (!Number.isInteger(rows) || !Number.isInteger(cols) || rows < 0 || cols < 0 || entries.length !== rows * cols)
    throw new RangeError(`an assignment of ${rows} × ${cols} needs ${rows * cols} entries but got ${entries.length}`);
  for (let i = 0; i < entries.length; i++) {
    if (!Number.isFinite(entries[i]))
      throw new RangeError(
        `entry (${Math.floor(i / cols)}, ${i % cols}) of the assignment is ${entries[i]}; expected a finite number`,
      );
  }
}

/** Costs to make small, with no more rows than columns. */
function costs(
  entries: Float32Array | Float64Array,
  rows: number,
  cols: number,
  maximize: boolean,
  turned: boolean,
): Float32Array | Float64Array {
  if (!maximize && !turned) return entries;
  const sign = maximize ? -1 : 1;
  const out = new (entries instanceof Float32Array ? Float32Array : Float64Array)(entries.length);
  if (!turned) for (let i = 0; i < entries.length; i++) out[i] = sign * entries[i];
  else for (let r = 0; r < rows; r++) for (let c = 0; c < cols; c++) out[c * rows + r] = sign * entries[r * cols + c];
  return out;
}

/** A partial solution: n rows, m ≥ n columns. */
interface State {
  cost: Float32Array | Float64Array;
  n: number;
  m: number;
  /** Column of each row, −1 = free. */
  columnOf: Int32Array;
  /** Row of each column, −1 = free. */
  rowOf: Int32Array;
  /** Price of each column, ≤ 0, and 0 while free. */
  price: Float64Array;
}

async function solve(cost: Float32Array | Float64Array, n: number, m: number, call: CallOptions): Promise<Int32Array> {
  const state: State = {
    cost,
    n,
    m,
    columnOf: new Int32Array(n).fill(-1),
    rowOf: new Int32Array(m).fill(-1),
    price: new Float64Array(m),
  };
  let free = Array.from({ length: n }, (_, i) => i);
  const pause = pauses(call.signal, 'assignment', PIECE_MS);
  // Two sweeps assign most rows at the cost of one scan each; more of them rarely pay (Jonker and Volgenant).
  for (let sweep = 0; sweep < 2 && free.length > 0; sweep++) free = await reduceRows(state, free, pause);
  const search = { distance: new Float64Array(m), from: new Int32Array(m), columns: new Int32Array(m) };
  for (const row of free) {
    augment(state, row, search);
    await pause();
  }
  return state.columnOf;
}

/** Each free row takes its cheapest column; the column's price falls by the gap to the row's second cheapest. */
async function reduceRows(s: State, free: readonly number[], pause: () => Promise<boolean>): Promise<number[]> {
  const { cost, m, columnOf, rowOf, price } = s;
  const left: number[] = [];
  for (const first of free) {
    let row = first;
    // Rows that displace each other in turn make little progress each: augment() settles them.
    for (let turns = 0; row >= 0; turns++) {
      let best = -1;
      let second = -1;
      let low = Infinity;
      let next = Infinity;
      const at = row * m;
      for (let j = 0; j < m; j++) {
        const reduced = cost[at + j] - price[j];
        if (reduced >= next) continue;
        if (reduced < low) {
          second = best;
          next = low;
          best = j;
          low = reduced;
        } else {
          second = j;
          next = reduced;
        }
      }
      // With one column there is no second cheapest: its price can stay.
      const lowered = second < 0 ? price[best] : price[best] - (next - low);
      const strict = lowered < price[best];
      if (!strict && rowOf[best] >= 0 && second >= 0) best = second;
      const out = rowOf[best];
      if (out >= 0 && (!strict || turns >= s.n)) {
        left.push(row);
        break;
      }
      if (strict) price[best] = lowered;
      columnOf[row] = best;
      rowOf[best] = row;
      if (out >= 0) columnOf[out] = -1;
      row = out;
      if (turns % 64 === 63) await pause();
    }
    await pause();
  }
  return left;
}

/**
 * Finds the cheapest chain of exchanges that frees a column for `start`, makes it, and corrects the prices (Dijkstra).
 */
function augment(
  s: State,
  start: number,
  { distance, from, columns }: { distance: Float64Array; from: Int32Array; columns: Int32Array },
): void {
  const { cost, m, columnOf, rowOf, price } = s;
  for (let j = 0; j < m; j++) {
    distance[j] = cost[start * m + j] - price[j];
    from[j] = start;
    columns[j] = j;
  }
  // columns[0 … done) are settled in order of distance, the rest is open.
  let done = 0;
  let end = -1;
  let reached = 0;
  while (end < 0) {
    let at = done;
    for (let k = done + 1; k < m; k++) {
      const d = distance[columns[k]] - distance[columns[at]];
      // Among equal distances a free column ends the search at once.
      if (d < 0 || (d === 0 && rowOf[columns[k]] < 0 && rowOf[columns[at]] >= 0)) at = k;
    }
    const column = columns[at];
    columns[at] = columns[done];
    columns[done++] = column;
    reached = distance[column];
    const row = rowOf[column];
    if (row < 0) {
      end = column;
      break;
    }
    const base = reached - (cost[row * m + column] - price[column]);
    for (let k = done; k < m; k++) {
      const j = columns[k];
      const d = base + cost[row * m + j] - price[j];
      if (d < distance[j]) {
        distance[j] = d;
        from[j] = row;
      }
    }
  }
  for (let k = 0; k < done - 1; k++) price[columns[k]] += distance[columns[k]] - reached;
  for (let column = end; ;) {
    const row = from[column];
    const previous = columnOf[row];
    rowOf[column] = row;
    columnOf[row] = column;
    if (row === start) break;
    column = previous;
  }
}
