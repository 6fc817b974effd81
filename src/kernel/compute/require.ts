/** Checks of numbers that functions of the rooms are given, in the words of the options of verbs (verb/option.ts). */

/** Gives the value back. @throws RangeError such as "runs is 0; expected a whole number of at least 1" */
export function requireWhole(name: string, value: unknown, min?: number, max?: number): number {
  const { MAX_SAFE_INTEGER: most } = Number;
  if (Number.isSafeInteger(value) && Number(value) >= (min ?? -most) && Number(value) <= (max ?? most))
    return value as number;
  const range = max !== undefined ? ` from ${min} to ${max}` : min === undefined ? '' : ` of at least ${min}`;
  throw new RangeError(`${name} is ${String(value)}; expected a whole number${range}`);
}

/**
 * Whether no entry is NaN or infinite, many times faster than every() with a callback: x · 0 is 0 for finite numbers and NaN
 * for all others. Four sums, so that none waits for the others.
 */
export function allFinite(x: Float32Array): boolean {
  let [s0, s1, s2, s3] = [0, 0, 0, 0];
  let i = 0;
  for (; i + 3 < x.length; i += 4) {
    s0 += x[i] * 0;
    s1 += x[i + 1] * 0;
    s2 += x[i + 2] * 0;
    s3 += x[i + 3] * 0;
  }
  for (; i < x.length; i++) s0 += x[i] * 0;
  return s0 + s1 + s2 + s3 === 0;
}
