/** Display of a headless run: one updating line on a terminal, plain lines elsewhere, JSON lines for programs. */
import { clearInterval, setInterval } from 'node:timers';
import type { Progress } from '../../protocol/kernel.js';
import type { CellStatus } from './session.js';

export interface CellShown {
  /** 1-based number among all code cells. */
  number: number;
  of: number;
  title: string;
}

/** First comment or line of a cell, cut to 70 characters. */
export function cellTitle(source: string): string {
  const line = source.split('\n').find((each) => each.trim() !== '') ?? '';
  const text = line
    .trim()
    .replace(/^(\/\/+|\/\*+)\s*/, '')
    .replace(/\s*\*\/$/, '');
  return text.length > 70 ? text.slice(0, 69) + '…' : text || '(empty)';
}

/** 0.42 s, 12.3 s, 3 min 05 s. */
export function duration(ms: number): string {
  if (ms < 9995) return `${(ms / 1000).toFixed(2)} s`;
  if (ms < 99_950) return `${(ms / 1000).toFixed(1)} s`;
  const seconds = Math.round(ms / 1000);
  return `${Math.floor(seconds / 60)} min ${String(seconds % 60).padStart(2, '0')} s`;
}

/** `train SAE 45 % · loss 0.123`. */
export function progressText({ label, done, total, unit, detail }: Progress): string {
  const share = total ? ` ${Math.floor((100 * done) / total)} %` : done ? ` ${done}${unit ? ` ${unit}` : ''}` : '';
  return `${label}${share}${detail ? ` · ${detail}` : ''}`;
}

const PLAIN_PROGRESS_MS = 10_000;
const MARKS: Record<CellStatus, string> = { ok: '✓', error: '✗', interrupted: '■' };

export class RunDisplay {
  private cell: CellShown | undefined;
  private started = 0;
  private progress: Progress | undefined;
  private timer: NodeJS.Timeout | undefined;
  private plainAt = 0;

  constructor(
    private readonly write: (text: string) => void,
    private readonly options: { tty: boolean; columns: () => number },
  ) {}

  begin(cell: CellShown): void {
    this.cell = cell;
    this.progress = undefined;
    this.started = this.plainAt = Date.now();
    if (!this.options.tty) return;
    this.draw();
    this.timer = setInterval(() => this.draw(), 250);
  }

  update(progress: Progress | null): void {
    this.progress = progress ?? undefined;
    if (this.options.tty) return this.draw();
    if (!progress || Date.now() - this.plainAt < PLAIN_PROGRESS_MS || !this.cell) return;
    this.plainAt = Date.now();
    this.write(
      `  [${this.cell.number}/${this.cell.of}] ${progressText(progress)} · ${duration(Date.now() - this.started)}\n`,
    );
  }

  private draw(): void {
    const { cell, progress } = this;
    if (!cell) return;
    const parts = [`[${cell.number}/${cell.of}] ${cell.title}`, progress ? progressText(progress) : ''];
    const text = [...parts.filter(Boolean), duration(Date.now() - this.started)].join(' · ').replace(/\s+/g, ' ');
    const room = Math.max(20, this.options.columns() - 3);
    this.write(`\r\x1b[K  ${text.length > room ? text.slice(0, room - 1) + '…' : text}`);
  }

  end(status: CellStatus, ms: number): void {
    clearInterval(this.timer);
    const { cell } = this;
    this.cell = undefined;
    if (!cell) return;
    const lead = this.options.tty ? '\r\x1b[K' : '';
    this.write(`${lead}${MARKS[status]} [${cell.number}/${cell.of}] ${cell.title} · ${duration(ms)}\n`);
  }
}
