/**
 * Reads and writes `.fgnb` text.
 *
 * Stable by construction: known keys in a fixed order, unknown keys after them in the order they were read, one-space
 * indent, LF, a newline at the end. `serializeNotebook(parseNotebook(text)) === text` for every text written here.
 * Nothing in it tells when or how long a cell ran, so that two runs with the same results differ in nothing.
 */
import { jsonErrorOffset, lineAt, lineOfPath, type JsonPath } from './jsonPosition.js';
import {
  CELL_LANGUAGE,
  NOTEBOOK_VERSION,
  type CellExecution,
  type CellOutput,
  type Json,
  type JsonObject,
  type NotebookCell,
  type NotebookFile,
  type OutputItem,
} from './notebook.js';
import { isRecord } from './objects.js';

/** Spaces of indent of the file's JSON. */
export const NOTEBOOK_INDENT = 1;

const NEVER_SAVE = 'The file is left as it is. Open it as text to repair it, or restore an earlier version.';

/** The text is not a notebook of this version. Nothing may be saved over such a file. */
export class NotebookFormatError extends Error {
  override name = 'NotebookFormatError';
  constructor(
    /** What is wrong. */
    readonly what: string,
    /** 1-based line, where known. */
    readonly line: number | undefined,
    /** What the reader can do about it. */
    readonly advice: string,
  ) {
    super(`This .fgnb file cannot be read: ${line === undefined ? '' : `line ${line}: `}${what}. ${advice}`);
  }
}

/** A wrong value at a place, before its line is known. */
class WrongValue {
  constructor(
    readonly path: JsonPath,
    readonly what: string,
  ) {}
}

type Known = { [key: string]: unknown };

/**
 * Known keys first and in this order, `undefined` left out, then what else `from` has. The compiler cannot tell that the
 * entries make a T: the caller has checked each.
 */
function ordered<T>(known: Array<[string, unknown]>, from: Known, last: Array<[string, unknown]> = []): T {
  const names = new Set([...known, ...last].map(([key]) => key));
  const rest = Object.entries(from).filter(([key]) => !names.has(key));
  // fromEntries defines own properties, so a key named __proto__ stays data.
  return Object.fromEntries([...known, ...rest, ...last].filter(([, value]) => value !== undefined)) as T;
}

/** Lines of a text, each but the last ending in "\n"; "" gives no line. Other line breaks stay inside their line. */
export function splitLines(text: string): string[] {
  if (text === '') return [];
  const lines = text.split('\n');
  const last = lines.pop();
  const full = lines.map((line) => line + '\n');
  return last ? [...full, last] : full;
}

/** Lines of a cell's source: CRLF and CR become LF; each line but the last ends in "\n". "" gives []. */
export function splitSource(text: string): string[] {
  return splitLines(text.replace(/\r\n?/g, '\n'));
}

/** The text that splitSource or splitLines took apart. */
export function joinSource(lines: readonly string[]): string {
  return lines.join('');
}

const ID_ALPHABET = 'abcdefghijklmnopqrstuvwxyz234567';

// Browsers and Node have it; this folder is compiled with the types of neither.
declare const crypto: { getRandomValues(out: Uint8Array): Uint8Array };

const platformBytes = (count: number): Uint8Array => crypto.getRandomValues(new Uint8Array(count));

/** A new cell id: 12 letters and digits (60 random bits), starting with a letter. */
export function newCellId(randomBytes: (count: number) => Uint8Array = platformBytes): string {
  const bytes = randomBytes(12);
  const chars = Array.from(bytes, (byte, i) => ID_ALPHABET[i === 0 ? byte % 26 : byte & 31]);
  return chars.join('');
}

/** An empty notebook. */
export function newNotebook(): NotebookFile {
  return { fgnb: NOTEBOOK_VERSION, metadata: {}, cells: [] };
}

function text(value: unknown, path: JsonPath, fallback?: string): string {
  if (value === undefined && fallback !== undefined) return fallback;
  if (typeof value !== 'string')
    throw new WrongValue(path, `${pathName(path)} must be a string, not ${describe(value)}`);
  return value;
}

function lines(value: unknown, path: JsonPath): string {
  if (typeof value === 'string') return value;
  if (Array.isArray(value) && value.every((line) => typeof line === 'string')) return value.join('');
  throw new WrongValue(path, `${pathName(path)} must be a list of lines, not ${describe(value)}`);
}

function object(value: unknown, path: JsonPath): Known {
  if (isRecord(value)) return value;
  throw new WrongValue(path, `${pathName(path)} must be an object, not ${describe(value)}`);
}

function list(value: unknown, path: JsonPath): unknown[] {
  if (Array.isArray(value)) return value;
  throw new WrongValue(path, `${pathName(path)} must be a list, not ${describe(value)}`);
}

function describe(value: unknown): string {
  if (value === undefined) return 'missing';
  if (value === null) return 'null';
  return Array.isArray(value) ? 'a list' : typeof value === 'object' ? 'an object' : JSON.stringify(value).slice(0, 40);
}

function pathName(path: JsonPath): string {
  return path.map((step, i) => (typeof step === 'number' ? `[${step}]` : i ? `.${step}` : step)).join('');
}

function readItem(raw: unknown, path: JsonPath): OutputItem {
  const item = object(raw, path);
  const contents = ['text', 'json', 'base64'].filter((key) => item[key] !== undefined);
  if (contents.length > 1)
    throw new WrongValue(path, `${pathName(path)} has ${contents.join(' and ')}: one is expected`);
  return ordered(
    [
      ['mime', text(item.mime, [...path, 'mime'])],
      ['text', item.text === undefined ? undefined : splitLines(lines(item.text, [...path, 'text']))],
      ['json', item.json],
      ['base64', item.base64 === undefined ? undefined : text(item.base64, [...path, 'base64'])],
    ],
    item,
  );
}

function readOutput(raw: unknown, path: JsonPath): CellOutput {
  const output = object(raw, path);
  const items = list(output.items, [...path, 'items']).map((item, i) => readItem(item, [...path, 'items', i]));
  const metadata = output.metadata === undefined ? undefined : object(output.metadata, [...path, 'metadata']);
  return ordered([['items', items]], output, [['metadata', metadata]]);
}

function readExecution(raw: unknown, path: JsonPath): CellExecution {
  const execution = object(raw, path);
  // Files of earlier versions have a duration, which is kept as an unknown key until the next run.
  const { order, status } = execution;
  if (order !== undefined && typeof order !== 'number')
    throw new WrongValue(
      [...path, 'order'],
      `${pathName([...path, 'order'])} must be a number, not ${describe(order)}`,
    );
  if (status !== undefined && status !== 'ok' && status !== 'error' && status !== 'interrupted') {
    throw new WrongValue([...path, 'status'], `${pathName([...path, 'status'])} must be ok, error or interrupted`);
  }
  return ordered(
    [
      ['order', order],
      ['status', status],
    ],
    execution,
  );
}

function readCell(raw: unknown, index: number, taken: Set<string>): NotebookCell {
  const path: JsonPath = ['cells', index];
  const cell = object(raw, path);
  const kind = text(cell.kind, [...path, 'kind'], 'code');
  if (kind !== 'code' && kind !== 'markdown') {
    throw new WrongValue([...path, 'kind'], `${pathName(path)}.kind must be code or markdown, not ${describe(kind)}`);
  }
  const known: Array<[string, unknown]> = [
    ['id', uniqueId(text(cell.id, [...path, 'id'], '') || `cell-${index + 1}`, taken)],
    ['kind', kind],
    ['language', text(cell.language, [...path, 'language'], kind === 'code' ? CELL_LANGUAGE : 'markdown')],
    ['source', splitSource(lines(cell.source ?? [], [...path, 'source']))],
    ['metadata', cell.metadata === undefined ? undefined : object(cell.metadata, [...path, 'metadata'])],
  ];
  const outputs = cell.outputs === undefined ? undefined : list(cell.outputs, [...path, 'outputs']);
  return ordered(known, cell, [
    ['execution', cell.execution === undefined ? undefined : readExecution(cell.execution, [...path, 'execution'])],
    ['outputs', outputs?.map((output, i) => readOutput(output, [...path, 'outputs', i]))],
  ]);
}

/** Copies of a cell made outside the editor repeat its id: the first keeps it, later ones get "-2", "-3", … */
function uniqueId(id: string, taken: Set<string>): string {
  let unique = id;
  for (let n = 2; taken.has(unique); n++) unique = `${id}-${n}`;
  taken.add(unique);
  return unique;
}

function readVersion(file: Known): void {
  const version = file.fgnb;
  if (typeof version !== 'number' || !Number.isInteger(version) || version < 1) {
    const what =
      version === undefined ? 'the key "fgnb" (the format version) is missing' : `"fgnb" is ${describe(version)}`;
    throw new WrongValue(
      version === undefined ? [] : ['fgnb'],
      `${what}; a notebook begins with {"fgnb": ${NOTEBOOK_VERSION}, …}`,
    );
  }
  if (version > NOTEBOOK_VERSION) {
    throw new NotebookFormatError(
      `it was written in format ${version}, this version reads up to format ${NOTEBOOK_VERSION}`,
      undefined,
      'Update Feature Geometry Notebooks to open it. The file is left as it is.',
    );
  }
}

function parseJson(source: string): unknown {
  try {
    return JSON.parse(source);
  } catch {
    const offset = jsonErrorOffset(source);
    const cut = offset === undefined || source.slice(offset).trim() === '';
    const what = cut ? 'the text ends in the middle of the notebook (cut short?)' : 'the text is not valid JSON here';
    throw new NotebookFormatError(what, lineAt(source, offset ?? source.length), NEVER_SAVE);
  }
}

/**
 * Reads a notebook file. Empty or blank text is a new empty notebook; anything else that is not a notebook throws, so
 * that a broken file is never saved over. A byte order mark is dropped, sources get LF line ends, a missing id is
 * numbered and a repeated id made unique, the same way each time.
 * @throws NotebookFormatError with the line, what is wrong and what to do.
 */
export function parseNotebook(source: string): NotebookFile {
  const json = source.charCodeAt(0) === 0xfeff ? source.slice(1) : source;
  if (json.trim() === '') return newNotebook();
  const raw = parseJson(json);
  try {
    if (!isRecord(raw)) throw new WrongValue([], `the file holds ${describe(raw)}, not a notebook object`);
    readVersion(raw);
    const metadata = raw.metadata === undefined ? {} : object(raw.metadata, ['metadata']);
    const taken = new Set<string>();
    const cells = list(raw.cells ?? [], ['cells']).map((cell, i) => readCell(cell, i, taken));
    const known: Array<[string, unknown]> = [
      ['fgnb', raw.fgnb],
      ['metadata', metadata],
    ];
    return ordered(known, raw, [['cells', cells]]);
  } catch (error) {
    if (!(error instanceof WrongValue)) throw error;
    throw new NotebookFormatError(error.what, lineOfPath(json, error.path), NEVER_SAVE);
  }
}

function writeOutput(output: CellOutput): Known {
  const items = output.items.map((item) =>
    ordered(
      [
        ['mime', item.mime],
        ['text', item.text],
        ['json', item.json],
        ['base64', item.base64],
      ],
      item as Known,
    ),
  );
  return ordered([['items', items]], output as Known, [['metadata', output.metadata]]);
}

function writeCell(cell: NotebookCell): Known {
  const { order, status } = cell.execution ?? {};
  const known: Array<[string, unknown]> = [
    ['id', cell.id],
    ['kind', cell.kind],
    ['language', cell.language],
    ['source', splitSource(joinSource(cell.source))],
    ['metadata', cell.metadata],
  ];
  const execution =
    cell.execution &&
    ordered(
      [
        ['order', order],
        ['status', status],
      ],
      cell.execution as Known,
    );
  return ordered(known, cell as Known, [
    ['execution', execution],
    ['outputs', cell.outputs?.map(writeOutput)],
  ]);
}

/**
 * The file's text. The same notebook always gives the same bytes; lone surrogates are written as \udXXX escapes, so
 * the text survives UTF-8.
 */
export function serializeNotebook(file: NotebookFile): string {
  const known: Array<[string, unknown]> = [
    ['fgnb', file.fgnb],
    ['metadata', file.metadata],
  ];
  const whole = ordered(known, file as Known, [['cells', file.cells.map(writeCell)]]);
  return JSON.stringify(whole as Json | JsonObject, null, NOTEBOOK_INDENT) + '\n';
}
