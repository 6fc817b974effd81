/** A cell's events as the outputs that its notebook keeps. Pure. */
import { MIME } from '../../protocol/mime.js';
import type { CellEvent, OutputItemMessage, StackLine } from '../../protocol/kernel.js';
import type { CellExecution, CellOutput, OutputItem } from '../../protocol/notebook.js';
import { splitLines } from '../../protocol/notebookCodec.js';
import type { ErrorReport } from './errors.js';

/** Position of a cell in its notebook, 1-based; undefined for one that is not there. */
export type CellNumber = (cellId: string) => number | undefined;

/** One stack line, such as `at scale (cell 3:12:5)`. */
export function stackLineText(line: StackLine, cellNumber: CellNumber): string {
  const where = line.cellId === undefined ? (line.file ?? 'unknown') : `cell ${cellNumber(line.cellId) ?? line.cellId}`;
  const place = `${where}:${line.line}:${line.column}`;
  return line.fn ? `at ${line.fn} (${place})` : `at ${place}`;
}

function toItem(message: OutputItemMessage, buffers: readonly Uint8Array[]): OutputItem {
  const { mime, text, json, buffer } = message;
  if (buffer !== undefined) return { mime, base64: Buffer.from(buffers[buffer]).toString('base64') };
  return text === undefined ? { mime, json } : { mime, text: splitLines(text) };
}

export class CellRecorder {
  readonly outputs: CellOutput[] = [];
  execution: CellExecution = {};
  /** The cell's first error: what it threw, or one that nobody caught, which may come when it has ended. */
  error: ErrorReport | undefined;
  private readonly displays = new Map<string, CellOutput>();

  constructor(private readonly cellNumber: CellNumber) {}

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
        // No cell that ended well has an error.
        if (this.execution.status === 'ok') this.execution.status = 'error';
        const frames = event.stack.map((line) => `\n    ${stackLineText(line, this.cellNumber)}`).join('');
        const stack = `${name}: ${message}${frames}`;
        this.outputs.push({ items: [{ mime: MIME.error, json: { name, message, stack } }] });
        return;
      }
      case 'finished':
        this.execution = {
          ...this.execution,
          status: event.status === 'ok' && this.error ? 'error' : event.status,
          ms: Math.round(event.ms),
        };
        return;
      case 'progress':
        // The state of a running call is not a result.
        return;
    }
  }

  private stream(mime: string, text: string): void {
    const [item] = this.outputs.at(-1)?.items ?? [];
    if (item?.mime === mime) item.text = splitLines((item.text ?? []).join('') + text);
    else this.outputs.push({ items: [{ mime, text: splitLines(text) }] });
  }

  private display(output: CellOutput, displayId: string | undefined): void {
    const shown = displayId === undefined ? undefined : this.displays.get(displayId);
    if (shown) {
      Object.assign(shown, output);
      return;
    }
    if (displayId !== undefined) this.displays.set(displayId, output);
    this.outputs.push(output);
  }
}
