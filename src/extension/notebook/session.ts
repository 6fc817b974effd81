/**
 * One open notebook and its kernel: carries out what the run reducer decides, shows what the kernel sends, and says
 * in the cell when the kernel died. Executions are created up front and always ended.
 */
import { randomUUID } from 'node:crypto';
import * as vscode from 'vscode';
import type { CellEvent } from '../../protocol/kernel.js';
import type { Welcome } from '../kernelClient/connection.js';
import { deathText, type DeathReport } from '../kernelClient/death.js';
import { Kernel, type KernelListener, type KernelLog } from '../kernelClient/kernel.js';
import type { KernelPlace } from '../kernelClient/process.js';
import type { KernelState } from '../kernelClient/state.js';
import { kernelConfig, outputLimitBytes } from '../config.js';
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
import { OutputWriter } from './outputWriter.js';

interface LiveRun {
  run: Run;
  cell: vscode.NotebookCell;
  execution: vscode.NotebookCellExecution;
  writer: OutputWriter;
  startedAt?: number;
  order?: number;
  finishedMs?: number;
}

/** Output of a run that this window does not follow: it ran while the window was away, or comes after the cell ended. */
interface Orphan {
  cellId: string;
  events: Array<{ event: CellEvent; buffers: Uint8Array[] }>;
  timer: NodeJS.Timeout;
}

export interface SessionHost {
  controller: vscode.NotebookController;
  diagnostics: vscode.DiagnosticCollection;
  log: KernelLog & { error(message: string): void };
  /** State, memory or device changed. */
  changed(session: NotebookSession): void;
  /** A cell ended: variables and artifacts may be new. */
  cellEnded(session: NotebookSession): void;
  died(session: NotebookSession, report: DeathReport): void;
}

const LATE_MS = 1000;

/** The cell that an execution id names: ids are `<cell id>/<uuid>`. */
const cellOfExecution = (execution: string): string => execution.slice(0, execution.lastIndexOf('/'));

export class NotebookSession implements KernelListener {
  readonly kernel: Kernel;
  /** Set when the cell that runs was started: for "cell 3 · 1:20" in the status bar. */
  runningSince: number | undefined;
  private runs: RunState = NO_RUNS;
  private readonly live = new Map<string, LiveRun>();
  private readonly ended = new Map<
    string,
    { order?: number; success?: boolean; startedAt?: number; endedAt: number }
  >();
  private readonly orphans = new Map<string, Orphan>();

  constructor(
    readonly notebook: vscode.NotebookDocument,
    place: KernelPlace,
    private readonly host: SessionHost,
  ) {
    this.kernel = new Kernel(place, () => kernelConfig(notebook.uri), this, host.log);
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
    for (const orphan of this.orphans.values()) clearTimeout(orphan.timer);
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
    if (o.clear) live.execution.clearOutput().then(undefined, (e: unknown) => this.host.log.error(String(e)));
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
      live.execution.end(undefined);
      return;
    }
    const success = outcome === 'ok' ? true : outcome === 'error' || outcome === 'lost' ? false : undefined;
    const endedAt = live.finishedMs === undefined ? Date.now() : live.startedAt + live.finishedMs;
    const stopped = outcome === 'cancelled' ? false : success;
    live.execution.end(stopped, endedAt);
    this.ended.set(run.execution, { order: live.order, success: stopped, startedAt: live.startedAt, endedAt });
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

  // What the kernel tells.

  stateChanged(): void {
    this.host.changed(this);
  }

  vitals(): void {
    this.host.changed(this);
  }

  attached(welcome: Welcome, fresh: boolean): void {
    const running = welcome.running;
    const follow = !fresh && running && !this.live.has(running);
    if (!follow) return this.dispatch({ type: 'ready' });
    const run = { execution: running, cellId: cellOfExecution(running) };
    this.dispatch({ type: 'ready', running: run });
    const live = this.live.get(running);
    if (live) this.begin(live, { clear: false });
  }

  cell(execution: string, cellId: string, event: CellEvent, buffers: Uint8Array[]): void {
    const live = this.live.get(execution);
    if (live) return this.onCellEvent(live, event, buffers);
    this.collectOrphan(execution, cellId, event, buffers);
  }

  private onCellEvent(live: LiveRun, event: CellEvent, buffers: Uint8Array[]): void {
    switch (event.kind) {
      case 'started':
        live.order = event.order;
        live.execution.executionOrder = event.order;
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

  private collectOrphan(execution: string, cellId: string, event: CellEvent, buffers: Uint8Array[]): void {
    const known = this.orphans.get(execution);
    if (known) clearTimeout(known.timer);
    const orphan = known ?? { cellId, events: [], timer: setTimeout(() => undefined, 0) };
    orphan.events.push({ event, buffers });
    const settle = (): void => {
      this.orphans.delete(execution);
      this.showOrphan(execution, orphan).catch((error: unknown) => this.host.log.error(String(error)));
    };
    orphan.timer = setTimeout(settle, event.kind === 'finished' ? 0 : LATE_MS);
    this.orphans.set(execution, orphan);
  }

  /** Shows orphaned output in its cell, without a change to what the cell says of its last run when that is known. */
  private async showOrphan(execution: string, orphan: Orphan): Promise<void> {
    const run = { execution, cellId: orphan.cellId };
    const visible = orphan.events.filter(({ event }) => event.kind !== 'progress');
    const before = this.ended.get(execution);
    if (before && visible.length === 0) return;
    this.create(run);
    const live = this.live.get(execution);
    if (!live) return;
    this.live.delete(execution);
    const started = visible.some(({ event }) => event.kind === 'started');
    const summary = live.cell.executionSummary;
    const { order, success, startedAt, endedAt } = before ?? {
      order: summary?.executionOrder,
      success: summary?.success,
      startedAt: summary?.timing?.startTime,
      endedAt: summary?.timing?.endTime,
    };
    live.order = order;
    live.execution.executionOrder = order;
    live.startedAt = startedAt ?? Date.now();
    live.execution.start(live.startedAt);
    if (started) await live.execution.clearOutput();
    if (before)
      live.writer.push(
        { kind: 'stream', name: 'stderr', text: '[output that arrived after the cell had finished]\n' },
        [],
      );
    let end: { success?: boolean; at?: number } = { success, at: endedAt };
    for (const { event, buffers } of visible) {
      if (event.kind === 'finished')
        end = {
          success: event.status === 'ok' ? true : event.status === 'error' ? false : undefined,
          at: live.startedAt + event.ms,
        };
      else if (event.kind === 'started') live.execution.executionOrder = event.order;
      else live.writer.push(event, buffers);
    }
    await live.writer.finish();
    live.execution.end(end.success, end.at ?? Date.now());
    this.host.cellEnded(this);
  }

  takenOver(): void {
    this.showInCell(
      'Kernel used by another window',
      'Another window attached to this notebook’s kernel and follows its output now. Run a cell here to take it back.',
    );
    this.dispatch({ type: 'lost' });
  }

  died(report: DeathReport): void {
    const shown = this.showInCell(report.summary.replace(/\.$/, ''), deathText(report));
    this.dispatch({ type: 'lost' });
    this.ended.clear();
    if (!shown) this.host.died(this, report);
  }
}
