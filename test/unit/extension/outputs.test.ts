import { describe, expect, it } from 'vitest';
import { errorText, type CellPlace } from '#extension/notebook/errorText.js';
import { applyCarriageReturns, OutputBuffer } from '#extension/notebook/outputBuffer.js';

const print = (buffer: OutputBuffer, text: string, name: 'stdout' | 'stderr' = 'stdout'): void =>
  buffer.push({ kind: 'stream', name, text });

describe('the output buffer', () => {
  it('joins prints to one stream into one operation and keeps the order of streams', () => {
    const buffer = new OutputBuffer(1000);
    print(buffer, 'a\n');
    print(buffer, 'b\n');
    print(buffer, 'e\n', 'stderr');
    print(buffer, 'c\n');
    expect(buffer.take()).toEqual([
      { type: 'append', name: 'stdout', text: 'a\nb\n' },
      { type: 'append', name: 'stderr', text: 'e\n' },
      { type: 'append', name: 'stdout', text: 'c\n' },
    ]);
    expect(buffer.take()).toEqual([]);
  });

  it('keeps the first part up to the limit and the end', () => {
    const buffer = new OutputBuffer(100);
    for (let i = 0; i < 50_000; i++) print(buffer, `line ${i}\n`);
    const live = buffer.take();
    expect(live).toHaveLength(1);
    buffer.finish();
    const [end] = buffer.take();
    const first = live[0].type === 'append' ? live[0].text : '';
    const last = end.type === 'append' ? end.text : '';
    expect(first.startsWith('line 0\n')).toBe(true);
    expect(first.length).toBeLessThan(250);
    expect(last.endsWith('line 49999\n')).toBe(true);
    expect(last).toMatch(/^\[… [\d,]+ characters omitted …\]\n/);
    expect(last.length).toBeLessThan(70_000);
  });

  it('loses no character between the limit and a short end', () => {
    const buffer = new OutputBuffer(10);
    print(buffer, '0123456789abc');
    print(buffer, 'def');
    buffer.finish();
    const [op] = buffer.take();
    expect(op.type === 'append' && op.text).toBe(
      '0123456789\n[output limit reached: the end is shown when the cell finishes]\nabcdef',
    );
  });

  it('keeps only the last state of a display and of progress', () => {
    const buffer = new OutputBuffer(10);
    const display = (text: string, displayId?: string): void =>
      buffer.push({ kind: 'display', items: [{ mime: 'text/plain', text }], displayId });
    display('1', 'd');
    display('x');
    display('2', 'd');
    buffer.push({ kind: 'progress', progress: { label: 'p', done: 1 } });
    buffer.push({ kind: 'progress', progress: { label: 'p', done: 2 } });
    const operations = buffer.take();
    const texts = operations.map((op) =>
      op.type === 'display' ? new TextDecoder().decode(op.items[0].data) : op.type,
    );
    expect(texts).toEqual(['2', 'x', 'progress']);
    expect(operations[2]).toMatchObject({ progress: { done: 2 } });
  });

  it('takes bytes from the frame’s buffers', () => {
    const buffer = new OutputBuffer(10);
    buffer.push({ kind: 'display', items: [{ mime: 'image/png', buffer: 0 }] }, [new Uint8Array([1, 2])]);
    expect(buffer.take()).toMatchObject([{ items: [{ mime: 'image/png', data: new Uint8Array([1, 2]) }] }]);
  });

  it('shows of a rewritten line what a terminal would', () => {
    expect(applyCarriageReturns('10%\r20%\r30%\ndone\r\nnext')).toBe('30%\ndone\nnext');
    expect(applyCarriageReturns('plain\n')).toBe('plain\n');
  });
});

describe('the text of an error', () => {
  const places: Record<string, CellPlace> = {
    a: { position: 1, order: 4, lines: ['function f() {', '  throw new Error("x")', '}'] },
    b: { position: 2, lines: ['f()'] },
  };

  it('writes frames in cells in the form that VS Code links, with the line and a caret', () => {
    const stack = [
      { fn: 'f', cellId: 'a', line: 2, column: 9 },
      { fn: '', cellId: 'b', line: 1, column: 1 },
      { fn: 'load', file: '/x/y.ts', line: 3, column: 5 },
    ];
    const text = errorText({ name: 'Error', message: 'x', stack }, (id) => places[id]);
    expect(text.split('\n')).toEqual([
      'Error: x',
      '',
      'in f',
      'Cell In[4], line 2',
      '----> 2   throw new Error("x")',
      '                ^',
      '',
      'Cell 2, line 1',
      '----> 1 f()',
      '        ^',
      '',
      'in load',
      '    at /x/y.ts:3:5',
    ]);
  });

  it('survives places that are no longer there', () => {
    const stack = [
      { fn: '', cellId: 'a', line: 99, column: 1 },
      { fn: '', cellId: 'gone', line: 1, column: 1 },
    ];
    expect(errorText({ name: 'E', message: '', stack }, (id) => places[id])).toContain('Cell In[4], line 99');
  });
});
