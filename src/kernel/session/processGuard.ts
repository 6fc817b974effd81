/**
 * The session alone decides what an uncaught error does to the process, whatever listeners libraries add to `process`.
 *
 * Libraries add listeners that throw again (tfjs-wasm's generated code), handlers that end the process at Ctrl-C,
 * capture callbacks. So the session does not add one more listener: it replaces Node's `process.emit` for errors.
 * Listeners that the code of cells adds belong to the user: they are called and stay. Those of libraries are removed
 * after they were added, and once more when a cell ends.
 */
import { fileURLToPath } from 'node:url';

type Listener = (...values: unknown[]) => unknown;

/** Events whose listeners can end the process or keep it alive. */
const ERRORS = ['uncaughtException', 'unhandledRejection', 'uncaughtExceptionMonitor'] as const;
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT', 'SIGBREAK'] as const;
const GUARDED: readonly string[] = [...ERRORS, ...SIGNALS];
type ErrorEvent = (typeof ERRORS)[number];

export interface GuardOptions {
  /** Reports an uncaught error that no listener of a cell handles. */
  report: (error: unknown) => void;
  /** Whether a file holds user code: a cell, or a file in the notebook's folder. */
  isUserFile: (file: string) => boolean;
  /** Writes to the kernel's log. */
  log: (text: string) => void;
}

export interface ProcessGuard {
  /** Removes listeners that libraries have added to `process` in the meantime. */
  sweep(): void;
  undo(): void;
}

interface Frame {
  /** "node:…" for Node's own. */
  file: string;
  name: string;
}

/** The stack of the caller, nearest first. */
function callers(): Frame[] {
  const { prepareStackTrace, stackTraceLimit } = Error;
  try {
    Error.stackTraceLimit = 30;
    Error.prepareStackTrace = (_, sites) =>
      sites.map((site) => ({ file: site.getFileName() ?? '', name: site.getFunctionName() ?? '' }));
    // The value that prepareStackTrace returns becomes the stack.
    return new Error().stack as unknown as Frame[];
  } finally {
    Error.prepareStackTrace = prepareStackTrace;
    Error.stackTraceLimit = stackTraceLimit;
  }
}

const asPath = (file: string): string => (file.startsWith('file:') ? fileURLToPath(file) : file);

/** The file that called process.on(): the frame behind Node's own frames that add a listener. */
function addedBy(): string {
  const frames = callers();
  const adding = frames.findIndex(({ file, name }) => file === 'node:events' && name.endsWith('addListener'));
  const caller = frames.slice(Math.max(0, adding)).find(({ file }) => file !== 'node:events');
  return asPath(caller?.file ?? '');
}

/** The file that called a function of this file. */
function calledBy(): string {
  const [{ file: own }, ...frames] = callers();
  return asPath(frames.find(({ file }) => file !== own)?.file ?? own);
}

class Guard implements ProcessGuard {
  private readonly emit = process.emit.bind(process) as (event: string, ...values: unknown[]) => boolean;
  private readonly before = {
    emit: process.emit,
    exit: process.exit,
    capture: process.setUncaughtExceptionCaptureCallback,
  };
  private readonly own = new Map<string, Set<unknown>>();
  private readonly users = new Map<string, WeakSet<object>>();
  private readonly sources = new WeakMap<object, string>();
  private sweeping = false;
  private closed = false;

  constructor(private readonly options: GuardOptions) {
    for (const event of GUARDED) {
      this.own.set(event, new Set(process.listeners(event as NodeJS.Signals)));
      this.users.set(event, new WeakSet());
    }
    process.emit = this.replacement;
    process.exit = this.refuseExit;
    process.setUncaughtExceptionCaptureCallback = this.capture;
    this.watch();
  }

  private readonly replacement = ((event: string, ...values: unknown[]): boolean => {
    if (this.closed || !(ERRORS as readonly string[]).includes(event)) return this.emit(event, ...values);
    this.dispatch(event as ErrorEvent, values);
    return true;
  }) as typeof process.emit;

  private readonly refuseExit = (() => {
    throw new Error('process.exit() would end the kernel and its variables: use Restart Kernel instead');
  }) as typeof process.exit;

  /** A capture callback runs before every listener: it may be the user's, never a library's. */
  private readonly capture = ((callback: ((error: Error) => void) | null): void => {
    const caller = calledBy();
    if (callback === null || this.options.isUserFile(caller)) this.before.capture(callback);
    else this.options.log(`${caller} wanted to take all uncaught errors of the process: refused`);
  }) as typeof process.setUncaughtExceptionCaptureCallback;

  private readonly added = (event: string | symbol, listener: Listener): void => {
    if (typeof event !== 'string' || !GUARDED.includes(event)) return;
    const file = addedBy();
    if (this.options.isUserFile(file) || file.startsWith('node:')) this.users.get(event)?.add(listener);
    else {
      this.sources.set(listener, file);
      // The listener is only registered after this event.
      if (!this.sweeping) queueMicrotask(() => this.sweep());
      this.sweeping = true;
    }
  };

  private watch(): void {
    if (!process.listeners('newListener' as NodeJS.Signals).includes(this.added as never))
      process.prependListener('newListener' as never, this.added as never);
  }

  /** The user's own listeners in their raw form, so that those added by `once` remove themselves when called. */
  private usersOf(event: string): Listener[] {
    const users = this.users.get(event);
    return (process.rawListeners(event as NodeJS.Signals) as Array<Listener & { listener?: Listener }>).filter((raw) =>
      users?.has(raw.listener ?? raw),
    );
  }

  private dispatch(event: ErrorEvent, values: unknown[]): void {
    const [error] = values;
    let listeners = this.usersOf(event);
    let given = values;
    if (event === 'unhandledRejection' && listeners.length === 0) {
      // As in Node, a rejection without listeners of its own is an uncaught exception.
      listeners = this.usersOf('uncaughtException');
      given = [error, 'unhandledRejection'];
    }
    if (listeners.length === 0 && event !== 'uncaughtExceptionMonitor') this.report(error);
    for (const listener of listeners) {
      try {
        Reflect.apply(listener, process, given);
      } catch (thrown) {
        this.report(thrown);
      }
    }
  }

  private report(error: unknown): void {
    try {
      this.options.report(error);
    } catch (failure) {
      this.options.log(`an error could not be reported: ${String(failure)}`);
    }
  }

  sweep(): void {
    this.sweeping = false;
    if (this.closed) return;
    this.watch();
    for (const event of GUARDED) {
      for (const listener of process.listeners(event as NodeJS.Signals)) {
        if (this.own.get(event)?.has(listener) || this.users.get(event)?.has(listener)) continue;
        process.off(event, listener);
        this.options.log(`took away the ${event} listener of ${this.sources.get(listener) ?? 'a library'}`);
      }
    }
  }

  undo(): void {
    this.closed = true;
    process.off('newListener' as never, this.added as never);
    // Another session of this process, or a library that wrapped ours, may have replaced it since.
    if (process.emit === this.replacement) process.emit = this.before.emit;
    if (process.exit === this.refuseExit) process.exit = this.before.exit;
    if (process.setUncaughtExceptionCaptureCallback === this.capture)
      process.setUncaughtExceptionCaptureCallback = this.before.capture;
  }
}

/**
 * Guards the process: uncaught errors are reported and the process goes on; neither a cell nor a library can end it.
 */
export function guardProcess(options: GuardOptions): ProcessGuard {
  return new Guard(options);
}
