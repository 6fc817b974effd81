/** Events of a cell as messages of Jupyter's iopub channel. */
import { MIME } from '../../protocol/mime.js';
import type { CellEvent, Progress } from '../../protocol/kernel.js';
import type { CellOutput, JsonObject } from '../../protocol/notebook.js';
import type { OutputLooks } from '../convert/fallbacks.js';
import { isJsonMime, isTextList } from '../convert/jupyter.js';
import { displayOf } from '../convert/toJupyter.js';
import { stackLineText, toItem, type CellNumber } from '../session/recorder.js';

/** Shorter calls show no progress: an output that appears and vanishes is no help. */
const PROGRESS_AFTER_MS = 2000;

/** The contents of an output that is no longer needed. */
const NOTHING = { data: { [MIME.text]: '' }, metadata: {} };

export interface CellError extends JsonObject {
  ename: string;
  evalue: string;
  traceback: string[];
}

export interface CellMessagesOptions {
  execution: string;
  executionCount: number;
  looks: OutputLooks;
  cellNumber: CellNumber;
  publish(type: string, content: JsonObject): void;
  /** Told when part of an output could not be shown. */
  problem(text: string): void;
}

function progressText({ label, done, total, unit, detail }: Progress): string {
  const count = total === undefined ? (done > 0 ? ` ${done}` : '') : ` ${done} of ${total}`;
  return `${label}${count}${unit === undefined ? '' : ` ${unit}`}${detail === undefined ? '' : ` · ${detail}`}`;
}

/** Files may hold text as a list of lines; messages hold one string. */
const inOneText = (data: JsonObject): JsonObject =>
  Object.fromEntries(
    Object.entries(data).map(([mime, value]) => [
      mime,
      !isJsonMime(mime) && isTextList(value) ? value.join('') : value,
    ]),
  );

export class CellMessages {
  /** The cell's first error. */
  error: CellError | undefined;
  private readonly shown = new Set<string>();
  private readonly started = Date.now();

  constructor(private readonly options: CellMessagesOptions) {}

  /** Publishes an event. Callers await it before the next one, so that outputs keep their order. */
  async add(event: CellEvent, buffers: readonly Uint8Array[]): Promise<void> {
    switch (event.kind) {
      case 'stream':
        return this.options.publish('stream', { name: event.name, text: event.text });
      case 'display':
        return this.display(
          {
            items: event.items.map((item) => toItem(item, buffers)),
            ...(event.metadata && { metadata: event.metadata }),
          },
          event,
        );
      case 'error':
        return this.failed(event);
      case 'progress':
        return this.progress(event.progress);
      case 'started':
      case 'finished':
        return;
    }
  }

  private async display(output: CellOutput, how: { displayId?: string; result?: true }): Promise<void> {
    const { looks, problem, publish, executionCount } = this.options;
    if (output.items.length === 0) {
      // Messages cannot take an output away: it stays as an empty line.
      if (how.displayId !== undefined && this.shown.has(how.displayId)) this.publishDisplay(NOTHING, how.displayId);
      return;
    }
    let drawn: ReadonlyMap<string, string> = new Map();
    try {
      drawn = (await looks.of(output)) ?? drawn;
    } catch (error) {
      problem(`an output is shown as text alone: ${(error as Error).message}`);
    }
    const { data, metadata } = displayOf(output, drawn);
    const content = { data: inOneText(data), metadata };
    if (how.result) return publish('execute_result', { ...content, execution_count: executionCount });
    this.publishDisplay(content, how.displayId);
  }

  /** Publishes an output; one with an id replaces the earlier output of that id in this run of the cell. */
  private publishDisplay(content: JsonObject, id: string | undefined): void {
    const { publish, execution } = this.options;
    if (id === undefined) return publish('display_data', { ...content, transient: {} });
    const type = this.shown.has(id) ? 'update_display_data' : 'display_data';
    this.shown.add(id);
    publish(type, { ...content, transient: { display_id: `${execution}-${id}` } });
  }

  /** Shows progress as one line that replaces itself, and that is emptied when the call has ended. */
  private progress(progress: Progress | null): void {
    const id = 'progress';
    if (!this.shown.has(id) && (progress === null || Date.now() < this.started + PROGRESS_AFTER_MS)) return;
    this.publishDisplay(
      progress === null ? NOTHING : { ...NOTHING, data: { [MIME.text]: progressText(progress) } },
      id,
    );
  }

  private failed({ name, message, stack }: Extract<CellEvent, { kind: 'error' }>): void {
    const frames = stack.map((line) => `    ${stackLineText(line, this.options.cellNumber)}`);
    const error = { ename: name, evalue: message, traceback: [`${name}: ${message}`, ...frames] };
    this.error ??= error;
    this.options.publish('error', error);
  }
}
