/** For every row the `size` smallest scores seen, as max-heaps side by side. */
export class Candidates {
  readonly scores: Float64Array;
  readonly indices: Int32Array;
  /** The worst score kept; Infinity until a row is full. Everything not kept is at least this. */
  readonly limits: Float64Array;
  #counts: Int32Array;

  constructor(
    rows: number,
    readonly size: number,
  ) {
    this.scores = new Float64Array(rows * size);
    this.indices = new Int32Array(rows * size);
    this.limits = new Float64Array(rows).fill(Infinity);
    this.#counts = new Int32Array(rows);
  }

  count(row: number): number {
    return this.#counts[row];
  }

  /** Call only with a score below limits[row]. */
  add(row: number, index: number, score: number): void {
    const { scores, indices, size } = this;
    const base = row * size;
    const count = this.#counts[row];
    if (count < size) {
      let i = count;
      for (; i > 0;) {
        const parent = (i - 1) >> 1;
        if (scores[base + parent] >= score) break;
        scores[base + i] = scores[base + parent];
        indices[base + i] = indices[base + parent];
        i = parent;
      }
      scores[base + i] = score;
      indices[base + i] = index;
      this.#counts[row] = count + 1;
    } else {
      let i = 0;
      for (;;) {
        let child = 2 * i + 1;
        if (child >= size) break;
        if (child + 1 < size && scores[base + child + 1] > scores[base + child]) child++;
        if (scores[base + child] <= score) break;
        scores[base + i] = scores[base + child];
        indices[base + i] = indices[base + child];
        i = child;
      }
      scores[base + i] = score;
      indices[base + i] = index;
    }
    if (this.#counts[row] === size) this.limits[row] = scores[base];
  }
}
