/** A notebook as Jupyter's, nbformat 4.5. Pure: what outputs look like without our renderer is given. */
import { MIME } from '../../protocol/mime.js';
import {
  CELL_LANGUAGE,
  type CellOutput,
  type Json,
  type JsonObject,
  type NotebookCell,
  type NotebookFile,
  type OutputItem,
} from '../../protocol/notebook.js';
import { joinSource, splitLines } from '../../protocol/notebookCodec.js';
import {
  areAttachments,
  fitting,
  isCellId,
  isCount,
  isPlainMark,
  isTextList,
  JUPYTER,
  KERNELSPEC,
  LANGUAGE_INFO,
  markedLanguage,
  MEMORY,
  notebookLanguage,
  objectOf,
  own,
  sameJson,
  type CellMemory,
  type JupyterCell,
  type JupyterDisplay,
  type JupyterNotebook,
  type JupyterOutput,
  type OutputMemory,
} from './jupyter.js';
import { withActive } from './aside.js';
import { executionOf } from './fromJupyter.js';
import { dataOf, itemOf } from './items.js';
import { naturalOrder } from './order.js';
import { isJsonObject } from '../../protocol/objects.js';

/** More representations of an output, by mime type, for those who cannot draw ours. */
export type Fallbacks = ReadonlyMap<CellOutput, ReadonlyMap<string, string>>;

const withMemory = (natural: JsonObject, memory: object): JsonObject =>
  Object.values(memory).some((value) => value !== undefined)
    ? objectOf([...Object.entries(natural), [MEMORY, objectOf(Object.entries(memory))]])
    : natural;

const restOf = (value: object, known: readonly string[]): JsonObject | undefined => {
  const rest = Object.entries(value).filter(([key, each]) => !known.includes(key) && each !== undefined);
  return rest.length > 0 ? objectOf(rest) : undefined;
};

/** Mimes that only VS Code's cells have: Jupyter has outputs of their own for them. */
const PRIVATE: readonly string[] = [MIME.stdout, MIME.stderr, MIME.error];

/** Text for those that know none of an output's mimes. */
function plainText(items: readonly OutputItem[]): string[] | undefined {
  const item = items.find(({ mime, text, json }) => PRIVATE.includes(mime) && (text ?? json) !== undefined);
  if (!item) return undefined;
  const { stack, message } = (isJsonObject(item.json) ? item.json : {}) as { stack?: Json; message?: Json };
  return (
    item.text ??
    splitLines(typeof stack === 'string' ? stack : typeof message === 'string' ? message : JSON.stringify(item.json))
  );
}

/** Any output that is neither a stream nor an error, for other viewers too. */
export function displayOf(given: CellOutput, fallback: ReadonlyMap<string, string>): JupyterDisplay {
  const output = withActive(given);
  const { items, metadata } = output;
  const data = new Map<string, Json>();
  const order = items.map((item): string | OutputItem => {
    const isNew = !data.has(item.mime) && item.mime.includes('/');
    const made = fallback.get(item.mime);
    // A picture made for other viewers says more than the small one in the output, which is remembered.
    const value =
      !isNew || PRIVATE.includes(item.mime) ? undefined : made === undefined ? dataOf(item) : splitLines(made);
    if (value === undefined) return item;
    data.set(item.mime, value);
    return sameJson(itemOf(item.mime, value), item) ? item.mime : item;
  });
  for (const [mime, text] of fallback) if (!data.has(mime)) data.set(mime, splitLines(text));
  const text = plainText(items);
  if (text && !data.has(MIME.text)) data.set(MIME.text, text);
  const fit = fitting(metadata, 'output');
  const origin = own(output, JUPYTER);
  const result = isJsonObject(origin) && origin.output_type === 'execute_result' && Object.keys(origin).length === 2;
  const count = result && (origin.execution_count === null || isCount(origin.execution_count));
  const reads = data.size === items.length && sameJson(order, naturalOrder(data.keys()));
  const memory: OutputMemory = {
    items: reads ? undefined : order,
    metadata: fit.memory,
    rest: restOf(output, ['items', 'metadata', ...(count ? [JUPYTER] : [])]),
  };
  const shown = { data: objectOf(data), metadata: withMemory(fit.natural, memory) };
  return count
    ? { output_type: 'execute_result', ...shown, execution_count: origin.execution_count as number | null }
    : { output_type: 'display_data', ...shown };
}

/** What an output keeps of Jupyter's; undefined for none, null where it has more than that or other things. */
function originOf(output: CellOutput, type: string): JsonObject | undefined | null {
  const keys = Object.keys(output).filter((key) => key !== 'items' && output[key] !== undefined);
  if (keys.length === 0) return undefined;
  const origin = own(output, JUPYTER);
  const fits =
    keys.length === 1 && isJsonObject(origin) && origin.output_type === type && Object.keys(origin).length === 2;
  return fits ? origin : null;
}

function stream(output: CellOutput, { mime, text }: OutputItem): JupyterOutput | undefined {
  const origin = originOf(output, 'stream');
  if (text === undefined || origin === null) return undefined;
  if (!origin) return { output_type: 'stream', name: mime === MIME.stderr ? 'stderr' : 'stdout', text };
  const { name } = origin;
  const reads = typeof name === 'string' && name !== 'stdout' && name !== 'stderr' && mime === MIME.stdout;
  return reads ? { output_type: 'stream', name, text } : undefined;
}

function error(output: CellOutput, { json }: OutputItem): JupyterOutput | undefined {
  const origin = originOf(output, 'error');
  if (!isJsonObject(json) || origin === null) return undefined;
  const { name, message, stack, ...more } = json;
  if (typeof name !== 'string' || typeof message !== 'string' || Object.keys(more).length > 0) return undefined;
  if (stack !== undefined && typeof stack !== 'string') return undefined;
  const lines = stack === undefined ? [] : stack.split('\n');
  const given = origin?.traceback;
  if (origin && !(isTextList(given) && given.join('\n') === stack && given.length !== lines.length)) return undefined;
  return { output_type: 'error', ename: name, evalue: message, traceback: origin ? (given as string[]) : lines };
}

/** Streams and errors where they are nothing more; undefined for all else. */
function plain(output: CellOutput): JupyterOutput | undefined {
  const [item] = output.items;
  if (output.items.length !== 1 || Object.keys(item).filter((key) => item[key] !== undefined).length !== 2)
    return undefined;
  if (item.mime === MIME.error) return error(output, item);
  return item.mime === MIME.stdout || item.mime === MIME.stderr ? stream(output, item) : undefined;
}

/** Ids that Jupyter takes, each once. */
class Ids {
  private readonly taken: Set<string>;
  private readonly given = new Set<string>();
  constructor(cells: readonly NotebookCell[]) {
    this.taken = new Set(cells.map((cell) => cell.id).filter(isCellId));
  }

  of({ id }: NotebookCell, index: number): string {
    let unique = id;
    for (let n = 1; !isCellId(unique) || this.given.has(unique) || (unique !== id && this.taken.has(unique)); n++)
      unique = `cell-${index + 1}${n > 1 ? `-${n}` : ''}`;
    this.given.add(unique);
    return unique;
  }
}

function toCell(cell: NotebookCell, id: string, language: string, fallbacks: Fallbacks): JupyterCell {
  const { kind, execution, outputs } = cell;
  const isRaw = kind === 'code' && cell.language === 'raw' && !execution && !outputs;
  const cell_type = kind === 'markdown' ? 'markdown' : isRaw ? 'raw' : 'code';
  const isCode = cell_type === 'code';
  const { natural, memory } = fitting(
    cell.metadata,
    'cell',
    (key, value) => key !== 'vscode' || !isCode || !isPlainMark(value, language),
  );
  if (isCode && cell.language !== language && cell.language !== '' && !Object.hasOwn(natural, 'vscode'))
    natural.vscode = { languageId: cell.language };
  const read = isCode ? (markedLanguage(natural) ?? language) : cell_type;
  const attached = !isCode && areAttachments(own(cell, 'attachments'));
  const known = ['id', 'kind', 'language', 'source', 'metadata', ...(attached ? ['attachments'] : [])];
  const shown = isCode
    ? (outputs ?? []).map((output) => plain(output) ?? displayOf(output, fallbacks.get(output) ?? new Map()))
    : [];
  const execution_count = isCode && isCount(execution?.order) ? execution.order : null;
  const usual = isCode ? sameJson(execution, executionOf(execution_count, shown)) : true;
  const remembered: CellMemory = {
    id: id === cell.id ? undefined : cell.id,
    language: read === cell.language ? undefined : cell.language,
    metadata: memory,
    execution: usual ? undefined : (execution as JsonObject | undefined),
    emptyOutputs: isCode && outputs?.length === 0 ? true : undefined,
    rest: restOf(cell, isCode ? [...known, 'execution', 'outputs'] : known),
  };
  return {
    cell_type,
    id,
    metadata: withMemory(natural, remembered),
    source: splitLines(joinSource(cell.source)),
    ...(attached && { attachments: own(cell, 'attachments') as JsonObject }),
    ...(isCode && { execution_count, outputs: shown }),
  };
}

/** The notebook, with `fallbacks` for outputs that only our renderer draws. fromJupyter gives the notebook back. */
export function toJupyter(file: NotebookFile, fallbacks: Fallbacks = new Map()): JupyterNotebook {
  const isOurs = (key: string, value: Json): boolean =>
    key === 'kernelspec' && isJsonObject(value) && value.name === KERNELSPEC.name;
  const fit = fitting(file.metadata, 'notebook', (key, value) => !isOurs(key, value));
  const { natural } = fit;
  const hasOurCells = file.cells.some((cell) => cell.kind === 'code' && cell.language === CELL_LANGUAGE);
  const ours = hasOurCells && !Object.hasOwn(natural, 'kernelspec') && !Object.hasOwn(natural, 'language_info');
  if (ours) Object.assign(natural, { kernelspec: KERNELSPEC, language_info: LANGUAGE_INFO });
  const rest = restOf(file, ['fgnb', 'metadata', 'cells']);
  // Empty metadata is what a notebook without any has.
  const unfit = fit.memory && Object.keys(fit.memory).length > 0 ? fit.memory : undefined;
  const memory = ours || rest || unfit || file.fgnb !== 1 ? { version: file.fgnb, metadata: unfit, rest } : {};
  const language = notebookLanguage(natural);
  const ids = new Ids(file.cells);
  return {
    cells: file.cells.map((cell, i) => toCell(cell, ids.of(cell, i), language, fallbacks)),
    metadata: withMemory(natural, memory),
    nbformat: 4,
    nbformat_minor: 5,
  };
}

/** The file's text as Jupyter writes it: one-space indent, a newline at the end. */
export function serializeJupyter(notebook: JupyterNotebook): string {
  return JSON.stringify(notebook, null, 1) + '\n';
}
