/** The `fgnb` command line: run a notebook headless, export a report, diagnose the host. */
import path from 'node:path';
import { parseArgs } from 'node:util';
import { maxOf } from '../protocol/lists.js';
import { cellGlobals, deviceChoice } from './globals.js';
import { hasRequiredFlag, relaunch, startControl } from './session/launch.js';
import { exitProcess } from './session/process.js';
import { writeReport } from './session/report.js';
import { parseParams, readNotebook, runNotebook, type CellOutcome, type RunResult } from './session/run.js';
import type { Session } from './session/session.js';
import { duration, RunDisplay } from './session/terminal.js';
import { KERNEL_VERSION } from './session/version.js';

const HELP = `fgnb ${KERNEL_VERSION} · Feature Geometry Notebooks

  fgnb run NOTEBOOK [--out FILE.fgnb] [--html FILE.html] [--param NAME=VALUE]... [--device DEVICE] [--json]
      Runs every cell. --out keeps the executed notebook, --html writes a self-contained report. A value of --param is
      read as JSON where it is JSON; cells find it as params.NAME. DEVICE is auto, cuda, webgpu or cpu. --json prints
      one line per cell and one at the end. Exit code: 0 all cells ran, 1 a cell failed, 130 interrupted, 2 wrong usage.
  fgnb export NOTEBOOK --html FILE.html
      Writes the report from the outputs that the notebook holds; nothing is run.
  fgnb doctor [--json] [--device DEVICE]
      What this host has, what is used, and why nothing better is.
  fgnb --help | --version
`;

class UsageError extends Error {}

// Taken before a session redirects what cells print.
const write = process.stdout.write.bind(process.stdout);
const print = (text: string): void => void write(text + '\n');
const shownPath = (file: string): string => path.relative(process.cwd(), path.resolve(file)) || '.';

const CONTROL_FD = 3;

/** The fd that the launching process opened for Ctrl-C, or undefined when Node was started with the flag by hand. */
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
  print(
    `${ran} of ${result.notebook.cells.filter((cell) => cell.kind === 'code').length} cells ran in ${duration(ms)}`,
  );
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
  json?: boolean;
}

async function run(given: RunArguments): Promise<number> {
  const { out, html, json } = given;
  const device = deviceChoice(given.device);
  const params = parseParams(given.param ?? []);
  const tty = process.stdout.isTTY === true && !json;
  const display = new RunDisplay(json ? () => undefined : write, { tty, columns: () => process.stdout.columns ?? 100 });
  let session: Session | undefined;
  const control = startControl({ kind: 'pipe', fd: hasControlPipe() ? CONTROL_FD : -1 }, (message) => {
    if (message.type !== 'interrupt' || !control.isAsked()) return;
    session?.interrupt();
    control.answered();
  });
  const started = Date.now();
  const result = await runNotebook({
    notebookFile: given.notebookFile,
    out,
    params,
    createGlobals: (context) => cellGlobals(context, device),
    onSession: (made) => (session = made),
    onCell: (cell) => display.begin(cell),
    onProgress: (progress) => display.update(progress),
    onCellEnd: (cell) => {
      display.end(cell.status, cell.ms);
      if (json) print(cellJson(cell));
      else if (cell.errorText) print(`\n${cell.errorText}\n`);
    },
  });
  const written: Array<[string, string]> = out ? [['notebook', out]] : [];
  if (html) {
    const problems = await writeReport(result.notebook, result.outputFolder, html);
    for (const problem of problems) process.stderr.write(`${problem}\n`);
    written.push(['report  ', html]);
  }
  await control.close();
  const ms = Date.now() - started;
  if (json) {
    const { status, keyFigures } = result;
    print(
      JSON.stringify({ status, cells: result.cells.length, ms, out, html, keyFigures: Object.fromEntries(keyFigures) }),
    );
  } else printEnd(result, written, ms);
  return result.status === 'ok' ? 0 : result.status === 'error' ? 1 : 130;
}

async function exportReport(notebookFile: string, html: string | undefined): Promise<number> {
  if (!html) throw new UsageError('fgnb export needs --html FILE.html');
  const folder = path.dirname(path.resolve(notebookFile));
  const problems = await writeReport(readNotebook(notebookFile), folder, html);
  for (const problem of problems) process.stderr.write(`${problem}\n`);
  print(`report  ${shownPath(html)}`);
  return 0;
}

async function doctor(json: boolean, device: string): Promise<number> {
  const { diagnose, formatDoctor } = await import('./compute/doctor.js');
  const report = await diagnose({ device: deviceChoice(device), notebookFolder: process.cwd() });
  print(json ? JSON.stringify(report) : formatDoctor(report).trimEnd());
  return 0;
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
        json: { type: 'boolean' },
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
  else if (rest.length > 0) throw new UsageError(`too many arguments: ${rest.join(' ')}`);
  else if (command === 'doctor') return doctor(values.json === true, values.device);
  else if (command !== 'run' && command !== 'export') throw new UsageError(`unknown command ${command}`);
  else if (!notebookFile) throw new UsageError(`fgnb ${command} needs a notebook`);
  else if (command === 'export') return exportReport(notebookFile, values.html);
  else return run({ notebookFile, ...values });
  return command === undefined && !values.help && !values.version ? 2 : 0;
}

/** Runs cells in a process of their own, with the flag that interrupts need; Ctrl-C goes to it through a pipe. */
function launch(): void {
  process.env.FGNB_CONTROL_PIPE = String(process.pid);
  const child = relaunch(process.argv[1], process.argv.slice(2), 1);
  let presses = 0;
  process.on('SIGINT', () => {
    // The third Ctrl-C gives up on a polite end.
    if (++presses > 2) child.kill('SIGKILL');
    else (child.stdio[CONTROL_FD] as NodeJS.WritableStream).write('i');
  });
  process.on('SIGTERM', () => child.kill('SIGTERM'));
  child.on('exit', (code, signal) => process.exit(code ?? (signal ? 137 : 1)));
}

if (process.argv[2] === 'run' && !hasRequiredFlag()) launch();
else {
  if (hasControlPipe()) process.on('SIGINT', () => undefined);
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
