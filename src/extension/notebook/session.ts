/**
 * One open notebook and its kernel: carries out what the run reducer decides, shows what the kernel sends, and says
 * in the cell when the kernel died. Executions are created up front and always ended.
 */
import { randomUUID } from 'node:crypto';
import * as vscode from 'vscode';
import type { CellEvent } from '../../protocol/kernel.js';
import type { CellExecution } from '../../protocol/notebook.js';
import type { Welcome } from '../kernelClient/connection.js';
import { deathText, type DeathReport } from '../kernelClient/death.js';
import { Kernel, type KernelListener, type KernelLog } from '../kernelClient/kernel.js';
import type { KernelPlace } from '../kernelClient/process.js';
import type { KernelState } from '../kernelClient/state.js';
import { notebookConfig, outputLimitBytes } from '../config.js';
import { cellIdOf, findCell } from './cellIds.js';
import {
  NO_RUNS,
  reduceRuns,
  type Outcome,
  type Run,
  type RunEffect,
  type RunEvent,
  type RunState,
} from './cellRun.js';
import { clearErrors, errorItem, markError } from './cellErrors.js';
import { Orphans, type OrphanEvent } from './orphans.js';
import { OutputWriter } from './outputWriter.js';

interface LiveRun {
  run: Run;
  cell: vscode.NotebookCell;
  execution: vscode.NotebookCellExecution;
  writer: OutputWriter;
  startedAt?: number;
  order?: number;
  finishedMs?: number;
  /** It ran already when this window attached. */
  adopted?: boolean;
}

export interface SessionHost {
  controller: vscode.NotebookController;
  diagnostics: vscode.DiagnosticCollection;
  log: KernelLog & { error(message: string): void };
  /** State, memory or device changed. */
  changed(session: NotebookSession): void;
  /** The kernel is there, and none of the cells that wait for it runs yet. */
  attached(session: NotebookSession): void;
  /** A cell ended: variables and artifacts may be new. */
  cellEnded(session: NotebookSession): void;
  died(session: NotebookSession, report: DeathReport): void;
}

const LATE_NOTE = '[output that arrived after the cell had finished]\n';

/** The cell that an execution id names: ids are `<cell id>/<uuid>`. */
const cellOfExecution = (execution: string): string => execution.slice(0, execution.lastIndexOf('/'));

interface RunSummary {
  order?: number;
  success?: boolean;
  startedAt?: number;
  endedAt?: number;
}

/** The run that a cell's file tells of. */
function savedRun(cell: vscode.NotebookCell): RunSummary {
  const { order, status } = (cell.metadata.execution ?? {}) as CellExecution;
  return { order, success: status === 'ok' ? true : status === 'error' ? false : undefined };
}

/** A cell that was queued and never ran keeps its outputs, so it goes on saying which run they are from. */
function endAsBefore({ execution }: LiveRun, { order, success, startedAt, endedAt }: RunSummary): void {
  if (order !== undefined) {
    execution.executionOrder = order;
    execution.start(startedAt);
  }
  execution.end(success, endedAt);
}

/** The summary of a run from its gathered events; what they do not tell is taken from `before`. */
function summaryOf(events: readonly OrphanEvent[], before: RunSummary): RunSummary {
  const summary = { ...before };
  for (const { event } of events) {
    if (event.kind === 'started') summary.order = event.order;
    if (event.kind !== 'finished') continue;
    summary.success = event.status === 'ok' ? true : event.status === 'error' ? false : undefined;
    summary.endedAt = Date.now();
    summary.startedAt = summary.endedAt - event.ms;
  }
  return summary;
}

export class NotebookSession implements KernelListener {
  readonly kernel: Kernel;
  /** Set when the cell that runs was started: for "cell 3 · 1:20" in the status bar. */
  runningSince: number | undefined;
  private runs: RunState = NO_RUNS;
  private readonly live = new Map<string, LiveRun>();
  /** Runs that ended in this kernel session, by execution id: for output that comes late. */
  private readonly ended = new Map<string, RunSummary>();
  /** The last run of each cell in this window. VS Code forgets it when the cell is queued. */
  private readonly lastRuns = new Map<string, RunSummary>();
  private readonly orphans = new Orphans((execution, cellId, events) => {
    this.showOrphan(execution, cellId, events).catch((error: unknown) => this.host.log.error(String(error)));
  });

  constructor(
    readonly notebook: vscode.NotebookDocument,
    place: KernelPlace,
    private readonly host: SessionHost,
  ) {
    const warn = (problem: string): void => {
      host.log.warn(problem);
      void vscode.window.showWarningMessage(problem);
    };
    this.kernel = new Kernel(place, () => notebookConfig(notebook, warn), this, host.log);
  }

  get folder(): string {
    return this.kernel.place.notebookFolder;
  }

  get state(): KernelState {
    return this.kernel.state;
  }

  /** The cell that runs now. */
  get runningCell(): vscode.NotebookCell | undefined {
    return this.runs.running && this.live.get(this.runs.running.execution)?.cell;
  }

  run(cells: readonly vscode.NotebookCell[]): void {
    const runs = cells.map((cell) => ({ execution: `${cellIdOf(cell)}/${randomUUID()}`, cellId: cellIdOf(cell) }));
    this.dispatch({ type: 'enqueue', runs });
    this.kernel.ensure().catch((error: unknown) => this.couldNotStart(error));
  }

  /** Stop: drops what waits and asks the running cell to stop. */
  interrupt(): void {
    this.dispatch({ type: 'interrupt' });
  }

  async restart(): Promise<void> {
    this.noteStop('restarted');
    this.dispatch({ type: 'lost' });
    this.ended.clear();
    await this.kernel.restart();
  }

  async shutdown(): Promise<void> {
    this.noteStop('stopped');
    this.dispatch({ type: 'lost' });
    await this.kernel.shutdown();
  }

  private noteStop(how: string): void {
    const live = this.runs.running && this.live.get(this.runs.running.execution);
    live?.writer.push({ kind: 'stream', name: 'stderr', text: `[the kernel was ${how} while this cell ran]\n` }, []);
  }

  /** The window closes; the kernel goes on, and what it sends meanwhile is kept by it. */
  detach(): void {
    this.orphans.dispose();
    this.kernel.detach();
  }

  /** The notebook closes in a window that stays: VS Code would refuse to follow its cells again otherwise. */
  leave(): void {
    this.detach();
    for (const { execution } of this.live.values()) {
      try {
        execution.end(undefined);
      } catch (error) {
        this.host.log.info(`A cell of a closed notebook: ${String(error)}`);
      }
    }
    this.live.clear();
  }

  private dispatch(event: RunEvent): void {
    const { state, effects } = reduceRuns(this.runs, event);
    this.runs = state;
    for (const effect of effects) this.perform(effect);
  }

  private perform(effect: RunEffect): void {
    switch (effect.type) {
      case 'create':
        return this.create(effect.run);
      case 'send':
        return this.send(effect.run);
      case 'interrupt':
        return this.kernel.interrupt();
      case 'end':
        this.end(effect.run, effect.outcome).catch((error: unknown) => this.host.log.error(String(error)));
    }
  }

  private create(run: Run): void {
    const cell = findCell(this.notebook, run.cellId);
    if (!cell) return;
    let execution: vscode.NotebookCellExecution;
    try {
      execution = this.host.controller.createNotebookCellExecution(cell);
    } catch (error) {
      // Another controller was chosen, or the cell runs already: there is nothing to follow.
      this.host.log.warn(`Cell ${cell.index + 1} cannot be followed: ${String(error)}`);
      return;
    }
    const { notebook } = this;
    // The numbers of other cells are in their summaries; that of a running one is not there yet.
    const orderOf = (cellId: string): number | undefined => (cellId === run.cellId ? live.order : undefined);
    const toItem = (error: Extract<CellEvent, { kind: 'error' }>) => errorItem(notebook, error, orderOf);
    const onError = (error: unknown): void => this.host.log.error(String(error));
    const live: LiveRun = {
      ...{ run, cell, execution },
      writer: new OutputWriter(execution, toItem, outputLimitBytes(), onError),
    };
    this.live.set(run.execution, live);
  }

  /** Marks the cell as running. */
  private begin(live: LiveRun, o: { clear: boolean; at?: number }): void {
    if (live.startedAt !== undefined) return;
    live.startedAt = o.at ?? Date.now();
    this.runningSince = live.startedAt;
    live.execution.start(live.startedAt);
    clearErrors(this.host.diagnostics, live.cell);
    if (o.clear) this.clear(live);
  }

  private clear(live: LiveRun): void {
    live.execution.clearOutput().then(undefined, (error: unknown) => this.host.log.error(String(error)));
  }

  private send(run: Run): void {
    const live = this.live.get(run.execution);
    const cell = findCell(this.notebook, run.cellId);
    if (!live || !cell) {
      this.dispatch({ type: 'finished', execution: run.execution, status: 'ok' });
      return;
    }
    this.begin(live, { clear: true });
    this.kernel.execute({ ...run, cellIndex: cell.index, source: cell.document.getText() });
  }

  private async end(run: Run, outcome: Outcome): Promise<void> {
    const live = this.live.get(run.execution);
    if (!live) return;
    this.live.delete(run.execution);
    this.runningSince = undefined;
    await live.writer.finish();
    if (live.startedAt === undefined) {
      endAsBefore(live, this.lastRuns.get(run.cellId) ?? savedRun(live.cell));
      return;
    }
    const success = outcome === 'ok' ? true : outcome === 'error' || outcome === 'lost' ? false : undefined;
    const endedAt = live.finishedMs === undefined ? Date.now() : live.startedAt + live.finishedMs;
    const stopped = outcome === 'cancelled' ? false : success;
    live.execution.end(stopped, endedAt);
    const summary = { order: live.order, success: stopped, startedAt: live.startedAt, endedAt };
    this.ended.set(run.execution, summary);
    this.lastRuns.set(run.cellId, summary);
    this.host.cellEnded(this);
  }

  /** Shows in a cell what is wrong with the kernel: in the running one, else in the first that waits. */
  private showInCell(name: string, message: string): boolean {
    const run = this.runs.running ?? this.runs.waiting[0];
    const live = run && this.live.get(run.execution);
    if (!live) return false;
    this.begin(live, { clear: true });
    live.writer.push({ kind: 'error', name, message, stack: [] }, []);
    return true;
  }

  private couldNotStart(error: unknown): void {
    this.host.log.error(String(error));
    // A death while starting was shown already, by `died`.
    if (this.runs.running || this.runs.waiting.length > 0)
      this.showInCell('Kernel not started', error instanceof Error ? error.message : String(error));
    this.dispatch({ type: 'lost' });
  }

  // Events of the kernel.

  stateChanged(): void {
    this.host.changed(this);
  }

  vitals(): void {
    this.host.changed(this);
  }

  attached(welcome: Welcome, fresh: boolean): void {
    const running = welcome.running;
    const follow = !fresh && running && !this.live.has(running);
    this.host.attached(this);
    if (!follow) return this.dispatch({ type: 'ready' });
    const run = { execution: running, cellId: cellOfExecution(running) };
    this.dispatch({ type: 'ready', running: run });
    const live = this.live.get(running);
    if (!live) return;
    live.adopted = true;
    this.begin(live, { clear: false });
  }

  cell(execution: string, cellId: string, event: CellEvent, buffers: Uint8Array[]): void {
    const live = this.live.get(execution);
    if (live) return this.onCellEvent(live, event, buffers);
    this.orphans.add(execution, cellId, event, buffers);
  }

  private onCellEvent(live: LiveRun, event: CellEvent, buffers: Uint8Array[]): void {
    switch (event.kind) {
      case 'started':
        live.order = event.order;
        live.execution.executionOrder = event.order;
        // The kernel replays the whole run, so the outputs in the cell, which are of the run before, go.
        if (live.adopted) this.clear(live);
        return;
      case 'error':
        markError(this.host.diagnostics, this.notebook, live.cell, event);
        return live.writer.push(event, buffers);
      case 'finished':
        live.finishedMs = event.ms;
        return this.dispatch({ type: 'finished', execution: live.run.execution, status: event.status });
      case 'stream':
      case 'display':
      case 'progress':
        return live.writer.push(event, buffers);
    }
  }

  /** Shows gathered output in its cell, and sets the cell's run summary back to what is known of its last run. */
  private async showOrphan(execution: string, cellId: string, events: OrphanEvent[]): Promise<void> {
    const late = this.ended.get(execution);
    const output = events.filter(({ event }) => event.kind !== 'started' && event.kind !== 'finished');
    const push = (live: LiveRun): void => {
      if (late) live.writer.push({ kind: 'stream', name: 'stderr', text: LATE_NOTE }, []);
      for (const { event, buffers } of output) live.writer.push(event, buffers);
    };
    const again = [...this.live.values()].find((live) => live.run.cellId === cellId && live.startedAt !== undefined);
    if (again) return push(again);
    const cell = findCell(this.notebook, cellId);
    if (!cell) return;
    const before = late ?? this.lastRuns.get(cellId) ?? savedRun(cell);
    this.create({ execution, cellId });
    const live = this.live.get(execution);
    if (!live) return;
    this.live.delete(execution);
    const run = summaryOf(events, before);
    live.order = run.order;
    live.execution.executionOrder = run.order;
    live.execution.start(run.startedAt);
    if (events.some(({ event }) => event.kind === 'started')) await live.execution.clearOutput();
    push(live);
    await live.writer.finish();
    live.execution.end(run.success, run.endedAt);
    this.ended.set(execution, run);
    this.lastRuns.set(cellId, run);
    this.host.cellEnded(this);
  }

  takenOver(): void {
    this.showInCell(
      'Kernel used by another window',
      'Another window attached to this notebook’s kernel and follows its output now. Run a cell here to take it back.',
    );
    this.dispatch({ type: 'lost' });
  }

  disconnected(reason: string): void {
    const text = `${reason}, and the kernel goes on. Run a cell here to connect again: what it sent meanwhile is shown then.`;
    this.showInCell('Connection to the kernel lost', text);
    this.dispatch({ type: 'lost' });
  }

  died(report: DeathReport): void {
    const shown = this.showInCell(report.summary.replace(/\.$/, ''), deathText(report));
    this.dispatch({ type: 'lost' });
    this.ended.clear();
    if (!shown) this.host.died(this, report);
  }
}
