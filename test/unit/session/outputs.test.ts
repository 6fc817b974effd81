import fs from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { describeVariable, propertyNames, valueText } from '#kernel/session/display.js';
import { CellOutputs, collapse, overwrite } from '#kernel/session/outputs.js';
import { CellRecorder, OutputBudget } from '#kernel/session/recorder.js';
import { MIME } from '#protocol/mime.js';
import type { CellEvent } from '#protocol/kernel.js';
import { openSession, type TestSession } from '#test/kit/session.js';
import { testFolder } from '#test/kit/folder.js';

let s: TestSession;
beforeAll(() => {
  s = openSession();
});
afterAll(() => s.close());

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

describe('what a cell prints', () => {
  it('comes in few messages, in order with what it shows', async () => {
    const ran = await s.run(
      'console.log("a"); console.error("b"); process.stdout.write("c"); console.log("d", { e: 1 }); "value"',
    );
    const order = ran.events.map((e) => (e.kind === 'stream' ? `${e.name}:${e.text}` : e.kind));
    expect(order).toEqual(['started', 'stdout:a\n', 'stderr:b\n', 'stdout:cd { e: 1 }\n', 'display', 'finished']);
    const many = await s.run('for (let i = 0; i < 1000; i++) console.log(i)');
    expect(many.events.filter((e) => e.kind === 'stream').length).toBeLessThan(5);
    expect(many.stdout.split('\n')).toHaveLength(1001);
  });

  it('after its end still belongs to it', async () => {
    const ran = await s.run('setTimeout(() => console.log("late"), 20); 1');
    expect(ran.stdout).toBe('');
    const lateOnes = () => s.events.filter(({ event }) => event.kind === 'stream' && event.text === 'late\n');
    await expect.poll(lateOnes, { timeout: 10_000 }).toHaveLength(1);
    const late = lateOnes();
    expect(late[0].execution).toBe(s.events.filter(({ event }) => event.kind === 'finished').at(-1)?.execution);
  });

  it('shows values by their own display method, with bytes as buffers', async () => {
    const source = `const shownBy = { [Symbol.for('fgnb.display')]: async () => [{ mime: 'image/png', base64: 'AQID' }, { mime: 'text/plain', text: ['pic'] }] }; shownBy`;
    const { events } = await s.run(source);
    const display = s.events.find(({ event }) => event.kind === 'display' && event.items[0].mime === 'image/png');
    expect(display?.buffers).toEqual([new Uint8Array([1, 2, 3])]);
    expect(events.find((e) => e.kind === 'display')).toMatchObject({ items: [{ buffer: 0 }, { text: 'pic' }] });
    expect((await s.run(`({ [Symbol.for('fgnb.display')]: () => 'wrong' })`)).error?.message).toMatch(
      /must return output items/,
    );
  });

  it('writes over lines as a terminal does', () => {
    expect(overwrite('10%\r20%\r100%')).toBe('100%');
    expect(overwrite('long text\rab')).toBe('abng text');
    expect(overwrite('long text\r\u001b[Kab')).toBe('ab');
    expect(collapse('1\r2\nkeep\r\nopen\rnew')).toEqual({ done: '2\nkeep\n', open: 'open\rnew' });
  });
});

describe('cell outputs', () => {
  const folder = testFolder('outputs');
  const limits = { flushMs: 20, cap: 1000, tail: 100, progressMs: 50, logBytes: 100_000, errors: 3 };
  function collect(file = path.join(folder, 'logs', 'cell.log')): {
    events: CellEvent[];
    outputs: CellOutputs;
    file: string;
    text: (name: string) => string;
  } {
    const events: CellEvent[] = [];
    const outputs = new CellOutputs((event) => events.push(event), file, limits);
    const text = (name: string): string =>
      events.map((e) => (e.kind === 'stream' && e.name === name ? e.text : '')).join('');
    return { events, outputs, file, text };
  }

  it('do not grow with a progress bar, and show it as progress', async () => {
    const { events, outputs, text } = collect();
    for (let i = 0; i <= 100; i++) {
      outputs.write('stdout', `\r${i}%`);
      if (i % 25 === 0) await pause(30);
    }
    outputs.write('stdout', '\ndone\n');
    outputs.finish();
    expect(text('stdout')).toBe('100%\ndone\n');
    expect(events.filter((e) => e.kind === 'progress').length).toBeGreaterThan(1);
    expect(events.at(-1)).toEqual({ kind: 'progress', progress: null });
  });

  it('beyond the cap go to a file, whole, and end with their tail', () => {
    const { outputs, file, text } = collect();
    const lines = Array.from({ length: 500 }, (_, i) => `line ${i}\n`);
    for (const line of lines) outputs.write('stdout', line);
    outputs.finish();
    expect(text('stdout').length).toBeLessThanOrEqual(1100);
    expect(text('stdout').startsWith('line 0\nline 1\n')).toBe(true);
    expect(text('stdout').endsWith('line 498\nline 499\n')).toBe(true);
    expect(text('stderr')).toContain(file);
    expect(fs.readFileSync(file, 'utf8')).toBe(lines.join(''));
  });

  it.skipIf(!fs.existsSync('/dev/full'))('beyond the cap on a full disk go on, and say so once', () => {
    fs.rmSync(path.join(folder, 'logs'), { recursive: true, force: true });
    fs.mkdirSync(path.join(folder, 'logs'));
    const { outputs, text } = collect('/dev/full');
    for (let i = 0; i < 500; i++) outputs.write('stdout', `line ${i}\n`);
    outputs.finish();
    expect(text('stdout').endsWith('line 498\nline 499\n')).toBe(true);
    expect(text('stderr').match(/\/dev\/full does not hold all of the output: ENOSPC: no space left/g)).toHaveLength(1);
    expect(text('stderr')).toMatch(/make room and run the cell again/);
  });

  it('beyond the file’s own limit stop filling the disk, and say so once', () => {
    const { outputs, file, text } = collect();
    for (let i = 0; i < 3000; i++) outputs.write('stdout', `line ${i} ${'x'.repeat(50)}\n`);
    outputs.finish();
    expect(fs.statSync(file).size).toBeLessThanOrEqual(limits.logBytes);
    expect(fs.statSync(file).size).toBeGreaterThan(limits.logBytes - 2000);
    expect(text('stderr').match(/it may have at most 98 KB/g)).toHaveLength(1);
    expect(text('stdout').endsWith(`line 2999 ${'x'.repeat(50)}\n`)).toBe(true);
  });

  it('do not follow a link in the place of the file', () => {
    const target = path.join(folder, 'precious');
    fs.writeFileSync(target, 'mine');
    const file = path.join(folder, 'linked.log');
    fs.symlinkSync(target, file);
    const { outputs, text } = collect(file);
    outputs.write('stdout', 'x'.repeat(5000));
    outputs.finish();
    expect(fs.readFileSync(target, 'utf8')).toBe('mine');
    expect(text('stderr')).toMatch(/the rest is lost \(ELOOP/);
  });

  it('that come after the end do not take the place of what the file has', () => {
    const { outputs, file } = collect();
    outputs.write('stdout', 'first '.repeat(500));
    outputs.finish();
    outputs.write('stdout', 'later '.repeat(500));
    outputs.finish();
    expect(fs.readFileSync(file, 'utf8')).toBe('first '.repeat(500) + 'later '.repeat(500));
  });

  it('show so many errors of timers, and always the one that ends the cell', () => {
    const { events, outputs, text } = collect();
    const error = (message: string, late?: boolean): CellEvent => ({
      ...{ kind: 'error', name: 'Error', message, stack: [] },
      ...(late && { late }),
    });
    for (let i = 0; i < 10; i++) outputs.show(error(`stray ${i}`));
    outputs.finish();
    outputs.show(error('the end'));
    for (let i = 0; i < 10; i++) outputs.show(error(`late ${i}`, true));
    const shown = events.flatMap((e) => (e.kind === 'error' ? [e.message] : []));
    expect(shown).toEqual(['stray 0', 'stray 1', 'stray 2', 'the end']);
    expect(text('stderr').match(/more than 3 errors in the background/g)).toHaveLength(1);
  });

  it('cut errors and progress of any length', () => {
    const { events, outputs } = collect();
    const stack = Array.from({ length: 1000 }, () => ({ fn: 'f'.repeat(5000), line: 1, column: 1 }));
    outputs.show({ kind: 'error', name: 'N'.repeat(5000), message: 'm'.repeat(1e6), stack });
    outputs.setProgress({ label: 'l'.repeat(1e6), done: 1, detail: 'd'.repeat(1e6) });
    expect(JSON.stringify(events).length).toBeLessThan(200_000);
    expect(events[0]).toMatchObject({ message: expect.stringMatching(/^m+ … \[934464 more characters\]$/) });
    outputs.finish();
  });

  it('send progress at most at their rate and never lose the last state', async () => {
    const { events, outputs } = collect();
    for (let i = 0; i < 100; i++) outputs.setProgress({ label: 'train', done: i, total: 100 });
    await expect.poll(() => events, { timeout: 10_000 }).toHaveLength(2);
    expect(events).toEqual([
      { kind: 'progress', progress: { label: 'train', done: 0, total: 100 } },
      { kind: 'progress', progress: { label: 'train', done: 99, total: 100 } },
    ]);
  });

  it('are recorded as the notebook keeps them', () => {
    const recorder = new CellRecorder((id) => (id === 'c7' ? 7 : undefined));
    const show = (text: string, displayId?: string): CellEvent => ({
      kind: 'display',
      items: [{ mime: 'text/plain', text }],
      displayId,
    });
    const events: CellEvent[] = [
      { kind: 'started', order: 3 },
      { kind: 'stream', name: 'stdout', text: 'a\nb' },
      { kind: 'stream', name: 'stdout', text: 'c\n' },
      show('first', 'd1'),
      { kind: 'progress', progress: { label: 'x', done: 1 } },
      show('second'),
      show('replaced', 'd1'),
      { kind: 'error', name: 'E', message: 'm', stack: [{ fn: 'f', cellId: 'c7', line: 2, column: 5 }] },
      { kind: 'finished', status: 'error', ms: 12.4 },
    ];
    for (const event of events) recorder.add(event);
    recorder.add({ kind: 'display', items: [{ mime: 'image/png', buffer: 0 }] }, [new Uint8Array([255])]);
    expect(recorder.execution).toEqual({ order: 3, status: 'error' });
    expect(recorder.outputs.map((o) => o.items[0])).toEqual([
      { mime: 'application/vnd.code.notebook.stdout', text: ['a\n', 'bc\n'] },
      { mime: 'text/plain', text: ['replaced'] },
      { mime: 'text/plain', text: ['second'] },
      {
        mime: 'application/vnd.code.notebook.error',
        json: { name: 'E', message: 'm', stack: 'E: m\n    at f (cell 7:2:5)' },
      },
      { mime: 'image/png', base64: '/w==' },
    ]);
  });
});

describe('an executed notebook', () => {
  it('has no output that was taken away, and its id may come again behind what came meanwhile', () => {
    const recorder = new CellRecorder(() => 1, new OutputBudget(45, 2));
    const show = (displayId: string | undefined, ...texts: string[]): void =>
      recorder.add({ kind: 'display', items: texts.map((text) => ({ mime: 'text/plain', text })), displayId });
    show('never shown');
    show('moving', 'x'.repeat(20));
    show(undefined, 'kept');
    show('moving');
    // There is room again for one output.
    show('moving', 'y'.repeat(20));
    expect(recorder.outputs.map(({ items }) => items[0].text?.join(''))).toEqual(['kept', 'y'.repeat(20)]);
    show('moving');
    expect(recorder.outputs.map(({ items }) => items[0].text?.join(''))).toEqual(['kept']);
  });

  it('keeps so much of its outputs, says in the cell what it leaves out, and always keeps the error', () => {
    const budget = new OutputBudget(3000, 5);
    const display = (text: string, displayId?: string): CellEvent => ({
      ...{ kind: 'display', items: [{ mime: 'text/plain', text }] },
      ...(displayId !== undefined && { displayId }),
    });
    const first = new CellRecorder(() => 1, budget);
    first.add(display('a'.repeat(1000), 'd'));
    // What is replaced makes room.
    for (let i = 0; i < 20; i++) first.add(display(`${i}`.padEnd(2000, 'b'), 'd'));
    first.add(display('c'.repeat(2000)));
    first.add({ kind: 'stream', name: 'stdout', text: 'e'.repeat(2000) });
    first.add({ kind: 'error', name: 'E', message: 'm', stack: [] });
    expect(first.outputs.map((o) => o.items[0].mime)).toEqual(['text/plain', MIME.stderr, MIME.error]);
    expect(first.outputs[0].items[0].text?.[0]).toMatch(/^19b+$/);
    expect(first.outputs[1].items[0].text?.[0]).toMatch(/from here on are not in the file: a notebook keeps 3 KB/);
    const second = new CellRecorder(() => 2, budget);
    for (let i = 0; i < 10; i++) second.add(display('x'));
    expect(second.outputs.map((o) => o.items[0].mime)).toEqual([...Array<string>(4).fill('text/plain'), MIME.stderr]);
  });
});

describe('values that a cell shows', () => {
  it('that are arrays are summarised by type and shape', () => {
    expect(valueText(new Float32Array([1, 0.1, 3]))).toBe('Float32Array 3 [1, 0.1, 3]');
    expect(valueText({ rows: 2, cols: 500, data: new Float32Array(1000) })).toBe(
      'Matrix 2 × 500 Float32Array [0, 0, 0, 0, 0, 0, …]',
    );
    expect(valueText(new BigInt64Array(1))).toBe('BigInt64Array 1 [0]');
    expect(valueText(Array.from({ length: 1000 }, (_, i) => i)).length).toBeLessThan(500);
  });

  it('are described without running their code', () => {
    let touched = 0;
    class Trap {
      get shape(): number[] {
        touched++;
        return [1];
      }
    }
    const proxy = new Proxy(
      {},
      { get: () => touched++, getPrototypeOf: () => (touched++, null), ownKeys: () => (touched++, []) },
    );
    expect(describeVariable('t', new Trap())).toEqual({ name: 't', type: 'Trap', summary: 'Trap {}' });
    expect(describeVariable('p', proxy)).toMatchObject({ type: 'Proxy' });
    expect(propertyNames('t', () => new Trap())).toEqual(['shape']);
    expect(propertyNames('p.x', () => proxy)).toEqual([]);
    expect(touched).toBe(0);
    expect(describeVariable('a', new Float64Array(3))).toMatchObject({
      type: 'Float64Array',
      shape: [3],
      dtype: 'Float64Array',
      bytes: 24,
    });
    expect(describeVariable('m', new Map([[1, 2]]))).toMatchObject({ type: 'Map', summary: 'Map(1)' });
    expect(describeVariable('n', null)).toMatchObject({ type: 'null', summary: 'null' });
    expect(describeVariable('s', 'x'.repeat(5000)).summary.length).toBeLessThan(130);
  });
});
