/**
 * The file that keeps a cell's long output, up to the limit and as far as the disk has room. A failing write never
 * throws.
 */
import fs from 'node:fs';
import path from 'node:path';
import { sizeText } from './bounds.js';

export class SpillFile {
  private descriptor = -1;
  private bytes = 0;

  /** @param limit most bytes of the file */
  constructor(
    readonly file: string,
    private readonly limit: number,
  ) {}

  get isOpen(): boolean {
    return this.descriptor >= 0;
  }

  /**
   * Opens the file, empty unless `append`; links are not followed. Returns undefined, or why it could not be opened.
   */
  open(append: boolean): string | undefined {
    const { O_WRONLY, O_CREAT, O_APPEND, O_TRUNC, O_NOFOLLOW = 0 } = fs.constants;
    try {
      fs.mkdirSync(path.dirname(this.file), { recursive: true });
      const flags = O_WRONLY | O_CREAT | O_NOFOLLOW | (append ? O_APPEND : O_TRUNC);
      this.descriptor = fs.openSync(this.file, flags, 0o600);
      this.bytes = append ? fs.fstatSync(this.descriptor).size : 0;
      return undefined;
    } catch (error) {
      return (error as Error).message;
    }
  }

  /**
   * Appends text. Returns undefined when all of it was written; else it closes the file as it is and returns the
   * reason.
   */
  write(text: string): string | undefined {
    if (this.descriptor < 0) return undefined;
    const data = Buffer.from(text);
    let reason: string | undefined;
    if (this.bytes + data.length > this.limit) reason = `it may have at most ${sizeText(this.limit)}`;
    else
      try {
        for (let at = 0; at < data.length;) at += fs.writeSync(this.descriptor, data, at);
        this.bytes += data.length;
      } catch (error) {
        reason = (error as Error).message;
      }
    if (reason !== undefined) this.close();
    return reason;
  }

  /** Closes the file. Returns the reason if the system cannot write data that it had buffered. */
  close(): string | undefined {
    const { descriptor } = this;
    this.descriptor = -1;
    if (descriptor < 0) return undefined;
    try {
      fs.closeSync(descriptor);
      return undefined;
    } catch (error) {
      return (error as Error).message;
    }
  }
}
