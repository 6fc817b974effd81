/** Runs a notebook headless: every code cell in order; the executed notebook is written after each cell. */
import fs from 'node:fs';
import path from 'node:path';
import { setTimeout } from 'node:timers';
import type { CellEvent, Progress } from '../../protocol/kernel.js';
import { CELL_LANGUAGE, type JsonObject, type NotebookCell, type NotebookFile } from '../../protocol/notebook.js';
import { joinSource, serializeNotebook } from '../../protocol/notebookCodec.js';
import type { SessionContext } from '../verb/context.js';
import { writeFileAtomic } from '../io/files.js';
import type { ErrorReport } from './errors.js';
import { CellRecorder, OutputBudget, stackLineText } from './recorder.js';
import { Session, type CellStatus } from './session.js';
import { cellTitle, type CellShown } from './terminal.js';

export interface RunOptions {
  notebook: NotebookFile;
  /** File that the notebook was read from: paths in cells are relative to its folder. */
  notebookFile: string;
  /** File for the executed notebook; bundles are written beside it. Absent: outputs are not kept. */
  out?: string;
  /** Folder for results that took work, default `.fgnb` beside the notebook. */
  artifactFolder?: string;
  /** Whether to go on after a cell that failed. */
  keepGoing?: boolean;
  /** Aborted to end the run: no further cell begins. Session.interrupt() stops the running one. */
  stop?: AbortSignal;
  params: JsonObject;
  createGlobals: (context: SessionContext) => Promise<Record<string, unknown>>;
  onCell: (cell: CellShown) => void;
  onProgress: (progress: Progress | null) => void;
  onCellEnd: (result: CellOutcome) => void;
  /** Called when the session exists and can be interrupted. */
  onSession?: (session: Session) => void;
  /** Told of problems that do not end the run. */
  onProblem?: (text: string) => void;
}

/** Milliseconds for the calls of a stopped cell to save their state. Batch systems kill after 30 s. */
const SAVE_PATIENCE_MS = 20_000;

export interface CellOutcome {
  /** Position in the notebook, 0-based. */
  index: number;
  id: string;
  title: string;
  status: CellStatus;
  ms: number;
  error?: ErrorReport;
  /** The error with its place and the line of source, as shown. */
  errorText?: string;
}

export interface RunResult {
  status: CellStatus;
  notebook: NotebookFile;
  /** Folder that the outputs' paths are relative to. */
  outputFolder: string;
  cells: CellOutcome[];
  keyFigures: Array<[name: string, value: string]>;
}

/**
 * Milliseconds after the last cell for work that cells left running (timers, requests, programs): its errors still
 * count.
 */
const LEFT_MS = 2000;

const activeResources = (): number => process.getActiveResourcesInfo().length;

async function leftBehind(before: number): Promise<void> {
  const end = Date.now() + LEFT_MS;
  do await new Promise((resolve) => setTimeout(resolve, 10));
  while (activeResources() > before && Date.now() < end);
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

/** Writes the executed notebook after each cell; a failed write is repeated after the next cell. */
class NotebookWriter {
  constructor(
    private readonly file: string,
    private readonly notebook: NotebookFile,
    private readonly onProblem: (text: string) => void,
  ) {}

  /** Called after every cell, so that a killed run leaves the outputs it had. */
  async save(): Promise<void> {
    await this.write().catch((error: unknown) => this.onProblem(`${(error as Error).message}; the run goes on`));
  }

  /** @throws Error for the user when the notebook cannot be written */
  async write(): Promise<void> {
    try {
      await writeFileAtomic(this.file, serializeNotebook(this.notebook));
    } catch (error) {
      const { message } = error as Error;
      if (message.startsWith(this.file)) throw error;
      throw new Error(`${this.file} was not written: ${message}`, { cause: error });
    }
  }
}

/** The executed notebook: what each cell has shown, until the end of the run. */
class Executed {
  private readonly recorders = new Map<string, CellRecorder>();
  private readonly kept = new OutputBudget();

  constructor(
    readonly notebook: NotebookFile,
    private readonly writer: NotebookWriter | undefined,
  ) {}

  begin({ id }: NotebookCell): void {
    const numberOf = (other: string): number | undefined =>
      this.notebook.cells.findIndex((each) => each.id === other) + 1 || undefined;
    this.recorders.set(id, new CellRecorder(numberOf, this.kept));
  }

  /**
   * Adds an event to the cell it belongs to: events that come after the cell has ended, errors above all, are its own
   * too.
   */
  add(cellId: string, event: CellEvent, buffers: Uint8Array[]): void {
    this.recorders.get(cellId)?.add(event, buffers);
  }

  private apply(): void {
    for (const cell of this.notebook.cells) {
      const recorder = this.recorders.get(cell.id);
      if (recorder) Object.assign(cell, { execution: recorder.execution, outputs: recorder.outputs });
    }
  }

  /** Called after every cell, so that a killed run leaves the outputs it had. */
  async save(): Promise<void> {
    this.apply();
    await this.writer?.save();
  }

  /** @throws Error for the user when the notebook cannot be written */
  async write(): Promise<void> {
    this.apply();
    await this.writer?.write();
  }

  outcome({ id, title, ms }: Pick<CellOutcome, 'id' | 'title' | 'ms'>): CellOutcome {
    const { cells } = this.notebook;
    const { error, execution } = this.recorders.get(id) as CellRecorder;
    const failed = error && { error, errorText: errorText(error, cells) };
    const index = cells.findIndex((cell) => cell.id === id);
    return { index, id, title, status: execution.status ?? 'ok', ms, ...failed };
  }
}

/**
 * Cells that this kernel runs. As in the editor, cells of other languages, such as those of an imported notebook, stay
 * as they are.
 */
export const codeCellsOf = ({ cells }: NotebookFile): NotebookCell[] =>
  cells.filter((cell) => cell.kind === 'code' && cell.language === CELL_LANGUAGE);

/** Reports which languages were not run; cells without a language ("raw") are not meant to run. */
function tellOthers({ cells }: NotebookFile, onProblem: (text: string) => void): void {
  const others = cells.filter((cell) => cell.kind === 'code' && ![CELL_LANGUAGE, 'raw'].includes(cell.language));
  if (others.length === 0) return;
  const languages = [...new Set(others.map((cell) => JSON.stringify(cell.language.slice(0, 40))))]
    .slice(0, 5)
    .join(', ');
  const cellsAre = others.length === 1 ? '1 cell is' : `${others.length} cells are`;
  onProblem(`${cellsAre} in ${languages} and not run: this kernel runs TypeScript ("${CELL_LANGUAGE}")`);
}

/** Runs the cells in order, until one fails or the run is stopped. */
async function runCells(session: Session, executed: Executed, options: RunOptions): Promise<CellOutcome[]> {
  const { stop, keepGoing } = options;
  const codeCells = codeCellsOf(executed.notebook);
  const outcomes: CellOutcome[] = [];
  const before = activeResources();
  for (const [i, cell] of codeCells.entries()) {
    if (stop?.aborted) return outcomes;
    const source = joinSource(cell.source);
    const title = cellTitle(source);
    options.onCell({ number: i + 1, of: codeCells.length, title });
    executed.begin(cell);
    const { ms } = await session.execute({ execution: cell.id, cellId: cell.id, source });
    await executed.save();
    const outcome = executed.outcome({ id: cell.id, title, ms });
    outcomes.push(outcome);
    options.onCellEnd(outcome);
    if (outcome.status === 'interrupted') {
      await session.calls.quiet(SAVE_PATIENCE_MS);
      return outcomes;
    }
    if (outcome.status === 'error' && !keepGoing) break;
  }
  await leftBehind(before);
  return outcomes;
}

function statusOf(outcomes: readonly CellOutcome[], notebook: NotebookFile, stop: AbortSignal | undefined): CellStatus {
  const ended = outcomes.map((cell) => cell.status);
  const stopped = stop?.aborted && ended.length < codeCellsOf(notebook).length;
  if (stopped || ended.includes('interrupted')) return 'interrupted';
  return ended.includes('error') ? 'error' : 'ok';
}

/**
 * Runs the notebook. A failing cell ends it, unless `keepGoing`; cells that did not run stay as they were. While it
 * runs, the process's working directory is the notebook's folder, as in the editor.
 * @throws Error when the executed notebook cannot be written at the end.
 */
export async function runNotebook(options: RunOptions): Promise<RunResult> {
  const notebookFile = path.resolve(options.notebookFile);
  const { notebook } = options;
  tellOthers(notebook, options.onProblem ?? (() => undefined));
  const notebookFolder = path.dirname(notebookFile);
  const out = options.out && path.resolve(options.out);
  const outputFolder = out ? path.dirname(out) : notebookFolder;
  const artifactFolder = path.resolve(options.artifactFolder ?? path.join(notebookFolder, '.fgnb'));
  fs.mkdirSync(outputFolder, { recursive: true });
  const keyFigures = new Map<string, string>();
  const executed = new Executed(
    notebook,
    out ? new NotebookWriter(out, notebook, options.onProblem ?? (() => undefined)) : undefined,
  );
  const before = process.cwd();
  process.chdir(notebookFolder);
  const session = new Session({
    notebookFolder,
    notebook: notebookFile,
    outputFolder,
    artifactFolder,
    createGlobals: options.createGlobals,
    sink: {
      cell: (_execution, cellId, event, buffers) => {
        executed.add(cellId, event, buffers);
        if (event.kind === 'progress') options.onProgress(event.progress);
      },
      state: () => undefined,
      keyFigure: (name, value) => void keyFigures.set(name, value),
    },
  });
  session.define('params', options.params);
  options.onSession?.(session);
  let known: CellOutcome[];
  try {
    known = await runCells(session, executed, options);
  } finally {
    session.close();
    process.chdir(before);
  }
  await executed.write();
  const cells = known.map((cell) => executed.outcome(cell));
  // Errors that came after their cell had ended are reported at the end.
  for (const [i, cell] of cells.entries()) if (cell.status !== known[i].status) options.onCellEnd(cell);
  return {
    status: statusOf(cells, notebook, options.stop),
    notebook,
    outputFolder,
    cells,
    keyFigures: [...keyFigures],
  };
}
