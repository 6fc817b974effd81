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
