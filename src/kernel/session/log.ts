/** The kernel's own log, on stderr: bounded in size, and errors of writing it are ignored. */
import fs from 'node:fs';
import { clip } from './bounds.js';

const LINE_CHARACTERS = 16 * 1024;
/** Per thread; beyond, one line says that later lines are left out. */
const LOG_CHARACTERS = 16 * 2 ** 20;

export class KernelLog {
  private written = 0;

  constructor(private readonly descriptor = 2) {}

  line(text: string): void {
    if (this.written > LOG_CHARACTERS) return;
    const line = `${clip(text, LINE_CHARACTERS)}\n`;
    this.written += line.length;
    const last = this.written > LOG_CHARACTERS ? 'the log is full: later lines are left out\n' : '';
    try {
      fs.writeSync(this.descriptor, line + last);
    } catch {
      // There is nowhere else to report that the log cannot be written.
    }
  }
}
