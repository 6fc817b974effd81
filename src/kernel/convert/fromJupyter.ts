/**
 * Jupyter's notebooks as ours: nbformat 4.0 to 4.5, and later 4.x as far as they are known. The file may be anybody's: types
 * are checked before they are used, its keys are data, and what may run scripts is set aside (aside.ts).
 */
import { MIME } from '../../protocol/mime.js';
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
} from '../../protocol/notebook.js';
import { splitLines, splitSource } from '../../protocol/notebookCodec.js';
import type { JsonPath } from '../../protocol/jsonPosition.js';
import { withoutActive } from './aside.js';
import { itemOf } from './items.js';
import {
  isCount,
  isMultiline,
  isPlainMark,
  isTextList,
  joined,
  JUPYTER,
  KERNEL_NAME,
  markedLanguage,
  MEMORY,
  notebookLanguage,
  objectOf,
  own,
  type JupyterOutput,
  type OutputOrigin,
} from './jupyter.js';
import { Notes } from './notes.js';
import { naturalOrder } from './order.js';
import { fromPlainJson, isJsonObject } from '../../protocol/objects.js';

/** The file is no notebook that can be read. */
export class JupyterError extends Error {
  override name = 'JupyterError';
  constructor(
    message: string,
    /** Where in the file. */
    readonly path: JsonPath = [],
  ) {
    super(message);
  }
}

export interface Imported {
  notebook: NotebookFile;
  notes: string[];
}

const nameOf = (path: JsonPath): string =>
  path.map((step, i) => (typeof step === 'number' ? `[${step}]` : i ? `.${step}` : step)).join('');

function described(value: unknown): string {
  if (value === undefined) return 'missing';
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'a list';
  return typeof value === 'object' ? 'an object' : JSON.stringify(value).slice(0, 40);
}

/** A field that must be of a kind; `fallback` for one that is not there. */
function field<T>(
  from: JsonObject,
  key: string,
  path: JsonPath,
  what: string,
  is: (value: unknown) => value is T,
  fallback?: T,
): T {
  const value = own(from, key);
  if (value === undefined && fallback !== undefined) return fallback;
  if (is(value)) return value;
  const at = [...path, key];
  throw new JupyterError(`${nameOf(at)} must be ${what}, not ${described(value)}`, at);
}
const isList = (value: unknown): value is Json[] => Array.isArray(value);
const isText = (value: unknown): value is string => typeof value === 'string';
const isCountOrNull = (value: unknown): value is number | null => value === null || isCount(value);

/** Metadata without our memory, and the memory. */
function remembered(metadata: JsonObject): { natural: JsonObject; memory: JsonObject } {
  const memory = own(metadata, MEMORY);
  const natural = objectOf(Object.entries(metadata).filter(([key]) => key !== MEMORY));
  return { natural, memory: isJsonObject(memory) ? memory : {} };
}

const objectIn = (memory: JsonObject, key: string): JsonObject | undefined => {
  const value = own(memory, key);
  return isJsonObject(value) ? value : undefined;
};

/** Metadata as it was: undefined where there was none. */
function joinedMetadata(natural: JsonObject, memory: JsonObject): JsonObject | undefined {
  const unfit = objectIn(memory, 'metadata');
  const entries = [...Object.entries(natural), ...Object.entries(unfit ?? {})];
  return entries.length > 0 || unfit ? objectOf(entries) : undefined;
}

/** Items as our memory lists them; those that another program took out of `data` are gone. */
function itemsOf(data: JsonObject, memory: JsonObject): OutputItem[] {
  const listed = own(memory, 'items');
  if (!isList(listed)) return naturalOrder(Object.keys(data)).map((mime) => itemOf(mime, data[mime]));
  return listed.flatMap((entry): OutputItem[] => {
    // As an item of our own notebook was read; whoever shows it looks at what it has.
    if (isJsonObject(entry) && typeof own(entry, 'mime') === 'string') return [fromPlainJson<OutputItem>(entry)];
    return typeof entry === 'string' && Object.hasOwn(data, entry) ? [itemOf(entry, data[entry])] : [];
  });
}

function readDisplay(output: JsonObject, path: JsonPath): CellOutput {
  const data = field(output, 'data', path, 'an object', isJsonObject);
  const { natural, memory } = remembered(field(output, 'metadata', path, 'an object', isJsonObject, {}));
  const metadata = joinedMetadata(natural, memory);
  const items = itemsOf(data, memory);
  const rest = objectIn(memory, 'rest') ?? {};
  const origin: OutputOrigin | undefined =
    output.output_type === 'execute_result'
      ? {
          output_type: 'execute_result',
          execution_count: field(output, 'execution_count', path, 'a number or null', isCountOrNull, null),
        }
      : undefined;
  return objectOf<CellOutput>([
    ...Object.entries(rest),
    ['items', items],
    ['metadata', metadata],
    ...(origin ? [[JUPYTER, origin] as const] : []),
  ]);
}

function readStream(output: JsonObject, path: JsonPath): CellOutput {
  const name = field(output, 'name', path, 'a string', isText, 'stdout');
  const text = splitLines(joined(field(output, 'text', path, 'text or a list of lines', isMultiline)));
  const mime = name === 'stderr' ? MIME.stderr : MIME.stdout;
  const named = name === 'stdout' || name === 'stderr';
  return { items: [{ mime, text }], ...(!named && { [JUPYTER]: { output_type: 'stream', name } }) };
}

function readError(output: JsonObject, path: JsonPath): CellOutput {
  const [name, message] = ['ename', 'evalue'].map((key) => field(output, key, path, 'a string', isText));
  const traceback = field(output, 'traceback', path, 'a list of lines', isTextList, []);
  const stack = traceback.join('\n');
  const json = { name, message, ...(traceback.length > 0 && { stack }) };
  // Entries of several lines, as Python writes them, are known to an export.
  const whole = traceback.length > 0 && stack.split('\n').length !== traceback.length;
  return { items: [{ mime: MIME.error, json }], ...(whole && { [JUPYTER]: { output_type: 'error', traceback } }) };
}

/** The last run as a count and outputs tell it. */
export function executionOf(count: number | null, outputs: readonly JupyterOutput[]): CellExecution | undefined {
  if (count === null) return undefined;
  return { order: count, status: outputs.some((output) => output.output_type === 'error') ? 'error' : 'ok' };
}

const LANGUAGES_RUN = [CELL_LANGUAGE, 'raw'];

class Reader {
  readonly notes = new Notes();
  private readonly taken = new Set<string>();

  constructor(
    private readonly language: string,
    private readonly hasIds: boolean,
  ) {}

  private output(raw: Json, path: JsonPath, index: number): CellOutput | undefined {
    if (!isJsonObject(raw)) throw new JupyterError(`${nameOf(path)} must be an object, not ${described(raw)}`, path);
    const type = field(raw, 'output_type', path, 'a string', isText);
    if (type === 'stream') return readStream(raw, path);
    if (type === 'error') return readError(raw, path);
    if (type !== 'display_data' && type !== 'execute_result') {
      this.notes.add(
        `an output of the type ${JSON.stringify(type.slice(0, 40))} is left out: it is not known here`,
        index,
      );
      return undefined;
    }
    const whole = readDisplay(raw, path);
    const shown = withoutActive(whole);
    if (shown !== whole)
      this.notes.add('HTML, SVG or script that may run is kept but not shown; an export writes it back', index);
    return shown;
  }

  /** As in the .fgnb reader: a missing id is numbered, a repeated one made unique. */
  private id(given: unknown, index: number): string {
    const id = isText(given) && given !== '' ? given : `cell-${index + 1}`;
    let unique = id;
    for (let n = 2; this.taken.has(unique); n++) unique = `${id}-${n}`;
    this.taken.add(unique);
    if (this.hasIds && unique !== given) this.notes.add('has a new id: it had none, or that of another cell', index);
    return unique;
  }

  private code(cell: JsonObject, memory: JsonObject, path: JsonPath, index: number) {
    const outputs = field(cell, 'outputs', path, 'a list', isList, []);
    const count = field(cell, 'execution_count', path, 'a number or null', isCountOrNull, null);
    const read = outputs
      .map((output, i) => this.output(output, [...path, 'outputs', i], index))
      .filter((o) => o !== undefined);
    const execution = objectIn(memory, 'execution');
    // Run again elsewhere since: what we remember of the last run is no longer true.
    const holds = execution && (isCount(execution.order) ? execution.order : null) === count;
    return {
      // `this.output` has checked each.
      execution: holds ? execution : executionOf(count, fromPlainJson<JupyterOutput[]>(outputs)),
      outputs: read.length > 0 || own(memory, 'emptyOutputs') === true ? read : undefined,
    };
  }

  cell(raw: Json, index: number): NotebookCell {
    const path: JsonPath = ['cells', index];
    if (!isJsonObject(raw)) throw new JupyterError(`${nameOf(path)} must be an object, not ${described(raw)}`, path);
    const type = field(raw, 'cell_type', path, 'code, markdown or raw', isText);
    if (type !== 'code' && type !== 'markdown' && type !== 'raw')
      throw new JupyterError(`${nameOf(path)}.cell_type must be code, markdown or raw, not ${described(type)}`, [
        ...path,
        'cell_type',
      ]);
    const text = joined(field(raw, 'source', path, 'text or a list of lines', isMultiline, []));
    if (text.includes('\r')) this.notes.add('line ends (CRLF, CR) became LF', index);
    const { natural, memory } = remembered(field(raw, 'metadata', path, 'an object', isJsonObject, {}));
    const isCode = type === 'code';
    const named = own(memory, 'language');
    const language = isText(named) ? named : isCode ? (markedLanguage(natural) ?? this.language) : type;
    if (isCode && !LANGUAGES_RUN.includes(language))
      this.notes.add(
        `is ${JSON.stringify(language.slice(0, 40))}: kept, but not run here, where cells are TypeScript`,
        index,
      );
    const plain = Object.entries(natural).filter(
      ([key, value]) => key !== 'vscode' || !isCode || !isPlainMark(value, this.language),
    );
    const known = ['cell_type', 'id', 'metadata', 'source', ...(isCode ? ['outputs', 'execution_count'] : [])];
    const unknown = Object.entries(raw).filter(([key]) => !known.includes(key) && !OUR_KEYS.includes(key));
    const lost = Object.keys(raw).filter((key) => !known.includes(key) && OUR_KEYS.includes(key));
    if (lost.length > 0)
      this.notes.add(`${lost.join(', ')} of a ${type} cell left out: nbformat has none there`, index);
    // A Markdown cell of ours may have been run in another life.
    const ours = isCode ? OUR_KEYS : OUR_KEYS.filter((key) => key !== 'execution' && key !== 'outputs');
    const rest = Object.entries(objectIn(memory, 'rest') ?? {}).filter(([key]) => !ours.includes(key));
    const id = this.id(own(memory, 'id') ?? own(raw, 'id'), index);
    return objectOf<NotebookCell>([
      ['id', id],
      ['kind', type === 'markdown' ? 'markdown' : 'code'],
      ['language', language],
      ['source', splitSource(text)],
      ['metadata', joinedMetadata(objectOf(plain), memory)],
      ...unknown,
      ...rest,
      ...(isCode ? Object.entries(this.code(raw, memory, path, index)) : []),
    ]);
  }
}

const OUR_KEYS = ['id', 'kind', 'language', 'source', 'metadata', 'execution', 'outputs'];

function requireVersion(raw: JsonObject): number {
  const [major, minor] = ['nbformat', 'nbformat_minor'].map((key) => own(raw, key));
  if (!isCount(major))
    throw new JupyterError('this is no Jupyter notebook: the key "nbformat" is missing or no number');
  if (major < 4)
    throw new JupyterError(
      `it is in nbformat ${major}; 4.0 and later are read. Convert it first: jupyter nbconvert --to notebook --nbformat 4 FILE`,
      ['nbformat'],
    );
  if (major > 4)
    throw new JupyterError(`it is in nbformat ${major}; 4.0 to 4.5 are read. Save it as nbformat 4.5`, ['nbformat']);
  return isCount(minor) ? minor : 0;
}

/**
 * The notebook of a parsed .ipynb, and notes on what changes or is not known here.
 * @throws JupyterError with the place of what is wrong.
 */
export function fromJupyter(raw: unknown): Imported {
  if (!isJsonObject(raw)) throw new JupyterError(`the file holds ${described(raw)}, not a notebook`);
  const minor = requireVersion(raw);
  const { natural, memory } = remembered(field(raw, 'metadata', [], 'an object', isJsonObject, {}));
  const reader = new Reader(notebookLanguage(natural), minor >= 5);
  if (minor > 5)
    reader.notes.add(`The notebook is in nbformat 4.${minor}: it is read as 4.5, and what is newer is left out.`);
  const cells = field(raw, 'cells', [], 'a list', isList).map((cell, i) => reader.cell(cell, i));
  const kernelspec = own(natural, 'kernelspec');
  const isOurs = isJsonObject(kernelspec) && kernelspec.name === KERNEL_NAME;
  const metadata = objectOf(
    Object.entries(natural).filter(([key]) => !isOurs || (key !== 'kernelspec' && key !== 'language_info')),
  );
  const version = own(memory, 'version');
  const ours = ['fgnb', 'metadata', 'cells'];
  const known = [...ours, 'nbformat', 'nbformat_minor'];
  const unknown = Object.entries(raw).filter(([key]) => !known.includes(key));
  const rest = Object.entries(objectIn(memory, 'rest') ?? {}).filter(([key]) => !ours.includes(key));
  const notebook = objectOf<NotebookFile>([
    ['fgnb', isCount(version) && version > 0 ? version : NOTEBOOK_VERSION],
    ['metadata', joinedMetadata(metadata, memory) ?? {}],
    ...unknown,
    ...rest,
    ['cells', cells],
  ]);
  return { notebook, notes: reader.notes.lines() };
}
