/**
 * Output of a cell: text gathered into few messages, bounded in size, in one order with everything else that the cell
 * shows.
 */
import { clearTimeout, setTimeout } from 'node:timers';
import type { CellEvent, Progress } from '../../protocol/kernel.js';
import { clip, clipError, clipProgress } from './bounds.js';
import { SpillFile } from './spill.js';

export type StreamName = 'stdout' | 'stderr';

export interface OutputLimits {
  flushMs: number;
  /** Characters that are sent as they come; the rest goes to a file, and its end is sent when the cell ends. */
  cap: number;
  tail: number;
  progressMs: number;
  /** Most bytes of that file. */
  logBytes: number;
  /** Errors shown that did not end the cell: from timers and from promises that were not awaited. */
  errors: number;
}

export const OUTPUT_LIMITS: OutputLimits = {
  flushMs: 60,
  cap: 2 * 2 ** 20,
  tail: 64 * 2 ** 10,
  progressMs: 250,
  logBytes: 256 * 2 ** 20,
  errors: 100,
};

/** A terminal's "erase the line". */
const ERASE = new RegExp(String.fromCharCode(27) + '\\[[012]?K', 'g');

/** One line as a terminal shows it: text after "\r" overwrites the text before it, `ESC[K` erases. */
export function overwrite(line: string): string {
  if (!line.includes('\r')) return line;
  let shown = '';
  for (const part of line.split('\r')) {
    const text = part.replace(ERASE, '');
    // Erasing before or after the text leaves the text as it is.
    shown = text === part ? text + shown.slice(text.length) : text;
  }
  return shown;
}

/** Collapses finished lines of `text`. The unfinished last line is returned apart: it may still be overwritten. */
export function collapse(text: string): { done: string; open: string } {
  const end = text.lastIndexOf('\n') + 1;
  const done = text.slice(0, end).replace(/\r+\n/g, '\n');
  const lines = done.includes('\r') ? done.split('\n').map(overwrite).join('\n') : done;
  return { done: lines, open: text.slice(end) };
}

/** The outputs of one run of a cell, from its start until after its end. */
export class CellOutputs {
  private name: StreamName = 'stdout';
  private pending = '';
  private timer: NodeJS.Timeout | undefined;
  private due = 0;
  private sent = 0;
  private head: string[] = [];
  private spill: { file: SpillFile; bytes: number; tail: string; name: StreamName } | undefined;
  private spilledBefore = false;
  private finished = false;
  private strayErrors = 0;
  private progressTimer: NodeJS.Timeout | undefined;
  private progressAt = 0;
  private progress: Progress | null = null;
  private progressShown = false;

  constructor(
    private readonly emit: (event: CellEvent) => void,
    /** File that keeps long output whole. */
    private readonly logFile: string,
    private readonly limits: OutputLimits = OUTPUT_LIMITS,
  ) {}

  write(name: StreamName, text: string): void {
    if (text === '') return;
    if (name !== this.name && this.pending !== '') this.flush(true);
    this.name = name;
    this.pending += text;
    if (this.pending.length > this.limits.cap) this.flush(false);
    this.schedule();
  }

  private schedule(): void {
    const now = Date.now();
    // If an interrupt killed the timer, the next write sets it again.
    if (this.timer && now < this.due + 1000) return;
    clearTimeout(this.timer);
    this.due = now + this.limits.flushMs;
    this.timer = setTimeout(() => {
      this.timer = undefined;
      this.flush(false);
    }, this.limits.flushMs);
  }

  /** Sends pending text. A line that is being overwritten waits, shown as progress, unless `all`. */
  flush(all: boolean): void {
    if (this.pending === '') return;
    const { done, open } = collapse(this.pending);
    const line = overwrite(open);
    const hold = !all && open.includes('\r') && line.length < this.limits.tail;
    // Only what the line shows now is kept, and the place where the next character goes.
    this.pending = hold ? `\r${line}${open.endsWith('\r') ? '\r' : ''}` : '';
    this.send(hold ? done : done + line);
    const label = hold ? clip(line.trim(), 200) : '';
    if (label) this.setProgress({ label, done: 0 });
  }

  private send(text: string): void {
    if (text === '') return;
    const { name } = this;
    if (this.spill) return this.spillMore(text);
    const room = this.limits.cap - this.sent;
    const now = text.slice(0, room);
    this.sent += now.length;
    this.head.push(now);
    if (now) this.emit({ kind: 'stream', name, text: now });
    if (text.length > room) this.beginSpill(text.slice(room));
  }

  private beginSpill(rest: string): void {
    const file = new SpillFile(this.logFile, this.limits.logBytes);
    const problem = file.open(this.spilledBefore);
    this.spilledBefore = true;
    const where = problem === undefined ? `all of it goes to ${this.logFile}` : `the rest is lost (${problem})`;
    const size = (this.limits.cap / 2 ** 20).toFixed(0);
    this.note(`more than ${size} MB of output: ${where}; its end follows`);
    this.spill = { file, bytes: 0, tail: '', name: this.name };
    this.toFile(file, this.head.join(''));
    this.head = [];
    this.spillMore(rest);
  }

  private spillMore(text: string): void {
    const { spill } = this;
    if (!spill) return;
    spill.bytes += text.length;
    spill.name = this.name;
    this.toFile(spill.file, text);
    spill.tail = (spill.tail + text).slice(-this.limits.tail);
  }

  private toFile(file: SpillFile, text: string): void {
    const problem = file.write(text);
    if (problem === undefined) return;
    this.note(
      `${file.file} does not hold all of the output: ${problem}. Only the end of the rest is kept; ` +
        'for all of it print less, or make room and run the cell again',
    );
  }

  private note(text: string): void {
    this.emit({ kind: 'stream', name: 'stderr', text: `\n[${text}]\n` });
  }

  /** Sends progress at most four times a second; the newest state always arrives. `null` clears at once. */
  setProgress(progress: Progress | null): void {
    this.progress = progress;
    if (progress === null) {
      clearTimeout(this.progressTimer);
      this.progressTimer = undefined;
      if (this.progressShown) this.emit({ kind: 'progress', progress: null });
      this.progressShown = false;
      return;
    }
    const wait = this.progressAt + this.limits.progressMs - Date.now();
    if (wait <= 0) this.sendProgress();
    else if (!this.progressTimer || wait < -1000) {
      clearTimeout(this.progressTimer);
      this.progressTimer = setTimeout(() => this.sendProgress(), wait);
    }
  }

  private sendProgress(): void {
    clearTimeout(this.progressTimer);
    this.progressTimer = undefined;
    this.progressAt = Date.now();
    if (!this.progress) return;
    this.progressShown = true;
    this.emit({ kind: 'progress', progress: clipProgress(this.progress) });
  }

  /** Everything else that a cell shows goes through here, so that it comes after the text printed before it. */
  show(event: CellEvent): void {
    this.flush(true);
    if (event.kind !== 'error') return this.emit(event);
    if (this.isFlood(event.late === true)) return;
    this.emit(clipError(event));
  }

  /**
   * Whether an error is one too many. The error that ends the cell is always shown; of others, which a timer can throw
   * without end, only a limited number.
   */
  private isFlood(late: boolean): boolean {
    if (this.finished && !late) return false;
    const { errors } = this.limits;
    if (++this.strayErrors === errors + 1)
      this.note(`more than ${errors} errors in the background of this cell: further ones are not shown`);
    return this.strayErrors > errors;
  }

  /** Called when the cell has ended: sends the rest and clears progress. Later output still goes through write(). */
  finish(): void {
    this.flush(true);
    this.setProgress(null);
    this.finished = true;
    const { spill } = this;
    if (!spill) return;
    this.spill = undefined;
    this.sent = 0;
    const problem = spill.file.close();
    if (problem !== undefined) this.note(`${spill.file.file} does not hold all of the output: ${problem}`);
    const cut = spill.tail.length < spill.bytes ? spill.tail.slice(spill.tail.indexOf('\n') + 1) : spill.tail;
    this.emit({ kind: 'stream', name: spill.name, text: cut });
  }
}
