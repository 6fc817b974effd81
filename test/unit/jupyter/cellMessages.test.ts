import { afterEach, describe, expect, it, vi } from 'vitest';
import { OutputLooks } from '#kernel/convert/fallbacks.js';
import { CellMessages } from '#kernel/jupyter/cellMessages.js';
import type { JsonObject } from '#protocol/notebook.js';

function recorded(): { messages: CellMessages; published: Array<[string, JsonObject]>; problems: string[] } {
  const published: Array<[string, JsonObject]> = [];
  const problems: string[] = [];
  const messages = new CellMessages({
    execution: 'x1',
    executionCount: 3,
    looks: new OutputLooks('/nowhere'),
    cellNumber: (id) => (id === 'a' ? 2 : undefined),
    publish: (type, content) => void published.push([type, content]),
    problem: (text) => void problems.push(text),
  });
  return { messages, published, problems };
}

describe('what a cell does, for Jupyter', () => {
  afterEach(() => vi.useRealTimers());

  it('replaces an output by its id, within one run of the cell', async () => {
    const { messages, published } = recorded();
    const show = (text: string) =>
      messages.add({ kind: 'display', items: [{ mime: 'text/plain', text }], displayId: 'd' }, []);
    await show('1');
    await show('2\n3');
    const transient = { display_id: 'x1-d' };
    expect(published).toEqual([
      ['display_data', { data: { 'text/plain': '1' }, metadata: {}, transient }],
      ['update_display_data', { data: { 'text/plain': '2\n3' }, metadata: {}, transient }],
    ]);
  });

  it('empties an output that is taken away, and says nothing of one that was not shown', async () => {
    const { messages, published } = recorded();
    const show = (...texts: string[]) =>
      messages.add({ kind: 'display', items: texts.map((text) => ({ mime: 'text/plain', text })), displayId: 'd' }, []);
    await show();
    expect(published).toEqual([]);
    await show('moving');
    await show();
    const transient = { display_id: 'x1-d' };
    expect(published.at(-1)).toEqual(['update_display_data', { data: { 'text/plain': '' }, metadata: {}, transient }]);
  });

  it('gives the last value as the result, bytes as base64, and says what cannot be drawn', async () => {
    const { messages, published, problems } = recorded();
    const bytes = Uint8Array.of(137, 80, 78, 71);
    await messages.add({ kind: 'display', items: [{ mime: 'image/png', buffer: 0 }], result: true }, [bytes]);
    const items = [
      { mime: 'application/vnd.fgnb.graph+json', json: { version: 1, path: '../..' } },
      { mime: 'text/plain', text: 'a graph' },
    ];
    await messages.add({ kind: 'display', items }, []);
    expect(published[0]).toEqual([
      'execute_result',
      { data: { 'image/png': 'iVBORw==' }, metadata: {}, execution_count: 3 },
    ]);
    expect(published[1][1].data).toMatchObject({ 'text/plain': 'a graph' });
    expect(problems).toEqual([expect.stringContaining('an output is shown as text alone: ')]);
  });

  it('tells errors with the numbers of cells, and keeps the first', async () => {
    const { messages, published } = recorded();
    const stack = [{ fn: 'f', cellId: 'a', line: 1, column: 2 }];
    await messages.add({ kind: 'error', name: 'E', message: 'm', stack }, []);
    await messages.add({ kind: 'error', name: 'F', message: 'n', stack: [], late: true }, []);
    expect(published[0]).toEqual(['error', { ename: 'E', evalue: 'm', traceback: ['E: m', '    at f (cell 2:1:2)'] }]);
    expect(messages.error?.ename).toBe('E');
  });

  it('shows progress of a call that takes more than two seconds, on one line that is empty at its end', async () => {
    vi.useFakeTimers();
    const { messages, published } = recorded();
    const at = (done: number) => messages.add({ kind: 'progress', progress: { label: 'Train', done, total: 9 } }, []);
    await at(1);
    await messages.add({ kind: 'progress', progress: null }, []);
    expect(published).toEqual([]);
    vi.advanceTimersByTime(2500);
    await at(4);
    await at(8);
    await messages.add({ kind: 'progress', progress: null }, []);
    expect(published.map(([type, { data }]) => [type, (data as JsonObject)['text/plain']])).toEqual([
      ['display_data', 'Train 4 of 9'],
      ['update_display_data', 'Train 8 of 9'],
      ['update_display_data', ''],
    ]);
  });
});
