/** What every similarity metric is: one preparation per side, then a value for any pairing of the rows. */
import type { Side } from './coordinates.js';

export interface Metric<P = unknown> {
  /** Work that does not depend on the pairing; shuffles reuse it. */
  prepare(side: Side): Promise<P>;
  /** The score of row i of x with row order[i] of y. `null` runs may be computed in float32 where large. */
  value(x: P, y: P, order: Uint32Array, isNull: boolean): Promise<number>;
  /** The variant in words, with the sizes that were chosen. */
  describe(x: P, y: P): string;
  /** When the number means little. */
  warning?(x: P, y: P, n: number): string | undefined;
}
