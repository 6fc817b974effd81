/**
 * Live views: what outputs ask the session that made them. Calls run one at a time on the main thread when no cell runs;
 * a cell that comes meanwhile goes first, and the call runs again behind it.
 */
import { setTimeout } from 'node:timers';
import { LIVE_GONE, LIVE_SUPERSEDED, type LiveCall } from '../../protocol/live.js';
import type { Json } from '../../protocol/notebook.js';
import { LruMap } from '../compute/lru.js';
import type { LiveHandler } from '../verb/context.js';
import { InterruptedError, type Evaluator } from './evaluate.js';

/** Views that a session keeps: of more, the one that was asked longest ago is dropped with what it holds. */
const MAX_VIEWS = 64;
/** How long a call has to see its signal before the cell that waits for it goes on without. */
const YIELD_MS = 2000;

interface Waiting {
  call: LiveCall;
  resolve: (value: Json) => void;
  reject: (error: Error) => void;
}

interface Running extends Waiting {
  abort: AbortController;
  /** Called once, when the next may run. */
  done: () => void;
  /** Why it is to end before its time. */
  ends?: 'superseded' | 'cell' | 'turn' | 'interrupted';
}

const sameQuestion = (a: LiveCall, b: LiveCall): boolean => a.view === b.view && a.method === b.method;

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
   * Puts a call behind those that wait and takes the place of those with the same view and method. A running one is told
   * by its signal; when it finishes all the same, its answer is given. A running call of the same view with another method
   * gives way too, and runs again behind: a slider need not wait for a long text.
   * @throws Error LIVE_SUPERSEDED, LIVE_GONE, or with the words of the handler.
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

  /** The call that runs: what it begins is its own. */
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
    // Not at once: who calls this is protected from termination, and the handler's code must not be.
    queueMicrotask(() => {
      this.evaluator
        .run(() => handler(method, params, running.abort.signal))
        .then(
          (value) => this.finish(running, () => next.resolve((value ?? null) as Json)),
          (error: unknown) => this.finish(running, () => this.failed(running, error)),
        );
    });
  }

  /** Ends a call once: what comes later of one that was stopped is not heard. */
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
    // Its listeners are the user's code, which may have to be stopped.
    queueMicrotask(() => abort.abort());
  }

  /** A cell is to run: what runs ends soon, and again behind the cell. */
  giveWay(): void {
    const { running } = this;
    if (!running) return;
    this.end('cell');
    setTimeout(() => {
      this.finish(running, () => this.failed(running, new InterruptedError()));
    }, YIELD_MS).unref();
  }

  /** Ends what waits and what runs, whose signal is returned: its listeners are the user's code. */
  interrupt(): AbortController | undefined {
    for (const { reject } of this.waiting.splice(0)) reject(new Error('Interrupted'));
    const { running } = this;
    if (!running) return undefined;
    if (running.ends !== 'superseded') running.ends = 'interrupted';
    this.finish(running, () => this.failed(running, new InterruptedError()));
    return running.abort;
  }
}
