import fs from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openSession, type TestSession } from '#test/kit/session.js';

let s: TestSession;
beforeAll(() => {
  s = openSession({
    createGlobals: async () => ({ fg: { sae: { load: () => 'an SAE' }, maps: {} }, tf: { marker: 'the one tf' } }),
  });
});
afterAll(() => s.close());

function file(name: string, text: string): void {
  const target = path.join(s.folder, name);
  fs.mkdirSync(path.dirname(target), { recursive: true });
  fs.writeFileSync(target, text);
  // Two writes within one tick of the clock must still look different.
  fileClock += 5;
  fs.utimesSync(target, fileClock, fileClock);
}
let fileClock = 1_700_000_000;

async function shown(source: string): Promise<string | undefined> {
  const ran = await s.run(source);
  if (ran.status !== 'ok') throw new Error(`${ran.error?.name}: ${ran.error?.message}`);
  return ran.shown;
}

describe('import in a cell', () => {
  it('takes built-in modules in every form, and keeps what is unused for later cells', async () => {
    expect(
      await shown(
        'import os, { cpus as processors } from "node:os"; import * as p from "node:path"; import "node:fs"\n[typeof os.cpus, typeof processors, p.sep]',
      ),
    ).toBe("[ 'function', 'function', '/' ]");
    await shown('import { basename } from "node:path"');
    expect(await shown('basename("/a/b.txt")')).toBe("'b.txt'");
    expect(await shown('const q = await import("node:path"); q.extname("a.ts")')).toBe("'.ts'");
  });

  it('gives the session facade as fg, and one copy of tf', async () => {
    expect(
      await shown(
        'import { sae, maps } from "fg"; import all from "fg"; [sae.load(), all.sae === sae, fg.sae === sae]',
      ),
    ).toBe("[ 'an SAE', true, true ]");
    expect(await shown('import * as tfjs from "@tensorflow/tfjs"; tfjs.marker')).toBe("'the one tf'");
  });

  it('names an export that is not there, unless the cell only uses it as a type', async () => {
    const ran = await s.run('import { sea } from "fg"\nsea.load()');
    expect(ran.error).toMatchObject({
      name: 'SyntaxError',
      message: expect.stringMatching(/'fg' has no export named 'sea'\. It has: sae, maps/),
    });
    file('types.ts', 'export interface Point { x: number }\nexport const origin: Point = { x: 0 }');
    expect(
      await shown(
        'import { Point, origin } from "./types"; import type { Other } from "nowhere"\nconst p1: Point = origin; p1',
      ),
    ).toBe('{ x: 0 }');
  });

  it('takes ES modules, CommonJS and JSON beside the notebook', async () => {
    file('esm.mjs', 'export default 1; export const two = 2');
    file('common.cjs', 'const made = { three: 3 }; Object.assign(module.exports, made)');
    file('data.json', '{"four": 4, "list": [1]}');
    expect(
      await shown(
        'import one, { two } from "./esm.mjs"; import common, { three } from "./common.cjs"; import data, { four } from "./data.json"\n[one, two, common.three, three, data.list, four]',
      ),
    ).toBe('[ 1, 2, 3, 3, [ 1 ], 4 ]');
  });

  it('takes packages from the notebook folder first and the kernel second', async () => {
    file(
      'node_modules/only-esm/package.json',
      '{"name":"only-esm","version":"1.0.0","type":"module","exports":{"import":"./i.js"}}',
    );
    file('node_modules/only-esm/i.js', 'export const from = "notebook"');
    expect(await shown('import { from } from "only-esm"; from')).toBe("'notebook'");
    expect(await shown('import KD from "kdbush"; typeof KD')).toBe("'function'");
    const ran = await s.run('import x from "not-installed-anywhere"');
    expect(ran.error?.message).toMatch(
      /Cannot find package 'not-installed-anywhere' from .*npm install not-installed-anywhere/,
    );
  });

  it('compiles local TypeScript with its own imports, cycles and top-level await', async () => {
    file(
      'lib/a.ts',
      'import { b } from "./b.js"; import os from "node:os"; import { sae } from "fg"; import data from "../data2.json"\nexport enum Kind { X = 3 }\nexport const a: number = await Promise.resolve(1); export const sum = (): number => a + b() + Kind.X + data.n\nexport { sae }; export const plat: string = os.platform(); export default class A { constructor(public v: number) {} }',
    );
    file(
      'lib/b.ts',
      'import { a } from "./a"; export const b = (): number => a * 10; export const here = import.meta.url',
    );
    file('data2.json', '{"n": 100}');
    expect(
      await shown(
        'import A, { sum, sae as again, plat } from "./lib/a.ts"; import { here } from "./lib/b"\n[sum(), again === fg.sae, plat === process.platform, new A(7).v, here.endsWith("lib/b.ts")]',
      ),
    ).toBe('[ 114, true, true, 7, true ]');
  });

  it('reads local TypeScript again when it or an import of it changed, and only then', async () => {
    file('live/inner.ts', 'export const v = 1');
    file(
      'live/outer.ts',
      'import { v } from "./inner"; (globalThis as any).loads = ((globalThis as any).loads ?? 0) + 1; export const twice = v * 2',
    );
    const source = 'import { twice } from "./live/outer"; [twice, globalThis.loads]';
    expect(await shown(source)).toBe('[ 2, 1 ]');
    expect(await shown(source)).toBe('[ 2, 1 ]');
    file('live/inner.ts', 'export const v = 21');
    expect(await shown(source)).toBe('[ 42, 2 ]');
    file('live/plain.mjs', 'export const w = 1');
    expect(await shown('import { w } from "./live/plain.mjs"; w')).toBe('1');
    file('live/plain.mjs', 'export const w = 2');
    expect(await shown('import { w } from "./live/plain.mjs"; w')).toBe('2');
  });

  it('points into local TypeScript when it throws', async () => {
    file(
      'boom.ts',
      'interface Gone { a: number }\n\nexport function boom(n: number): never {\n  throw new Error(`at ${n}`)\n}',
    );
    const ran = await s.run('import { boom } from "./boom"\n\nboom(3)', 'caller');
    expect(ran.error?.stack).toEqual([
      { fn: 'boom', file: path.join(s.folder, 'boom.ts'), line: 4, column: 9 },
      { fn: '', cellId: 'caller', line: 3, column: 1 },
    ]);
  });

  it('says which file is missing, and works once it is there', async () => {
    expect((await s.run('import { late } from "./late"')).error?.message).toMatch(
      /Cannot find '\.\/late': no file .*late \(also tried \.ts/,
    );
    file('late.ts', 'export const late = "now"');
    expect(await shown('import { late } from "./late"; late')).toBe("'now'");
  });

  it('may come after its use and on one line with other code', async () => {
    expect(await shown('const name9 = base9("/x/y")\nimport { basename as base9 } from "node:path"; name9')).toBe(
      "'y'",
    );
  });

  it('knows where the notebook is', async () => {
    expect(await shown('import.meta.dirname')).toBe(`'${s.folder}'`);
  });
});
