/** Checks of numbers that functions of the rooms are given, in the words of the options of verbs (verb/option.ts). */

/** Gives the value back. @throws RangeError such as "runs is 0; expected a whole number of at least 1" */
export function requireWhole(name: string, value: unknown, min?: number, max?: number): number {
  const { MAX_SAFE_INTEGER: most } = Number;
  if (Number.isSafeInteger(value) && Number(value) >= (min ?? -most) && Number(value) <= (max ?? most))
    return value as number;
  const range = max !== undefined ? ` from ${min} to ${max}` : min === undefined ? '' : ` of at least ${min}`;
  throw new RangeError(`${name} is ${String(value)}; expected a whole number${range}`);
}
