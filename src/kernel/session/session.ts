/**
 * One notebook's session: runs cells in order, keeps their names, and sends what they show. It knows neither sockets
 * nor threads: its owner gives it a sink and calls interrupt().
 */
import { randomBytes } from 'node:crypto';
import path from 'node:path';
import { setTimeout } from 'node:timers';
import { fileURLToPath } from 'node:url';
import vm from 'node:vm';
import { pushAll } from '../../protocol/lists.js';
import type { CellEvent, KernelMessage, Progress, VariableInfo } from '../../protocol/kernel.js';
import { isLinkedSelection, type LinkedSelection } from '../../protocol/link.js';
import { SELECTION_VIEW, type LiveCall } from '../../protocol/live.js';
import type { Json, OutputItem } from '../../protocol/notebook.js';
import type { MadeBy } from '../artifacts/types.js';
import type { LiveHandler, SessionContext } from '../verb/context.js';
import { nativeCall, protectedSection, wasTerminated } from '../compute/nativeCall.js';
import { endTerminatedWork, setWorkOwner, workOf } from '../compute/work.js';
import { RunningCalls } from './calls.js';
import { CellOwnership } from './cellOwnership.js';
import { newRun, StrayErrors, type CellRun } from './cellRun.js';
import { compileCell } from './compile.js';
import { disposer, type Disposer } from './dispose.js';
import { FileDrain } from './drain.js';
import { describeExpression, describeVariable, propertyNames, toMessages, valueItems } from './display.js';
import { cellScriptName, reportError, reportSyntaxError, StackMapper, type ErrorReport } from './errors.js';
import { Evaluator, InterruptedError } from './evaluate.js';
import { withoutInput } from './input.js';
import { LiveViews } from './live.js';
import { ModuleLoader } from './modules.js';
import type { ModuleNamespace } from './nodeModules.js';
import type { StreamName } from './outputs.js';
import { catchStreams, ownTimers } from './process.js';
import { guardProcess, type ProcessGuard } from './processGuard.js';
import { SessionScope } from './scope.js';
import { catchWarnings } from './warnings.js';
import { SourceSyntaxError } from './place.js';
import { loadTypeScript } from './stripTypes.js';

export type CellStatus = 'ok' | 'error' | 'interrupted';

/** Receives everything that the session sends. */
export interface SessionSink {
  cell(execution: string, cellId: string, event: CellEvent, buffers: Uint8Array[]): void;
  state(state: Extract<KernelMessage, { type: 'state' }>['state']): void;
  keyFigure?(name: string, value: string): void;
  /** Takes an error outside any cell, or text for the kernel's log. */
  log?(text: string): void;
}

export interface SessionOptions {
  notebookFolder: string;
  /** Path or URI of the notebook; its name goes into the records of results. Default: the folder's name. */
  notebook?: string;
  artifactFolder: string;
  /** Where the notebook is saved, default `notebookFolder`. */
  outputFolder?: string;
  sink: SessionSink;
  /** Makes the globals that every cell sees, by name: `fg`, `tf` and others. Called once, before the first cell. */
  createGlobals?: (context: SessionContext) => Promise<Record<string, unknown>>;
  /** Folder for output beyond a cell's limit, default `<artifactFolder>/logs`. */
  logFolder?: string;
  /** Whether an interrupt was asked for that has not come to interrupt() yet; default never. */
  interruptAsked?: () => boolean;
}

export interface CellRequest {
  execution: string;
  cellId: string;
  source: string;
}

export interface CellResult {
  status: CellStatus;
  ms: number;
  order: number;
  error?: ErrorReport;
}

interface Queued {
  request: CellRequest;
  resolve: (result: CellResult) => void;
}

/** Milliseconds for the calls of an interrupted cell to see their signal and clean up. */
const STOP_TIMERS_MS = 2000;

const OWN_FOLDER = path.dirname(fileURLToPath(import.meta.url));

/** The file name of a notebook's path or URI. */
function notebookName(notebook = ''): string {
  const name = path.posix.basename(notebook.replaceAll('\\', '/'));
  try {
    return /^[\w-]+:/.test(notebook) ? decodeURIComponent(name) : name;
  } catch {
    return name;
  }
}

export class Session implements SessionContext {
  readonly id = randomBytes(6).toString('hex');
  readonly notebookFolder: string;
  readonly artifactFolder: string;
  readonly outputFolder: string;
  readonly calls = new RunningCalls();
  private readonly sink: SessionSink;
  private readonly scope = new SessionScope();
  private readonly evaluator = new Evaluator();
  private readonly liveViews = new LiveViews(this.evaluator);
  /** What each view has lit, by its source; the latest last. */
  private readonly selected = new Map<string, LinkedSelection>();
  private readonly drain = new FileDrain();
  private readonly runs = new CellOwnership<CellRun>();
  private readonly mapper = new StackMapper((file) => file.startsWith(OWN_FOLDER));
  private readonly loader: ModuleLoader;
  private readonly strays: StrayErrors;
  private readonly guard: ProcessGuard;
  private readonly figures = new Map<string, string>();
  private readonly undo: Array<() => void> = [];
  private globals: Promise<void> | undefined;
  private facade: ModuleNamespace = {};
  private tensors: ModuleNamespace | undefined;
  private queue: Queued[] = [];
  private current: CellRun | undefined;
  private last: CellRun | undefined;
  private busy = false;
  private starting = false;
  private order = 0;

  constructor(private readonly options: SessionOptions) {
    this.notebookFolder = path.resolve(options.notebookFolder);
    this.artifactFolder = path.resolve(options.artifactFolder);
    this.outputFolder = path.resolve(options.outputFolder ?? options.notebookFolder);
    this.sink = options.sink;
    this.loader = new ModuleLoader({
      notebookFolder: this.notebookFolder,
      provided: (specifier) => this.provided(specifier),
      onCompiled: (file, toSource) => this.mapper.add(file, toSource),
    });
    this.strays = new StrayErrors(this.mapper, this.sink);
    const inNotebook = this.notebookFolder + path.sep;
    this.guard = guardProcess({
      report: (error) => this.strays.report(error, this.owner ?? this.last),
      isUserFile: (file) =>
        file.startsWith('fgnb:') || (file.startsWith(inNotebook) && !/[\\/]node_modules[\\/]/.test(file)),
      log: (text) => this.sink.log?.(text),
    });
    this.undo.push(
      catchStreams((name, text) => this.write(name, text)),
      ownTimers<CellRun>({
        // Starting the kernel belongs to no cell: its timers fire even when the cell that waits for it was stopped.
        owner: () => (this.starting ? undefined : this.owner),
        run: (run, work) => (run === this.current ? work() : this.runs.runTurn(run, work)),
        isStopped: (run) => run.stoppedAt !== undefined && Date.now() > run.stoppedAt + STOP_TIMERS_MS,
      }),
      () => this.guard.undo(),
      withoutInput(),
      catchWarnings({ log: (text) => this.sink.log?.(text), show: (text) => process.stderr.write(text) }),
    );
    setWorkOwner(() => this.owner ?? this.liveViews.active);
    void loadTypeScript().catch(() => undefined);
  }

  /** Cells run so far. */
  get executionCount(): number {
    return this.order;
  }

  /** Execution id of the running cell. */
  get running(): string | undefined {
    return this.current?.request.execution;
  }

  /** Defines a name for cells. */
  define(name: string, value: unknown): void {
    this.scope.set(name, value);
  }

  /** Runs a cell after those before it. Never rejects: what the cell throws is in the result and in its events. */
  execute(request: CellRequest): Promise<CellResult> {
    return new Promise((resolve) => {
      this.queue.push({ request, resolve });
      this.liveViews.giveWay();
      this.next();
    });
  }

  /** Calls a live view after the cells that run or wait. @throws Error for the user, or LIVE_SUPERSEDED */
  liveCall(call: LiveCall): Promise<Json> {
    if (call.view === SELECTION_VIEW) return this.select(call);
    const answer = this.liveViews.call(call);
    this.next();
    return answer;
  }

  /** Takes what is selected in the views; the next that asks is given it. */
  private select({ method, params: selected }: { method: string; params: unknown }): Promise<Json> {
    if (method === 'reset') {
      this.selected.clear();
      return Promise.resolve(null);
    }
    if (!isLinkedSelection(selected)) return Promise.reject(new TypeError('what was sent is no selection'));
    this.selected.delete(selected.source);
    if (selected.sets.some(({ features }) => features.length > 0)) this.selected.set(selected.source, selected);
    return Promise.resolve(null);
  }

  /** Ends a cell without running it, when its request was sent before an interrupt and arrived after it. */
  refuse({ execution, cellId }: CellRequest): void {
    this.sink.cell(execution, cellId, { kind: 'finished', status: 'interrupted', ms: 0 }, []);
  }

  /**
   * Begins the next cell or call, unless one runs. No promise leads from one cell to the next: a termination may drop
   * any continuation, and the session must go on.
   */
  private next(): void {
    if (this.current || this.liveViews.active || this.drain.waiting) return;
    const queued = this.queue.shift();
    if (queued) return this.begin(queued);
    if (this.busy) this.sink.state('idle');
    this.busy = false;
    if (this.liveViews.hasWork) this.liveViews.runNext(() => this.next());
  }

  /** Ends waiting cells without running them, after one that failed or was stopped. */
  private dropQueue(): void {
    for (const { request, resolve } of this.queue.splice(0)) {
      this.refuse(request);
      resolve({ status: 'interrupted', ms: 0, order: 0 });
    }
  }

  private begin({ request, resolve }: Queued): void {
    if (!this.busy) this.sink.state('busy');
    this.busy = true;
    const logFolder = this.options.logFolder ?? path.join(this.artifactFolder, 'logs');
    const run = newRun({ request, order: ++this.order, resolve }, this.sink, logFolder);
    this.current = run;
    this.strays.add(run);
    this.runs.reset();
    run.outputs.show({ kind: 'started', order: run.order });
    this.evaluate(run).then(
      () => this.end(run),
      (thrown: unknown) => this.end(run, { thrown }),
    );
  }

  /** Ends a cell once and completely, and begins the next; later actions of its code are not waited for. */
  private end(run: CellRun, ended?: { thrown: unknown }): void {
    nativeCall(() => {
      if (run !== this.current) return;
      // A termination breaks what it strikes: an error that comes before the interrupt's own message is its doing.
      const broken = ended && this.options.interruptAsked?.();
      const failure = broken ? { thrown: new InterruptedError() } : ended;
      const interrupted = failure?.thrown instanceof InterruptedError;
      const status: CellStatus = interrupted ? 'interrupted' : failure ? 'error' : 'ok';
      run.state = interrupted ? 'interrupted' : 'finished';
      if (interrupted) {
        run.stoppedAt = Date.now();
        for (const items of run.ifStopped.values()) this.show(run, items);
      }
      run.undeclare?.();
      run.outputs.finish();
      const error = failure && this.reportOf(run, failure.thrown);
      if (error) run.outputs.show({ kind: 'error', ...error });
      const ms = performance.now() - run.started;
      run.outputs.show({ kind: 'finished', status, ms });
      this.guard.sweep();
      this.current = undefined;
      this.last = run;
      run.resolve({ status, ms, order: run.order, error });
      if (status !== 'ok') this.dropQueue();
      this.next();
    });
  }

  private reportOf({ request }: CellRun, thrown: unknown): ErrorReport {
    if (thrown instanceof SourceSyntaxError) return reportSyntaxError(thrown, request.cellId);
    const report = reportError(thrown, this.mapper);
    return thrown instanceof InterruptedError ? { ...report, stack: [] } : report;
  }

  private async evaluate(run: CellRun): Promise<void> {
    const { cellId, source } = run.request;
    const name = cellScriptName(cellId, run.order);
    const goOn = (): void => {
      // Starting up and compiling go on after an interrupt; the cell does not.
      if (run !== this.current) throw new InterruptedError();
    };
    await this.ready();
    goOn();
    const { reserved, shadowed } = this.scope;
    const compiled = await compileCell(source, name, { reserved, shadowed });
    goOn();
    this.mapper.add(name, (place) => compiled.toCell(place));
    const script = new vm.Script(compiled.code, {
      filename: name,
      importModuleDynamically: vm.constants.USE_MAIN_CONTEXT_DEFAULT_LOADER,
    });
    run.undeclare = this.scope.declare(compiled.names, compiled.early);
    const body = script.runInThisContext() as (helpers: object) => Promise<unknown>;
    const { disposing, ...helpers } = this.helpers();
    const start = (): Promise<unknown> => disposing(() => body(helpers));
    const value = await this.evaluator.run(() => this.runs.run(run, start));
    goOn();
    const items = await this.runs.run(run, () => valueItems(value, this.mapper));
    goOn();
    if (items.length > 0) this.show(run, items, { result: true });
  }

  /** Helpers that rewritten syntax calls. */
  private helpers(): Disposer & Record<string, unknown> {
    return {
      shadows: this.scope.shadows,
      keep: (name: string) => this.scope.keep(name),
      constant: (name: string) => {
        throw new TypeError(`Assignment to constant variable '${name}'.`);
      },
      import: (specifier: string, names: readonly string[], options?: unknown) =>
        this.loader.importNames(specifier, names, options),
      prepare: (specifiers: readonly string[]) => this.loader.prepare(specifiers),
      adopt: (from: ModuleNamespace, names?: ReadonlyArray<[string, string]>) => this.scope.adopt(from, names),
      ...disposer(),
      load: (specifier: unknown, options?: unknown) => this.loader.load(String(specifier), options),
      meta: this.loader.meta,
    };
  }

  /** Makes the globals once; a failure is thrown in the cell that needed them, and the next cell tries again. */
  private ready(): Promise<void> {
    // An interrupt ends the cell that waits for the globals, not their making: the next cell waits for the same
    // promise.
    this.globals ??= protectedSection(() => this.makeGlobals()).catch((error: unknown) => {
      this.globals = undefined;
      throw error;
    });
    return this.globals;
  }

  private async makeGlobals(): Promise<void> {
    this.starting = true;
    let globals: Record<string, unknown>;
    try {
      globals = (await this.options.createGlobals?.(this)) ?? {};
    } finally {
      this.starting = false;
    }
    for (const [name, value] of Object.entries(globals)) this.scope.set(name, value);
    for (const [name, value] of Object.entries(this.loader.moduleNames())) this.scope.set(name, value);
    const { fg, tf } = globals;
    if (typeof fg === 'object' && fg !== null) this.facade = { ...(fg as ModuleNamespace), default: fg, tf };
    if (tf !== undefined) this.tensors = tf as ModuleNamespace;
  }

  private provided(specifier: string): ModuleNamespace | undefined {
    if (specifier === 'fg') return this.facade;
    const isTensors = specifier === '@tensorflow/tfjs' || specifier === '@tensorflow/tfjs-core';
    // Cells and the kernel must use one copy, since tensors of two copies do not mix.
    return isTensors ? this.tensors : undefined;
  }

  /** Stops the running cell and drops the waiting ones. Safe at any time. */
  interrupt(): void {
    const aborts = nativeCall(() => this.stop());
    // Listeners may be user code, and may have to be stopped themselves.
    for (const each of aborts) each.abort();
  }

  /** Ends the running cell and its work without waiting for the code that was stopped. */
  private stop(): AbortController[] {
    const run = this.current;
    const owner = run ?? this.liveViews.active;
    if (run) this.sink.state('interrupting');
    this.dropQueue();
    this.runs.reset();
    const terminated = wasTerminated();
    this.loader.stopped(terminated);
    if (terminated) {
      endTerminatedWork();
      this.drain.begin(() => this.next());
    } else if (owner) setTimeout(workOf(owner), STOP_TIMERS_MS).unref();
    const live = this.liveViews.interrupt();
    if (run) this.end(run, { thrown: new InterruptedError() });
    return [run?.abort, live].filter((abort) => abort !== undefined);
  }

  private show(run: CellRun, items: readonly OutputItem[], how: { displayId?: string; result?: true } = {}): void {
    const messages = toMessages(items);
    run.outputs.flush(true);
    pushAll(run.buffers, messages.buffers);
    run.outputs.show({ kind: 'display', items: messages.items, ...how });
  }

  /** Takes text that code printed; true when it belongs to a cell. */
  private write(name: StreamName, text: string): boolean {
    const run = this.owner ?? this.last;
    run?.outputs.write(name, this.mapper.readable(text));
    return run !== undefined;
  }

  /** The values of names that cells declared; getters are not called. */
  variables(): VariableInfo[] {
    return this.scope.names().map((name) => describeVariable(name, this.scope.value(name)));
  }

  private lookup(name: string): unknown {
    return this.scope.value(name) ?? Object.getOwnPropertyDescriptor(globalThis, name)?.value;
  }

  /**
   * Property names of an expression such as `map.pairs`, for completion; for an empty expression, the names that cells
   * see.
   */
  async complete(expression: string): Promise<string[]> {
    await this.ready();
    if (expression !== '') return propertyNames(expression, (name) => this.lookup(name));
    return [...this.scope.names(), ...Object.getOwnPropertyNames(globalThis)];
  }

  /** A description of an expression such as `fg.sae.train`; undefined where it is unknown. */
  async inspect(expression: string): Promise<string | undefined> {
    await this.ready();
    return describeExpression(expression, (name) => this.lookup(name));
  }

  // SessionContext, which the facade uses. Calls after the cell's end still find the cell they came from.

  private get owner(): CellRun | undefined {
    return this.runs.current() ?? this.current;
  }

  signal(): AbortSignal {
    return (this.owner?.abort ?? new AbortController()).signal;
  }

  during(work: Promise<unknown>): void {
    this.calls.add(work);
  }

  progress(progress: Progress | null): void {
    this.owner?.outputs.setProgress(progress);
  }

  display(items: OutputItem[], { displayId, ifStopped }: { displayId?: string; ifStopped?: OutputItem[] } = {}): void {
    const run = this.owner;
    if (!run) return;
    this.show(run, items, displayId === undefined ? {} : { displayId });
    if (displayId === undefined) return;
    if (ifStopped) run.ifStopped.set(displayId, ifStopped);
    else run.ifStopped.delete(displayId);
  }

  print(text: string): void {
    this.owner?.outputs.write('stdout', text + '\n');
  }

  selection(): LinkedSelection | null {
    return [...this.selected.values()].at(-1) ?? null;
  }

  live(view: string, handler: LiveHandler): void {
    this.liveViews.register(view, handler);
  }

  madeBy(): MadeBy {
    const { request } = this.owner ?? {};
    return {
      notebook: notebookName(this.options.notebook) || path.basename(this.notebookFolder),
      ...(request ? { cell: request.cellId } : {}),
      ...(this.figures.size > 0 ? { keyFigures: Object.fromEntries(this.figures) } : {}),
    };
  }

  keyFigure(name: string, value: string): void {
    this.figures.set(name, value);
    this.sink.keyFigure?.(name, value);
  }

  /** Restores the process to its earlier state. Must be called before the process exits. */
  close(): void {
    for (const undo of this.undo.splice(0)) undo();
    setWorkOwner(() => undefined);
    this.evaluator.close();
  }
}
