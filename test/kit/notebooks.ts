/** Notebooks made at random, ours and Jupyter's, with the keys and values that go wrong easily. */
import type { CellOutput, Json, JsonObject, NotebookFile, OutputItem } from '#protocol/notebook.js';
import { parseNotebook, serializeNotebook, splitLines, splitSource } from '#protocol/notebookCodec.js';

/** mulberry32, so that the tests repeat. */
export function seeded(seed: number): () => number {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

/** Every choice is drawn from one generator. */
export class Maker {
  constructor(
    readonly random: () => number,
    /** Texts that Python can write as UTF-8. */
    private readonly utf8 = false,
  ) {}

  chance(p: number): boolean {
    return this.random() < p;
  }
  below(n: number): number {
    return Math.floor(this.random() * n);
  }
  pick<T>(from: readonly T[]): T {
    return from[this.below(from.length)];
  }
  list<T>(most: number, make: (i: number) => T): T[] {
    return Array.from({ length: this.below(most + 1) }, (_, i) => make(i));
  }

  text(most = 8): string {
    const odd = this.utf8 ? [] : ['\ud800', '\udc00', '\u0000'];
    const pieces = ['a', 'x = 1', '\n', '\t', '"', '\\', 'é', '日本', '😀', '\u2028', '__proto__', ' ', '# ', ...odd];
    return this.list(most, () => this.pick(pieces)).join('');
  }

  json(depth = 0): Json {
    const kind = this.below(depth > 2 ? 5 : 7);
    if (kind === 0) return null;
    if (kind === 1) return this.chance(0.5);
    if (kind === 2) return this.below(1000) / 8;
    if (kind === 3) return this.below(100);
    if (kind === 4) return this.text();
    return kind === 5 ? this.list(3, () => this.json(depth + 1)) : this.object([], depth + 1);
  }

  /** Unknown keys, those of `names` now and then among them. */
  object(names: readonly string[] = [], depth = 0): JsonObject {
    const odd = ['__proto__', 'constructor', 'fgnb', 'jupyter', 'a b', 'toString', ...names];
    const key = (i: number): string => (this.chance(0.4) ? this.pick(odd) : `u${i}${this.text(2)}`);
    return Object.fromEntries(this.list(4, (i) => [key(i), this.json(depth + 1)])) as JsonObject;
  }

  maybe<T extends object>(p: number, make: () => T): T | Record<string, never> {
    return this.chance(p) ? make() : {};
  }
}

const MIMES = [
  'text/plain',
  'text/html',
  'text/latex',
  'image/png',
  'image/svg+xml',
  'application/json',
  'application/vnd.fgnb.table+json',
  'application/vnd.plotly.v1+json',
  'application/x-own',
  'application/pdf',
  '__proto__',
];

/** An item of any mime in any form; HTML and SVG hold text without tags, which nothing sets aside. */
export function anyItem(make: Maker): OutputItem {
  const mime = make.pick(MIMES);
  const text = (): string[] => splitLines(make.text().replace(/</g, ''));
  const forms = [
    () => ({ mime, text: text() }),
    () => ({ mime, json: make.json() }),
    () => ({ mime, base64: Buffer.from(make.text()).toString('base64') }),
  ];
  const usual = mime.endsWith('json') ? 1 : /image\/png|pdf/.test(mime) ? 2 : 0;
  const markup = ['text/html', 'image/svg+xml'].includes(mime);
  const form = make.chance(0.7) || markup ? forms[usual] : make.pick(forms);
  const known = ['mime', 'text', 'json', 'base64'];
  const more = make.chance(0.1) ? Object.entries(make.object()).filter(([key]) => !known.includes(key)) : [];
  return Object.fromEntries([...Object.entries(form()), ...more]) as unknown as OutputItem;
}

export function anyOutput(make: Maker): CellOutput {
  const stream = (name: string) => ({
    items: [{ mime: `application/vnd.code.notebook.${name}`, text: splitLines(make.text()) }],
  });
  const kind = make.below(10);
  if (kind < 2) return stream(make.pick(['stdout', 'stderr']));
  if (kind < 4) {
    const [name, message, stack] = [make.text(3), make.text(), `Error: x\n    at ${make.text()}`];
    const json = { name, message, ...make.maybe(0.8, () => ({ stack })), ...make.maybe(0.2, () => make.object()) };
    return { items: [{ mime: 'application/vnd.code.notebook.error', json }] };
  }
  const more = Object.entries(make.maybe(0.2, () => make.object(['setAside']))).filter(([key]) => key !== 'items');
  const items = make.chance(0.1) ? [stream('stdout').items[0], anyItem(make)] : make.list(4, () => anyItem(make));
  return Object.fromEntries([
    ['items', items],
    ...more.filter(([key]) => key !== 'metadata'),
    ...(make.chance(0.4) ? [['metadata', make.object()] as const] : []),
  ]) as unknown as CellOutput;
}

const CELL_KEYS = ['tags', 'name', 'collapsed', 'scrolled', 'execution', 'trusted', 'vscode', 'format', 'cell_type'];

function anyExecution(make: Maker): JsonObject {
  return {
    ...make.maybe(0.8, () => ({ order: make.pick([0, 1, 7, 2.5, -1]) })),
    ...make.maybe(0.8, () => ({ status: make.pick(['ok', 'error', 'interrupted']) })),
    ...make.maybe(0.1, () => ({ ms: 3 })),
  };
}

/** A notebook of ours, as its own reader gives it. */
export function anyNotebook(make: Maker): NotebookFile {
  const known = ['id', 'kind', 'language', 'source', 'metadata', 'execution', 'outputs'];
  const cells = make.list(6, (i) => {
    const more = make.chance(0.2)
      ? Object.entries(make.object(['attachments'])).filter(([k]) => !known.includes(k))
      : [];
    const attachments = {
      'a.png': { 'image/png': 'AAAA' },
      'b c': { 'text/plain': ['x\n', 'y'], 'application/json': 3 },
    };
    const marked = {
      vscode: { languageId: make.pick(['python', 'sql', 'fgnb-typescript']), ...make.maybe(0.3, () => ({ a: 1 })) },
    };
    return Object.fromEntries([
      ['id', make.chance(0.7) ? `c${i}` : `${make.text(2)}-${i}`],
      ['kind', make.chance(0.65) ? 'code' : 'markdown'],
      ['language', make.chance(0.7) ? 'fgnb-typescript' : make.pick(['markdown', 'raw', 'python', 'typescript', ''])],
      ['source', splitSource(make.text())],
      ...more,
      ...(make.chance(0.2) ? [['attachments', attachments]] : []),
      ...(make.chance(0.5) ? [['metadata', { ...make.object(CELL_KEYS), ...make.maybe(0.2, () => marked) }]] : []),
      ...(make.chance(0.5) ? [['execution', anyExecution(make)]] : []),
      ...(make.chance(0.6) ? [['outputs', make.list(3, () => anyOutput(make))]] : []),
    ]) as Json;
  });
  const kernelspec = {
    name: make.pick(['fgnb', 'python3', 'deno']),
    display_name: 'x',
    language: make.pick(['python', 'typescript', 'r']),
  };
  const metadata = {
    ...make.object(['kernelspec', 'language_info', 'title', 'authors', 'orig_nbformat', 'signature']),
    ...make.maybe(0.3, () => ({ kernelspec })),
  };
  const more = Object.entries(make.maybe(0.3, () => make.object(['nbformat', 'nbformat_minor']))).filter(
    ([key]) => !['fgnb', 'metadata', 'cells'].includes(key),
  );
  return parseNotebook(
    serializeNotebook(
      Object.fromEntries([['fgnb', 1], ['metadata', metadata], ...more, ['cells', cells]]) as NotebookFile,
    ),
  );
}
