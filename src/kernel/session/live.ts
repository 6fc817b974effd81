/**
 * Live views: outputs that call the session which made them. Calls run one at a time on the main thread while no cell
 * runs; a cell that arrives during a call goes first, and the call runs again after it.
 */
import { setTimeout } from 'node:timers';
import { LIVE_GONE, LIVE_SUPERSEDED, type LiveCall } from '../../protocol/live.js';
import type { Json } from '../../protocol/notebook.js';
import { LruMap } from '../compute/lru.js';
import type { LiveHandler } from '../verb/context.js';
import { InterruptedError, type Evaluator } from './evaluate.js';

/** Views that a session keeps; beyond, the one whose last call is longest ago is dropped with its data. */
const MAX_VIEWS = 64;
/** Milliseconds for a call to see its signal before the cell that waits for it starts anyway. */
const YIELD_MS = 2000;

interface Waiting {
  call: LiveCall;
  resolve: (value: Json) => void;
  reject: (error: Error) => void;
}

interface Running extends Waiting {
  abort: AbortController;
  /** Called once, when the next call or cell may run. */
  done: () => void;
  /** Why it is ended early. */
  ends?: 'superseded' | 'cell' | 'turn' | 'interrupted';
}

const sameQuestion = (a: LiveCall, b: LiveCall): boolean => a.view === b.view && a.method === b.method;

/** The live views of a session, and the calls to them that wait or run. */
export class LiveViews {
  private readonly views = new LruMap<string, LiveHandler>(MAX_VIEWS);
  private waiting: Waiting[] = [];
  private running: Running | undefined;

  constructor(private readonly evaluator: Evaluator) {}

  register(view: string, handler: LiveHandler): void {
    this.views.set(view, handler);
  }

  get hasWork(): boolean {
    return this.waiting.length > 0;
  }

  /**
   * Queues a call and replaces waiting calls of the same view and method. A running one is told by its signal; if it
   * finishes anyway, its answer is given. A running call of the same view with another method gives way too and runs
   * again later, so that a slider does not wait for a long text.
   * @throws Error LIVE_SUPERSEDED, LIVE_GONE, or the handler's own.
   */
  call(call: LiveCall): Promise<Json> {
    if (!this.views.get(call.view))
      return Promise.reject(new Error(`${LIVE_GONE}: run its cell again to make it answer.`));
    const superseded = this.waiting.filter((each) => sameQuestion(each.call, call));
    this.waiting = this.waiting.filter((each) => !superseded.includes(each));
    for (const { reject } of superseded) reject(new Error(LIVE_SUPERSEDED));
    if (this.running?.call.view === call.view) this.end(sameQuestion(this.running.call, call) ? 'superseded' : 'turn');
    return new Promise((resolve, reject) => {
      this.waiting.push({ call, resolve, reject });
    });
  }

  /** The running call, which owns the work that it begins. */
  get active(): object | undefined {
    return this.running;
  }

  /** Runs the call that has waited longest; `done` is called when it has ended or was stopped. */
  runNext(done: () => void): void {
    const next = this.waiting.shift();
    const handler = next && this.views.get(next.call.view);
    if (!next || !handler) {
      next?.reject(new Error(`${LIVE_GONE}: run its cell again to make it answer.`));
      return done();
    }
    const running: Running = { ...next, abort: new AbortController(), done };
    this.running = running;
    const { method, params } = next.call;
    // Not at once: the caller of this is protected from termination, and the handler's code must not be.
    queueMicrotask(() => {
      this.evaluator
        .run(() => handler(method, params, running.abort.signal))
        .then(
          (value) => this.finish(running, () => next.resolve((value ?? null) as Json)),
          (error: unknown) => this.finish(running, () => this.failed(running, error)),
        );
    });
  }

  /** Ends a call once: later results of a stopped call are ignored. */
  private finish(running: Running, settle: () => void): void {
    if (this.running !== running) return;
    this.running = undefined;
    settle();
    running.done();
  }

  private failed(running: Running, error: unknown): void {
    if (running.ends === 'superseded') return running.reject(new Error(LIVE_SUPERSEDED));
    if (running.ends === 'cell' || running.ends === 'turn') {
      if (this.waiting.some((each) => sameQuestion(each.call, running.call)))
        return running.reject(new Error(LIVE_SUPERSEDED));
      const again = { call: running.call, resolve: running.resolve, reject: running.reject };
      if (running.ends === 'cell') this.waiting.unshift(again);
      else this.waiting.push(again);
      return;
    }
    if (running.ends === 'interrupted' || error instanceof InterruptedError)
      return running.reject(new Error('Interrupted'));
    running.reject(error instanceof Error ? error : new Error(String(error)));
  }

  private end(why: NonNullable<Running['ends']>): void {
    if (!this.running || this.running.ends === 'interrupted' || this.running.ends === 'superseded') return;
    this.running.ends = why;
    const { abort } = this.running;
    // The signal's listeners are user code, which may have to be stopped itself.
    queueMicrotask(() => abort.abort());
  }

  /** A cell is waiting: the running call is ended soon and runs again after the cell. */
  giveWay(): void {
    const { running } = this;
    if (!running) return;
    this.end('cell');
    setTimeout(() => {
      this.finish(running, () => this.failed(running, new InterruptedError()));
    }, YIELD_MS).unref();
  }

  /** Ends waiting and running calls; returns the running one's abort controller, whose listeners are user code. */
  interrupt(): AbortController | undefined {
    for (const { reject } of this.waiting.splice(0)) reject(new Error('Interrupted'));
    const { running } = this;
    if (!running) return undefined;
    if (running.ends !== 'superseded') running.ends = 'interrupted';
    this.finish(running, () => this.failed(running, new InterruptedError()));
    return running.abort;
  }
}
