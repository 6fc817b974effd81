import { describe, expect, test } from 'vitest';
import { escapeHtml, panelHtml, reportHtml, pageFileId } from '#protocol/webview.js';
import { difference, words } from '#webviews/ui/difference.js';
import { columnText, sortRows, tableText } from '#webviews/renderers/tableText.js';
import { aligned } from '#webviews/ui/format.js';
import { safeHref } from '#webviews/report/markdown.js';

const joined = (pieces: Array<{ text: string }>) => pieces.map((p) => p.text).join('');

describe('difference of two texts', () => {
  test('marks the words that changed and nothing else', () => {
    const d = difference('a king sat down.', 'a queen sat down, slowly.');
    expect(d.before.filter((p) => p.kind === 'removed').map((p) => p.text)).toEqual([' king']);
    expect(d.after.filter((p) => p.kind === 'added').map((p) => p.text)).toEqual([' queen', ', slowly']);
  });
  test('both sides read as they were, whatever the text', () => {
    for (const [a, b] of [
      ['', 'x'],
      ['same', 'same'],
      ['  lead\n\ttabs ', 'né 日本語, “quoted”!'],
      ['a b c a b c', 'c b a c b a'],
    ]) {
      expect(words(a).join('')).toBe(a);
      const d = difference(a, b);
      expect(joined(d.before)).toBe(a);
      expect(joined(d.after)).toBe(b);
      const same = (pieces: typeof d.before) => joined(pieces.filter((p) => p.kind === 'same'));
      expect(same(d.before)).toBe(same(d.after));
    }
  });
  test('keeps the longest common run of words', () => {
    const d = difference('x a b c d y', 'p a b q c d r');
    expect(joined(d.before.filter((p) => p.kind === 'same')).trim()).toBe('a b c d');
  });
  test('texts too long to align are marked whole between their common ends', () => {
    const long = (word: string) => `start ${Array.from({ length: 2500 }, (_, i) => word + i).join(' ')} end`;
    const d = difference(long('a'), long('b'));
    expect(d.before.map((p) => p.kind)).toEqual(['same', 'removed', 'same']);
  });
});

describe('values in a column', () => {
  test('keep their closing zeros, within sizes that read as plain numbers', () => {
    expect([1.4, -0.5, 12, 0.0012, 999.4, 1000, 0.0009, 0].map((v) => aligned(v, 3))).toEqual([
      '1.40',
      '−0.500',
      '12.0',
      '0.00120',
      '999',
      '1,000',
      '0.0009',
      '0',
    ]);
    expect([NaN, Infinity].map((v) => aligned(v, 3))).toEqual(['–', '∞']);
  });
});

describe('cells of a column', () => {
  const textOf = (values: Array<number | string | null>, digits?: number): string[] => {
    const rows = values.map((v) => ({ v }));
    const read = columnText(
      { key: 'v', title: 'v', type: 'number', ...(digits === undefined ? {} : { digits }) },
      rows,
    );
    return rows.map(read);
  };
  test('have as many decimals as the largest ones, never more digits than are meant, and whole numbers stay whole', () => {
    expect(textOf([0.99796, 0.99787, 1, 0.96])).toEqual(['0.9980', '0.9979', '1', '0.9600']);
    expect(textOf([0.01, 0.01])).toEqual(['0.01', '0.01']);
    expect(textOf([7.555, 0.8955, 16, 0])).toEqual(['7.555', '0.8955', '16', '0']);
    expect(textOf([75.37, 78.1, 3.90004])).toEqual(['75.37', '78.10', '3.90']);
    expect(textOf([3.90004, 0.1234])).toEqual(['3.9', '0.1234']);
    expect(textOf([-0.5, -0.25, null, 'none', NaN, Infinity])).toEqual(['−0.50', '−0.25', '–', 'none', '–', '∞']);
    expect(textOf([1.5e-7, 0.1542, 0.0009667])).toEqual(['1.500e−7', '0.1542', '0.0009667']);
    expect(textOf([0.99999, 0.5], 2)).toEqual(['1.0', '0.5']);
    expect(textOf([])).toEqual([]);
  });
});

describe('tables', () => {
  const columns = [
    { key: 'n', title: 'N, all', type: 'number' as const },
    { key: 't', title: 'T', type: 'text' as const },
  ];
  const rows = [
    { n: 2, t: 'f10' },
    { n: null, t: 'f9' },
    { n: -1.23456789, t: '=1+1' },
  ];
  test('sort numbers as numbers, text naturally, missing last', () => {
    expect(sortRows(rows, 'n', false).map((r) => r.n)).toEqual([-1.23456789, 2, null]);
    expect(sortRows(rows, 'n', true).map((r) => r.n)).toEqual([2, -1.23456789, null]);
    expect(sortRows(rows, 't', false).map((r) => r.t)).toEqual(['=1+1', 'f9', 'f10']);
  });
  test('copy at full precision, quoted, and never as a formula', () => {
    const table = { version: 1 as const, columns, rows: [...rows, { n: 1, t: 'a "b"\tc' }] };
    expect(tableText(table, table.rows, ',')).toBe(`"N, all",T\n2,f10\n,f9\n-1.23456789,'=1+1\n1,"a ""b""\tc"\n`);
    expect(tableText(table, table.rows, '\t').split('\n')[4]).toBe('1\ta "b" c');
  });
});

describe('what may be linked', () => {
  test.each(['https://a.b/c', 'http://a', 'mailto:a@b.c', '#top', 'figures/a.png', '../x.md?y:z'])('%s', (href) =>
    expect(safeHref(href)).toBe(href),
  );
  test.each([
    'javascript:alert(1)',
    'JaVaScRiPt:x',
    'data:text/html,x',
    'vbscript:x',
    'file:///etc',
    '//evil.example',
    'java\tscript:x',
  ])('not %s', (href) => expect(safeHref(href)).toBeNull());
});

describe('page shells', () => {
  test('data cannot end its element or become HTML', () => {
    const page = reportHtml({
      title: '</title><script>1',
      script: 'H4sI',
      notebookJson: JSON.stringify({ text: '</script><script>alert(1)</script>' }),
      files: [{ bundle: 'a"b', file: 'map.json', text: 'AAAA' }],
      nonce: 'n',
    });
    expect(page.match(/<\/script>/g)).toHaveLength(4);
    expect(page.match(/<script/g)).toHaveLength(4);
    expect(page).toContain('<title>&lt;/title&gt;&lt;script&gt;1</title>');
    expect(page).toContain(`id="${escapeHtml(pageFileId('a"b', 'map.json'))}"`);
    expect(page).not.toContain('unsafe');
  });
  test('a panel runs one script, by nonce, and loads nothing else', () => {
    const page = panelHtml({ title: 'Map', scriptUri: 'https://x/map.js', cspSource: 'https://x', nonce: 'abc' });
    expect(page).toContain("default-src 'none'; script-src 'nonce-abc'");
    expect(page.match(/<script/g)).toHaveLength(1);
    expect(page).not.toContain('unsafe');
  });
});
