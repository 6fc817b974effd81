/**
 * `.fgnb` files in VS Code. The codec of the protocol reads and writes the text; here it meets VS Code's model.
 * What the model has no place for (ids, unknown keys, how an output was written) rides in its metadata, so that
 * open-and-save gives the same bytes. A file that is not a notebook throws: VS Code shows the message and never
 * saves over the file.
 */
import * as vscode from 'vscode';
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
import { joinSource, parseNotebook, serializeNotebook, splitLines, splitSource } from '../../protocol/notebookCodec.js';

type Form = 'text' | 'json' | 'base64';
/** Of each item as it was read: its form where it is not the usual one of the mime, and keys we do not know. */
interface ItemMemory {
  form?: Form;
  rest?: JsonObject;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** How an item of this mime is written when nothing says otherwise. */
function usualForm(mime: string): Form {
  if (mime === MIME.stdout || mime === MIME.stderr || mime.startsWith('text/') || mime === 'image/svg+xml')
    return 'text';
  if (mime === 'application/json' || mime.endsWith('+json') || mime === MIME.error) return 'json';
  return 'base64';
}

function toItem(item: OutputItem): vscode.NotebookCellOutputItem {
  if (item.base64 !== undefined)
    return new vscode.NotebookCellOutputItem(Buffer.from(item.base64, 'base64'), item.mime);
  const text = item.json !== undefined ? JSON.stringify(item.json) : joinSource(item.text ?? []);
  return new vscode.NotebookCellOutputItem(encoder.encode(text), item.mime);
}

function formOf(item: OutputItem): Form {
  if (item.base64 !== undefined) return 'base64';
  return item.json !== undefined ? 'json' : 'text';
}

function isEmpty(value: object): boolean {
  return Object.keys(value).length === 0;
}

function toOutput(output: CellOutput): vscode.NotebookCellOutput {
  const { items, ...rest } = output;
  const memory = items.map((item): ItemMemory => {
    const { mime, text: _text, json: _json, base64: _base64, ...unknown } = item;
    const form = formOf(item);
    return { ...(form !== usualForm(mime) && { form }), ...(!isEmpty(unknown) && { rest: unknown as JsonObject }) };
  });
  const metadata = { ...rest, ...(memory.some((m) => !isEmpty(m)) && { fgnbItems: memory }) };
  return new vscode.NotebookCellOutput(items.map(toItem), isEmpty(metadata) ? undefined : metadata);
}

function fromItem(mime: string, data: Uint8Array, memory: ItemMemory = {}): OutputItem {
  const form = memory.form ?? usualForm(mime);
  if (form === 'json') {
    try {
      return { mime, json: JSON.parse(decoder.decode(data)) as Json, ...memory.rest };
    } catch {
      return { mime, base64: Buffer.from(data).toString('base64'), ...memory.rest };
    }
  }
  if (form === 'text') return { mime, text: splitLines(decoder.decode(data)), ...memory.rest };
  return { mime, base64: Buffer.from(data).toString('base64'), ...memory.rest };
}

const isStream = (mime: string): boolean => mime === MIME.stdout || mime === MIME.stderr;

/** Items as they are saved: text that was streamed in pieces is one item again. */
function fromItems(items: readonly vscode.NotebookCellOutputItem[], memory: ItemMemory[]): OutputItem[] {
  const saved: OutputItem[] = [];
  for (let i = 0; i < items.length; i++) {
    const { mime } = items[i];
    const first = i;
    while (isStream(mime) && items[i + 1]?.mime === mime) i++;
    const data = first === i ? items[i].data : Buffer.concat(items.slice(first, i + 1).map((item) => item.data));
    saved.push(fromItem(mime, data, memory[first]));
  }
  return saved;
}

function fromOutput(output: vscode.NotebookCellOutput): CellOutput {
  const { fgnbItems, ...rest } = (output.metadata ?? {}) as { fgnbItems?: ItemMemory[] };
  return { items: fromItems(output.items, fgnbItems ?? []), ...rest };
}

function toCell(cell: NotebookCell): vscode.NotebookCellData {
  const { kind, language, source, outputs, ...rest } = cell;
  const data = new vscode.NotebookCellData(
    kind === 'markdown' ? vscode.NotebookCellKind.Markup : vscode.NotebookCellKind.Code,
    joinSource(source),
    language,
  );
  data.metadata = { ...rest, ...(outputs?.length === 0 && { fgnbEmptyOutputs: true }) };
  data.outputs = outputs?.map(toOutput);
  const { order, status } = cell.execution ?? {};
  if (order !== undefined || status !== undefined) {
    data.executionSummary = {
      executionOrder: order,
      success: status === 'ok' ? true : status === 'error' ? false : undefined,
    };
  }
  return data;
}

/** The last run as saved: VS Code's summary, completed from the file where VS Code knows no more. */
function executionOf(cell: vscode.NotebookCellData, saved: CellExecution | undefined): CellExecution | undefined {
  const { executionOrder: order, success, timing } = cell.executionSummary ?? {};
  if (!timing && order === saved?.order) return saved;
  if (order === undefined && success === undefined) return undefined;
  return {
    ...(order !== undefined && { order }),
    status: success === true ? 'ok' : success === false ? 'error' : 'interrupted',
  };
}

function fromCell(cell: vscode.NotebookCellData, index: number, taken: Set<string>, keepOutputs: boolean) {
  const { id, fgnbEmptyOutputs, execution, ...rest } = (cell.metadata ?? {}) as {
    id?: string;
    fgnbEmptyOutputs?: boolean;
    execution?: CellExecution;
  };
  let unique = id || `cell-${index + 1}`;
  for (let n = 2; taken.has(unique); n++) unique = `${id || `cell-${index + 1}`}-${n}`;
  taken.add(unique);
  const markdown = cell.kind === vscode.NotebookCellKind.Markup;
  const saved: NotebookCell = {
    id: unique,
    kind: markdown ? 'markdown' : 'code',
    language: cell.languageId || (markdown ? 'markdown' : CELL_LANGUAGE),
    source: splitSource(cell.value),
    ...rest,
  };
  if (!keepOutputs) return saved;
  const run = executionOf(cell, execution);
  if (run) saved.execution = run;
  // The state of a running call is not a result.
  const outputs = (cell.outputs ?? []).filter((o) => !o.items.some((item) => item.mime === MIME.progress));
  if (outputs.length > 0 || fgnbEmptyOutputs) saved.outputs = outputs.map(fromOutput);
  return saved;
}

/** @throws NotebookFormatError when the bytes are not a notebook of this version. */
export function readNotebookData(bytes: Uint8Array): vscode.NotebookData {
  const { cells, ...rest } = parseNotebook(decoder.decode(bytes));
  const data = new vscode.NotebookData(cells.map(toCell));
  data.metadata = rest;
  return data;
}

export function writeNotebookData(data: vscode.NotebookData, options: { outputs: boolean }): Uint8Array {
  const taken = new Set<string>();
  const { fgnb, metadata, ...rest } = (data.metadata ?? {}) as Partial<NotebookFile>;
  const file: NotebookFile = {
    fgnb: fgnb ?? NOTEBOOK_VERSION,
    metadata: metadata ?? {},
    ...rest,
    cells: data.cells.map((cell, i) => fromCell(cell, i, taken, options.outputs)),
  };
  return encoder.encode(serializeNotebook(file));
}

export class FgnbSerializer implements vscode.NotebookSerializer {
  constructor(private readonly keepOutputs: () => boolean) {}

  deserializeNotebook(bytes: Uint8Array): vscode.NotebookData {
    return readNotebookData(bytes);
  }

  serializeNotebook(data: vscode.NotebookData): Uint8Array {
    return writeNotebookData(data, { outputs: this.keepOutputs() });
  }
}
