import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openSession, type TestSession } from '#test/kit/session.js';

let s: TestSession;
beforeAll(() => {
  s = openSession();
});
afterAll(() => s.close());

/** Runs cells one after the other; the value shown by the last. */
async function last(...sources: string[]): Promise<string | undefined> {
  let shown: string | undefined;
  for (const source of sources) {
    const ran = await s.run(source);
    if (ran.status !== 'ok') throw new Error(`${ran.error?.name}: ${ran.error?.message}`);
    shown = ran.shown;
  }
  return shown;
}

describe('a cell', () => {
  it('shows its last expression, and nothing for undefined or a declaration', async () => {
    expect(await last('1 + 1')).toBe('2');
    expect(await last('"text"')).toBe("'text'");
    expect(await last('const shownNot = 5')).toBeUndefined();
    expect(await last('undefined')).toBeUndefined();
    expect(await last('({ a: 1 }) // comment\n;')).toBe('{ a: 1 }');
    expect(await last('Promise.resolve(7)')).toBe('7');
  });

  it('shares names with later cells and may redeclare them in any form', async () => {
    expect(
      await last(
        'const a: number = 1',
        'let a = "x"',
        'class a {}',
        'function a() { return 3 }',
        'var a = 4',
        'const { a } = { a: 5 }',
        'a',
      ),
    ).toBe('5');
    expect(
      await last('let counter = 0; function bump(): number { return ++counter }', 'bump(); bump()', 'counter'),
    ).toBe('2');
  });

  it('sees new values in functions of earlier cells', async () => {
    expect(
      await last('const scale = 2; const scaled = (x: number) => x * scale', 'const scale = 10', 'scaled(3)'),
    ).toBe('30');
  });

  it('destructures with defaults, nesting and rest', async () => {
    expect(
      await last(
        'const { p, q: [, r = 8], ...others } = { p: 1, q: [2], z: 3 } as any, [h, ...t] = "abc"',
        '[p, r, others, h, t]',
      ),
    ).toBe("[ 1, 8, { z: 3 }, 'a', [ 'b', 'c' ] ]");
  });

  it('needs no semicolons', async () => {
    expect(await last('const f1 = () => 1\n(2)\nconst g1 = [1]\n;[3].forEach((v) => g1.push(v))\nlet z1\ng1')).toBe(
      '[ 1, 3 ]',
    );
    expect(
      await last(
        'if (true) var n1 = 4\nelse var n2 = 5\nfor (var i1 = 0; i1 < 3; i1++) var n3 = i1\nfor (var k1 of [7, 8]) ;\n[n1, n2, n3, i1, k1]',
      ),
    ).toBe('[ 4, undefined, 2, 3, 8 ]');
  });

  it('awaits at top level, in loops too', async () => {
    expect(
      await last('let sum = 0\nfor await (const v of (async function* () { yield 1; yield 2 })()) sum += await v\nsum'),
    ).toBe('3');
  });

  it('calls functions before their definition', async () => {
    expect(
      await last('const early = later2(4)\nfunction later2(n: number) { return n > 0 ? n + later2(n - 1) : 0 }\nearly'),
    ).toBe('10');
  });

  it('keeps block names to the block', async () => {
    const ran = await s.run(
      '{ const inner9 = 1; let other9 = 2 }\nfor (let i9 = 0; i9 < 1; i9++) {}\ntypeof inner9 + typeof i9',
    );
    expect(ran.shown).toBe("'undefinedundefined'");
  });

  it('erases types and compiles what cannot be erased', async () => {
    expect(
      await last(
        'interface I1 { a: number }\ntype T1 = I1\nenum Color { Red, Green = 5, Blue }\nclass P1 { constructor(public x: number, private y = 2) {} sum() { return this.x + this.y } }\nnamespace N1 { export const deep = 9 }\nconst cast = <number>(3 as unknown)',
        '[Color.Blue, new P1(1).sum(), N1.deep, cast]',
      ),
    ).toBe('[ 6, 3, 9, 3 ]');
  });

  it('disposes what `using` declares', async () => {
    const source =
      'const order9: string[] = []\n{ using a = { [Symbol.dispose]() { order9.push("disposed") } }; order9.push("used") }\norder9';
    expect(await last('(Symbol as any).dispose ??= Symbol("Symbol.dispose")', source)).toBe("[ 'used', 'disposed' ]");
  });

  it('keeps the names before a throw and none after it', async () => {
    const ran = await s.run('const before1 = 1\nthrow new Error("stop")\nconst after1 = 2');
    expect(ran.status).toBe('error');
    expect(await last('before1')).toBe('1');
    expect(await last('typeof after1')).toBe("'undefined'");
    expect(await last('const after1 = 3', 'after1')).toBe('3');
  });

  it('keeps the old value of a name when the cell fails before its declaration', async () => {
    await last('const kept = "old"');
    await s.run('null!.x\nconst kept = "new"');
    expect(await last('kept')).toBe("'old'");
  });

  it('refuses to read a name before its declaration', async () => {
    const ran = await s.run('const x7 = y7 + 1\nconst y7 = 2');
    expect(ran.error).toMatchObject({ name: 'ReferenceError', stack: [{ line: 1 }] });
  });

  it('refuses to assign its own constants, but not inner names of the same spelling', async () => {
    const ran = await s.run('const fixed = 1\nfixed = 2');
    expect(ran.error).toMatchObject({ name: 'TypeError', message: "Assignment to constant variable 'fixed'." });
    expect(ran.error?.stack[0]).toMatchObject({ line: 2 });
    expect(
      await last(
        'const free = 1; function inner(free: number) { free++; { let free = 0; free = 3 } return free }\ninner(1)',
      ),
    ).toBe('2');
    expect(await last('const free2 = 1; (() => { var free2 = 2; free2 += 1; return free2 })()')).toBe('3');
  });

  it('is strict: an undeclared name cannot be assigned', async () => {
    expect((await s.run('typo1 = 1')).error).toMatchObject({ name: 'ReferenceError' });
  });

  it('may use names of the runtime without breaking it for others', async () => {
    expect(await last('const URL = "mine"; const process = { pid: -1 }', 'URL + process.pid')).toBe("'mine-1'");
    expect(new globalThis.URL('http://a/b').pathname).toBe('/b');
    expect(process.pid).toBeGreaterThan(0);
    expect(await last('const { pathname } = new globalThis.URL("http://a/b"); pathname')).toBe("'/b'");
  });

  it('accepts export in front of a declaration', async () => {
    expect(await last('export const ex1 = 1; export default function ex2() { return 2 }', 'ex1 + ex2()')).toBe('3');
    expect(await last('export default 1 + 2')).toBe('3');
  });

  it('can be empty', async () => {
    for (const source of ['', '\n', '// nothing', ';;', 'type A = 1']) expect(await last(source)).toBeUndefined();
  });

  it('counts runs', async () => {
    const { order } = await s.run('1');
    expect((await s.run('let =')).order).toBe(order + 1);
    expect((await s.run('2')).order).toBe(order + 2);
  });
});
