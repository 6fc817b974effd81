/** Changes that the session makes to the process while it lives. Each function returns how to undo it. */
import type { StreamName } from './outputs.js';

type Write = typeof process.stdout.write;

/**
 * Text written to process.stdout and stderr (console included) goes to `take` first; text for which it returns false is
 * written as usual.
 */
export function catchStreams(take: (name: StreamName, text: string) => boolean): () => void {
  const undo = (['stdout', 'stderr'] as const).map((name) => {
    const stream = process[name];
    const original = stream.write;
    const write = (chunk: string | Uint8Array, ...rest: unknown[]): boolean => {
      const [encoding] = rest;
      const text =
        typeof chunk === 'string' && (typeof encoding !== 'string' || encoding.startsWith('utf'))
          ? chunk
          : Buffer.from(
              chunk as string,
              typeof encoding === 'string' ? (encoding as BufferEncoding) : 'utf8',
            ).toString();
      if (!take(name, text)) return Reflect.apply(original, stream, [chunk, ...rest]) as boolean;
      const done = rest.at(-1);
      if (typeof done === 'function') queueMicrotask(() => (done as () => void)());
      return true;
    };
    stream.write = write as Write;
    return () => {
      stream.write = original;
    };
  });
  return () => undo.forEach((each) => each());
}

/**
 * Records each timer with the cell that made it. Timers of a stopped cell no longer fire, so that a loop over timers
 * ends with its cell. The session's own timers come from node:timers and are not affected.
 */
export function ownTimers<Owner>(hooks: {
  owner: () => Owner | undefined;
  run: (owner: Owner, work: () => void) => void;
  isStopped: (owner: Owner) => boolean;
}): () => void {
  const undo = (['setTimeout', 'setInterval', 'setImmediate'] as const).map((name) => {
    const original = globalThis[name];
    const replacement = (callback: unknown, ...rest: unknown[]): unknown => {
      const owner = hooks.owner();
      if (typeof callback !== 'function' || owner === undefined) {
        return Reflect.apply(original, globalThis, [callback, ...rest]);
      }
      const guarded = (...values: unknown[]): void => {
        if (!hooks.isStopped(owner)) hooks.run(owner, () => void Reflect.apply(callback, globalThis, values));
      };
      return Reflect.apply(original, globalThis, [guarded, ...rest]);
    };
    // util.promisify(setTimeout) finds its promise form by a symbol property.
    Object.defineProperties(replacement, Object.getOwnPropertyDescriptors(original));
    const property = { writable: true, configurable: true, enumerable: true };
    Object.defineProperty(globalThis, name, { ...property, value: replacement });
    return () => Object.defineProperty(globalThis, name, { ...property, value: original });
  });
  return () => undo.forEach((each) => each());
}

const exit = process.exit.bind(process);

/**
 * Ends the process with this code and no other. Exit hooks run first, those of libraries included: one that throws,
 * exits by itself or sets another code has no effect.
 */
export function exitProcess(code: number): never {
  process.exit = (() => {
    throw new Error('the process is already ending');
  }) as typeof process.exit;
  for (const hook of process.rawListeners('exit')) {
    try {
      Reflect.apply(hook, process, [code]);
    } catch {
      // The process ends anyway, and no client is left to report the error to.
    }
  }
  process.removeAllListeners('exit');
  return exit(code);
}
