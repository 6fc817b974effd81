/**
 * Running work that others wait for: results being made, worker tasks, memos of running promises.
 *
 * A terminated cell's promises never settle and its `finally` never runs, so nothing that outlives a cell may wait for
 * one of them. A caller that shares a running promise claims it here. The session, which alone knows the running cell,
 * says when a cell was stopped, and everything that was claimed on its behalf is rejected and forgotten.
 */
import { AbortError } from './call.js';

interface Claim {
  owner: object | undefined;
  end: (error: Error) => void;
}

const claims = new Set<Claim>();
const repairs = new Set<() => void>();
let ownerNow: () => object | undefined = () => undefined;

/** Sets the session's function that gives the cell whose code runs. */
export function setWorkOwner(owner: () => object | undefined): void {
  ownerNow = owner;
}

/**
 * Claims work on behalf of the running cell; `end` is called when that cell was stopped and the work may never end.
 * Returns the function that releases the claim.
 */
export function claimWork(end: (error: Error) => void): () => void {
  const claim: Claim = { owner: ownerNow(), end };
  claims.add(claim);
  return () => void claims.delete(claim);
}

/**
 * `repair` restores state of the whole process right after a termination, such as TensorFlow.js' open scopes. Returns
 * how to undo the registration.
 */
export function repairAfterTermination(repair: () => void): () => void {
  repairs.add(repair);
  return () => void repairs.delete(repair);
}

function end(ended: Iterable<Claim>): void {
  for (const claim of ended) {
    if (claims.delete(claim)) claim.end(new AbortError('the work of an interrupted cell'));
  }
}

/**
 * JavaScript was terminated: V8 has dropped all pending continuations, so any running work may never end, and all of it
 * is rejected.
 */
export function endTerminatedWork(): void {
  end([...claims]);
  for (const repair of repairs) repair();
}

/**
 * The work that a stopped cell has running now. Returns a function that ends what is left of it, to be called once it
 * had time to end by itself.
 */
export function workOf(owner: object): () => void {
  const its = [...claims].filter((claim) => claim.owner === owner);
  return () => end(its);
}

/** A promise of `work` that also rejects, with AbortError, when the cell that began it was stopped before it ended. */
export function claimed<T>(work: () => Promise<T>, onEnd: () => void = () => undefined): Promise<T> {
  const promise = new Promise<T>((resolve, reject) => {
    const release = claimWork((error) => {
      onEnd();
      reject(error);
    });
    work().then(
      (value) => {
        release();
        resolve(value);
      },
      (error: unknown) => {
        release();
        onEnd();
        reject(error instanceof Error ? error : new Error(String(error), { cause: error }));
      },
    );
  });
  // Nothing may be waiting for it any more, and an unhandled rejection would end the process.
  promise.catch(() => undefined);
  return promise;
}

/** Running work by key: equal calls wait for one. Nothing stays when it ends, however it ends. */
export class SharedWork<Key, Value> {
  readonly #running = new Map<Key, Promise<Value>>();

  has(key: Key): boolean {
    return this.#running.has(key);
  }

  /** Work of this key that runs now. */
  get(key: Key): Promise<Value> | undefined {
    return this.#running.get(key);
  }

  /**
   * Begins work; an earlier one of the same key is no longer given to others. `work` gets a function that throws
   * AbortError once the cell that began it was stopped; it calls it before it changes state that later work of the key
   * shares.
   */
  begin(key: Key, work: (requireCurrent: () => void) => Promise<Value>): Promise<Value> {
    let ended = false;
    const forget = (): void => {
      ended = true;
      if (this.#running.get(key) === promise) this.#running.delete(key);
    };
    const requireCurrent = (): void => {
      if (ended) throw new AbortError('the work of an interrupted cell');
    };
    const promise = claimed(() => work(requireCurrent), forget);
    this.#running.set(key, promise);
    promise.then(forget, () => undefined);
    return promise;
  }
}

/**
 * Calls `make` at the first call; later calls share its promise. A failure, or the end of the cell that began it, is
 * not remembered.
 */
export function once<Value>(make: () => Promise<Value>): () => Promise<Value> {
  let made: Promise<Value> | undefined;
  return () => {
    if (made) return made;
    const promise: Promise<Value> = claimed(make, () => {
      if (made === promise) made = undefined;
    });
    made = promise;
    return promise;
  };
}
