/**
 * Runs a compiled cell on the main thread so that it can be stopped at any point and the process goes on.
 *
 * The cell starts inside a Runtime.evaluate of a same-thread inspector session: that call catches V8's termination,
 * where a bare script would take the process down. `awaitPromise` stays false (true aborts Node 22 at a later garbage
 * collection). The request to stop comes from the control thread (interrupter.ts). Node must run with
 * --no-force-async-hooks-checks, or a loop stopped inside a timer aborts it.
 */
import inspector from 'node:inspector';

/** Flag that the process must have been started with. */
export const REQUIRED_FLAG = '--no-force-async-hooks-checks';

/** The cell was stopped by the user. */
export class InterruptedError extends Error {
  override name = 'Interrupted';
  constructor() {
    super('The cell was interrupted. Variables keep the values they had.');
  }
}

const START = Symbol.for('fgnb.start');

/** Runs code so that the control thread can terminate it. */
export class Evaluator {
  private readonly session = new inspector.Session();
  private body: (() => void) | undefined;

  constructor() {
    this.session.connect();
    Object.defineProperty(globalThis, START, { value: () => this.body?.(), configurable: true, enumerable: false });
  }

  /**
   * Calls `start`; settles as its promise does.
   * @throws InterruptedError when V8 terminated the call. After an await the code may be terminated too, and then this
   *   promise never settles: the session, which is told of every interrupt, does not wait for it.
   */
  run(start: () => Promise<unknown>): Promise<unknown> {
    return new Promise((resolve, reject) => {
      this.body = () => {
        this.body = undefined;
        start().then(resolve, reject);
      };
      this.session.post(
        'Runtime.evaluate',
        { expression: "globalThis[Symbol.for('fgnb.start')]()", silent: true, awaitPromise: false },
        (error) => {
          if (error) reject(new InterruptedError());
        },
      );
    });
  }

  /** Must be called before the process exits. */
  close(): void {
    this.session.disconnect();
    Reflect.deleteProperty(globalThis, START);
  }
}
