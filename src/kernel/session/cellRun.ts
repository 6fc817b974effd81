/** One cell's run, and which run an uncaught error belongs to. */
import path from 'node:path';
import type { CellEvent } from '../../protocol/kernel.js';
import type { OutputItem } from '../../protocol/notebook.js';
import { AbortError } from '../compute/call.js';
import { cellOrderOf, reportError, type ErrorReport, type StackMapper } from './errors.js';
import { InterruptedError } from './evaluate.js';
import { CellOutputs } from './outputs.js';
import type { CellRequest, CellResult, SessionSink } from './session.js';

/** A cell's run, from its start until long after its end: timers may still print. */
export interface CellRun {
  request: CellRequest;
  order: number;
  /** Milliseconds of performance.now(). */
  started: number;
  outputs: CellOutputs;
  abort: AbortController;
  buffers: Uint8Array[];
  /** By displayId: what is shown below an output when the cell is interrupted. */
  ifStopped: Map<string, OutputItem[]>;
  state: 'running' | 'finished' | 'interrupted';
  stoppedAt?: number;
  /** Undeclares the names that the cell declared and did not reach. */
  undeclare?: () => void;
  resolve: (result: CellResult) => void;
}

/** A run that begins now; long output goes to a file of the cell in `logFolder`. */
export function newRun(
  { request, order, resolve }: Pick<CellRun, 'request' | 'order' | 'resolve'>,
  sink: SessionSink,
  logFolder: string,
): CellRun {
  const file = path.join(logFolder, `${request.cellId.replace(/[^\w-]/g, '_')}.log`);
  const buffers: Uint8Array[] = [];
  const emit = (event: CellEvent): void => {
    sink.cell(request.execution, request.cellId, event, buffers.splice(0));
  };
  return {
    request,
    order,
    started: performance.now(),
    outputs: new CellOutputs(emit, file),
    abort: new AbortController(),
    buffers,
    ifStopped: new Map(),
    state: 'running',
    resolve,
  };
}

/** Runs that are remembered for late errors; an error of an older one is shown in the cell that runs or ran last. */
const REMEMBERED = 32;

/** Errors that come after their cell has ended, from timers and from promises that were not awaited. */
export class StrayErrors {
  private readonly runs = new Map<number, CellRun>();

  constructor(
    private readonly mapper: StackMapper,
    private readonly sink: SessionSink,
  ) {}

  add(run: CellRun): void {
    this.runs.set(run.order, run);
    if (this.runs.size > REMEMBERED) this.runs.delete(this.runs.keys().next().value as number);
  }

  /** Shows an error in the cell whose code is on its stack, else in `likely`, else in the log. The kernel goes on. */
  report(error: unknown, likely: CellRun | undefined): void {
    const run = this.runs.get(cellOrderOf(error) ?? -1) ?? likely;
    const report: ErrorReport = reportError(error, this.mapper);
    if (!run) return this.sink.log?.(`${report.name}: ${report.message}`);
    // Errors that an interrupted cell still throws come from the interrupt.
    if (run.state === 'interrupted' || (isAbort(error) && this.wasInterrupted())) return;
    run.outputs.show({ kind: 'error', ...report, late: run.state !== 'running' });
  }

  private wasInterrupted(): boolean {
    return [...this.runs.values()].some((run) => run.state === 'interrupted');
  }
}

function isAbort(error: unknown): boolean {
  return error instanceof AbortError || error instanceof InterruptedError;
}
