/** Where products may be cut without changing their bits (nativeProduct.ts explains why). */

/** Up to this many columns, sums of a left operand that is not transposed run over longer blocks. */
export const NARROW = 64;

/** Where to cut m rows into blocks of about `step`: ends of the blocks, none of a single row unless m is 1. */
export function rowCuts(m: number, step: number): number[] {
  const blocks = Math.max(1, Math.min(Math.ceil(m / step), Math.floor(m / 2)));
  return Array.from({ length: blocks }, (_, i) => Math.floor(((i + 1) * m) / blocks));
}
