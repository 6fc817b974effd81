/** A notebook run headless: every code cell in order, the executed notebook written as it goes. */
import fs from 'node:fs';
import path from 'node:path';
import type { CellEvent, Progress } from '../../protocol/kernel.js';
import type { Json, JsonObject, NotebookCell, NotebookFile } from '../../protocol/notebook.js';
import { joinSource, parseNotebook, serializeNotebook } from '../../protocol/notebookCodec.js';
import type { SessionContext } from '../verb/context.js';
import { writeFileAtomic } from '../io/files.js';
import type { ErrorReport } from './errors.js';
import { CellRecorder, stackLineText } from './recorder.js';
import { Session, type CellStatus } from './session.js';
import { cellTitle, type CellShown } from './terminal.js';

export interface RunOptions {
  notebookFile: string;
  /** Executed notebook; maps lie beside it. Absent: outputs are not kept. */
  out?: string;
  params: JsonObject;
  createGlobals: (context: SessionContext) => Promise<Record<string, unknown>>;
  onCell: (cell: CellShown) => void;
  onProgress: (progress: Progress | null) => void;
  onCellEnd: (result: CellOutcome) => void;
  /** The session is there: interrupts may come. */
  onSession?: (session: Session) => void;
}

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

/** Runs the notebook. A failing cell ends it; cells behind it stay as they were. */
export async function runNotebook(options: RunOptions): Promise<RunResult> {
  const notebookFile = path.resolve(options.notebookFile);
  const notebook = readNotebook(notebookFile);
  const notebookFolder = path.dirname(notebookFile);
  const outputFolder = options.out ? path.dirname(path.resolve(options.out)) : notebookFolder;
  fs.mkdirSync(outputFolder, { recursive: true });
  const keyFigures = new Map<string, string>();
  let onEvent: (event: CellEvent, buffers: Uint8Array[]) => void = () => undefined;
  const session = new Session({
    notebookFolder,
    outputFolder,
    artifactFolder: path.join(notebookFolder, '.fgnb'),
    createGlobals: options.createGlobals,
    sink: {
      cell: (_execution, _cellId, event, buffers) => onEvent(event, buffers),
      state: () => undefined,
      keyFigure: (name, value) => void keyFigures.set(name, value),
    },
  });
  session.define('params', options.params);
  options.onSession?.(session);
  const codeCells = notebook.cells.filter((cell) => cell.kind === 'code');
  const outcomes: CellOutcome[] = [];
  try {
    for (const [i, cell] of codeCells.entries()) {
      const source = joinSource(cell.source);
      const title = cellTitle(source);
      options.onCell({ number: i + 1, of: codeCells.length, title });
      const recorder = new CellRecorder((id) => notebook.cells.findIndex((each) => each.id === id) + 1 || undefined);
      onEvent = (event, buffers) => {
        recorder.add(event, buffers);
        if (event.kind === 'progress') options.onProgress(event.progress);
      };
      const { status, ms, error } = await session.execute({ execution: cell.id, cellId: cell.id, source });
      cell.execution = recorder.execution;
      cell.outputs = recorder.outputs;
      // After every cell: a run that is killed leaves what it had.
      if (options.out) await writeFileAtomic(path.resolve(options.out), serializeNotebook(notebook));
      const index = notebook.cells.indexOf(cell);
      outcomes.push({
        index,
        id: cell.id,
        title,
        status,
        ms,
        error,
        ...(error && { errorText: errorText(error, notebook.cells) }),
      });
      options.onCellEnd(outcomes[outcomes.length - 1]);
      if (status !== 'ok') break;
    }
  } finally {
    session.close();
  }
  if (options.out && outcomes.length === 0)
    await writeFileAtomic(path.resolve(options.out), serializeNotebook(notebook));
  const status = outcomes.find((cell) => cell.status !== 'ok')?.status ?? 'ok';
  return { status, notebook, outputFolder, cells: outcomes, keyFigures: [...keyFigures] };
}
