/** The `fgnb` command line: run, export, convert notebooks, inspect files, diagnose the host. */
import path from 'node:path';
import { parseArgs } from 'node:util';
import { maxOf } from '../protocol/lists.js';
import { cellGlobals, deviceChoice } from './globals.js';
import { hasRequiredFlag, relaunch, startControl, type ControlThread } from './session/launch.js';
import { exitProcess } from './session/process.js';
import { writeReport } from './session/report.js';
import {
  codeCellsOf,
  parseParams,
  readNotebook,
  runNotebook,
  type CellOutcome,
  type RunResult,
} from './session/run.js';
import type { Session } from './session/session.js';
import { duration, RunDisplay } from './session/terminal.js';
import { STOP_BYTES, type StopSignal } from './session/threads.js';
import { KERNEL_VERSION } from './session/version.js';

const HELP = `fgnb ${KERNEL_VERSION} · Feature Geometry Notebooks

  fgnb run NOTEBOOK [--out FILE.fgnb] [--html FILE.html] [--param NAME=VALUE]... [--device DEVICE] [--artifacts DIR]
           [--keep-going] [--json]
      Runs every cell, in the notebook's folder. --out keeps the executed notebook, --html writes a self-contained
      report. A value of --param is read as JSON where it is JSON; cells find it as params.NAME. DEVICE is auto, cuda,
      webgpu or cpu. --artifacts keeps results that took work in DIR instead of .fgnb beside the notebook. --keep-going
      runs the cells behind one that failed. --json prints one line per cell and one at the end.
      SIGINT (Ctrl-C) and SIGTERM stop the running cell at its next step; training saves its state and goes on from
      there in the next run; the notebook is written as far as it came. A second one ends at once.
      Exit code: 0 all cells ran, 1 a cell failed, 2 wrong usage, 130 stopped by SIGINT, 143 by SIGTERM.
  fgnb export NOTEBOOK --html FILE.html
      Writes the report from the outputs that the notebook holds; nothing is run.
  fgnb convert IN OUT [--force]
      Reads the notebook IN and writes it as OUT, by their endings: .fgnb, .ipynb (Jupyter) or .ts (cells between "// %%").
      What changes or cannot be carried is said on stderr. --force writes over OUT.
  fgnb inspect PATH|HUB_ID [--inside PATH] [--dataset] [--revision REVISION] [--json]
      What a file, folder or repository holds, from its headers: family, tensors, types, hook, architecture, memory, what
      is unusual, and the line that loads it. --inside names a file or folder in it; --dataset asks for a dataset of the
      hub. Access tokens come from HF_TOKEN or "hf auth login"; HF_HUB_OFFLINE=1 asks the cache alone.
      Exit code: 0 it loads, 1 it does not load as it stands or is not there, 2 wrong usage.
  fgnb doctor [--json] [--device DEVICE]
      What this host has, what is used, and why nothing better is.
  fgnb --help | --version
`;

class UsageError extends Error {}

// Taken before a session redirects what cells print.
const write = process.stdout.write.bind(process.stdout);
const writeError = process.stderr.write.bind(process.stderr);
const print = (text: string): void => void write(text + '\n');
const shellFolder = process.cwd();
const shownPath = (file: string): string => path.relative(shellFolder, path.resolve(shellFolder, file)) || '.';

const CONTROL_FD = 3;

const EXIT_CODES: Record<StopSignal, number> = { SIGINT: 130, SIGTERM: 143 };
/** How long a stopped run may take to save what it has, longer than it waits itself. */
const STOP_PATIENCE_MS = 45_000;
const STOP_SIGNALS = Object.keys(EXIT_CODES) as StopSignal[];
/** One Ctrl-C, or one signal to a whole group, can arrive several times: directly, and passed on by npm or a shell. */
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

/** Whether the launching process opened an fd for the signals that it gets Node was started with the flag by hand. */
function hasControlPipe(): boolean {
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

interface RunArguments {
  notebookFile: string;
  out?: string;
  html?: string;
  param?: string[];
  device: string;
  artifacts?: string;
  'keep-going'?: boolean;
  json?: boolean;
}

/** The run's end on demand: by the launching process's signals, or by this one's when it was started by hand. */
class RunStop {
  session: Session | undefined;
  private readonly controller = new AbortController();
  private readonly control: ControlThread;
  /** The signal that came first. */
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

async function run(given: RunArguments): Promise<number> {
  const { json } = given;
  const [out, html, artifactFolder] = [given.out, given.html, given.artifacts].map(
    (file) => file && path.resolve(file),
  );
  const device = deviceChoice(given.device);
  const params = parseParams(given.param ?? []);
  const tty = process.stdout.isTTY === true && !json;
  const display = new RunDisplay(json ? () => undefined : write, { tty, columns: () => process.stdout.columns ?? 100 });
  const stop = new RunStop();
  const started = Date.now();
  let result: RunResult;
  try {
    result = await runNotebook({
      notebookFile: given.notebookFile,
      ...{ out, params, artifactFolder, stop: stop.signal, keepGoing: given['keep-going'] },
      createGlobals: (context) => cellGlobals(context, device),
      onSession: (made) => (stop.session = made),
      onProblem: (text) => void writeError(`fgnb: ${text}\n`),
      onCell: (cell) => display.begin(cell),
      onProgress: (progress) => display.update(progress),
      onCellEnd: (cell) => {
        display.end(cell.status, cell.ms);
        if (json) print(cellJson(cell));
        else if (cell.errorText) print(`\n${cell.errorText}\n`);
      },
    });
  } finally {
    // Also when the notebook cannot be written: Node waits for debuggers that are still there.
    await stop.close();
  }
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

async function exportReport(notebookFile: string, html: string | undefined): Promise<number> {
  if (!html) throw new UsageError('fgnb export needs --html FILE.html');
  const folder = path.dirname(path.resolve(notebookFile));
  const problems = await writeReport(readNotebook(notebookFile), folder, html);
  for (const problem of problems) process.stderr.write(`${problem}\n`);
  print(`report  ${shownPath(html)}`);
  return 0;
}

async function convert(input: string, output: string | undefined, overwrite: boolean): Promise<number> {
  if (!output) throw new UsageError('fgnb convert needs two files: IN and OUT');
  const { convertNotebook } = await import('./convert/convert.js');
  for (const note of await convertNotebook(input, output, { overwrite })) process.stderr.write(`${note}\n`);
  print(`notebook  ${shownPath(output)}`);
  return 0;
}

async function doctor(json: boolean, device: string): Promise<number> {
  const { diagnose, formatDoctor } = await import('./compute/doctor.js');
  const report = await diagnose({ device: deviceChoice(device), notebookFolder: process.cwd() });
  print(json ? JSON.stringify(report) : formatDoctor(report).trimEnd());
  return 0;
}

interface InspectArguments {
  inside?: string;
  dataset?: boolean;
  revision?: string;
  json?: boolean;
}

async function inspectAt(asked: string, { inside, dataset, revision, json }: InspectArguments): Promise<number> {
  const [{ inspect }, { inspectionText }, { locateIn }] = await Promise.all([
    import('./inspect/inspect.js'),
    import('./inspect/words.js'),
    import('./verb/environment.js'),
  ]);
  try {
    const repoType = dataset ? 'dataset' : 'model';
    const found = await inspect(locateIn(process.cwd(), asked), asked, { inside, revision, repoType });
    print(json ? JSON.stringify(found) : inspectionText(found));
    return found.loads ? 0 : 1;
  } catch (error) {
    if (json) print(JSON.stringify({ inspection: 1, path: asked, error: (error as Error).message }));
    throw error;
  }
}

function parseCommand() {
  try {
    return parseArgs({
      allowPositionals: true,
      options: {
        out: { type: 'string' },
        html: { type: 'string' },
        param: { type: 'string', multiple: true },
        device: { type: 'string', default: 'auto' },
        artifacts: { type: 'string' },
        'keep-going': { type: 'boolean' },
        json: { type: 'boolean' },
        force: { type: 'boolean' },
        inside: { type: 'string' },
        dataset: { type: 'boolean' },
        revision: { type: 'string' },
        help: { type: 'boolean', short: 'h' },
        version: { type: 'boolean', short: 'v' },
      },
    });
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}

async function main(): Promise<number> {
  const { values, positionals } = parseCommand();
  const [command, notebookFile, ...rest] = positionals;
  if (values.version) print(KERNEL_VERSION);
  else if (values.help || command === 'help' || command === undefined) print(HELP.trimEnd());
  else if (rest.length > (command === 'convert' ? 1 : 0)) throw new UsageError(`too many arguments: ${rest.join(' ')}`);
  else if (command === 'doctor') return doctor(values.json === true, values.device);
  else if (command === 'inspect') {
    if (!notebookFile) throw new UsageError('fgnb inspect needs a path or a hub id');
    return inspectAt(notebookFile, values);
  } else if (command !== 'run' && command !== 'export' && command !== 'convert')
    throw new UsageError(`unknown command ${command}`);
  else if (!notebookFile) throw new UsageError(`fgnb ${command} needs a notebook`);
  else if (command === 'convert') return convert(notebookFile, rest[0], values.force === true);
  else if (command === 'export') return exportReport(notebookFile, values.html);
  else return run({ notebookFile, ...values });
  return command === undefined && !values.help && !values.version ? 2 : 0;
}

/** Runs cells in a process of their own, with the flag that interrupts need; signals go to it through a pipe. */
function launch(): void {
  process.env.FGNB_CONTROL_PIPE = String(process.pid);
  const child = relaunch(process.argv[1], process.argv.slice(2), 1);
  const pipe = child.stdio[CONTROL_FD] as NodeJS.WritableStream;
  // It may be gone already.
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

if (process.argv[2] === 'run' && !hasRequiredFlag()) launch();
else {
  // The launching process gets the same signals and passes them on.
  if (hasControlPipe()) for (const signal of STOP_SIGNALS) process.on(signal, () => undefined);
  main()
    .catch((error: unknown) => {
      process.stderr.write(`fgnb: ${error instanceof Error ? error.message : String(error)}\n`);
      if (error instanceof UsageError) process.stderr.write('Try: fgnb --help\n');
      return error instanceof UsageError ? 2 : 1;
    })
    .then(
      (code) => exitProcess(code),
      () => exitProcess(1),
    );
}
