/** Sums over (row, column) pairs that are too many for a matrix and mostly absent, in bounded memory. */

/** Sums of one row, columns ascending. */
export interface RowSums {
  columns: Int32Array;
  sums: Float64Array;
  /** How many values each sum is of. */
  counts: Uint32Array;
}

const ROOM = 1 << 12;

/**
 * An open-addressing hash table of the pairs of rows `from` up to `end`. When it holds as many pairs as it may, it
 * gives up its last rows: `end` moves down, and what is added to rows from there on is dropped.
 */
class PairTable {
  private rows = new Int32Array(ROOM);
  private columns = new Int32Array(ROOM);
  private sums = new Float64Array(ROOM);
  private counts = new Uint32Array(ROOM);
  private used = 0;

  constructor(
    readonly from: number,
    public end: number,
    private readonly limit: number,
  ) {}

  /** value > 0. */
  readonly add = (row: number, column: number, value: number): void => {
    if (row < this.from || row >= this.end) return;
    const slot = this.slotOf(row, column);
    this.sums[slot] += value;
    if (this.counts[slot]++ > 0) return;
    this.rows[slot] = row;
    this.columns[slot] = column;
    this.used++;
    const full = this.used > this.limit && this.end > this.from + 1;
    if (full || this.used > 0.6 * this.rows.length) this.makeRoom();
  };

  /** Where the pair is, or the free slot where it goes. */
  private slotOf(row: number, column: number): number {
    const { rows, columns, counts } = this;
    const mask = rows.length - 1;
    let h = Math.imul(row, 0x9e3779b1) ^ Math.imul(column, 0x85ebca6b);
    h = Math.imul(h ^ (h >>> 16), 0xc2b2ae35);
    let slot = (h ^ (h >>> 15)) & mask;
    while (counts[slot] > 0 && (rows[slot] !== row || columns[slot] !== column)) slot = (slot + 1) & mask;
    return slot;
  }

  private makeRoom(): void {
    if (this.used > this.limit) this.end = this.halfOfRows();
    const { rows, columns, sums, counts } = this;
    let kept = 0;
    for (let s = 0; s < rows.length; s++) if (counts[s] > 0 && rows[s] < this.end) kept++;
    let size = ROOM;
    while (size < 2.5 * kept) size *= 2;
    this.rows = new Int32Array(size);
    this.columns = new Int32Array(size);
    this.sums = new Float64Array(size);
    this.counts = new Uint32Array(size);
    this.used = kept;
    for (let s = 0; s < rows.length; s++) {
      if (counts[s] === 0 || rows[s] >= this.end) continue;
      const slot = this.slotOf(rows[s], columns[s]);
      this.rows[slot] = rows[s];
      this.columns[slot] = columns[s];
      this.sums[slot] = sums[s];
      this.counts[slot] = counts[s];
    }
  }

  /** End of the first rows that together hold half of the pairs; one row at least. */
  private halfOfRows(): number {
    const starts = this.starts();
    let row = this.from + 1;
    while (row < this.end && starts[row - this.from + 1] <= this.used / 2) row++;
    return row;
  }

  /** starts[i]: how many pairs lie before row from + i. */
  private starts(): Uint32Array {
    const starts = new Uint32Array(this.end - this.from + 1);
    for (let s = 0; s < this.rows.length; s++) if (this.counts[s] > 0) starts[this.rows[s] - this.from + 1]++;
    for (let i = 0; i + 1 < starts.length; i++) starts[i + 1] += starts[i];
    return starts;
  }

  /** Every row from `from` to `end` in order; those without pairs too. */
  forEach(each: (row: number, sums: RowSums) => void): void {
    const starts = this.starts();
    const next = starts.slice();
    const slots = new Uint32Array(this.used);
    for (let s = 0; s < this.rows.length; s++) if (this.counts[s] > 0) slots[next[this.rows[s] - this.from]++] = s;
    for (let row = this.from; row < this.end; row++) {
      const own = slots.subarray(starts[row - this.from], starts[row - this.from + 1]);
      own.sort((a, b) => this.columns[a] - this.columns[b]);
      each(row, {
        columns: Int32Array.from(own, (s) => this.columns[s]),
        sums: Float64Array.from(own, (s) => this.sums[s]),
        counts: Uint32Array.from(own, (s) => this.counts[s]),
      });
    }
  }
}

/** Pairs held at once: the table takes 170 MB at most, and half as much again while it grows. */
const LIMIT = 1 << 22;

/**
 * Sums by (row, column), float64 in the order in which `pass` adds them; `pass` adds all values > 0 of all rows and is
 * called once unless there are more than `limit` different pairs. It is then called again for the rows that did not
 * fit, so that memory stays bounded: by the limit, or by the columns of one row. `each` gets every row once, in order.
 */
export async function sumPairs(
  rows: number,
  pass: (add: (row: number, column: number, value: number) => void) => Promise<void>,
  each: (row: number, sums: RowSums) => void,
  limit = LIMIT,
): Promise<void> {
  for (let from = 0; from < rows;) {
    const table = new PairTable(from, rows, limit);
    await pass(table.add);
    table.forEach(each);
    from = table.end;
  }
}
