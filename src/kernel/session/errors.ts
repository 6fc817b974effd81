/** Errors as a cell shows them: name, message with causes, and stack lines that point into cells. */
import { inspect } from 'node:util';
import type { StackLine } from '../../protocol/kernel.js';
import { SourceSyntaxError, type Place } from './place.js';

/** Script name of a cell's run: `fgnb:/<cell id>?<order>`. */
export function cellScriptName(cellId: string, order: number): string {
  return `fgnb:/${encodeURIComponent(cellId)}?${order}`;
}

/** The order of the cell in whose code an error was thrown, by the nearest such frame of its stack. */
export function cellOrderOf(error: unknown): number | undefined {
  if (!(error instanceof Error)) return undefined;
  const found = /\bfgnb:\/[^?\s]*\?(\d+)/.exec(ownString(error, 'stack') ?? '');
  return found ? Number(found[1]) : undefined;
}

const FRAME = /^\s+at (?:(.*?) \()?((?:fgnb:|file:|node:|\/|[A-Za-z]:[\\/])[^()]*?):(\d+):(\d+)\)?$/;
/** A frame without a place, such as `at async Promise.all (index 0)`. */
const ANONYMOUS_FRAME = /^\s+at (?:.*\((?:index \d+|<anonymous>|native)\)|<anonymous>:\d+:\d+)$/;
const MAX_MESSAGE = 20_000;
const MAX_FRAMES = 50;

export interface ErrorReport {
  name: string;
  message: string;
  stack: StackLine[];
}

/** Maps places of scripts that were compiled here back to their sources. */
export class StackMapper {
  private readonly maps = new Map<string, (place: Place) => Place>();

  constructor(
    /** Whether a file is the kernel's own, so that its frames are left out. */
    private readonly isOwn: (file: string) => boolean,
  ) {}

  /** Remembers a script; the oldest are forgotten beyond 2,000. */
  add(script: string, toSource: (place: Place) => Place): void {
    this.maps.delete(script);
    this.maps.set(script, toSource);
    if (this.maps.size > 2000) this.maps.delete(this.maps.keys().next().value as string);
  }

  /**
   * A text with its stacks made readable: places in cells by the number of the cell's run and the line of the cell,
   * without frames of the kernel and of Node. Other text stays as it is.
   */
  readable(text: string): string {
    if (!/^ +at /m.test(text)) return text;
    const lines: string[] = [];
    for (const line of text.split('\n')) {
      // Node writes this line in place of repeated frames of a cause, which are the kernel's.
      if (/^ +\.\.\. \d+ lines matching cause stack trace \.\.\.$/.test(line)) continue;
      // An error with properties: they follow its last frame.
      const opens = /^ +at .* \{$/.test(line);
      const kept = this.readableLine(opens ? line.slice(0, -2) : line);
      if (kept !== undefined) lines.push(kept);
      if (opens) lines.push(`${lines.pop() ?? ''} {`);
    }
    return lines.join('\n');
  }

  /** A line as it is shown; undefined for a frame of the kernel. */
  private readableLine(line: string): string | undefined {
    if (!FRAME.test(line) && !ANONYMOUS_FRAME.test(line)) return line;
    const [found] = this.lines(line);
    if (!found) return undefined;
    const order = found.cellId === undefined ? undefined : /\?(\d+):\d+:\d+\)?$/.exec(line)?.[1];
    const where = found.cellId === undefined ? found.file : `cell [${order}]`;
    const place = `${where}:${found.line}:${found.column}`;
    return `${/^ */.exec(line)?.[0]}at ${found.fn ? `${found.fn} (${place})` : place}`;
  }

  /** Frames of a stack text that the user can act on: cells, local files, packages. */
  lines(stack: string): StackLine[] {
    const found: StackLine[] = [];
    for (const text of stack.split('\n')) {
      const match = FRAME.exec(text);
      if (!match || found.length >= MAX_FRAMES) continue;
      const [, rawName = '', rawFile, line, column] = match;
      const file = rawFile.startsWith('file://') ? decodeURIComponent(rawFile.slice(7)) : rawFile;
      if (file.startsWith('node:') || this.isOwn(file)) continue;
      const toSource = this.maps.get(file);
      const place = { line: Number(line), column: Number(column) };
      const at = toSource ? toSource(place) : place;
      const fn = rawName.replace(/^async /, '').replace(/^Object\.<anonymous>$|^<anonymous>$|^eval$/, '');
      const cell = /^fgnb:\/([^?]*)/.exec(file);
      found.push(cell ? { fn, cellId: decodeURIComponent(cell[1]), ...at } : { fn, file, ...at });
    }
    return found;
  }
}

function ownString(value: object, key: string): string | undefined {
  const found: unknown = Reflect.get(value, key);
  return typeof found === 'string' ? found : undefined;
}

function placeText(stack: StackLine[]): string {
  const [first] = stack;
  if (!first) return '';
  return first.cellId
    ? ` (in a cell, line ${first.line}:${first.column})`
    : ` (${first.file}:${first.line}:${first.column})`;
}

function describe(error: unknown, mapper: StackMapper, depth: number): string {
  if (!(error instanceof Error)) return inspect(error, { depth: 2 });
  const head = `${error.name}: ${error.message}${placeText(mapper.lines(error.stack ?? ''))}`;
  return head + related(error, mapper, depth);
}

/** The causes of an error and the parts of an AggregateError, indented. */
function related(error: Error, mapper: StackMapper, depth: number): string {
  if (depth > 5) return '';
  const indent = '\n' + '  '.repeat(depth + 1);
  const parts = error instanceof AggregateError ? (error.errors as unknown[]).slice(0, 20) : [];
  const inner = parts.map((part, i) => `${indent}[${i}] ${describe(part, mapper, depth + 1)}`);
  const cause = error.cause === undefined ? '' : `${indent}Caused by ${describe(error.cause, mapper, depth + 1)}`;
  return inner.join('') + cause;
}

/** The report of any thrown value. Never throws, whatever the value does. */
export function reportError(error: unknown, mapper: StackMapper): ErrorReport {
  try {
    if (!(error instanceof Error)) {
      return { name: 'Uncaught', message: inspect(error, { depth: 3 }).slice(0, MAX_MESSAGE), stack: [] };
    }
    const message = (ownString(error, 'message') ?? '') + related(error, mapper, 0);
    return {
      name: ownString(error, 'name') ?? 'Error',
      message: message.slice(0, MAX_MESSAGE),
      stack: mapper.lines(ownString(error, 'stack') ?? ''),
    };
  } catch {
    return { name: 'Uncaught', message: 'a value that cannot be shown', stack: [] };
  }
}

/** The report of a syntax error at its place in a cell. */
export function reportSyntaxError(error: SourceSyntaxError, cellId: string): ErrorReport {
  const { name, message, line, column } = error;
  return { name, message, stack: [{ fn: '', cellId, line, column }] };
}
