/**
 * Notebooks of anybody: whatever the file, the reader gives a notebook that our own reader takes and whose outputs can do
 * nothing, or an error in words. It never hangs, and what it takes is bounded.
 */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { isInert } from '#kernel/convert/inert.js';
import { JupyterError } from '#kernel/convert/fromJupyter.js';
import { readJupyter } from '#kernel/convert/read.js';
import { fromScript } from '#kernel/convert/script.js';
import { serializeJupyter, toJupyter } from '#kernel/convert/toJupyter.js';
import type { Json, NotebookFile } from '#protocol/notebook.js';
import { parseNotebook, serializeNotebook } from '#protocol/notebookCodec.js';
import { anyNotebook, Maker, seeded } from '#test/kit/notebooks.js';

const goldens = JSON.parse(readFileSync(new URL('../../goldens/ipynb.json', import.meta.url), 'utf8')) as {
  cases: Array<{ text: string }>;
};

const HOSTILE: Json[] = [
  ...[null, true, -1, 1e308, '', '__proto__', 'constructor', '<script>alert(1)</script>', '\ud800'],
  ...[[], {}, [[[]]], { fgnb: {} }, { __proto__: 1 }],
];
const KEYS = [
  '__proto__',
  'constructor',
  'toString',
  'fgnb',
  'items',
  'metadata',
  'outputs',
  'data',
  'text/html',
  'rest',
  'jupyter',
];

/** One value of a notebook replaced, removed, doubled or put under another key. */
function mutated(value: Json, make: Maker, depth = 0): Json {
  if (typeof value !== 'object' || value === null || make.chance(0.12)) return make.pick(HOSTILE);
  const keys = Object.keys(value);
  if (keys.length === 0) return make.pick(HOSTILE);
  const chosen = make.pick(keys);
  if (Array.isArray(value)) {
    const list = value.map((each, i) => (String(i) === chosen && depth < 12 ? mutated(each, make, depth + 1) : each));
    return make.chance(0.1) ? [...list, ...list] : list;
  }
  const entries = keys.flatMap((key): Array<[string, Json]> => {
    if (key !== chosen) return [[key, value[key]]];
    if (make.chance(0.08)) return [];
    return [[make.chance(0.08) ? make.pick(KEYS) : key, depth < 12 ? mutated(value[key], make, depth + 1) : null]];
  });
  if (make.chance(0.05)) entries.push([make.pick(KEYS), make.pick(HOSTILE)]);
  return Object.fromEntries(entries) as Json;
}

function cutOrBroken(text: string, make: Maker): string {
  const at = make.below(text.length);
  if (make.chance(0.3)) return text.slice(0, at);
  return (
    text.slice(0, at) + make.pick(['"', '{', ']', '\\', '\u0000', ',', '9', 'NaN']) + text.slice(at + make.below(3))
  );
}

function requireHarmless(notebook: NotebookFile): void {
  // As it is written, our own reader takes it.
  parseNotebook(serializeNotebook(notebook));
  for (const { items } of notebook.cells.flatMap((cell) => cell.outputs ?? []))
    for (const { mime, text, json, base64 } of items) {
      const shown =
        text?.join('') ?? (typeof json === 'string' ? json : base64 && Buffer.from(base64, 'base64').toString());
      if (!isInert(mime, shown)) throw new Error(`${mime} may run: ${shown}`);
    }
}

describe('an .ipynb of anybody', () => {
  it('gives a harmless notebook or an error in words, for 10,000 mutated files', { timeout: 120_000 }, () => {
    const ours = Array.from({ length: 20 }, (_, i) => serializeJupyter(toJupyter(anyNotebook(new Maker(seeded(i))))));
    const sources = [...goldens.cases.map(({ text }) => text), ...ours];
    let [read, refused] = [0, 0];
    for (let seed = 0; seed < 10_000; seed++) {
      const make = new Maker(seeded(seed));
      const source = make.pick(sources);
      let value = JSON.parse(source) as Json;
      for (let n = make.below(3); n >= 0; n--) value = mutated(value, make);
      const text = make.chance(0.2) ? cutOrBroken(source, make) : JSON.stringify(value);
      try {
        const { notebook, notes } = readJupyter(text);
        requireHarmless(notebook);
        // What was read can be written and read again.
        readJupyter(serializeJupyter(toJupyter(notebook)));
        expect(notes.join('\n').length).toBeLessThan(5000);
        read++;
      } catch (error) {
        if (!(error instanceof JupyterError)) throw new Error(`seed ${seed}: ${text.slice(0, 3000)}`, { cause: error });
        expect(error.message.length).toBeLessThan(600);
        refused++;
      }
    }
    expect(read).toBeGreaterThan(2000);
    expect(refused).toBeGreaterThan(1000);
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
    expect(Object.getOwnPropertyNames(Object.prototype)).not.toContain('fgnb');
  });

  it('is refused when it is nested too deep or holds too many values, before it is parsed', () => {
    const deep = `{"nbformat":4,"metadata":${'{"a":'.repeat(100_000)}1${'}'.repeat(100_000)},"cells":[]}`;
    expect(() => readJupyter(deep)).toThrow(/nested more than 200 deep/);
    expect(() => readJupyter('['.repeat(1_000_000))).toThrow(/nested more than 200 deep/);
    expect(() => readJupyter(`{"nbformat":4,"cells":[${'[],'.repeat(5_100_000)}1]}`)).toThrow(
      /more than 10 million values/,
    );
    // Brackets in a text are no nesting.
    const text = JSON.stringify({
      nbformat: 4,
      metadata: {},
      cells: [{ cell_type: 'raw', metadata: {}, source: '['.repeat(1000) + '\\"' }],
    });
    expect(readJupyter(text).notebook.cells).toHaveLength(1);
  });
});

describe('what may be shown of a foreign output', () => {
  it.each([
    '<b>bold</b> &amp; <i class="x">more</i> 1 < 2',
    '<table border="1"><tr><td style="text-align: right; color: rgb(1, 2, 3)">1</td></tr></table>',
    '<a href="https://example.org/x?y=1">link</a>',
    '<img alt="a" src="data:image/png;base64,AAAA">',
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1 1"><g fill="none" clip-path="url(#a)"><path d="M0,0L1,1"/></g></svg>',
    'plain text',
  ])('%s is', (html) => {
    expect(isInert('text/html', html)).toBe(true);
  });

  it.each([
    '<script>alert(1)</script>',
    '<SCRIPT src="//x">',
    '<img src=x onerror=alert(1)>',
    '<img src="x" onerror="alert(1)">',
    '<b onclick="alert(1)">x</b>',
    '<b\tonmouseover="alert(1)">x</b>',
    '<svg/onload=alert(1)>',
    '<svg><animate onbegin="alert(1)" attributeName="x"/></svg>',
    '<svg><use href="data:image/svg+xml,x"/></svg>',
    '<svg><a xlink:href="javascript:alert(1)">x</a></svg>',
    '<a href="javascript:alert(1)">x</a>',
    '<a href="&#106;avascript:alert(1)">x</a>',
    '<a href="command:fgnb.doctor">x</a>',
    '<iframe src="https://x"></iframe>',
    '<style>@import "https://x"</style>',
    '<div style="background: url(https://x)">x</div>',
    '<div style="position: fixed; width: 100%">x</div>',
    '<rect fill="url(https://x)"/>',
    '<img src="https://tracker.example/x.png">',
    '<img src="data:image/svg+xml;base64,AAAA">',
    '<form action="https://x"><input></form>',
    '<meta http-equiv="refresh" content="0">',
    '<!-- --><!--><img src=x onerror=alert(1)>-->',
    '<!DOCTYPE html>',
    '<?xml version="1.0"?>',
    '<b <script>alert(1)</script>',
    '<b title="a"onclick="x">',
    '<math><mtext></mtext></math>',
    '<base href="https://x">',
    '<b x="',
    '</script\n>',
  ])('%s is not', (html) => {
    expect(isInert('text/html', html)).toBe(false);
    expect(isInert('Text/HTML; charset=utf-8', html)).toBe(false);
  });

  it('is decided in time that grows with the text alone', { timeout: 20_000 }, () => {
    for (const piece of ['<b ', '<b a="', '<b a=""', '<', '<b\t', '</b', '<a href="', 'style="color:', ' a a a a'])
      isInert('text/html', `<b ${piece.repeat(200_000)}`);
    isInert('text/html', `<b style="${'color: a; '.repeat(100_000)}(">`);
    isInert('text/html', `<img src="data:image/png;base64,${'A '.repeat(500_000)}!">`);
    expect(isInert('application/x-javascript', '1')).toBe(false);
    expect(isInert('text/plain', '<script>')).toBe(true);
  });
});

describe('a script of anybody', () => {
  it('is read whatever it is, for 10,000 texts', () => {
    const pieces = [
      '// %%',
      ' [markdown]',
      ' a=',
      '{',
      '"',
      '[',
      '\n',
      '// ---\n',
      '\r',
      '__proto__=1',
      ' ',
      '\\',
      '%%',
      '// ',
      'x',
    ];
    for (let seed = 0; seed < 10_000; seed++) {
      const make = new Maker(seeded(seed));
      const { notebook } = fromScript(make.list(30, () => make.pick(pieces)).join(''));
      parseNotebook(serializeNotebook(notebook));
    }
    const mark = `// %% ${'a='.repeat(100_000)}\n// %% ${'[x]'.repeat(100_000)}\n// %% ${' '.repeat(200_000)}x\n`;
    expect(fromScript(mark).notebook.cells).toHaveLength(3);
  });
});
