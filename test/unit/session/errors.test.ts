import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openSession, type TestSession } from '#test/kit/session.js';

let s: TestSession;
beforeAll(() => {
  s = openSession();
});
afterAll(() => s.close());

async function failure(source: string, cellId?: string) {
  const ran = await s.run(source, cellId);
  expect(ran.status).toBe('error');
  if (!ran.error) throw new Error('no error was reported');
  expect(ran.events.filter((event) => event.kind === 'error')).toHaveLength(1);
  return ran.error;
}

describe('an error', () => {
  it('points at line and column, in every cell that it passed through', async () => {
    await s.run(
      'const one = 1; function thrower(this: void): never {\n  const note: string = "é😀"; throw new RangeError(note)\n}',
      'cell a/1',
    );
    const error = await failure('const two: number = 2\n  ; [1].map((x: number) => thrower())', 'cell b');
    expect(error).toMatchObject({ name: 'RangeError', message: 'é😀' });
    expect(error.stack).toEqual(
      [
        { fn: 'thrower', cellId: 'cell a/1', line: 2, column: 37 },
        { fn: '', cellId: 'cell b', line: 2, column: 28 },
        { fn: 'Array.map', cellId: 'cell b', line: 2, column: 9 },
        { fn: '', cellId: 'cell b', line: 2, column: 9 },
      ].filter((line) => line.fn !== 'Array.map'),
    );
  });

  it('keeps its place on a line that is rewritten and behind hoisted code', async () => {
    const error = await failure(
      'const a = 1, b = 2; const c = missingName\nfunction hoisted() {\n  return 1\n}\nimport "node:os"',
    );
    expect(error.stack).toEqual([{ fn: '', cellId: expect.any(String), line: 1, column: 31 }]);
    const inside = await failure('const x = 1\nhoisted2()\nfunction hoisted2() { null.x }');
    expect(inside.stack.map(({ line, column }) => [line, column])).toEqual([
      [3, 28],
      [2, 1],
    ]);
  });

  it('keeps its place when the compiler had to rewrite the cell', async () => {
    const error = await failure('enum E1 { A }\n\nconst v: number = 1\nthrow new Error("here")');
    expect(error.stack[0]).toMatchObject({ line: 4, column: 7 });
  });

  it('after an await names its cell', async () => {
    const error = await failure('await 0\nasync function deep() { await 0; throw new Error("x") }\nawait deep()');
    expect(error.stack.map(({ fn, line }) => [fn, line])).toEqual([
      ['deep', 2],
      ['', 3],
    ]);
  });

  it('of an older run of the same cell keeps its own lines', async () => {
    await s.run('\n\n\nfunction old1() { throw new Error("old") }', 'same');
    const error = await failure('old1()', 'same');
    expect(error.stack.map(({ line }) => line)).toEqual([4, 1]);
  });

  it('of syntax has a place, from TypeScript and from JavaScript', async () => {
    expect(await failure('const ok = 1\nlet x = = 2')).toMatchObject({
      name: 'SyntaxError',
      stack: [{ line: 2, column: 9 }],
    });
    expect(await failure('\n  let let = 2')).toMatchObject({ name: 'SyntaxError', stack: [{ line: 2 }] });
    expect(await failure('let twice = 1\nlet twice = 2')).toMatchObject({
      name: 'SyntaxError',
      stack: [{ line: 2, column: 5 }],
    });
    expect(await failure('return 3')).toMatchObject({ name: 'SyntaxError' });
    expect(await failure('function f() {')).toMatchObject({ name: 'SyntaxError', message: "'}' expected." });
  });

  it('shows causes and the parts of an aggregate', async () => {
    const caused = await failure('throw new Error("outer", { cause: new TypeError("inner", { cause: 5 }) })');
    expect(caused.message).toMatch(/^outer\n {2}Caused by TypeError: inner \(in a cell, line 1:35\)\n {4}Caused by 5$/);
    const many = await failure('await Promise.any([Promise.reject(new Error("one")), Promise.reject("two")])');
    expect(many.message).toMatch(/\[0\] Error: one.*\n.*\[1\] 'two'/);
    const circular = await failure('const loop: any = new Error("loop"); loop.cause = loop; throw loop');
    expect(circular.message.length).toBeLessThan(1000);
  });

  it('that is not an Error is shown as a value', async () => {
    expect(await failure('throw { code: 7 }')).toEqual({ name: 'Uncaught', message: '{ code: 7 }', stack: [] });
    expect((await failure('throw undefined')).message).toBe('undefined');
    expect((await failure('throw Object.create(null)')).name).toBe('Uncaught');
    expect(
      (
        await failure(
          'const hostile = new Error("h"); Object.defineProperty(hostile, "message", { get() { throw 1 } }); throw hostile',
        )
      ).name,
    ).toBe('Uncaught');
  });

  it('stops the cells that wait behind it', async () => {
    const results = await Promise.all([s.run('throw 1'), s.run('globalThis.ranBehind = true'), s.run('2')]);
    expect(results.map((r) => r.status)).toEqual(['error', 'interrupted', 'interrupted']);
    expect((await s.run('globalThis.ranBehind')).shown).toBeUndefined();
  });

  it('nobody caught is shown in its cell and the session goes on', async () => {
    const ran = await s.run(
      'setTimeout(() => { throw new Error("from a timer") }, 5); void Promise.reject(new Error("unhandled")); 1',
    );
    expect(ran.status).toBe('ok');
    await new Promise((resolve) => setTimeout(resolve, 60));
    const late = s.events.flatMap(({ event }) => (event.kind === 'error' && event.late ? [event.message] : []));
    expect(late.sort()).toEqual(['from a timer', 'unhandled']);
    expect((await s.run('40 + 2')).shown).toBe('42');
  });

  it('is what process.exit() gives', async () => {
    expect((await failure('process.exit(3)')).message).toMatch(/Restart Kernel/);
  });
});

describe('a stack that a cell prints', () => {
  it('has places of cells and nothing of the kernel', async () => {
    const traced = await s.run(
      'const pad: number = 1\nfunction tracer(): void { console.trace("where", pad) }\ntracer()',
    );
    const text = traced.events.map((event) => (event.kind === 'stream' ? event.text : '')).join('');
    expect(text).toBe(
      `Trace: where 1\n    at tracer (cell [${traced.order}]:2:35)\n    at cell [${traced.order}]:3:1\n`,
    );
    const logged = await s.run('console.log(new Error("kept")); "    at the door"');
    expect(logged.stdout).toBe(`Error: kept\n    at cell [${logged.order}]:1:13\n`);
    expect(logged.shown).toBe("'    at the door'");
    const value = await s.run('\nnew TypeError("value", { cause: new Error("why") })');
    expect(value.shown).toBe(
      `TypeError: value\n    at cell [${value.order}]:2:1 {\n  [cause]: Error: why\n      at cell [${value.order}]:2:33\n}`,
    );
  });
});

describe('the input of a cell', () => {
  it.each([
    [
      'readline',
      'import rl from "node:readline/promises"\nawait rl.createInterface({ input: process.stdin }).question("name? ")',
      2,
    ],
    ['callback readline', 'import rl2 from "node:readline"\nrl2.createInterface(process.stdin, process.stdout)', 2],
    ['iteration', 'for await (const chunk of process.stdin) chunk', 1],
    ['events', '\nprocess.stdin.once("data", () => 1)', 2],
    ['raw keys', '\n\nprocess.stdin.setRawMode(true)', 3],
    ['a pipe', 'process.stdin.pipe(process.stdout)', 1],
  ])('is refused to %s, with what to do instead', async (_title, source, line) => {
    const error = await failure(source);
    expect(error.message).toMatch(/^A cell has no input: .*Write the value into the cell .*--param/);
    expect(error.stack[0]).toMatchObject({ line });
  });

  it('may be looked at', async () => {
    expect(
      (await s.run('[process.stdin.isTTY, process.stdin.fd, process.stdin.on("end", () => 1) === process.stdin]'))
        .shown,
    ).toBe('[ false, 0, true ]');
  });
});

describe('a warning of Node', () => {
  it('goes to the log when it is of an experiment, else to the cell', async () => {
    const ran = await s.run(
      'process.emitWarning("new thing", "ExperimentalWarning"); process.emitWarning("old thing", "DeprecationWarning", "DEP9")\nawait new Promise((r) => setTimeout(r, 5))',
    );
    const text = ran.events.map((event) => (event.kind === 'stream' ? event.text : '')).join('');
    expect(text).toBe('[DEP9] DeprecationWarning: old thing\n');
    expect(s.logged).toContain('ExperimentalWarning: new thing');
  });
});

describe('an error behind which an interrupt waits', () => {
  it('is an interrupt, which broke what ran: the cell is said to be stopped', async () => {
    let asked = false;
    const stopped = openSession({ interruptAsked: () => asked });
    try {
      const ran = (): ReturnType<typeof s.run> => stopped.run('throw new TypeError("half of a message")');
      expect(await ran()).toMatchObject({ status: 'error', error: { name: 'TypeError' } });
      asked = true;
      expect(await ran()).toMatchObject({ status: 'interrupted', error: { name: 'Interrupted' } });
      expect(await stopped.run('1')).toMatchObject({ status: 'ok' });
    } finally {
      stopped.close();
    }
  });
});
