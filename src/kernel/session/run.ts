/** A notebook run headless: every code cell in order, the executed notebook written as it goes. */
import fs from 'node:fs';
import path from 'node:path';
import type { CellEvent, Progress } from '../../protocol/kernel.js';
import type { Json, JsonObject, NotebookCell, NotebookFile } from '../../protocol/notebook.js';
import { joinSource, parseNotebook, serializeNotebook } from '../../protocol/notebookCodec.js';
import type { SessionContext } from '../api/context.js';
import { writeFileAtomic } from '../io/files.js';
import type { ErrorReport } from './errors.js';
import { CellRecorder, OutputBudget, stackLineText } from './recorder.js';
import { Session, type CellStatus } from './session.js';
import { cellTitle, type CellShown } from './terminal.js';

export interface RunOptions {
  notebookFile: string;
  /** Executed notebook; maps lie beside it. Absent: outputs are not kept. */
  out?: string;
  /** Where results that took work are kept, default `.fgnb` beside the notebook. */
  artifactFolder?: string;
  /** Go on behind a cell that failed. */
  keepGoing?: boolean;
  /** Aborted when the run is to end: no further cell begins. The running one is stopped by Session.interrupt(). */
  stop?: AbortSignal;
  params: JsonObject;
  createGlobals: (context: SessionContext) => Promise<Record<string, unknown>>;
  onCell: (cell: CellShown) => void;
  onProgress: (progress: Progress | null) => void;
  onCellEnd: (result: CellOutcome) => void;
  /** The session is there: interrupts may come. */
  onSession?: (session: Session) => void;
  /** Something that does not end the run, in words. */
  onProblem?: (text: string) => void;
}

/** How long the calls of a stopped cell have to save what they have. Batch systems kill after 30 s. */
const SAVE_PATIENCE_MS = 20_000;

export interface CellOutcome {
  /** Position in the notebook, 0-based. */
  index: number;
  id: string;
  title: string;
  status: CellStatus;
  ms: number;
  error?: ErrorReport;
  /** Error with its place and the line of source, for people. */
  errorText?: string;
}

export interface RunResult {
  status: CellStatus;
  notebook: NotebookFile;
  /** Folder that the outputs' paths start from. */
  outputFolder: string;
  cells: CellOutcome[];
  keyFigures: Array<[name: string, value: string]>;
}

/** Reads a notebook; the error names the file. */
export function readNotebook(file: string): NotebookFile {
  let text: string;
  try {
    text = fs.readFileSync(file, 'utf8');
  } catch (error) {
    const missing = (error as NodeJS.ErrnoException).code === 'ENOENT';
    throw new Error(missing ? `no notebook ${file}` : `cannot read ${file}: ${(error as Error).message}`);
  }
  try {
    return parseNotebook(text);
  } catch (error) {
    throw new Error(`${file}: ${(error as Error).message}`);
  }
}

/** `k=v` with v as JSON where it is JSON, else as text. */
export function parseParams(given: readonly string[]): JsonObject {
  return Object.fromEntries(
    given.map((each) => {
      const at = each.indexOf('=');
      if (at < 1) throw new Error(`--param ${each}: expected NAME=VALUE, such as --param steps=500`);
      const value = each.slice(at + 1);
      try {
        return [each.slice(0, at), JSON.parse(value) as Json];
      } catch {
        return [each.slice(0, at), value];
      }
    }),
  );
}

function errorText(error: ErrorReport, cells: readonly NotebookCell[]): string {
  const numberOf = (id: string): number | undefined => {
    const index = cells.findIndex((cell) => cell.id === id);
    return index < 0 ? undefined : index + 1;
  };
  const lines = [`${error.name}: ${error.message}`];
  const place = error.stack.find((line) => line.cellId !== undefined);
  const source = place && cells.find((cell) => cell.id === place.cellId)?.source;
  const code = place && source?.[place.line - 1]?.trimEnd();
  if (place && code !== undefined) {
    const number = String(place.line);
    lines.push(`  ${number} | ${code}`, `  ${' '.repeat(number.length)} | ${' '.repeat(place.column - 1)}^`);
  }
  return [...lines, ...error.stack.map((line) => `    ${stackLineText(line, numberOf)}`)].join('\n');
}

/** Writes the executed notebook as it goes; a write that fails is tried again behind the next cell. */
class NotebookWriter {
  constructor(
    private readonly file: string,
    private readonly notebook: NotebookFile,
    private readonly onProblem: (text: string) => void,
  ) {}

  /** After every cell: a run that is killed leaves what it had. */
  async save(): Promise<void> {
    await this.write().catch((error: unknown) => this.onProblem(`${(error as Error).message}; the run goes on`));
  }

  /** @throws Error in words when it cannot be written. */
  async write(): Promise<void> {
    try {
      await writeFileAtomic(this.file, serializeNotebook(this.notebook));
    } catch (error) {
      throw new Error(`cannot write ${this.file}: ${(error as Error).message}`, { cause: error });
    }
  }
}

class NotebookRun {
  readonly outcomes: CellOutcome[] = [];
  private readonly kept = new OutputBudget();
  onEvent: (event: CellEvent, buffers: Uint8Array[]) => void = () => undefined;

  constructor(
    private readonly options: RunOptions,
    private readonly notebook: NotebookFile,
    private readonly writer: NotebookWriter | undefined,
  ) {}

  async cells(session: Session): Promise<void> {
    const { stop, keepGoing } = this.options;
    const codeCells = this.notebook.cells.filter((cell) => cell.kind === 'code');
    for (const [i, cell] of codeCells.entries()) {
      if (stop?.aborted) return;
      const status = await this.cell(session, cell, { number: i + 1, of: codeCells.length });
      await this.writer?.save();
      if (status === 'interrupted') return session.calls.quiet(SAVE_PATIENCE_MS);
      if (status === 'error' && !keepGoing) return;
    }
  }

  private async cell(session: Session, cell: NotebookCell, at: Omit<CellShown, 'title'>): Promise<CellStatus> {
    const { cells } = this.notebook;
    const source = joinSource(cell.source);
    const title = cellTitle(source);
    this.options.onCell({ ...at, title });
    const numberOf = (id: string): number | undefined => cells.findIndex((each) => each.id === id) + 1 || undefined;
    const recorder = new CellRecorder(numberOf, this.kept);
    this.onEvent = (event, buffers) => {
      recorder.add(event, buffers);
      if (event.kind === 'progress') this.options.onProgress(event.progress);
    };
    const { status, ms, error } = await session.execute({ execution: cell.id, cellId: cell.id, source });
    cell.execution = recorder.execution;
    cell.outputs = recorder.outputs;
    const outcome: CellOutcome = { index: cells.indexOf(cell), id: cell.id, title, status, ms, error };
    if (error) outcome.errorText = errorText(error, cells);
    this.outcomes.push(outcome);
    this.options.onCellEnd(outcome);
    return status;
  }

  get status(): CellStatus {
    const ended = this.outcomes.map((cell) => cell.status);
    const all = this.notebook.cells.filter((cell) => cell.kind === 'code').length;
    const stopped = this.options.stop?.aborted && ended.length < all;
    if (stopped || ended.includes('interrupted')) return 'interrupted';
    return ended.includes('error') ? 'error' : 'ok';
  }
}

/**
 * Runs the notebook. A failing cell ends it, unless `keepGoing`; cells that did not run stay as they were. While it
 * runs, the process's working directory is the notebook's folder, as in the editor.
 * @throws Error when the notebook cannot be read, or the executed one cannot be written at the end.
 */
export async function runNotebook(options: RunOptions): Promise<RunResult> {
  const notebookFile = path.resolve(options.notebookFile);
  const notebook = readNotebook(notebookFile);
  const notebookFolder = path.dirname(notebookFile);
  const out = options.out && path.resolve(options.out);
  const outputFolder = out ? path.dirname(out) : notebookFolder;
  const artifactFolder = path.resolve(options.artifactFolder ?? path.join(notebookFolder, '.fgnb'));
  fs.mkdirSync(outputFolder, { recursive: true });
  const keyFigures = new Map<string, string>();
  const onProblem = options.onProblem ?? (() => undefined);
  const writer = out ? new NotebookWriter(out, notebook, onProblem) : undefined;
  const run = new NotebookRun(options, notebook, writer);
  const before = process.cwd();
  process.chdir(notebookFolder);
  const session = new Session({
    notebookFolder,
    outputFolder,
    artifactFolder,
    createGlobals: options.createGlobals,
    sink: {
      cell: (_execution, _cellId, event, buffers) => run.onEvent(event, buffers),
      state: () => undefined,
      keyFigure: (name, value) => void keyFigures.set(name, value),
    },
  });
  session.define('params', options.params);
  options.onSession?.(session);
  try {
    await run.cells(session);
  } finally {
    session.close();
    process.chdir(before);
  }
  await writer?.write();
  return { status: run.status, notebook, outputFolder, cells: run.outcomes, keyFigures: [...keyFigures] };
}
