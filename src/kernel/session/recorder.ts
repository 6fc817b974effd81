/** Records a cell's events as the outputs that its notebook keeps. Pure. */
import { MIME } from '../../protocol/mime.js';
import type { CellEvent, OutputItemMessage, StackLine } from '../../protocol/kernel.js';
import type { CellExecution, CellOutput, OutputItem } from '../../protocol/notebook.js';
import { splitLines } from '../../protocol/notebookCodec.js';
import { sizeText } from './bounds.js';
import type { ErrorReport } from './errors.js';

/** Position of a cell in its notebook, 1-based; undefined for one that is not there. */
export type CellNumber = (cellId: string) => number | undefined;

/** One stack line, such as `at scale (cell 3:12:5)`. */
export function stackLineText(line: StackLine, cellNumber: CellNumber): string {
  const where = line.cellId === undefined ? (line.file ?? 'unknown') : `cell ${cellNumber(line.cellId) ?? line.cellId}`;
  const place = `${where}:${line.line}:${line.column}`;
  return line.fn ? `at ${line.fn} (${place})` : `at ${place}`;
}

/** An item as notebook files hold it: binary contents as base64, text in lines. */
export function toItem(message: OutputItemMessage, buffers: readonly Uint8Array[]): OutputItem {
  const { mime, text, json, buffer } = message;
  if (buffer !== undefined) return { mime, base64: Buffer.from(buffers[buffer]).toString('base64') };
  return text === undefined ? { mime, json } : { mime, text: splitLines(text) };
}

/** Bytes of outputs that an executed notebook keeps: it is one text, and the longest string of V8 is about 512 MB. */
export const KEPT_BYTES = 256 * 2 ** 20;
const KEPT_OUTPUTS = 20_000;

/** The remaining room for outputs in a notebook, shared by its cells. */
export class OutputBudget {
  private bytes = 0;
  private outputs = 0;

  constructor(
    readonly maxBytes = KEPT_BYTES,
    readonly maxOutputs = KEPT_OUTPUTS,
  ) {}

  /** Takes room; false where there is not enough. */
  take(bytes: number): boolean {
    if (this.bytes + bytes > this.maxBytes || this.outputs >= this.maxOutputs) return false;
    this.bytes += bytes;
    this.outputs++;
    return true;
  }

  release(bytes: number): void {
    this.bytes -= bytes;
    this.outputs--;
  }
}

function itemBytes({ mime, text, json, base64 }: OutputItem): number {
  const content = base64?.length ?? text?.reduce((sum, line) => sum + line.length, 0) ?? JSON.stringify(json).length;
  return mime.length + content;
}

const bytesOf = (output: CellOutput): number => output.items.reduce((sum, item) => sum + itemBytes(item), 0);

export class CellRecorder {
  readonly outputs: CellOutput[] = [];
  execution: CellExecution = {};
  /** The cell's first error: the one it threw, or an uncaught one, which may come after it has ended. */
  error: ErrorReport | undefined;
  private readonly displays = new Map<string, { output: CellOutput; bytes: number }>();
  private isFull = false;

  constructor(
    private readonly cellNumber: CellNumber,
    private readonly budget = new OutputBudget(),
  ) {}

  add(event: CellEvent, buffers: readonly Uint8Array[] = []): void {
    switch (event.kind) {
      case 'started':
        this.execution = { order: event.order };
        return;
      case 'stream':
        return this.stream(event.name === 'stdout' ? MIME.stdout : MIME.stderr, event.text);
      case 'display': {
        const items = event.items.map((item) => toItem(item, buffers));
        return this.display({ items, ...(event.metadata && { metadata: event.metadata }) }, event.displayId);
      }
      case 'error': {
        const { name, message } = event;
        this.error ??= { name, message, stack: event.stack };
        // A cell with an error has not ended well.
        if (this.execution.status === 'ok') this.execution.status = 'error';
        const frames = event.stack.map((line) => `\n    ${stackLineText(line, this.cellNumber)}`).join('');
        const stack = `${name}: ${message}${frames}`;
        // Always kept: it is short, and it says why the cell ended.
        this.outputs.push({ items: [{ mime: MIME.error, json: { name, message, stack } }] });
        return;
      }
      case 'finished':
        // No duration: it differs from run to run, and a notebook should only differ where its results do.
        this.execution = { ...this.execution, status: event.status === 'ok' && this.error ? 'error' : event.status };
        return;
      case 'progress':
        // The state of a running call is not a result.
        return;
    }
  }

  private stream(mime: string, text: string): void {
    if (!this.budget.take(text.length)) return this.full();
    const [item] = this.outputs.at(-1)?.items ?? [];
    if (item?.mime === mime) item.text = splitLines((item.text ?? []).join('') + text);
    else this.outputs.push({ items: [{ mime, text: splitLines(text) }] });
  }

  private display(output: CellOutput, displayId: string | undefined): void {
    const bytes = bytesOf(output);
    const shown = displayId === undefined ? undefined : this.displays.get(displayId);
    if (shown) this.budget.release(shown.bytes);
    if (displayId !== undefined && output.items.length === 0) {
      this.displays.delete(displayId);
      if (shown) this.outputs.splice(this.outputs.indexOf(shown.output), 1);
      return;
    }
    if (!this.budget.take(bytes)) {
      // The output that it replaces was there before and stays.
      if (shown) this.budget.take(shown.bytes);
      return this.full();
    }
    if (shown) {
      Object.assign(shown.output, output);
      shown.bytes = bytes;
      return;
    }
    if (displayId !== undefined) this.displays.set(displayId, { output, bytes });
    this.outputs.push(output);
  }

  /** Adds one note in place of the first missing output. */
  private full(): void {
    if (this.isFull) return;
    this.isFull = true;
    const { maxBytes, maxOutputs } = this.budget;
    const text = `[the outputs from here on are not in the file: a notebook keeps ${sizeText(maxBytes)} and ${maxOutputs} outputs; show less, or write results to files]\n`;
    this.outputs.push({ items: [{ mime: MIME.stderr, text: [text] }] });
  }
}
