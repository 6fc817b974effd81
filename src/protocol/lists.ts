/** Lists of any length, where a spread into a call would overflow the stack (at about 120,000 elements). */

/** Appends all items. */
export function pushAll<T>(target: T[], items: Iterable<T>): void {
  for (const item of items) target.push(item);
}

/** The largest of all numbers, as Math.max: -Infinity of none, NaN when one is NaN. */
export function maxOf(...lists: ReadonlyArray<Iterable<number>>): number {
  let max = -Infinity;
  for (const list of lists) for (const value of list) max = Math.max(max, value);
  return max;
}

/** The smallest of all numbers, as Math.min: Infinity of none, NaN when one is NaN. */
export function minOf(...lists: ReadonlyArray<Iterable<number>>): number {
  let min = Infinity;
  for (const list of lists) for (const value of list) min = Math.min(min, value);
  return min;
}
