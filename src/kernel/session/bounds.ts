/** Limits on what a cell may show at once, so that no message is too large for its frame or its file. */
import type { CellEvent, OutputItemMessage, Progress, StackLine } from '../../protocol/kernel.js';

/** Bytes of one output, as JSON and raw bytes together. A frame's header may have as many (protocol/frames.ts). */
export const DISPLAY_BYTES = 64 * 2 ** 20;
/** Part of FRAME_LIMITS.headerBytes that is left for the fields around the items. */
const ENVELOPE_BYTES = 64 * 1024;

/** Items of one output. */
const DISPLAY_ITEMS = 256;

const MESSAGE_CHARACTERS = 64 * 1024;
const NAME_CHARACTERS = 1000;
const STACK_LINES = 100;

/** 71.3 MB, 12 KB. */
export function sizeText(bytes: number): string {
  if (bytes < 2 ** 20) return `${Math.ceil(bytes / 2 ** 10)} KB`;
  return `${(bytes / 2 ** 20).toFixed(1).replace(/\.0$/, '')} MB`;
}

/**
 * Bytes that the items take in a message.
 * @throws RangeError for the user when they are over the limit, TypeError when they cannot be written as JSON
 */
export function checkDisplay(items: readonly OutputItemMessage[], buffers: readonly Uint8Array[]): void {
  if (items.length > DISPLAY_ITEMS)
    throw new RangeError(`This output has ${items.length} items and the limit is ${DISPLAY_ITEMS}: it is not shown.`);
  const raw = buffers.reduce((sum, buffer) => sum + buffer.byteLength, 0);
  // A character takes at most six bytes in JSON: most outputs need no exact count.
  const texts = items.reduce((sum, { mime, text }) => sum + mime.length + (text?.length ?? 0), 0);
  const plain = items.every(({ json }) => json === undefined);
  const bytes = plain && raw + 6 * texts < DISPLAY_BYTES / 2 ? 0 : raw + jsonBytes(items);
  if (bytes <= DISPLAY_BYTES - ENVELOPE_BYTES) return;
  throw new RangeError(
    `This output is ${sizeText(bytes)} and the limit is ${sizeText(DISPLAY_BYTES)}: it is not shown. ` +
      'Show a part of it, or write it to a file and show the path.',
  );
}

function jsonBytes(items: readonly OutputItemMessage[]): number {
  try {
    return Buffer.byteLength(JSON.stringify(items));
  } catch (error) {
    // V8's longest string is about 512 MB.
    if (error instanceof RangeError) return 2 ** 29;
    throw error;
  }
}

/** `text` cut to `length` characters, with a note of how much is missing. */
export function clip(text: string, length: number): string {
  return text.length <= length ? text : `${text.slice(0, length)} … [${text.length - length} more characters]`;
}

function clipLine(line: StackLine): StackLine {
  return {
    ...line,
    fn: clip(line.fn, NAME_CHARACTERS),
    ...(line.file !== undefined && { file: clip(line.file, NAME_CHARACTERS) }),
  };
}

/** Shortens the texts of a progress line. */
export function clipProgress(progress: Progress): Progress {
  return {
    ...progress,
    label: clip(progress.label, NAME_CHARACTERS),
    ...(progress.unit !== undefined && { unit: clip(progress.unit, NAME_CHARACTERS) }),
    ...(progress.detail !== undefined && { detail: clip(progress.detail, NAME_CHARACTERS) }),
  };
}

/** Shortens an error: its message, its name and its stack. */
export function clipError(event: Extract<CellEvent, { kind: 'error' }>): Extract<CellEvent, { kind: 'error' }> {
  return {
    ...event,
    name: clip(event.name, NAME_CHARACTERS),
    message: clip(event.message, MESSAGE_CHARACTERS),
    stack: event.stack.slice(0, STACK_LINES).map(clipLine),
  };
}

/**
 * An estimate of how many bytes a message takes on its way to the control thread. Counting stops at `enough`.
 * @param value plain JSON data and typed arrays
 */
export function roughBytes(value: unknown, enough = 2 ** 30): number {
  if (typeof value === 'string') return value.length;
  if (typeof value !== 'object' || value === null) return 8;
  if (ArrayBuffer.isView(value)) return value.byteLength;
  let bytes = 16;
  for (const [key, each] of Object.entries(value)) {
    bytes += key.length + roughBytes(each, enough - bytes);
    if (bytes > enough) break;
  }
  return bytes;
}
