/** Outputs of a running cell in the notebook: what is taken away leaves its place to what comes next. */
import { describe, expect, it, vi } from 'vitest';
import type { NotebookCellExecution } from 'vscode';
import type { CellEvent } from '#protocol/kernel.js';

interface Item {
  mime: string;
  data: Uint8Array;
}

vi.mock('vscode', () => {
  class NotebookCellOutputItem implements Item {
    constructor(
      readonly data: Uint8Array,
      readonly mime: string,
    ) {}

    static text(text: string, mime: string): NotebookCellOutputItem {
      return new NotebookCellOutputItem(new TextEncoder().encode(text), mime);
    }
  }
  class NotebookCellOutput {
    constructor(
      readonly items: Item[],
      readonly metadata?: object,
    ) {}
  }
  return { NotebookCellOutputItem, NotebookCellOutput };
});

const { OutputWriter } = await import('#extension/notebook/outputWriter.js');

/** A cell as the editor keeps it, and what was done to it. */
function cell() {
  const outputs: Array<{ items: Item[] }> = [];
  const removed: number[] = [];
  const execution = {
    cell: { outputs },
    appendOutput: (output: { items: Item[] }) => Promise.resolve(void outputs.push(output)),
    replaceOutputItems: (items: Item[], output: { items: Item[] }) => Promise.resolve(void (output.items = items)),
    replaceOutput: (left: Array<{ items: Item[] }>) => {
      removed.push(outputs.length - left.length);
      outputs.splice(0, outputs.length, ...left);
      return Promise.resolve();
    },
  };
  const errors: unknown[] = [];
  const errorItem = () => ({ mime: 'error', data: new Uint8Array() });
  const writer = new OutputWriter(execution as unknown as NotebookCellExecution, errorItem, 1000, (e) =>
    errors.push(e),
  );
  const texts = () => outputs.map(({ items }) => new TextDecoder().decode(items.at(-1)?.data));
  const flushed = () => new Promise((resolve) => setTimeout(resolve, 120));
  const show = async (text: string | undefined, displayId?: string): Promise<void> => {
    const items = text === undefined ? [] : [{ mime: 'text/plain', text }];
    writer.push({ kind: 'display', items, displayId } as CellEvent, []);
    await flushed();
  };
  return { writer, show, texts, removed, errors };
}

describe('an output that is taken away', () => {
  it('stands until the next one takes its place, whatever moved there before: nothing is removed', async () => {
    const { writer, show, texts, removed, errors } = cell();
    await show('A moves', 'a');
    await show(undefined, 'a');
    expect(texts()).toEqual(['A moves']);
    await show('B moves', 'b');
    expect(texts()).toEqual(['B moves']);
    await show(undefined, 'b');
    await show('the map');
    await writer.finish();
    expect(texts()).toEqual(['the map']);
    expect([removed, errors]).toEqual([[], []]);
  });

  it('is removed at the end of the cell where nothing took its place, or something else came between', async () => {
    const { writer, show, texts, removed } = cell();
    await show('table');
    await show('A moves', 'a');
    await show('between');
    await show(undefined, 'a');
    await show('the map');
    expect(texts()).toEqual(['table', 'A moves', 'between', 'the map']);
    await show('B moves', 'b');
    await show(undefined, 'b');
    await writer.finish();
    expect(texts()).toEqual(['table', 'between', 'the map']);
    expect(removed).toEqual([2]);
  });

  it('leaves the progress bar where it is', async () => {
    const { writer, show, texts } = cell();
    const progress = (done: number) =>
      writer.push({ kind: 'progress', progress: { label: 'UMAP', done, total: 9, unit: 'epochs' } }, []);
    progress(1);
    await show('A moves', 'a');
    progress(2);
    await new Promise((resolve) => setTimeout(resolve, 600));
    expect(texts()).toEqual(['A moves', 'UMAP: 2 of 9 epochs']);
    await show(undefined, 'a');
    await show('the map');
    expect(texts()).toEqual(['the map', 'UMAP: 2 of 9 epochs']);
    await writer.finish();
    expect(texts()).toEqual(['the map']);
  });

  it('that was never shown is nothing', async () => {
    const { writer, show, texts } = cell();
    await show(undefined, 'a');
    await writer.finish();
    expect(texts()).toEqual([]);
  });
});
