/** What the extension host asks the language worker. Plain data; offsets are UTF-16 units in the cell's text. */

export interface CellText {
  /** URI of the cell's document. */
  uri: string;
  text: string;
}

export interface NotebookText {
  notebook: string;
  /** Where relative imports and packages resolve from. */
  folder: string;
  /** Code cells in document order. */
  cells: CellText[];
}

/** A place in a cell. */
export interface CellPlace {
  notebook: string;
  cell: string;
  offset: number;
}

export interface Span {
  start: number;
  end: number;
}

export interface CompletionEntry {
  name: string;
  /** TypeScript's ScriptElementKind. */
  kind: string;
  /** Modifiers such as "optional,deprecated". */
  modifiers: string;
  sortText: string;
  insertText?: string;
  filterText?: string;
  /** What the entry replaces, when it is not the word at the cursor. */
  replace?: Span;
  /** Origin, told back when details are asked. */
  source?: string;
}

/** A declaration as text, with documentation in Markdown. */
export interface Description {
  signature: string;
  documentation: string;
}

export interface Hover extends Description {
  span: Span;
}

export interface SignatureEntry {
  label: string;
  documentation: string;
  parameters: Array<{ label: [number, number]; documentation: string }>;
}

export interface Signatures {
  signatures: SignatureEntry[];
  active: number;
  parameter: number;
}

interface LinePlace {
  line: number;
  character: number;
}

export type Target =
  { kind: 'cell'; cell: string; span: Span } | { kind: 'file'; file: string; start: LinePlace; end: LinePlace };

export interface Definition {
  /** The word that was asked about. */
  from: Span;
  targets: Target[];
}

export interface Problem {
  span: Span;
  message: string;
  code: number;
  severity: 'error' | 'warning';
}

export interface SymbolEntry {
  name: string;
  kind: string;
  span: Span;
  nameSpan: Span;
  children: SymbolEntry[];
}

/** The worker's methods; requests and replies are derived from it. */
export interface LanguageApi {
  /** Tells the present text of a notebook; before the first question, and after each change. */
  sync(notebook: NotebookText): void;
  close(notebook: string): void;
  /** Files on disk changed: local modules and packages are looked up anew. */
  filesChanged(): void;
  completions(at: CellPlace & { trigger?: string }): CompletionEntry[];
  describe(at: CellPlace & { name: string; source?: string }): Description | undefined;
  hover(at: CellPlace): Hover | undefined;
  signatures(at: CellPlace & { retrigger?: boolean; trigger?: string }): Signatures | undefined;
  definition(at: CellPlace): Definition | undefined;
  problems(of: { notebook: string; cell: string }): Problem[];
  symbols(of: { notebook: string; cell: string }): SymbolEntry[];
}

export type Method = keyof LanguageApi;
export type Params<M extends Method> = Parameters<LanguageApi[M]>;
export type Result<M extends Method> = ReturnType<LanguageApi[M]>;

export interface Request {
  id: number;
  method: Method;
  params: unknown[];
}

export type Reply = { id: number; result: unknown } | { id: number; error: string };

/** Given to the worker at its start. */
export interface WorkerSettings {
  /** dist/types: declarations of the kernel's facade, TensorFlow.js and Node. */
  typesFolder: string;
}
