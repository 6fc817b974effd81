/**
 * Disposes the values of a cell's top-level `using` declarations when the cell ends, last first, as at the end of a
 * block.
 */

interface Held {
  value: unknown;
  dispose: ((this: unknown) => unknown) | undefined;
  isAsync: boolean;
}

/** Two errors in one, like the language's own SuppressedError, which Node 20 lacks. */
class SuppressedError extends Error {
  override name = 'SuppressedError';
  constructor(
    readonly error: unknown,
    readonly suppressed: unknown,
  ) {
    super('An error was suppressed during disposal.');
  }
}

function methodOf(value: object, key: symbol): Held['dispose'] {
  const method: unknown = Reflect.get(value, key);
  if (method === undefined || method === null) return undefined;
  if (typeof method !== 'function') throw new TypeError('Object not disposable: its dispose method is not a function.');
  return method as Held['dispose'];
}

export interface Disposer {
  /** Takes the value of a `using` declaration and returns it. */
  use(value: unknown, isAsync?: boolean): unknown;
  /** Runs a cell, then disposes the values it used, also when it throws. */
  disposing(body: () => Promise<unknown>): Promise<unknown>;
}

/** A disposer for one run of a cell. */
export function disposer(): Disposer {
  const held: Held[] = [];
  return {
    use(value, isAsync = false) {
      if (value === null || value === undefined) {
        if (isAsync) held.push({ value, dispose: undefined, isAsync });
        return value;
      }
      if (typeof value !== 'object' && typeof value !== 'function')
        throw new TypeError(`using needs an object with [Symbol.dispose](), got ${typeof value}.`);
      const dispose = (isAsync ? methodOf(value, Symbol.asyncDispose) : undefined) ?? methodOf(value, Symbol.dispose);
      if (!dispose)
        throw new TypeError(
          `Object not disposable: it has no [Symbol.${isAsync ? 'asyncDispose]() or [Symbol.dispose' : 'dispose'}]().`,
        );
      held.push({ value, dispose, isAsync });
      return value;
    },
    async disposing(body) {
      let failure: { error: unknown } | undefined;
      let result: unknown;
      try {
        result = await body();
      } catch (error) {
        failure = { error };
      }
      for (const { value, dispose, isAsync } of held.splice(0).reverse()) {
        try {
          const ended = dispose?.call(value);
          if (isAsync) await ended;
        } catch (error) {
          failure = { error: failure ? new SuppressedError(error, failure.error) : error };
        }
      }
      if (failure) throw failure.error;
      return result;
    },
  };
}
