/**
 * Gathers what a cell prints and shows between two updates of the notebook. Pure: events in, few operations out, so
 * that a loop of 100,000 prints costs the editor a handful of updates and bounded text.
 */
import type { CellEvent, OutputItemMessage, Progress } from '../../protocol/kernel.js';
import type { JsonObject } from '../../protocol/notebook.js';

export type StreamName = 'stdout' | 'stderr';

export interface RawItem {
  mime: string;
  data: Uint8Array;
}

export type OutputOperation =
  /** Goes on the end of the last output when that is the same stream, else starts a new one. */
  | { type: 'append'; name: StreamName; text: string }
  /** A new output, or the new contents of the one with this `displayId`. */
  | { type: 'display'; items: RawItem[]; displayId?: string; metadata?: JsonObject }
  | { type: 'progress'; progress: Progress | null }
  | { type: 'error'; error: Extract<CellEvent, { kind: 'error' }> };

/** Characters of the end that are kept when a cell prints more than the limit. */
const TAIL_CHARACTERS = 64 * 1024;

const encoder = new TextEncoder();

function rawItem(item: OutputItemMessage, buffers: readonly Uint8Array[]): RawItem {
  if (item.buffer !== undefined) return { mime: item.mime, data: buffers[item.buffer] ?? new Uint8Array() };
  return {
    mime: item.mime,
    data: encoder.encode(item.json !== undefined ? JSON.stringify(item.json) : (item.text ?? '')),
  };
}

/** What a terminal would show of text with carriage returns: of each line, the part after the last one. */
export function applyCarriageReturns(text: string): string {
  if (!text.includes('\r')) return text;
  return text.replace(/\r+\n/g, '\n').replace(/[^\n]*\r(?=[^\n])/g, '');
}

export class OutputBuffer {
  private pending: OutputOperation[] = [];
  private printed = 0;
  private omitted = 0;
  private tail = '';
  private tailName: StreamName = 'stdout';

  /** `limit`: characters of printed text kept per run. */
  constructor(private readonly limit: number) {}

  get isEmpty(): boolean {
    return this.pending.length === 0;
  }

  push(event: CellEvent, buffers: readonly Uint8Array[] = []): void {
    switch (event.kind) {
      case 'stream':
        return this.print(event.name, event.text);
      case 'display': {
        const items = event.items.map((item) => rawItem(item, buffers));
        return this.add({ type: 'display', items, displayId: event.displayId, metadata: event.metadata });
      }
      case 'progress':
        return this.add({ type: 'progress', progress: event.progress });
      case 'error':
        return this.add({ type: 'error', error: event });
      case 'started':
      case 'finished':
        return;
    }
  }

  private add(operation: OutputOperation): void {
    // Between two updates only the last state of the same thing counts.
    const same = (p: OutputOperation): boolean =>
      (operation.type === 'progress' && p.type === 'progress') ||
      (operation.type === 'display' &&
        operation.displayId !== undefined &&
        p.type === 'display' &&
        p.displayId === operation.displayId);
    const at = this.pending.findIndex(same);
    if (at >= 0) this.pending[at] = operation;
    else this.pending.push(operation);
  }

  private print(name: StreamName, text: string): void {
    const room = this.limit - this.printed;
    this.printed += text.length;
    if (room > 0) this.append(name, text.slice(0, room));
    if (text.length <= room) return;
    if (room > 0) this.append(name, '\n[output limit reached: the end is shown when the cell finishes]\n');
    const rest = this.tail + text.slice(Math.max(0, room));
    this.tail = rest.slice(-TAIL_CHARACTERS);
    this.omitted += rest.length - this.tail.length;
    this.tailName = name;
  }

  private append(name: StreamName, text: string): void {
    const last = this.pending.at(-1);
    if (last?.type === 'append' && last.name === name) last.text += text;
    else this.pending.push({ type: 'append', name, text });
  }

  /** The operations since the last call, in order. */
  take(): OutputOperation[] {
    const taken = this.pending;
    this.pending = [];
    for (const op of taken) if (op.type === 'append') op.text = applyCarriageReturns(op.text);
    return taken;
  }

  /** Brings out the held-back end of a long print; call when the cell has finished. */
  finish(): void {
    if (this.tail === '') return;
    const note = this.omitted > 0 ? `[… ${this.omitted.toLocaleString('en')} characters omitted …]\n` : '';
    this.append(this.tailName, note + this.tail);
    this.tail = '';
  }
}
