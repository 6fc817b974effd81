/**
 * Jupyter's notebook format 4.5 (nbformat.readthedocs.io): its types, and what its schema allows where. Read by
 * fromJupyter.ts, written by toJupyter.ts.
 *
 * What an .ipynb has no place for rides in its metadata under the key "fgnb" (the types …Memory below), so that a notebook
 * comes back as it was, also when Jupyter has opened and saved it: Jupyter keeps metadata that it does not know, but sorts
 * keys. Streams and errors have no metadata: what is to be remembered of them makes them display_data.
 */
import { CELL_LANGUAGE, type Json, type JsonObject, type OutputItem } from '../../protocol/notebook.js';
import { isJsonObject } from '../../protocol/objects.js';

export type Multiline = string | string[];

export interface JupyterNotebook {
  nbformat: 4;
  nbformat_minor: number;
  metadata: JsonObject;
  cells: JupyterCell[];
}

export interface JupyterCell {
  cell_type: 'code' | 'markdown' | 'raw';
  id: string;
  metadata: JsonObject;
  source: Multiline;
  attachments?: JsonObject;
  execution_count?: number | null;
  outputs?: JupyterOutput[];
}

export type JupyterOutput =
  | { output_type: 'stream'; name: string; text: Multiline }
  | { output_type: 'error'; ename: string; evalue: string; traceback: string[] }
  | JupyterDisplay;

export type JupyterDisplay =
  | { output_type: 'display_data'; data: JsonObject; metadata: JsonObject }
  | { output_type: 'execute_result'; data: JsonObject; metadata: JsonObject; execution_count: number | null };

/** Key of our memory in the metadata of a notebook, a cell or an output. */
export const MEMORY = 'fgnb';
/** Key in an output of ours for what Jupyter's had besides data and metadata. */
export const JUPYTER = 'jupyter';

export interface NotebookMemory {
  /** Version of the .fgnb format. */
  version: number;
  /** Metadata that the schema refuses there. */
  metadata?: JsonObject;
  /** Keys of the file that we do not know. */
  rest?: JsonObject;
}

export interface CellMemory {
  id?: string;
  language?: string;
  metadata?: JsonObject;
  /** Where it is not what count and outputs tell. */
  execution?: JsonObject;
  /** The cell has outputs: none. */
  emptyOutputs?: boolean;
  rest?: JsonObject;
}

export interface OutputMemory {
  /** Items in their order: the name of an entry of `data`, or the item itself where it has no usual form. */
  items?: Array<string | OutputItem>;
  metadata?: JsonObject;
  rest?: JsonObject;
}

/** What an output of ours keeps of Jupyter's. */
export type OutputOrigin =
  | { output_type: 'execute_result'; execution_count: number | null }
  | { output_type: 'stream'; name: string }
  | { output_type: 'error'; traceback: string[] };

export const KERNEL_NAME = 'fgnb';
export const KERNELSPEC: JsonObject = {
  display_name: 'Feature Geometry (TypeScript)',
  language: 'typescript',
  name: KERNEL_NAME,
};
export const LANGUAGE_INFO: JsonObject = {
  codemirror_mode: 'text/typescript',
  file_extension: '.ts',
  mimetype: 'text/typescript',
  name: 'typescript',
  pygments_lexer: 'typescript',
};

export const isMultiline = (value: unknown): value is Multiline => typeof value === 'string' || isTextList(value);

export const isTextList = (value: unknown): value is string[] =>
  Array.isArray(value) && value.every((line) => typeof line === 'string');

export const isCount = (value: unknown): value is number =>
  typeof value === 'number' && Number.isInteger(value) && value >= 0;

export const joined = (text: Multiline): string => (typeof text === 'string' ? text : text.join(''));

/** Own property: keys are data, and "__proto__" is one of them. */
export const own = (object: object, key: string): unknown =>
  Object.hasOwn(object, key) ? (object as Record<string, unknown>)[key] : undefined;

/** Entries without `undefined`, as own properties whatever their keys are. */
export const objectOf = <T = JsonObject>(entries: Iterable<readonly [string, unknown]>): T =>
  Object.fromEntries([...entries].filter(([, value]) => value !== undefined)) as T;

/** Equal as JSON: the order of keys does not matter. */
export function sameJson(a: unknown, b: unknown): boolean {
  if (Array.isArray(a) && Array.isArray(b))
    return a.length === b.length && a.every((value, i) => sameJson(value, b[i]));
  if (!isJsonObject(a) || !isJsonObject(b)) return Object.is(a, b);
  const keys = Object.keys(a);
  return (
    keys.length === Object.keys(b).length && keys.every((key) => Object.hasOwn(b, key) && sameJson(a[key], b[key]))
  );
}

/** What Jupyter takes as JSON of any kind; everything else is text, or base64 as text. */
export const isJsonMime = (mime: string): boolean => /^application\/(.*\+)?json$/.test(mime);

/** Mimes whose data are bytes in base64. */
export const isBinaryMime = (mime: string): boolean =>
  (/^(image|audio|video|font)\//.test(mime) && mime !== 'image/svg+xml') ||
  ['application/pdf', 'application/octet-stream', 'application/zip'].includes(mime);

export const isCellId = (id: unknown): id is string => typeof id === 'string' && /^[a-zA-Z0-9-_]{1,64}$/.test(id);

const isText = (value: Json): boolean => typeof value === 'string';
const isFlag = (value: Json): boolean => typeof value === 'boolean';
const fields =
  (of: Record<string, (value: Json) => boolean>, needed: readonly string[] = []) =>
  (value: Json): boolean =>
    isJsonObject(value) &&
    needed.every((key) => Object.hasOwn(value, key)) &&
    Object.entries(of).every(([key, fits]) => !Object.hasOwn(value, key) || fits(value[key]));
const never = (): boolean => false;

const hasLine = (value: Json): boolean => typeof value === 'string' && /^[^\n]+$/.test(value);

/** What the schema asks of metadata whose names it knows. `never`: Jupyter takes it away when it saves. */
const CELL_METADATA: Record<string, (value: Json) => boolean> = {
  name: hasLine,
  tags: (value) =>
    Array.isArray(value) &&
    value.every((tag) => typeof tag === 'string' && /^[^,]+$/.test(tag)) &&
    new Set(value).size === value.length,
  jupyter: isJsonObject,
  format: isText,
  collapsed: isFlag,
  scrolled: (value) => typeof value === 'boolean' || value === 'auto',
  execution: (value) => isJsonObject(value) && Object.values(value).every(isText),
  trusted: never,
  [MEMORY]: never,
};
const NOTEBOOK_METADATA: Record<string, (value: Json) => boolean> = {
  kernelspec: fields({ name: isText, display_name: isText }, ['name', 'display_name']),
  language_info: fields(
    {
      ...{ name: isText, file_extension: isText, mimetype: isText, pygments_lexer: isText },
      codemirror_mode: (value) => isText(value) || isJsonObject(value),
    },
    ['name'],
  ),
  title: isText,
  authors: Array.isArray,
  orig_nbformat: never,
  orig_nbformat_minor: never,
  signature: never,
  [MEMORY]: never,
};
const OUTPUT_METADATA: Record<string, (value: Json) => boolean> = { [MEMORY]: never };
const RULES = { notebook: NOTEBOOK_METADATA, cell: CELL_METADATA, output: OUTPUT_METADATA };

/** Metadata as Jupyter takes it, and what is to be remembered: what does not fit, and that there is metadata, but empty. */
export function fitting(
  metadata: JsonObject | undefined,
  place: keyof typeof RULES,
  fits: (key: string, value: Json) => boolean = () => true,
): { natural: JsonObject; memory: JsonObject | undefined } {
  const entries = Object.entries(metadata ?? {});
  const allowed = ([key, value]: [string, Json]): boolean =>
    (!Object.hasOwn(RULES[place], key) || RULES[place][key](value)) && fits(key, value);
  const [natural, rest] = [entries.filter(allowed), entries.filter((entry) => !allowed(entry))];
  const remembered = rest.length > 0 || (metadata !== undefined && natural.length === 0);
  return { natural: objectOf(natural), memory: remembered ? objectOf(rest) : undefined };
}

/** Attachments as the schema has them: by file name, data by mime type. */
export const areAttachments = (value: unknown): value is JsonObject =>
  isJsonObject(value) &&
  Object.values(value).every(
    (bundle) =>
      isJsonObject(bundle) && Object.entries(bundle).every(([mime, data]) => isJsonMime(mime) || isMultiline(data)),
  );

/** Language of cells that name none: that of the notebook's kernel, else Python as elsewhere; ours for TypeScript. */
export function notebookLanguage(metadata: JsonObject): string {
  const named = (key: string, field: string): string | undefined => {
    const value = own(metadata, key);
    const name = isJsonObject(value) ? own(value, field) : undefined;
    return typeof name === 'string' && name !== '' ? name.toLowerCase() : undefined;
  };
  const language = named('kernelspec', 'language') ?? named('language_info', 'name') ?? 'python';
  return language === 'typescript' || language === 'javascript' ? CELL_LANGUAGE : language;
}

/** Language that VS Code writes into a cell that differs from its notebook's. */
export function markedLanguage(metadata: JsonObject): string | undefined {
  const mark = own(metadata, 'vscode');
  const language = isJsonObject(mark) ? own(mark, 'languageId') : undefined;
  return typeof language === 'string' && language !== '' ? language : undefined;
}

/** A mark that says nothing but another language than the notebook's: the cell's language holds it. */
export function isPlainMark(value: Json, language: string): boolean {
  return (
    isJsonObject(value) &&
    Object.keys(value).length === 1 &&
    (markedLanguage({ vscode: value }) ?? language) !== language
  );
}
