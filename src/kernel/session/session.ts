/**
 * One notebook's session: runs cells in order, keeps their names, sends what they show. It knows no socket and no
 * thread: whoever owns it gives a sink and calls interrupt().
 */
import { randomBytes } from 'node:crypto';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import vm from 'node:vm';
import { pushAll } from '../../protocol/lists.js';
import type { CellEvent, KernelMessage, Progress, VariableInfo } from '../../protocol/kernel.js';
import type { LiveCall } from '../../protocol/live.js';
import type { Json, OutputItem } from '../../protocol/notebook.js';
import type { MadeBy } from '../artifacts/types.js';
import type { LiveHandler, SessionContext } from '../verb/context.js';
import { Attribution } from './attribution.js';
import { compileCell } from './compile.js';
import { describeVariable, propertyNames, toMessages, valueItems } from './display.js';
import { cellScriptName, reportError, reportSyntaxError, StackMapper, type ErrorReport } from './errors.js';
import { Evaluator, InterruptedError } from './evaluate.js';
import { LiveViews } from './live.js';
import { ModuleLoader, type ModuleNamespace } from './modules.js';
import { CellOutputs, type StreamName } from './outputs.js';
import { catchStreams, guardProcess, ownTimers } from './process.js';
import { SessionScope } from './scope.js';
import { loadTypeScript, SourceSyntaxError } from './stripTypes.js';

export type CellStatus = 'ok' | 'error' | 'interrupted';

/** Receives everything that the session has to tell. */
export interface SessionSink {
  cell(execution: string, cellId: string, event: CellEvent, buffers: Uint8Array[]): void;
  state(state: Extract<KernelMessage, { type: 'state' }>['state']): void;
  keyFigure?(name: string, value: string): void;
  /** An error outside any cell, or text for the kernel's log. */
  log?(text: string): void;
}

export interface SessionOptions {
  notebookFolder: string;
  artifactFolder: string;
  /** Where the notebook is saved, default `notebookFolder`. */
  outputFolder?: string;
  sink: SessionSink;
  /** Makes what every cell sees: `fg`, `tf` and others by name. Called once, before the first cell. */
  createGlobals?: (context: SessionContext) => Promise<Record<string, unknown>>;
  /** Where output beyond a cell's cap is kept, default `<artifactFolder>/logs`. */
  logFolder?: string;
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

/** A cell's run, from its start until long after its end: timers may still print. */
export interface CellRun {
  request: CellRequest;
  outputs: CellOutputs;
  abort: AbortController;
  buffers: Uint8Array[];
  state: 'running' | 'finished' | 'interrupted';
  stoppedAt?: number;
}

interface Queued {
  request: CellRequest;
  resolve: (result: CellResult) => void;
}

/** How long the calls of an interrupted cell have to see their signal and clean up. */
const STOP_TIMERS_MS = 2000;

const OWN_FOLDER = path.dirname(fileURLToPath(import.meta.url));

export class Session implements SessionContext {
  readonly id = randomBytes(6).toString('hex');
  readonly notebookFolder: string;
  readonly artifactFolder: string;
  readonly outputFolder: string;
  private readonly sink: SessionSink;
  private readonly scope = new SessionScope();
  private readonly evaluator = new Evaluator();
  private readonly liveViews = new LiveViews(this.evaluator);
  private readonly runs = new Attribution<CellRun>();
  private readonly mapper = new StackMapper((file) => file.startsWith(OWN_FOLDER));
  private readonly loader: ModuleLoader;
  private readonly figures = new Map<string, string>();
  private readonly undo: Array<() => void> = [];
  private globals: Promise<void> | undefined;
  private facade: ModuleNamespace = {};
  private tensors: ModuleNamespace | undefined;
  private queue: Queued[] = [];
  private current: CellRun | undefined;
  private last: CellRun | undefined;
  private working = false;
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
    this.undo.push(
      catchStreams((name, text) => this.write(name, text)),
      ownTimers<CellRun>({
        owner: () => this.owner,
        run: (run, work) => (run === this.current ? work() : this.runs.runTurn(run, work)),
        isStopped: (run) => run.stoppedAt !== undefined && Date.now() > run.stoppedAt + STOP_TIMERS_MS,
      }),
      guardProcess(
        (error) => this.strayError(error),
        () => this.owner !== undefined,
      ),
    );
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

  /** Defines a name that cells see. */
  define(name: string, value: unknown): void {
    this.scope.set(name, value);
  }

  /** Runs a cell after those before it. Never rejects: what the cell throws is in the result and in its events. */
  execute(request: CellRequest): Promise<CellResult> {
    return new Promise((resolve) => {
      this.queue.push({ request, resolve });
      this.liveViews.giveWay();
      void this.work();
    });
  }

  /** Asks a live view, behind the cells that run or wait. @throws Error in words for people, or LIVE_SUPERSEDED. */
  liveCall(call: LiveCall): Promise<Json> {
    const answer = this.liveViews.call(call);
    void this.work();
    return answer;
  }

  /** A cell that was asked for before an interrupt and arrived after it: it ends without having run. */
  refuse({ execution, cellId }: CellRequest): void {
    this.sink.cell(execution, cellId, { kind: 'finished', status: 'interrupted', ms: 0 }, []);
  }

  private async work(): Promise<void> {
    if (this.working) return;
    this.working = true;
    while (this.queue.length > 0 || this.liveViews.hasWork) {
      if (this.queue.length > 0) await this.workCells();
      else await this.liveViews.runNext();
    }
    this.working = false;
  }

  private async workCells(): Promise<void> {
    this.sink.state('busy');
    for (let next = this.queue.shift(); next; next = this.queue.shift()) {
      const result = await this.runCell(next.request);
      next.resolve(result);
      if (result.status !== 'ok') this.dropQueue();
    }
    this.sink.state('idle');
  }

  /** Cells behind one that failed or was stopped do not run. */
  private dropQueue(): void {
    for (const { request, resolve } of this.queue.splice(0)) {
      this.refuse(request);
      resolve({ status: 'interrupted', ms: 0, order: 0 });
    }
  }

  private newRun(request: CellRequest): CellRun {
    const folder = this.options.logFolder ?? path.join(this.artifactFolder, 'logs');
    const file = path.join(folder, `${request.cellId.replace(/[^\w-]/g, '_')}.log`);
    const buffers: Uint8Array[] = [];
    const emit = (event: CellEvent): void => {
      this.sink.cell(request.execution, request.cellId, event, buffers.splice(0));
    };
    return { request, outputs: new CellOutputs(emit, file), abort: new AbortController(), buffers, state: 'running' };
  }

  private async runCell(request: CellRequest): Promise<CellResult> {
    const run = this.newRun(request);
    this.current = run;
    this.runs.reset();
    const order = ++this.order;
    const started = performance.now();
    run.outputs.show({ kind: 'started', order });
    let status: CellStatus = 'ok';
    let error: ErrorReport | undefined;
    try {
      await this.evaluate(run, order);
    } catch (thrown) {
      status = run.abort.signal.aborted || thrown instanceof InterruptedError ? 'interrupted' : 'error';
      const shown = status === 'interrupted' ? new InterruptedError() : thrown;
      error =
        shown instanceof SourceSyntaxError ? reportSyntaxError(shown, request.cellId) : reportError(shown, this.mapper);
      if (status === 'interrupted') error.stack = [];
    }
    run.state = status === 'interrupted' ? 'interrupted' : 'finished';
    if (status === 'interrupted') {
      run.stoppedAt = Date.now();
      run.abort.abort();
    }
    run.outputs.finish();
    if (error) run.outputs.show({ kind: 'error', ...error });
    const ms = performance.now() - started;
    run.outputs.show({ kind: 'finished', status, ms });
    this.current = undefined;
    this.last = run;
    return { status, ms, order, error };
  }

  private async evaluate(run: CellRun, order: number): Promise<void> {
    const { cellId, source } = run.request;
    const name = cellScriptName(cellId, order);
    const work = async (): Promise<{ value: unknown; undeclare?: () => void }> => {
      await this.ready();
      const { reserved, shadowed } = this.scope;
      const compiled = await compileCell(source, name, { reserved, shadowed });
      this.mapper.add(name, (place) => compiled.toCell(place));
      const script = new vm.Script(compiled.code, {
        filename: name,
        importModuleDynamically: vm.constants.USE_MAIN_CONTEXT_DEFAULT_LOADER,
      });
      const undeclare = this.scope.declare(compiled.names, compiled.early);
      try {
        const body = script.runInThisContext() as (helpers: object) => Promise<unknown>;
        return { value: await this.evaluator.run(() => this.runs.run(run, () => body(this.helpers()))) };
      } finally {
        undeclare();
      }
    };
    // Starting up and compiling can be stopped too; the evaluator stops the rest.
    const aborted = new Promise<never>((_, reject) => {
      run.abort.signal.addEventListener('abort', () => reject(new InterruptedError()), { once: true });
    });
    const { value } = await Promise.race([work(), aborted]);
    const items = await Promise.race([this.runs.run(run, () => valueItems(value)), aborted]);
    if (items.length > 0) this.show(run, items);
  }

  /** What rewritten syntax calls. */
  private helpers(): object {
    return {
      shadows: this.scope.shadows,
      keep: (name: string) => this.scope.keep(name),
      constant: (name: string) => {
        throw new TypeError(`Assignment to constant variable '${name}'.`);
      },
      import: (specifier: string, names: readonly string[]) => this.loader.importNames(specifier, names),
      load: (specifier: unknown, options?: unknown) => this.loader.load(String(specifier), options),
      meta: {
        url: pathToFileURL(path.join(this.notebookFolder, 'notebook.fgnb')).href,
        dirname: this.notebookFolder,
        filename: path.join(this.notebookFolder, 'notebook.fgnb'),
      },
    };
  }

  /** Makes the globals once; a failure is thrown in the cell that needed them, and tried again in the next. */
  private ready(): Promise<void> {
    this.globals ??= this.makeGlobals().catch((error: unknown) => {
      this.globals = undefined;
      throw error;
    });
    return this.globals;
  }

  private async makeGlobals(): Promise<void> {
    const globals = (await this.options.createGlobals?.(this)) ?? {};
    for (const [name, value] of Object.entries(globals)) this.scope.set(name, value);
    const { fg, tf } = globals;
    if (typeof fg === 'object' && fg !== null) this.facade = { ...(fg as ModuleNamespace), default: fg, tf };
    if (tf !== undefined) this.tensors = tf as ModuleNamespace;
  }

  private provided(specifier: string): ModuleNamespace | undefined {
    if (specifier === 'fg') return this.facade;
    const isTensors = specifier === '@tensorflow/tfjs' || specifier === '@tensorflow/tfjs-core';
    // Cells and the kernel must use one copy, or their tensors do not mix.
    return isTensors ? this.tensors : undefined;
  }

  /** Stops the running cell and drops those that wait. Safe at any time. */
  interrupt(): void {
    this.dropQueue();
    this.runs.reset();
    this.liveViews.interrupt();
    if (!this.current) return;
    this.sink.state('interrupting');
    this.current.abort.abort();
    this.evaluator.interrupt();
  }

  private show(run: CellRun, items: readonly OutputItem[], displayId?: string): void {
    const messages = toMessages(items);
    run.outputs.flush(true);
    pushAll(run.buffers, messages.buffers);
    run.outputs.show({ kind: 'display', items: messages.items, ...(displayId === undefined ? {} : { displayId }) });
  }

  /** Text that code printed: true when a cell took it. */
  private write(name: StreamName, text: string): boolean {
    const run = this.owner ?? this.last;
    run?.outputs.write(name, text);
    return run !== undefined;
  }

  /** An exception in a timer or a rejection nobody handles: shown in its cell, never the end of the kernel. */
  private strayError(error: unknown): void {
    const run = this.owner ?? this.last;
    const report = reportError(error, this.mapper);
    if (!run) return this.sink.log?.(`${report.name}: ${report.message}`);
    // What an interrupted cell still throws is the interrupt's doing.
    if (run.state === 'interrupted') return;
    run.outputs.show({ kind: 'error', ...report, late: run.state !== 'running' });
  }

  /** Values of the names that cells declared, without calling any getter. */
  variables(): VariableInfo[] {
    return this.scope.names().map((name) => describeVariable(name, this.scope.value(name)));
  }

  /** Property names of an expression such as `map.pairs`, for completion. */
  complete(expression: string): string[] {
    const globals = globalThis as unknown as Record<string, unknown>;
    const lookup = (name: string): unknown =>
      this.scope.value(name) ?? Object.getOwnPropertyDescriptor(globals, name)?.value;
    return propertyNames(expression, lookup);
  }

  // SessionContext: what the facade uses. Calls after the cell's end still find the cell they came from.

  private get owner(): CellRun | undefined {
    return this.runs.current() ?? this.current;
  }

  signal(): AbortSignal {
    return (this.owner?.abort ?? new AbortController()).signal;
  }

  progress(progress: Progress | null): void {
    this.owner?.outputs.setProgress(progress);
  }

  display(items: OutputItem[], options: { displayId?: string } = {}): void {
    if (this.owner) this.show(this.owner, items, options.displayId);
  }

  print(text: string): void {
    this.owner?.outputs.write('stdout', text + '\n');
  }

  live(view: string, handler: LiveHandler): void {
    this.liveViews.register(view, handler);
  }

  madeBy(): MadeBy {
    const { request } = this.owner ?? {};
    return {
      notebook: path.basename(this.notebookFolder),
      ...(request ? { cell: request.cellId } : {}),
      ...(this.figures.size > 0 ? { keyFigures: Object.fromEntries(this.figures) } : {}),
    };
  }

  keyFigure(name: string, value: string): void {
    this.figures.set(name, value);
    this.sink.keyFigure?.(name, value);
  }

  /** Gives the process back as it was. Must be called before the process exits. */
  close(): void {
    for (const undo of this.undo.splice(0)) undo();
    this.evaluator.close();
  }
}
