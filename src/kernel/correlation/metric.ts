/** The interface of similarity metrics: one preparation per side, then a value for any pairing of the rows. */
import type { ShuffledProduct } from '../compute/shuffledNorms.js';
import type { Side } from './coordinates.js';

/** Null runs that are sums of singular values: each is value(sum). */
export interface NormNulls {
  product: ShuffledProduct;
  value(sum: number): number;
}

export interface Metric<P = unknown> {
  /** Work that does not depend on the pairing; shuffles reuse it. */
  prepare(side: Side): Promise<P>;
  /** The score of row i of x with row order[i] of y. `null` runs may be computed in float32 where large. */
  value(x: P, y: P, order: Uint32Array, isNull: boolean): Promise<number>;
  /** Where null runs are large: what they are made of. Undefined: value() makes them. */
  norms?(x: P, y: P): NormNulls | undefined;
  /** The variant in words, with the sizes that were chosen. */
  describe(x: P, y: P): string;
  /** When the number means little. */
  warning?(x: P, y: P, n: number): string | undefined;
}
