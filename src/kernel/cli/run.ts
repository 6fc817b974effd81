/** `fgnb run`: runs a notebook from its first cell to its last, without an editor. */
import path from 'node:path';
import { maxOf } from '../../protocol/lists.js';
import { readNotebook } from '../convert/convert.js';
import { deviceChoice, deviceOfNotebook } from '../../protocol/device.js';
import { cellGlobals } from '../globals.js';
import { relaunch, startControl, type ControlThread } from '../session/launch.js';
import { exitProcess } from '../session/process.js';
import { writeReport } from '../session/report.js';
import type { SessionContext } from '../verb/context.js';
import type { Json, JsonObject } from '../../protocol/notebook.js';
import { codeCellsOf, runNotebook, type CellOutcome, type RunResult } from '../session/run.js';
import type { Session } from '../session/session.js';
import { duration, RunDisplay } from '../session/terminal.js';
import { STOP_BYTES, type StopSignal } from '../session/threads.js';
import { command, print, shownPath, write, UsageError, writeError, type Command } from './command.js';

const CONTROL_FD = 3;

const EXIT_CODES: Record<StopSignal, number> = { SIGINT: 130, SIGTERM: 143 };
/** Milliseconds for a stopped run to save its state, more than the run itself waits (session/run.ts). */
const STOP_PATIENCE_MS = 45_000;
const STOP_SIGNALS = Object.keys(EXIT_CODES) as StopSignal[];
/**
 * Signals within this many milliseconds count as one: a Ctrl-C, or a signal to a group, can arrive several times,
 * directly and passed on by npm or a shell.
 */
const SAME_SIGNAL_MS = 300;

/** Calls `first` for the first signal and `again` for one that comes later. */
function onStopSignals(first: (signal: StopSignal) => void, again: (signal: StopSignal) => void): void {
  let since: number | undefined;
  for (const signal of STOP_SIGNALS)
    process.on(signal, () => {
      const now = performance.now();
      if (since === undefined) first(signal);
      else if (now - since > SAME_SIGNAL_MS) again(signal);
      since ??= now;
    });
}

/**
 * Whether the launching process opened a file descriptor for the signals that it gets. Not so where Node was started
 * with the flag by hand.
 */
export function hasControlPipe(): boolean {
  return process.env.FGNB_CONTROL_PIPE === String(process.ppid);
}

function printEnd(result: RunResult, written: Array<[string, string]>, ms: number): void {
  if (result.keyFigures.length > 0) {
    const width = maxOf(result.keyFigures.map(([name]) => name.length));
    print('\nKey figures');
    for (const [name, value] of result.keyFigures) print(`  ${name.padEnd(width)}  ${value}`);
  }
  print('');
  for (const [what, file] of written) print(`${what}  ${shownPath(file)}`);
  const ran = result.cells.filter((cell) => cell.status === 'ok').length;
  print(`${ran} of ${codeCellsOf(result.notebook).length} cells ran in ${duration(ms)}`);
}

function cellJson({ index, id, title, status, ms, error }: CellOutcome): string {
  return JSON.stringify({ index, id, title, status, ms: Math.round(ms), ...(error && { error }) });
}

/**
 * Ends the run on a signal: one that the launching process passes on, or one of this process when it was started by
 * hand.
 */
class RunStop {
  session: Session | undefined;
  private readonly controller = new AbortController();
  private readonly control: ControlThread;
  /** The first signal. */
  by: StopSignal | undefined;

  constructor() {
    const piped = hasControlPipe();
    this.control = startControl({ kind: 'pipe', fd: piped ? CONTROL_FD : -1 }, (message) => {
      if (message.type === 'stop') this.stop(message.signal);
      if (message.type !== 'interrupt' || !this.control.isAsked()) return;
      this.session?.interrupt();
      this.control.answered();
    });
    if (!piped)
      onStopSignals(
        (signal) => {
          this.stop(signal);
          this.session?.interrupt();
        },
        (signal) => exitProcess(EXIT_CODES[signal]),
      );
  }

  private stop(signal: StopSignal): void {
    this.by ??= signal;
    this.controller.abort();
  }

  get signal(): AbortSignal {
    return this.controller.signal;
  }

  close(): Promise<void> {
    return this.control.close();
  }
}

export const RUN_OPTIONS = {
  out: { type: 'string' },
  html: { type: 'string' },
  param: { type: 'string', multiple: true },
  device: { type: 'string' },
  artifacts: { type: 'string' },
  'keep-going': { type: 'boolean' },
  json: { type: 'boolean' },
} as const;

export type RunArguments = Parameters<Command<typeof RUN_OPTIONS>['run']>[0];

/** A notebook to run, and options of the run. */
interface ToRun {
  read(): ReturnType<typeof readNotebook>;
  /** Paths in cells are relative to its folder. */
  notebookFile: string;
  /** Wraps the session's context for cells; default unchanged. */
  around?: (context: SessionContext) => SessionContext;
  /** True when the run was ended on purpose, so that its cell's error does not count. */
  ended?: () => boolean;
}

/** Runs a notebook, writes the files that were asked for, and prints the end. Returns the exit code. */
export async function runCells(given: RunArguments, to: ToRun): Promise<number> {
  const { notebookFile, around = (context) => context, ended = () => false } = to;
  const { json } = given;
  const [out, html, artifactFolder] = [given.out, given.html, given.artifacts].map(
    (file) => file && path.resolve(file),
  );
  const asked = given.device === undefined ? undefined : deviceChoice(given.device);
  const params = parseParams(given.param ?? []);
  const tty = process.stdout.isTTY === true && !json;
  const display = new RunDisplay(json ? () => undefined : write, { tty, columns: () => process.stdout.columns ?? 100 });
  if (out && path.extname(out) !== '.fgnb')
    throw new UsageError(
      `--out ${given.out}: the executed notebook is written as .fgnb; "fgnb convert" makes others of it`,
    );
  const { notebook, notes } = await to.read();
  const device = asked ?? deviceOfNotebook(notebook.metadata) ?? 'auto';
  for (const note of notes) writeError(`fgnb: ${note}\n`);
  const stop = new RunStop();
  const started = Date.now();
  let result: RunResult;
  try {
    result = await runNotebook({
      ...{ notebook, notebookFile },
      ...{ out, params, artifactFolder, stop: stop.signal, keepGoing: given['keep-going'] },
      createGlobals: (context) => cellGlobals(around(context), device),
      onSession: (made) => (stop.session = made),
      onProblem: (text) => void writeError(`fgnb: ${text}\n`),
      onCell: (cell) => display.begin(cell),
      onProgress: (progress) => display.update(progress),
      onCellEnd: (cell) => {
        if (ended()) return;
        display.end(cell.status, cell.ms);
        if (json) print(cellJson(cell));
        else if (cell.errorText) print(`\n${cell.errorText}\n`);
      },
    });
  } finally {
    // Also when the notebook cannot be written: Node waits for debuggers that are still connected.
    await stop.close();
  }
  if (ended()) return 0;
  const written: Array<[string, string]> = out ? [['notebook', out]] : [];
  if (html) {
    const problems = await writeReport(result.notebook, result.outputFolder, html);
    for (const problem of problems) process.stderr.write(`${problem}\n`);
    written.push(['report  ', html]);
  }
  const ms = Date.now() - started;
  if (json) {
    const { status, keyFigures } = result;
    print(
      JSON.stringify({ status, cells: result.cells.length, ms, out, html, keyFigures: Object.fromEntries(keyFigures) }),
    );
  } else printEnd(result, written, ms);
  if (result.status === 'interrupted') return EXIT_CODES[stop.by ?? 'SIGINT'];
  return result.status === 'ok' ? 0 : 1;
}

/** Parses `k=v`: v as JSON where it is valid JSON, else as text. */
function parseParams(given: readonly string[]): JsonObject {
  return Object.fromEntries(
    given.map((each) => {
      const at = each.indexOf('=');
      if (at < 1) throw new UsageError(`--param ${each}: expected NAME=VALUE, such as --param steps=500`);
      const value = each.slice(at + 1);
      try {
        return [each.slice(0, at), JSON.parse(value) as Json];
      } catch {
        return [each.slice(0, at), value];
      }
    }),
  );
}

export const run = command({
  help: `  fgnb run NOTEBOOK [--out FILE.fgnb] [--html FILE.html] [--param NAME=VALUE]... [--device DEVICE] [--artifacts DIR]
           [--keep-going] [--json]
      Runs every cell, in the notebook's folder: of a .fgnb or .ipynb, or of a TypeScript file, which is one cell or has
      cells between "// %%". --out keeps the executed notebook, --html writes a self-contained
      report. A value of --param is read as JSON where it is JSON; cells find it as params.NAME. DEVICE is auto, cuda,
      webgpu or cpu; without it the notebook's own is taken (metadata.device), else auto. --artifacts keeps results that took work in DIR instead of .fgnb beside the notebook. --keep-going
      runs the cells behind one that failed. --json prints one line per cell and one at the end.
      SIGINT (Ctrl-C) and SIGTERM stop the running cell at its next step; training saves its state and goes on from
      there in the next run; the notebook is written as far as it came. A second one ends at once.
      Exit code: 0 all cells ran, 1 a cell failed, 2 wrong usage, 130 stopped by SIGINT, 143 by SIGTERM.`,
  options: RUN_OPTIONS,
  takes: [1, 1, 'a notebook'],
  run: (values, [notebookFile]) => runCells(values, { notebookFile, read: () => readNotebook(notebookFile) }),
});

/** Runs cells in a process of their own, with the flag that interrupts need; signals are passed on through a pipe. */
export function launch(): void {
  process.env.FGNB_CONTROL_PIPE = String(process.pid);
  const child = relaunch(process.argv[1], process.argv.slice(2), 1);
  const pipe = child.stdio[CONTROL_FD] as NodeJS.WritableStream;
  // The process may already be gone.
  pipe.on('error', () => undefined);
  const end = (signal: StopSignal): never => {
    child.kill('SIGKILL');
    process.exit(EXIT_CODES[signal]);
  };
  onStopSignals((signal) => {
    pipe.write(STOP_BYTES[signal]);
    setTimeout(() => {
      process.stderr.write(`fgnb: the run did not stop in ${STOP_PATIENCE_MS / 1000} s and is ended\n`);
      end(signal);
    }, STOP_PATIENCE_MS);
  }, end);
  child.on('exit', (code, signal) => process.exit(code ?? EXIT_CODES[signal as StopSignal] ?? 137));
}

/** Ignores stop signals here: the launching process gets them too and passes them on. */
export function ignoreStopSignals(): void {
  for (const signal of STOP_SIGNALS) process.on(signal, () => undefined);
}
