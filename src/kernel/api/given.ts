/** Arguments as cells pass them: types are stripped there, and an `await` is easily forgotten. */
import { types } from 'node:util';

/**
 * Refuses what is no object: an undefined variable, or the promise of a call that was not awaited.
 * @throws TypeError that names the argument and says what to do.
 */
export function requireGiven(args: Record<string, unknown>): void {
  for (const [name, value] of Object.entries(args)) {
    if (types.isPromise(value)) throw new TypeError(`${name} is a promise: write "await" before the call that made it`);
    if (typeof value !== 'object' || value === null)
      throw new TypeError(`${name} is ${value === null ? 'null' : typeof value}: pass the object that fg returned`);
  }
}

/** Every option of a function, by name: the compiler sees to it that none is missing. */
export type OptionNames<T> = { readonly [K in keyof Required<T>]: true };

/** Of every long call. */
export const CALL = { signal: true, onProgress: true } as const;

/**
 * Refuses options that a function does not have: a misspelt one would silently leave the default in force.
 * @throws TypeError that names the option and lists those there are.
 */
export function requireOptions<T extends object>(what: string, options: T | undefined, known: OptionNames<T>): void {
  if (options === undefined) return;
  if (typeof options !== 'object' || options === null)
    throw new TypeError(
      `${what}: options are an object such as { ${Object.keys(known)[0]}: … } but got ${String(options)}`,
    );
  const unknown = Object.keys(options).filter((name) => !Object.hasOwn(known, name));
  if (unknown.length > 0)
    throw new TypeError(
      `${what} has no option ${unknown.map((name) => `"${name}"`).join(', ')}; it has ${Object.keys(known).join(', ')}`,
    );
}
