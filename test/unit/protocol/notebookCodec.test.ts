import { describe, expect, it } from 'vitest';
import {
  joinSource,
  newCellId,
  newNotebook,
  NotebookFormatError,
  parseNotebook,
  serializeNotebook,
  splitLines,
  splitSource,
} from '#protocol/notebookCodec.js';
import type { Json, NotebookFile } from '#protocol/notebook.js';

/** mulberry32, so that the property tests repeat. */
function seeded(seed: number): () => number {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

const PIECES = [
  'a',
  'x = 1',
  '\n',
  '\r\n',
  '\r',
  '\t',
  '"',
  '\\',
  '\u0000',
  'é',
  '日本',
  '😀',
  '\ud800',
  '\udc00',
  '\u2028',
  '__proto__',
  ' ',
];

function anyText(random: () => number): string {
  return Array.from({ length: Math.floor(random() * 12) }, () => PIECES[Math.floor(random() * PIECES.length)]).join('');
}

function anyJson(random: () => number, depth = 0): Json {
  const kind = Math.floor(random() * (depth > 2 ? 4 : 6));
  if (kind === 0) return null;
  if (kind === 1) return random() < 0.5;
  if (kind === 2) return (random() - 0.5) * 10 ** Math.floor(random() * 20);
  if (kind === 3) return anyText(random);
  if (kind === 4) return Array.from({ length: Math.floor(random() * 4) }, () => anyJson(random, depth + 1));
  return anyObject(random, depth + 1);
}

function anyObject(random: () => number, depth = 0): { [key: string]: Json } {
  const entries = Array.from({ length: Math.floor(random() * 4) }, (_, i) => [
    `u${i}${anyText(random)}`,
    anyJson(random, depth),
  ]);
  return Object.fromEntries(entries) as { [key: string]: Json };
}

function anyNotebook(random: () => number): NotebookFile {
  const cells = Array.from({ length: Math.floor(random() * 5) }, (_, i) => ({
    ...anyObject(random),
    id: `c${i}`,
    kind: random() < 0.7 ? ('code' as const) : ('markdown' as const),
    language: 'fgnb-typescript',
    source: splitSource(anyText(random)),
    ...(random() < 0.5 ? { metadata: anyObject(random) } : {}),
    ...(random() < 0.5 ? { execution: { ...anyObject(random), order: 3, status: 'ok' as const, ms: 12.5 } } : {}),
    ...(random() < 0.5
      ? {
          outputs: [
            {
              ...anyObject(random),
              items: [{ ...anyObject(random), mime: 'text/plain', text: splitLines(anyText(random)) }],
            },
            {
              items: [
                { mime: 'application/json', json: anyJson(random) },
                { mime: 'image/png', base64: 'AAAA' },
              ],
              metadata: anyObject(random),
            },
          ],
        }
      : {}),
  }));
  return { ...anyObject(random), fgnb: 1, metadata: anyObject(random), cells };
}

function failure(text: string): NotebookFormatError {
  try {
    parseNotebook(text);
  } catch (error) {
    expect(error).toBeInstanceOf(NotebookFormatError);
    return error as NotebookFormatError;
  }
  throw new Error('the text was accepted');
}

describe('notebook codec', () => {
  it('opens files of earlier versions, whose runs have durations, and leaves these to the next run', () => {
    const old = serializeNotebook({ ...newNotebook(), cells: [] }).replace(
      '"cells": []',
      `"cells": [\n  {\n   "id": "a",\n   "kind": "code",\n   "language": "fgnb-typescript",\n   "source": [],\n   "execution": {\n    "order": 2,\n    "status": "ok",\n    "ms": 312\n   }\n  }\n ]`,
    );
    const notebook = parseNotebook(old);
    expect(notebook.cells[0].execution).toMatchObject({ order: 2, status: 'ok' });
    expect(serializeNotebook(notebook)).toBe(old);
  });

  it('gives back the same notebook and the same bytes for any notebook', () => {
    for (let seed = 0; seed < 400; seed++) {
      const notebook = anyNotebook(seeded(seed));
      const text = serializeNotebook(notebook);
      const back = parseNotebook(text);
      expect(back).toEqual(JSON.parse(JSON.stringify(notebook)));
      expect(serializeNotebook(back)).toBe(text);
      expect(text.endsWith('}\n')).toBe(true);
      // Through UTF-8, as a file goes: lone surrogates must survive.
      expect(serializeNotebook(parseNotebook(Buffer.from(text, 'utf8').toString('utf8')))).toBe(text);
    }
  });

  it('writes keys in one order whatever order they were set in', () => {
    const text = serializeNotebook({
      cells: [{ outputs: [], source: ['1'], language: 'x', kind: 'code', id: 'a', later: 1 }],
      metadata: {},
      fgnb: 1,
    });
    expect(text).toBe(
      '{\n "fgnb": 1,\n "metadata": {},\n "cells": [\n  {\n   "id": "a",\n   "kind": "code",\n   "language": "x",\n' +
        '   "source": [\n    "1"\n   ],\n   "later": 1,\n   "outputs": []\n  }\n ]\n}\n',
    );
  });

  it('keeps a key named __proto__ as data', () => {
    const text = '{"fgnb":1,"metadata":{"__proto__":{"polluted":true}},"cells":[],"__proto__":{"polluted":true}}';
    const notebook = parseNotebook(text);
    expect(Object.getPrototypeOf(notebook)).toBe(Object.prototype);
    expect(serializeNotebook(notebook).match(/__proto__/g)).toHaveLength(2);
    expect(({} as { polluted?: boolean }).polluted).toBeUndefined();
  });

  it('reads empty and blank files as a new notebook, and nothing else', () => {
    expect(parseNotebook('')).toEqual(newNotebook());
    expect(parseNotebook(' \n\t\r\n')).toEqual(newNotebook());
    expect(parseNotebook('\ufeff')).toEqual(newNotebook());
    for (const text of ['null', '[]', '3', '"x"', '{}', '{"cells":[]}']) failure(text);
  });

  it('refuses every truncation of a file', () => {
    const text = serializeNotebook(anyNotebook(seeded(7)));
    for (let end = 1; end < text.length - 2; end++) failure(text.slice(0, end));
  });

  it('names the line where the text stops being a notebook', () => {
    expect(failure('{\n "fgnb": 1,\n "metadata": {},\n "cells": [\n  {]\n }').line).toBe(5);
    expect(failure('{\n "fgnb": 1,\n "metadata": {},\n "cells": [').message).toMatch(/line 4: .*cut short/);
    expect(failure('{\n "fgnb": 1,\n "cells": [\n  {"id": "a",\n   "source": 5}\n ]}').message).toMatch(
      /line 5: cells\[0\]\.source must be a list of lines, not 5\. The file is left as it is/,
    );
    expect(failure('<<<<<<< HEAD\n{"fgnb": 1}').line).toBe(1);
    expect(failure('{"fgnb": 1,\n"a": "tab\tin string"}').line).toBe(2);
  });

  it('refuses wrong types at every level', () => {
    const cell = (body: string) => failure(`{"fgnb":1,"metadata":{},"cells":[${body}]}`).what;
    expect(cell('3')).toBe('cells[0] must be an object, not 3');
    expect(cell('{"kind":"raw"}')).toContain('must be code or markdown');
    expect(cell('{"outputs":{}}')).toBe('cells[0].outputs must be a list, not an object');
    expect(cell('{"outputs":[{"items":[{}]}]}')).toBe(
      'cells[0].outputs[0].items[0].mime must be a string, not missing',
    );
    expect(cell('{"outputs":[{"items":[{"mime":"a","text":[],"json":1}]}]}')).toContain('text and json');
    expect(cell('{"execution":{"order":"1"}}')).toContain('execution.order must be a number');
    expect(cell('{"execution":{"status":"fine"}}')).toContain('must be ok, error or interrupted');
    expect(failure('{"fgnb":1,"metadata":[],"cells":[]}').what).toContain('metadata must be an object');
  });

  it('refuses a newer format and says to update', () => {
    expect(failure('{"fgnb":2,"cells":"anything"}').message).toMatch(/format 2.*up to format 1.*Update/);
    failure('{"fgnb":"1","cells":[]}');
    failure('{"fgnb":0,"cells":[]}');
  });

  it('repairs missing and repeated cell ids the same way each time', () => {
    const text = '{"fgnb":1,"cells":[{"id":"a"},{"id":"a"},{},{"id":"a"},{"id":"a-2"}]}';
    const ids = parseNotebook(text).cells.map((cell) => cell.id);
    expect(ids).toEqual(['a', 'a-2', 'cell-3', 'a-3', 'a-2-2']);
    expect(parseNotebook(text)).toEqual(parseNotebook(text));
  });

  it('accepts sources and texts as one string', () => {
    const [cell] = parseNotebook('{"fgnb":1,"cells":[{"source":"a\\r\\nb\\rc"}]}').cells;
    expect(cell.source).toEqual(['a\n', 'b\n', 'c']);
    expect(cell.language).toBe('fgnb-typescript');
  });

  it('splits and joins sources', () => {
    expect(splitSource('')).toEqual([]);
    expect(splitSource('a')).toEqual(['a']);
    expect(splitSource('a\n')).toEqual(['a\n']);
    expect(splitSource('\n\nb')).toEqual(['\n', '\n', 'b']);
    for (let seed = 0; seed < 200; seed++) {
      const text = anyText(seeded(seed));
      expect(joinSource(splitLines(text))).toBe(text);
      expect(joinSource(splitSource(text))).toBe(text.replace(/\r\n?/g, '\n'));
    }
  });

  it('makes ids that differ and depend on the random source alone', () => {
    const ids = new Set(Array.from({ length: 1000 }, () => newCellId()));
    expect(ids.size).toBe(1000);
    expect([...ids].every((id) => /^[a-z][a-z2-7]{11}$/.test(id))).toBe(true);
    expect(newCellId((n) => new Uint8Array(n).fill(255))).toBe('v77777777777');
  });
});
