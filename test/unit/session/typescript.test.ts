/** TypeScript's syntax, form by form: each runs as a cell, or is refused by one error that says why. */
import fs from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openSession, type TestSession } from '#test/kit/session.js';

let s: TestSession;
beforeAll(() => {
  s = openSession({ createGlobals: async () => ({ fg: { sae: { load: () => 'an SAE' } }, tf: {} }) });
});
afterAll(() => s.close());

function file(name: string, text: string): void {
  const target = path.join(s.folder, name);
  fs.mkdirSync(path.dirname(target), { recursive: true });
  fs.writeFileSync(target, text);
}

/** Runs cells one after the other; the value shown by the last. */
async function last(...sources: string[]): Promise<string | undefined> {
  let shown: string | undefined;
  for (const source of sources) {
    const ran = await s.run(source);
    if (ran.status !== 'ok') throw new Error(`${source}\n${ran.error?.name}: ${ran.error?.message}`);
    shown = ran.shown;
  }
  return shown;
}

/** What the last cell shows, by the cells. */
const RUNS: Array<[string, string[], string | undefined]> = [
  ['parameter properties', ['class P { constructor(public a: number, readonly b = 2) {} }', 'new P(1).b'], '2'],
  ['an enum', ['enum E { A, B = 5, C }\nE.C', 'E[5]'], "'B'"],
  ['an enum as last statement', ['enum EL { A = 1 }'], undefined],
  ['a const enum, for later cells too', ['const enum CE { A = 3 }\nCE.A', 'CE.A'], '3'],
  ['a declared const enum', ['declare const enum DE { A = 4 }\nDE.A'], '4'],
  ['an exported enum', ['export enum EE { A = 7 }', 'EE.A'], '7'],
  ['an enum in a block', ['let be = 0\n{ enum BE { A = 8 }\nbe = BE.A }\nbe'], '8'],
  ['two parts of an enum', ['enum TP { A }\nenum TP { B = 1 }\nTP.A + TP.B'], '1'],
  ['a namespace', ['namespace N { export const a = 1; export namespace M { export const b = 2 } }', 'N.M.b'], '2'],
  ['a namespace with a dotted name', ['namespace N2.M { export const b = 3 }', 'N2.M.b'], '3'],
  [
    'a namespace merged with a function',
    ['function fn() { return fn.k }\nnamespace fn { export const k = 4 }\nfn()'],
    '4',
  ],
  ['a namespace merged with a class', ['class Mc {}\nnamespace Mc { export const k = 5 }', 'Mc.k'], '5'],
  ['a namespace merged with an enum', ['enum Me { A }\nnamespace Me { export const k = 6 }\n[Me.A, Me.k]'], '[ 0, 6 ]'],
  [
    'a namespace of types alone',
    ['namespace T0 { export interface I { a: 1 } }\nconst t0: T0.I = { a: 1 }; t0'],
    '{ a: 1 }',
  ],
  ['an alias of a namespace', ['namespace A1 { export const v = 9 }\nimport v1 = A1.v\nv1', 'v1'], '9'],
  [
    'abstract classes',
    [
      'abstract class Ab { abstract m(): number; n() { return this.m() } }\nclass Ac extends Ab { override m() { return 2 } }\nnew Ac().n()',
    ],
    '2',
  ],
  [
    'overloads',
    ['function ov(a: string): string\nfunction ov(a: number): number\nfunction ov(a: any) { return a }\nov(3)'],
    '3',
  ],
  [
    'exported overloads',
    ['export function ow(a: string): void;\nexport function ow(a: any) { return a }', 'ow(4)'],
    '4',
  ],
  ['satisfies, as const and non-null', ['const sat = { a: 1 } satisfies Record<string, number> as const\nsat!.a'], '1'],
  ['casts', ['const ca = <number>(<unknown>5); ca'], '5'],
  [
    'definite assignment, optional and this parameters',
    ['let da!: number\nfunction th(this: void, a?: number) { return a }\nth()'],
    undefined,
  ],
  [
    'type parameters',
    ['const id = <const T,>(a: T): T => a\nclass G<in out T> { constructor(readonly v: T) {} }\nnew G(id(3)).v'],
    '3',
  ],
  [
    'predicates and assertions',
    [
      'function isN(a: unknown): a is number { return typeof a === "number" }\nfunction as1(a: unknown): asserts a {}\nas1(1); isN(1)',
    ],
    'true',
  ],
  [
    'types of every kind',
    [
      'type A2 = keyof { [K in "a" as `${K}1`]?: infer1<K> }\ntype infer1<T> = T extends (infer U)[] ? U : never\ninterface I2 { new (): I2; (a: 1): 2; readonly [k: string]: unknown; get x(): number }\ndeclare const us: unique symbol\nlet typed: typeof import("node:fs") | undefined\n1',
    ],
    '1',
  ],
  [
    'declarations alone',
    [
      'declare global { interface Window2 { a: 1 } }\ndeclare module "nowhere" { export const x: 1 }\ndeclare namespace DN { const a: 1 }\ndeclare function df(): void\ndeclare class DC { a: 1 }\ndeclare enum DEn { A }\ndeclare let dl: 1\n2',
    ],
    '2',
  ],
  [
    'import type and typeof import',
    [
      'import type { Stats } from "node:fs"\nimport { type Dirent, existsSync as ex } from "node:fs"\nlet st: Stats | Dirent | undefined\ntypeof ex',
    ],
    "'function'",
  ],
  ['import type = require()', ['import type fsT = require("node:fs")\nlet ft: fsT.Stats | undefined\n3'], '3'],
  [
    'import = require()',
    ['import fs2 = require("node:fs")\ntypeof fs2.existsSync', 'typeof fs2.readFileSync'],
    "'function'",
  ],
  ['export import = require()', ['export import p2 = require("node:path")\np2.basename("/a/b")'], "'b'"],
  ['require()', ['const { sep } = require("node:path")\nsep', 'typeof require.resolve'], "'function'"],
  ['require() of fg', ['require("fg").sae.load()'], "'an SAE'"],
  ['__dirname and __filename', ['__filename.startsWith(__dirname)'], 'true'],
  ['export default of a value', ['export default { a: 1 }'], '{ a: 1 }'],
  [
    'export default of a class and a function',
    ['export default class Dc {}', 'export default function df2() { return Dc.name }', 'df2()'],
    "'Dc'",
  ],
  [
    'export default of an abstract class and a type',
    ['export default abstract class Da { abstract m(): void }', 'export default interface Di { a: 1 }\n4', 'Da.name'],
    "'Da'",
  ],
  [
    'export of a list and of types',
    ['const el = 1; type Te = 1\nexport { el, el as em }\nexport type { Te }\nel', 'el'],
    '1',
  ],
  ['export {} behind the last value', ['enum Ex { A = 2 }\nEx.A\nexport {}'], '2'],
  [
    'top-level await in every place',
    [
      'const aw = await 1, { [await "k"]: ak = await 2 } = {} as any\nclass Aw extends (await Promise.resolve(Object)) { [await "m"]() { return `${await3}` } }\nvar await3 = await 3\nfor (const x of await [1]) if (await x) await3 += await x\nfor await (const y of [4]) await3 += y\nlet sw; switch (await 1) { case await 1: sw = await 5 }\ntry { throw await 6 } catch (e) { await3 += e as number }\nl1: while (await true) { break l1 }\n[ak, new Aw().m(), sw]',
    ],
    "[ 2, '14', 5 ]",
  ],
  [
    'for await in async generators',
    ['async function* ag() { yield* [1, 2] }\nlet as2 = 0; for await (const v of ag()) as2 += v\nas2'],
    '3',
  ],
  ['labels', ['outer: for (const a of [1]) { inner: for (;;) { continue outer } }\nlab: { break lab }\n6'], '6'],
  [
    'static blocks, private names and accessors',
    [
      'class Sb { static #n = 1; static { Sb.#n += 1 } static get n() { return Sb.#n } declare d: 1; static has(o: object) { return #p in o } #p? = 1 }\n[Sb.n, Sb.has(new Sb())]',
    ],
    '[ 2, true ]',
  ],
  [
    'auto-accessors',
    [
      'class Aa { accessor a = 1; static accessor b = 2; accessor #c = 3; c() { return this.#c } }\nconst aa = new Aa(); aa.a++\n[aa.a, Aa.b, aa.c()]',
    ],
    '[ 2, 2, 3 ]',
  ],
  [
    'standard decorators',
    [
      'const seen: string[] = []\nfunction dec(v: unknown, c: { kind: string; name?: unknown }) { seen.push(c.kind) }\nconst plus = (n: number) => (get: any, c: ClassMethodDecoratorContext) => function (this: unknown, ...a: unknown[]) { return get.apply(this, a) + n }',
      '@dec class D1 { @dec f = 1; @dec accessor x = 2; @plus(10) m() { return 1 } @dec static s() {} @dec get g() { return 1 } }\n[new D1().m(), D1.name]',
      'seen.sort()',
    ],
    "[ 'accessor', 'class', 'field', 'getter', 'method' ]",
  ],
  [
    'an exported decorated class',
    ['@dec export class D2 { v = 3 }', 'export @dec class D3 { v = 4 }', 'new D2().v + new D3().v'],
    '7',
  ],
  [
    'decorated default and class expressions',
    ['export default @dec class { v = 5 }', 'const D4 = @dec class { v = 6 }; new D4().v'],
    '6',
  ],
  [
    'using in a function and a loop',
    [
      'const lo: string[] = []; const res = (n: string) => ({ n, [Symbol.dispose]() { lo.push(n) } })\nfunction uf() { using a = res("f"); return a.n }\nuf(); for (using r of [res("x")]) lo.push("in " + r.n)\nlo',
    ],
    "[ 'f', 'in x', 'x' ]",
  ],
  [
    'regular expressions, templates, bigint and numeric separators',
    ['const re = /(?<y>\\d)/dv; `${re.exec("5")!.groups!.y}${1_000n}`'],
    "'51000'",
  ],
  [
    'optional chaining, nullish and logical assignment',
    ['let oc: any; oc ??= { a: null }; oc.a ||= 3; oc?.b?.c ?? oc.a'],
    '3',
  ],
  ['mixed ?? and casts', ['const mx = (null ?? 1 as number) || 2; mx'], '1'],
  ['a first line for a shell', ['#!/usr/bin/env node\n5 + 1'], '6'],
  ['import attributes', ['import dj from "./data.json" with { type: "json" }\ndj.name'], "'local'"],
  [
    'import attributes of a package',
    ['import pj, { version } from "pkg/package.json" with { type: "json" }\n[pj.name, version]'],
    "[ 'pkg', '1.2.3' ]",
  ],
  [
    'JSON of a package without attributes',
    ['import pk from "pkg/other.json"\npk.b', '(await import("pkg/other.json")).default.b'],
    '2',
  ],
  ['export * from', ['export * from "./lib/deep"\ntypeof deep', 'deep + other'], '3'],
  ['export * as from', ['export * as deepest from "./lib/deep"', 'deepest.deep'], '1'],
  [
    'export { … } from',
    [
      'export { deep as deeper, type Kind, Kind as Kind2, default as main } from "./lib/deep"\nexport { cpus } from "node:os"',
      '[deeper, main, typeof cpus]',
    ],
    "[ 1, 'm', 'function' ]",
  ],
];

describe('TypeScript in a cell', () => {
  beforeAll(() => {
    file('data.json', '{ "name": "local" }');
    file('node_modules/pkg/package.json', '{ "name": "pkg", "version": "1.2.3" }');
    file('node_modules/pkg/other.json', '{ "b": 2 }');
    file('lib/deep.ts', 'export const deep: number = 1, other = 2; export type Kind = 1; export default "m"');
  });

  it.each(RUNS)('runs %s', async (_title, cells, shown) => {
    expect(await last(...cells)).toBe(shown);
  });

  it.each([
    ['export =', 'const a = 1\nexport = a', 2, /'export =' has no meaning in a cell.*export default/],
    ['export as namespace', '\nexport as namespace X', 2, /declaration file/],
    ['import defer', 'import defer * as x from "node:fs"', 1, /'import defer' is not supported/],
    ['import.defer()', '1\nawait import.defer("node:fs")', 2, /import\.defer\(\)' is not supported/],
    ['JSX', 'const x = 1\nconst e = <div>{x}</div>', 2, /JSX is not supported/],
    [
      'a decorated parameter',
      'function d(...a: any[]) {}\nclass C { m(@d a: number) {} }',
      2,
      /Decorators of parameters/,
    ],
    ['await in a function that is not async', '\nfunction f() { await 1 }', 2, /./],
  ])('refuses %s by one error at its place', async (_title, source, line, message) => {
    const { error, events } = await s.run(source);
    expect(error).toMatchObject({ name: 'SyntaxError', message: expect.stringMatching(message), stack: [{ line }] });
    expect(events.filter((event) => event.kind === 'error')).toHaveLength(1);
  });

  it('makes an enum and a namespace anew when their cell is edited and run again', async () => {
    await last('enum Again { A, B }\nnamespace Ns { export const a = 1 }');
    expect(await last('enum Again { C = 9 }\nnamespace Ns { export const b = 2 }', '[Again, Ns]')).toBe(
      "[ { '9': 'C', C: 9 }, { b: 2 } ]",
    );
  });

  it('keeps places in cells that the compiler rewrites', async () => {
    const decorated =
      '@dec\nclass Dp {\n  @dec m(): void {\n    const s: string = "é"; throw new Error("here")\n  }\n}\nnew Dp().m()';
    const { error } = await s.run(decorated);
    expect(error?.stack.map(({ line, column }) => [line, column])).toEqual([
      [4, 34],
      [7, 10],
    ]);
    const required = await s.run('import os3 = require("node:os")\nconst q: number = 1; nothing3(os3)');
    expect(required.error?.stack).toMatchObject([{ line: 2, column: 22 }]);
  });
});

describe('top-level using', () => {
  it('disposes at the end of the cell, last first, and shows the value', async () => {
    const ran = await s.run(
      'const mk = (n: string) => ({ n, [Symbol.dispose]() { console.log("bye " + n) } })\nusing a5 = mk("a"), b5 = mk("b")\nconsole.log(early5() + a5.n)\nfunction early5() { return "hoisted " }\n6 * 7',
    );
    expect(ran.shown).toBe('42');
    expect(ran.stdout).toBe('hoisted a\nbye b\nbye a\n');
    expect(await last('a5.n')).toBe("'a'");
  });

  it('disposes when the cell throws, and awaits `await using`', async () => {
    const ran = await s.run(
      'await using c5 = { async [Symbol.asyncDispose]() { await 0; console.log("async") } }\nusing d5 = { [Symbol.dispose]() { throw new Error("second") } }\nusing e5 = null\nthrow new Error("first")',
    );
    expect(ran.stdout).toBe('async\n');
    expect(ran.error).toMatchObject({ name: 'SuppressedError' });
    const plain = await s.run('\nusing f5 = { [Symbol.dispose]() { console.log("gone") } }\nthrow new Error("first")');
    expect(plain.error).toMatchObject({ message: 'first', stack: [{ line: 3, column: 7 }] });
    expect(plain.stdout).toBe('gone\n');
  });

  it('refuses what cannot be disposed', async () => {
    expect((await s.run('using g5 = { a: 1 } as any')).error?.message).toMatch(/Object not disposable/);
    expect((await s.run('using h5 = 5 as any')).error?.message).toMatch(/using needs an object/);
    expect((await s.run('using i5 = { [Symbol.dispose]() {} }\ni5 = 3 as any')).error?.message).toMatch(/constant/);
  });
});

describe('local TypeScript', () => {
  it('has the same syntax', async () => {
    file(
      'deco.ts',
      'const noted: string[] = []\nfunction dec(v: unknown, c: DecoratorContext) { noted.push(c.kind) }\n@dec export class G { @dec accessor a = 1; constructor(public b = 2) {} hi() { using r = { [Symbol.dispose]() { noted.push("gone") } }; return [this.a, this.b, ...noted] } }',
    );
    expect(await last('import { G } from "./deco"\nnew G().hi()', 'new G().hi().at(-1)')).toBe("'gone'");
    file(
      'forms.ts',
      'import os = require("node:os"); import * as dep from "./deco"; export import p = require("node:path")\nexport * from "./lib2"; export * as all from "./lib2"; export { two as deux } from "./lib2"; import data from "pkg/other.json"\nexport enum E { A = 3 } export namespace N { export const x = 4 }\nexport const text = "import.meta and require(1)", url = import.meta.url, eol = os.EOL, n = dep.G.name, b = data.b, late = () => require("./lib2").two',
    );
    file('lib2.ts', 'export const two = 2; export abstract class Abs { abstract m(): void }');
    expect(
      await last(
        'import * as forms from "./forms"\nconst { E: E9, N: N9, two, deux, all, text, url, n, b, late, p: p9 } = forms;\n[E9.A, N9.x, two, deux, all.two, text, url.endsWith("forms.ts"), n, b, late(), p9.sep]',
      ),
    ).toBe("[ 3, 4, 2, 2, 2, 'import.meta and require(1)', true, 'G', 2, 2, '/' ]");
  });

  it('may use export = and a require of its own', async () => {
    file('whole.ts', 'function whole(): number { return 8 }\nwhole.part = 9\nexport = whole');
    file(
      'user.ts',
      'import { createRequire } from "node:module"\nimport whole from "./whole"\nimport again = require("./whole")\nconst require = createRequire(import.meta.url)\nexport const sum = whole() + again.part + require("./data.json").name.length',
    );
    expect(
      await last('import { sum } from "./user"\nimport w from "./whole"\n[sum, w(), require("./whole").part]'),
    ).toBe('[ 22, 8, 9 ]');
  });

  it('is named by require() when it cannot be loaded at once', async () => {
    const ran = await s.run('const name6 = "./lib2.ts"; const fresh6 = "./fresh6.ts"; require(fresh6)');
    expect(ran.error?.message).toMatch(/Cannot find '\.\/fresh6\.ts'/);
    file('fresh6.ts', 'export const v = 1');
    expect((await s.run('require(fresh6)')).error?.message).toMatch(/use import, or await import\(\)/);
    expect(await last('require("./fresh6").v', 'require(fresh6).v')).toBe('1');
  });
});

describe('a name of the module system', () => {
  // Last, as it stays declared.
  it('may be declared by a cell', async () => {
    await last('import { createRequire } from "node:module"\nconst require = createRequire(import.meta.url)');
    expect(await last('require("node:path").sep', '(require as any).main === undefined')).toBe('true');
    expect((await s.run('require("fg")')).error?.message).toMatch(/Cannot find module 'fg'/);
  });
});
