import { execFile } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Problem } from '#extension/language/protocol.js';
import { FIRST_CELLS } from '#extension/commands/firstCells.js';
import { NotebookLanguageService } from '#extension/language/service.js';
import { CELL_LANGUAGE, type NotebookFile } from '#protocol/notebook.js';
import { testFolder } from '#test/kit/folder.js';

const root = path.resolve(import.meta.dirname, '../../..');
const typesFolder = path.join(root, 'dist/types');
const NOTEBOOK = 'file:///notes.fgnb';

let folder: string;
let service: NotebookLanguageService;
let texts: string[];

const sync = (...cells: string[]): void => {
  texts = cells;
  service.sync({ notebook: NOTEBOOK, folder, cells: cells.map((text, i) => ({ uri: `cell:${i}`, text })) });
};
/** The place of `word` in a cell, `shift` characters into it. */
const at = (cell: number, word: string, shift = 0): { notebook: string; cell: string; offset: number } => {
  const offset = texts[cell].indexOf(word);
  if (offset < 0) throw new Error(`no ${word} in cell ${cell}`);
  return { notebook: NOTEBOOK, cell: `cell:${cell}`, offset: offset + shift };
};
const problems = (cell: number): Problem[] => service.problems({ notebook: NOTEBOOK, cell: `cell:${cell}` });
const allProblems = (): Array<[number, string, string]> =>
  texts.flatMap((text, i) =>
    problems(i).map((p): [number, string, string] => [i, text.slice(p.span.start, p.span.end), p.message]),
  );
const completions = (cell: number, word: string, shift: number): string[] =>
  service.completions(at(cell, word, shift)).map((entry) => entry.name);

beforeAll(async () => {
  // A no-op after a build. Not waited for by blocking: the test runner asks meanwhile.
  await promisify(execFile)(process.execPath, [path.join(root, 'scripts/build-types.mjs')]);
  folder = testFolder('language');
  fs.writeFileSync(path.join(folder, 'star.ts'), 'export const twice = 2;\n');
  service = new NotebookLanguageService({ typesFolder });
  // Parsed typings are shared between open notebooks; this one keeps them.
  service.sync({ notebook: 'file:///open.fgnb', folder, cells: [{ uri: 'open:0', text: 'fg' }] });
  service.files('file:///open.fgnb');
}, 180_000);
afterEach(async () => {
  service.close(NOTEBOOK);
  // The service blocks; the test runner has messages to send.
  await new Promise((resolve) => setImmediate(resolve));
});

describe('names across cells', () => {
  const cells = [
    'import * as os from "node:os";\nconst x = await Promise.resolve({ a: 1, s: "hi" });',
    'const y = x.a + 1;\nfunction f(q: typeof y) { return [q]; }',
    'const x = "redeclared";\nconst z = f(y);',
    'z[0].toFixed(); x.toUpperCase(); os.cpus().length; nope;',
  ];

  it('have their types, and only the mistake is reported', () => {
    sync(...cells);
    expect(allProblems()).toEqual([[3, 'nope', "Cannot find name 'nope'."]]);
    expect(service.hover(at(2, 'y)'))?.signature).toBe('const y: number');
    expect(service.hover(at(3, 'x.to'))?.signature).toBe('const x: "redeclared"');
    expect(service.hover(at(3, 'z[0]'))?.signature).toBe('const z: number[]');
  });

  it('complete with the members of the newest declaration', () => {
    sync(...cells);
    expect(completions(3, 'x.to', 2)).toContain('toUpperCase');
    expect(completions(1, 'x.a', 2)).toEqual(['a', 's']);
    const names = completions(3, 'nope', 2);
    expect(names).toEqual(expect.arrayContaining(['x', 'y', 'z', 'f', 'os', 'fg', 'tf', 'params', 'console']));
    expect(names).not.toContain('document');
  });

  it('lead to their declarations in other cells', () => {
    sync(...cells);
    const found = service.definition(at(2, 'f(y)'));
    const start = cells[1].indexOf('f(q');
    expect(found?.from).toEqual({ start: cells[2].indexOf('f(y)'), end: cells[2].indexOf('f(y)') + 1 });
    expect(found?.targets).toEqual([{ kind: 'cell', cell: 'cell:1', span: { start, end: start + 1 } }]);
  });

  it('follow edits, moves and deletions', () => {
    sync('const v = 1', 'v.toFixed()');
    expect(allProblems()).toEqual([]);
    sync("const v = 's'", 'v.toFixed()');
    expect(allProblems()).toEqual([[1, 'toFixed', expect.stringContaining("'toFixed' does not exist")]]);
    sync('', 'v.toFixed()');
    expect(allProblems()).toEqual([[1, 'v', "Cannot find name 'v'."]]);
  });

  it('do not leak into another notebook', () => {
    sync('const secret = 1');
    const other = { notebook: 'file:///other.fgnb', cell: 'cell:0' };
    service.sync({ notebook: other.notebook, folder, cells: [{ uri: other.cell, text: 'secret' }] });
    expect(service.problems(other).map((p) => p.code)).toEqual([2304]);
    service.close(other.notebook);
  });
});

describe('what is no mistake in a notebook', () => {
  it.each([
    ['assignment to a name of an earlier cell', ['let n = 0', 'n = 1; n++; n += 2']],
    ['a declaration from its own earlier value', ['const rows = [1, 2]', 'const rows = rows.slice(1)']],
    ['parameters without types', ['const name = (labels, f) => labels[f]', 'name([1], 0)']],
    ['an empty array that is filled', ['const rows = []\nrows.push({ a: 1 })', 'rows.push({ a: 2 }); rows[0].a']],
    ['unused names and unreachable code', ['const unused = 1; function g(a: number) { return 1; a }']],
    ['members of rows with values of several types', ["[['A', { id: 1 }]].map(([side, s]) => ({ side, id: s.id }))"]],
    [
      'await, for await and import() at the top level',
      ["await 1; for await (const c of []) c; await import('node:fs')"],
    ],
    ['a comment at the end', ['const a = 1 // one', 'a /* two */']],
    ['exports', ['export const a = 1; const b = 2; export { b }; export default 3', 'a + b']],
    [
      'types, enums, classes and namespaces',
      ['type T = 1; enum E { A } class C { x: number }', 'const t: T = 1; E.A; new C().x'],
    ],
    [
      'exports from modules and require()',
      [
        "import os = require('node:os')\nexport { sep as slash } from 'node:path'\nexport * as paths from './star'\nexport * from './star'\nos.EOL",
        "slash.length; paths.twice; twice; os.cpus(); require('node:fs'); __dirname.length",
      ],
    ],
    [
      'standard decorators, accessor and using',
      [
        'function dec(v: unknown, c: DecoratorContext) { return c.name }\nclass C { @(dec as any) accessor x = 1 }\nusing r = { [Symbol.dispose]() {} }\nr',
        'new C().x + 1',
      ],
    ],
    ['names of types in errors', ['try { fg } catch (e) { e.message }']],
  ])('%s', (_title, cells) => {
    sync(...cells);
    expect(allProblems()).toEqual([]);
  });

  it('is a value of a mixed row only where one of its types fits', () => {
    sync(
      'const take = (rows: Array<Record<string, number | string>>) => rows',
      "take([['A', { id: 1 }]].map(([side, s]) => ({ side, id: s.id })))",
      "take([['A', { id: 1 }]].map(([side, s]) => ({ side, id: s.id, set: new Set() })));\n[['A', { id: 1 }]].map(([, s]) => s.ib)",
      'declare const v: { a: 1 } | { b: 2 }\nv.a\ntake([{ v }])',
    );
    expect(problems(1)).toEqual([]);
    expect(problems(2).map((p) => p.code)).toEqual([2345, 2339]);
    expect(problems(3).map((p) => p.code)).toEqual([2339, 2322]);
  });

  it('possible absence is a warning', () => {
    sync("const hit = ['a'].find((t) => t === 'b')", 'hit.length');
    expect(problems(1)).toMatchObject([{ severity: 'warning', span: { start: 0, end: 3 } }]);
  });

  it('a name from a cell below is a warning that says where it is', () => {
    sync('const g = () => later', '1', 'const later = 2');
    expect(problems(0)).toMatchObject([{ severity: 'warning', message: expect.stringContaining('code cell 3') }]);
  });
});

describe('mistakes in a notebook', () => {
  it('of syntax are reported in the text, also when the text ends too early', () => {
    sync('const x = ', 'if (true) {', 'const a = 1;\nconst = 2');
    expect(problems(0)).toMatchObject([{ span: { start: 8, end: 9 }, severity: 'error' }]);
    expect(problems(1)).toMatchObject([{ span: { start: 10, end: 11 }, severity: 'error' }]);
    expect(problems(2)[0].span.start).toBe(texts[2].indexOf('= 2'));
  });

  it('keep names known while a block is still open', () => {
    sync('const rows = [1]', 'if (true) { rows.', 'const f = () => { `${[rows.', 'const late = (');
    expect(completions(1, 'rows.', 5)).toContain('map');
    expect(completions(2, 'rows.', 5)).toContain('map');
    for (const cell of [1, 2, 3]) expect(problems(cell)).toMatchObject([{ severity: 'error' }]);
    expect(service.hover(at(1, 'rows'))?.signature).toBe('const rows: number[]');
  });

  it('in the use of a declared verb are reported, and its options are completed with their words and defaults', () => {
    sync(
      "const x = { rows: 1, cols: 1, data: new Float32Array(1) }\nawait fg.mapper.graph(x, { minIntersection: 'a' })\nawait fg.mapper.graph(x, { cubes: 3 })",
      'await fg.mapper.nulls(x, { nulls: { kind: "rotated", ru } })',
    );
    expect(problems(0).map(({ span }) => texts[0].slice(span.start, span.end))).toEqual(['minIntersection', 'cubes']);
    expect(completions(1, 'ru }', 2)).toEqual(['runs', 'seed']);
    const runs = service.describe({ ...at(1, 'ru }', 2), name: 'runs' });
    expect(JSON.stringify(runs)).toContain('A whole number of at least 1; default 20.');
    const hover = service.hover(at(0, 'minIntersection'));
    expect(hover?.signature).toContain('minIntersection?: number');
    expect(JSON.stringify(hover)).toContain('Members that nodes share to be joined.');
    expect(service.hover(at(1, 'nulls('))?.signature).toBe(
      '(method) MapperApi.nulls(points: MatrixInput, options?: MapperNullsOptions): Promise<MapperNulls>',
    );
  });

  it('has the words of the options of methods, which stand with no verb', () => {
    sync('const lm = await fg.models.load("gpt2")\nawait lm.generate("Once", { temperature: 0.8 })');
    expect(JSON.stringify(service.hover(at(0, 'temperature')))).toContain(
      '0 = greedy. A number at least 0; default 0.',
    );
  });

  it('in the use of fg are reported', () => {
    sync("const sae = await fg.sae.load(1)\nfg.nothing\nawait fg.sae.train('x')");
    const words = allProblems().map(([, word]) => word);
    expect(words).toContain('1');
    expect(words).toContain('nothing');
    expect(words.length).toBe(3);
  });
});

describe('imports in a notebook', () => {
  it('take local TypeScript, JSON and packages from the folder of the notebook', () => {
    fs.writeFileSync(path.join(folder, 'helper.ts'), 'export const twice = (n: number): number => 2 * n;\n');
    fs.writeFileSync(path.join(folder, 'data.json'), '{ "count": 3 }');
    const pack = path.join(folder, 'node_modules/pack');
    fs.mkdirSync(pack, { recursive: true });
    fs.writeFileSync(path.join(pack, 'package.json'), '{ "name": "pack", "types": "index.d.ts" }');
    fs.writeFileSync(path.join(pack, 'index.d.ts'), 'export declare function join(...s: string[]): string;\n');
    sync(
      "import { twice } from './helper'\nimport { twice as two } from './helper.js'\nimport data from './data.json'\nimport { join } from 'pack'",
      'twice(data.count).toFixed(); two(1); join(1)',
    );
    expect(allProblems().map(([, word]) => word)).toEqual(['1']);
    expect(completions(1, 'data.c', 5)).toEqual(['count']);
  });

  it('are looked up again when files change', () => {
    sync("import { late } from './late.ts'\nlate.toFixed()");
    expect(problems(0).map((p) => p.code)).toEqual([2307]);
    fs.writeFileSync(path.join(folder, 'late.ts'), 'export const late = 1;\n');
    service.filesChanged();
    expect(problems(0)).toEqual([]);
    fs.writeFileSync(path.join(folder, 'late.ts'), 'export const late = "longer text";\n');
    service.filesChanged();
    expect(problems(0).map((p) => p.code)).toEqual([2551]);
  });

  it("give 'fg' its namespaces and types, and the kernel's own TensorFlow.js", () => {
    sync(
      "import fg2, { sae, correlation, type Sae, type LanguageModel } from 'fg'\nimport * as tfjs from '@tensorflow/tfjs'",
      'const load = (file: string): Promise<Sae> => sae.load(file)\nconst width = (lm: LanguageModel) => lm.config.dModel\nfg2.device.info(); tfjs.tensor([1]).add(1)',
    );
    expect(allProblems()).toEqual([]);
    expect(completions(1, 'sae.load', 4)).toEqual(expect.arrayContaining(['train', 'load', 'save', 'evaluate']));
  });

  it("complete paths of the notebook's folder and never show the cells' modules", () => {
    fs.writeFileSync(path.join(folder, 'helper.ts'), 'export const twice = 2;\n');
    sync("import {} from './'", 'import {} from "node:f"');
    const paths = completions(0, './', 2);
    expect(paths).toContain('helper');
    expect(paths.filter((name) => name.includes('fgnb'))).toEqual([]);
    expect(completions(1, 'node:f', 6)).toEqual(expect.arrayContaining(['node:fs']));
  });
});

describe('fg in the editor', () => {
  it('completes with namespaces, functions and options', () => {
    sync('fg.', 'fg.sae.', "const lm = await fg.models.load('m')\nfg.sae.train(lm, undefined!, { ho })");
    expect(completions(0, 'fg.', 3)).toEqual(
      expect.arrayContaining(['models', 'datasets', 'sae', 'activations', 'correlation', 'maps', 'show']),
    );
    expect(completions(1, 'fg.sae.', 7)).toEqual(expect.arrayContaining(['train', 'load', 'save', 'evaluate']));
    expect(completions(2, 'ho }', 2)).toEqual(expect.arrayContaining(['hook', 'architecture', 'features']));
    const details = service.describe({ ...at(1, 'fg.sae.', 7), name: 'load' });
    expect(details?.signature).toMatch(/^\(method\) SaeApi\.load\(/);
    expect(details?.documentation).toMatch(/SAELens/);
  });

  it('shows the documentation of its functions', () => {
    sync("const saeB = await fg.sae.load('x')\nfg.sae.train(");
    const hover = service.hover(at(0, 'train'));
    expect(hover?.signature).toMatch(/SaeApi\.train\(model: LanguageModel/);
    expect(hover?.documentation).toMatch(/Trains an SAE on activations/);
    const help = service.signatures({ ...at(0, 'train(', 6), trigger: '(' });
    expect(help?.parameter).toBe(0);
    const shown = (help?.signatures ?? []).map(({ label, parameters }) =>
      parameters.map(({ label: [from, to] }) => label.slice(from, to)),
    );
    expect(shown).toContainEqual(['model: LanguageModel', 'data: Tokens', 'options: SaeTrainOptions']);
    for (const { documentation } of help?.signatures ?? []) expect(documentation).toMatch(/Trains an SAE/);
  });

  it('leads to its declarations', () => {
    sync("fg.sae.load('x')");
    const [target] = service.definition(at(0, 'load'))?.targets ?? [];
    expect(target).toMatchObject({
      kind: 'file',
      file: expect.stringMatching(/dist\/types\/kernel\/api\/declared\.d\.ts$/),
    });
    if (target?.kind !== 'file') throw new Error('expected a file');
    const line = fs.readFileSync(target.file, 'utf8').split('\n')[target.start.line];
    expect(line.slice(target.start.character, target.end.character)).toBe('load');
  });

  it('has typings for tensors, in what ships alone', () => {
    sync('const t = tf.tensor2d([1, 2], [1, 2])', 't.');
    expect(service.hover(at(0, 't ='))?.signature).toMatch(/^const t: (tf\.)?Tensor2D/);
    expect(completions(1, 't.', 2)).toEqual(expect.arrayContaining(['matMul', 'shape', 'data']));
    const outside = service
      .files(NOTEBOOK)
      .filter((f) => !f.startsWith(typesFolder) && !f.startsWith(folder) && !/typescript\/lib\/lib\..*d\.ts$/.test(f));
    expect(outside).toEqual([]);
  });
});

describe('symbols of a cell', () => {
  it('are the declarations of the cell', () => {
    sync('const first = 1', 'const a = first\nfunction f() { const inner = 1 }\nclass C { m() {} }');
    const symbols = service.symbols({ notebook: NOTEBOOK, cell: 'cell:1' });
    expect(symbols.map((s) => [s.name, s.kind])).toEqual([
      ['a', 'const'],
      ['C', 'class'],
      ['f', 'function'],
    ]);
    expect(symbols[1].children.map((s) => s.name)).toEqual(['m']);
  });
});

describe('the examples', () => {
  // Beside them lies the folder .fgnb, where an example that ran keeps its results.
  const names = fs.readdirSync(path.join(root, 'examples')).filter((name) => path.extname(name) === '.fgnb');
  it('are there to be checked', () => expect(names).toContain('quickstart.fgnb'));
  it.each(names)('%s has no problems', (name) => {
    const file = JSON.parse(fs.readFileSync(path.join(root, 'examples', name), 'utf8')) as NotebookFile;
    const cells = file.cells.filter((cell) => cell.kind === 'code' && cell.language === CELL_LANGUAGE);
    expect(cells.length).toBeGreaterThan(3);
    sync(...cells.map((cell) => cell.source.join('')));
    expect(allProblems()).toEqual([]);
  });
});

describe('a new notebook', () => {
  const code = FIRST_CELLS.filter(([kind]) => kind === 'code').map(([, text]) => text);

  it("begins with the README's first steps", () => {
    const readme = fs.readFileSync(path.join(root, 'README.md'), 'utf8');
    const [, example] = /\*\*Feature Geometry: New Notebook\*\*[^`]*[^]*?```ts\n([^]*?)```/.exec(readme) ?? [];
    expect(code.length).toBeGreaterThan(2);
    expect(example?.startsWith(`${code.join('\n')}\n`)).toBe(true);
  });

  it('has no problems', () => {
    sync(...code);
    expect(allProblems()).toEqual([]);
  });
});

describe('the cells of the README', () => {
  it('have no problems, one behind the other', () => {
    const readme = fs.readFileSync(path.join(root, 'README.md'), 'utf8');
    const blocks = [...readme.matchAll(/```ts\n([^]*?)```/g)].map(([, text]) => text);
    expect(blocks.length).toBeGreaterThan(1);
    sync("const [narrow, wide] = [await fg.sae.load('narrow'), await fg.sae.load('wide')]", ...blocks);
    expect(allProblems()).toEqual([]);
  });
});

describe('questions that came too late', () => {
  it('have no answer', () => {
    sync('const a = 1');
    expect(service.hover({ notebook: NOTEBOOK, cell: 'cell:0', offset: 99 })).toBeUndefined();
    expect(service.problems({ notebook: NOTEBOOK, cell: 'gone' })).toEqual([]);
    expect(service.completions({ notebook: 'closed', cell: 'cell:0', offset: 0 })).toEqual([]);
    expect(service.hover(at(0, '= 1'))).toBeUndefined();
  });
});
