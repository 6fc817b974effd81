import { describe, expect, it } from 'vitest';
import { cellNames, VirtualNotebook } from '#extension/language/virtualNotebook.js';

const notebook = (...texts: string[]): VirtualNotebook => {
  const made = new VirtualNotebook('/work/notes', 'a');
  made.update(texts.map((text, i) => ({ uri: `cell:${i}`, text })));
  return made;
};
const importsOf = (code: string): string[] =>
  [...code.matchAll(/import \{([^}]*)\} from "([^"]*)"/g)].map(([, names, from]) => `${from}: ${names}`);

describe('names of a cell', () => {
  it('are those of every kind of top-level declaration', () => {
    const text = `
      import d, { a as b, type T } from 'x'; import * as ns from 'y'; import fsx = require('node:fs');
      const { p, q: [r, ...s], ...t } = o, u = 1; let v; var w;
      function f() { var inner; const no = 1 } class C {} enum E { A } interface I {} type U = 1; namespace N {}
      if (v) { var z = 1; const block = 2 } for (var i = 0; i < 1; i++) { var j = i }
      declare global { const g: number }`;
    expect([...cellNames(text).declared].sort()).toEqual(
      [
        'd',
        'b',
        'T',
        'ns',
        'fsx',
        'p',
        'r',
        's',
        't',
        'u',
        'v',
        'w',
        'f',
        'C',
        'E',
        'I',
        'U',
        'N',
        'z',
        'i',
        'j',
      ].sort(),
    );
  });

  it('are found in text that does not parse', () => {
    expect([...cellNames('const a = 1\nconst b = {').declared]).toEqual(['a', 'b']);
    expect([...cellNames('const = 3; let ').declared]).toEqual([]);
  });

  it('know what the text exports itself', () => {
    const names = cellNames('export const a = 1; const b = 2; export { b as c }; export default function d() {}');
    expect([...names.declared]).toEqual(['a', 'b', 'd']);
    expect([...names.exported]).toEqual(['a', 'c']);
  });
});

describe('the modules of a notebook', () => {
  it('begin with the text of the cell, unchanged', () => {
    const texts = ['const x = 1 // no line break at the end', 'x\r\n  + 1', ''];
    notebook(...texts)
      .cells()
      .forEach((cell, i) => expect(cell.code.startsWith(texts[i])).toBe(true));
  });

  it('import the newest declaration of every earlier name, and not what the cell declares again', () => {
    const cells = notebook('const x = 1, y = 2', "const x = 's'", 'const y = x', 'x; y').cells();
    expect(importsOf(cells[0].code)).toEqual([]);
    expect(importsOf(cells[1].code)).toEqual(['./__fgnb_cell_a_0.ts: y']);
    expect(importsOf(cells[2].code)).toEqual(['./__fgnb_cell_a_1.ts: x']);
    expect(importsOf(cells[3].code)).toEqual(['./__fgnb_cell_a_1.ts: x', './__fgnb_cell_a_2.ts: y']);
  });

  it('change only where a change is felt', () => {
    const made = notebook('const x = 1', 'const y = x', 'y');
    const versions = (): number[] => made.cells().map((cell) => cell.version);
    const before = versions();
    const texts = (...list: string[]): boolean => made.update(list.map((text, i) => ({ uri: `cell:${i}`, text })));
    expect(texts('const x = 1', 'const y = x', 'y')).toBe(false);
    expect(versions()).toEqual(before);
    expect(texts('const x = 2', 'const y = x', 'y')).toBe(true);
    expect(versions()[0]).toBeGreaterThan(before[0]);
    expect(versions().slice(1)).toEqual(before.slice(1));
    // A new name reaches every later cell.
    texts('const x = 2, z = 3', 'const y = x', 'y');
    expect(versions()[2]).toBeGreaterThan(before[2]);
  });

  it('follow the order of the document when a cell moves, and keep their files', () => {
    const made = notebook('const x = 1', "const x = 's'", 'x');
    const files = new Map(made.cells().map((cell) => [cell.uri, cell.file]));
    expect(
      made.update([
        { uri: 'cell:1', text: "const x = 's'" },
        { uri: 'cell:0', text: 'const x = 1' },
        { uri: 'cell:2', text: 'x' },
      ]),
    ).toBe(true);
    for (const cell of made.cells()) expect(cell.file).toBe(files.get(cell.uri));
    expect(importsOf(made.cells()[2].code)).toEqual(['./__fgnb_cell_a_0.ts: x']);
  });

  it('lie in the folder of the notebook, with forward slashes', () => {
    const windows = new VirtualNotebook('C:\\notes\\', 'a');
    windows.update([{ uri: 'a', text: '' }]);
    expect(windows.cells()[0].file).toBe('C:/notes/__fgnb_cell_a_0.ts');
    const root = new VirtualNotebook('/', 'a');
    root.update([{ uri: 'a', text: '' }]);
    expect(root.cells()[0].file).toBe('/__fgnb_cell_a_0.ts');
  });
});
