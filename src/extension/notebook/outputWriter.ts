/** Puts a running cell's output into the notebook: coalesced, streams by append, progress replaced in place. */
import * as vscode from 'vscode';
import type { CellEvent, Progress } from '../../protocol/kernel.js';
import { MIME } from '../../protocol/mime.js';
import { OutputBuffer, type OutputOperation, type RawItem } from './outputBuffer.js';

const FLUSH_MS = 80;
/** At most four updates a second. */
const PROGRESS_MS = 250;

type ErrorEvent = Extract<CellEvent, { kind: 'error' }>;

const encoder = new TextEncoder();

function toItems(items: readonly RawItem[]): vscode.NotebookCellOutputItem[] {
  return items.map(({ mime, data }) => new vscode.NotebookCellOutputItem(data, mime));
}

function progressText(p: Progress): string {
  const amount = p.total === undefined ? `${p.done}` : `${p.done} of ${p.total}`;
  return `${p.label}: ${amount}${p.unit ? ` ${p.unit}` : ''}${p.detail ? ` (${p.detail})` : ''}`;
}

function progressItems(progress: Progress): vscode.NotebookCellOutputItem[] {
  const json = encoder.encode(JSON.stringify(progress));
  return [
    new vscode.NotebookCellOutputItem(json, MIME.progress),
    vscode.NotebookCellOutputItem.text(progressText(progress), MIME.text),
  ];
}

export class OutputWriter {
  private readonly buffer: OutputBuffer;
  private timer: NodeJS.Timeout | undefined;
  private flushing: Promise<void> = Promise.resolve();
  private stream: { name: string; output: vscode.NotebookCellOutput } | undefined;
  private readonly displays = new Map<string, vscode.NotebookCellOutput>();
  /** The output that was added last, beside the progress bar. */
  private last: vscode.NotebookCellOutput | undefined;
  /** Outputs that were taken away and still stand: the next output takes the place, or the end of the cell removes them. */
  private readonly vacant = new Set<vscode.NotebookCellOutput>();
  private progress: { output: vscode.NotebookCellOutput; shownAt: number } | undefined;
  private heldProgress: Progress | undefined;

  constructor(
    private readonly execution: vscode.NotebookCellExecution,
    private readonly errorItem: (error: ErrorEvent) => vscode.NotebookCellOutputItem,
    limitBytes: number,
    private readonly onError: (error: unknown) => void,
  ) {
    this.buffer = new OutputBuffer(limitBytes);
  }

  push(event: CellEvent, buffers: readonly Uint8Array[]): void {
    this.buffer.push(event, buffers);
    this.timer ??= setTimeout(() => {
      this.timer = undefined;
      this.flushing = this.flushing.then(() => this.flush()).catch(this.onError);
    }, FLUSH_MS);
  }

  private async flush(): Promise<void> {
    for (const operation of this.buffer.take()) await this.apply(operation);
    await this.showHeldProgress();
  }

  /**
   * A new output. It takes the place of the output before it where that was taken away, or of a progress bar that is
   * shown, and a bar that is still needed is added anew behind it: when an output between others is removed, VS Code
   * lays the outputs behind it over each other.
   */
  private async add(output: vscode.NotebookCellOutput): Promise<vscode.NotebookCellOutput> {
    this.stream = undefined;
    this.last = await this.place(output);
    return this.last;
  }

  private async place(output: vscode.NotebookCellOutput): Promise<vscode.NotebookCellOutput> {
    const before = this.last && this.vacant.has(this.last) ? this.last : undefined;
    const taken = before ?? this.progress?.output;
    if (!taken || output.metadata) {
      await this.execution.appendOutput(output);
      return output;
    }
    if (before) this.vacant.delete(before);
    else this.progress = undefined;
    await this.execution.replaceOutputItems(output.items, taken);
    return taken;
  }

  private async apply(operation: OutputOperation): Promise<void> {
    switch (operation.type) {
      case 'append': {
        const { name, text } = operation;
        const item = new vscode.NotebookCellOutputItem(
          encoder.encode(text),
          name === 'stdout' ? MIME.stdout : MIME.stderr,
        );
        if (this.stream?.name === name) await this.execution.appendOutputItems(item, this.stream.output);
        else this.stream = { name, output: await this.add(new vscode.NotebookCellOutput([item])) };
        return;
      }
      case 'display': {
        const items = toItems(operation.items);
        const shown = operation.displayId === undefined ? undefined : this.displays.get(operation.displayId);
        if (operation.displayId !== undefined && items.length === 0) {
          this.displays.delete(operation.displayId);
          if (shown) this.vacant.add(shown);
          return;
        }
        if (shown) {
          await this.execution.replaceOutputItems(items, shown);
          return;
        }
        const metadata = operation.metadata && { metadata: operation.metadata };
        const output = await this.add(new vscode.NotebookCellOutput(items, metadata));
        if (operation.displayId !== undefined) this.displays.set(operation.displayId, output);
        return;
      }
      case 'error':
        await this.add(new vscode.NotebookCellOutput([this.errorItem(operation.error)]));
        return;
      case 'progress':
        // A finished call leaves its bar in place until the next call takes it over or the cell ends.
        if (operation.progress) this.heldProgress = operation.progress;
        return;
    }
  }

  private async showHeldProgress(): Promise<void> {
    const { heldProgress } = this;
    if (!heldProgress) return;
    const now = Date.now();
    if (this.progress && now - this.progress.shownAt < PROGRESS_MS) {
      this.timer ??= setTimeout(() => {
        this.timer = undefined;
        this.flushing = this.flushing.then(() => this.flush()).catch(this.onError);
      }, PROGRESS_MS);
      return;
    }
    this.heldProgress = undefined;
    if (this.progress) {
      this.progress.shownAt = now;
      await this.execution.replaceOutputItems(progressItems(heldProgress), this.progress.output);
    } else {
      // The bar is the last output; printed text is appended to the stream's output before it.
      const output = new vscode.NotebookCellOutput(progressItems(heldProgress));
      await this.execution.appendOutput(output);
      this.progress = { output, shownAt: now };
    }
  }

  private besideProgress(): vscode.NotebookCellOutput[] {
    return this.execution.cell.outputs.filter((o) => !o.items.some((item) => item.mime === MIME.progress));
  }

  /** Removes the progress bar, and outputs that were taken away and whose place nothing took: they become bars first. */
  private async removeProgress(): Promise<void> {
    if (!this.progress && this.vacant.size === 0) return;
    this.progress = undefined;
    for (const output of this.vacant) await this.execution.replaceOutputItems(progressItems({ label: '', done: 0 }), output); // prettier-ignore
    this.vacant.clear();
    const left = this.besideProgress();
    // When one output is left, VS Code reuses the first output's place and then drops the output with the old id, so
    // that nothing is drawn. A copy with a new id avoids that.
    const own = left.map((o) => (left.length === 1 ? new vscode.NotebookCellOutput([...o.items], o.metadata) : o));
    await this.execution.replaceOutput(own);
  }

  /** Everything is in the notebook, and the progress bar is gone, when this resolves. Never rejects. */
  async finish(): Promise<void> {
    clearTimeout(this.timer);
    this.timer = undefined;
    this.buffer.finish();
    this.flushing = this.flushing
      .then(async () => {
        this.heldProgress = undefined;
        const operations = this.buffer.take().filter((operation) => operation.type !== 'progress');
        if (this.besideProgress().length === 0) await this.removeProgress();
        for (const operation of operations) await this.apply(operation);
        await this.removeProgress();
      })
      .catch(this.onError);
    await this.flushing;
  }
}
