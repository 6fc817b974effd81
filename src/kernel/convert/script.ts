/**
 * Notebooks as TypeScript with cell marks, as VS Code's and jupytext's "percent" format has them:
 *
 *     // %% [markdown]
 *     // # A heading
 *
 *     // %% tags=["slow"]
 *     const x = 1;
 *
 * A mark may hold a title, the kind of the cell in brackets and metadata as key=JSON. Between cells stands one blank line. A
 * line of a cell that would read as a mark gets a "// " in front. Outputs, ids, runs and metadata under other keys are not
 * kept.
 */
import {
  CELL_LANGUAGE,
  type Json,
  type JsonObject,
  type NotebookCell,
  type NotebookFile,
} from '../../protocol/notebook.js';
import { joinSource, newNotebook, splitSource } from '../../protocol/notebookCodec.js';
import { objectOf } from './jupyter.js';
import { Notes } from './notes.js';

const MARK = /^\/\/\s*%%(?!%)(.*)$/s;
/** A mark, or one that was led by so many "// ". */
const ESCAPED = /^\/\/ ((?:\/\/ )*\/\/\s*%%(?!%).*)$/s;
const LIKE_MARK = /^(?:\/\/ )*\/\/\s*%%(?!%)/;
const KEY = /^[A-Za-z_][\w-]*$/;
const LANGUAGE = 'language';

const escaped = (line: string): string => (LIKE_MARK.test(line) ? `// ${line}` : line);
const unescaped = (line: string): string => ESCAPED.exec(line)?.[1] ?? line;
const commented = (line: string): string => (line === '' ? '//' : `// ${line}`);
const uncommented = (line: string): string => {
  if (line.startsWith('// ')) return line.slice(3);
  return line.startsWith('//') ? line.slice(2) : line;
};

const kindOf = ({ kind, language }: NotebookCell): string =>
  kind === 'markdown' ? 'markdown' : language === 'raw' ? 'raw' : 'code';

/** A title stands before the rest of a mark: it must not look like any of that. */
const isTitle = (value: unknown): value is string =>
  typeof value === 'string' && /^[^\s[\]="{}][^\n\r[\]="{}]*$/.test(value) && value === value.trim();

function markOf(cell: NotebookCell, index: number, notes: Notes): string {
  const kind = kindOf(cell);
  const { title, ...metadata } = cell.metadata ?? {};
  const foreign = kind === 'code' && cell.language !== CELL_LANGUAGE;
  const entries: Array<[string, unknown]> = [
    ...(foreign ? [[LANGUAGE, cell.language] as [string, unknown]] : []),
    ...(title !== undefined && !isTitle(title) ? [['title', title] as [string, unknown]] : []),
    ...Object.entries(metadata).filter(([key]) => !foreign || key !== LANGUAGE),
  ];
  const written = entries.filter(([key]) => KEY.test(key) && !(kind === 'code' && !foreign && key === LANGUAGE));
  if (written.length < entries.length || (foreign && Object.hasOwn(metadata, LANGUAGE)))
    notes.add('metadata under keys that a cell mark cannot hold is left out', index);
  const parts = ['//', '%%', ...(isTitle(title) ? [title] : []), ...(kind === 'code' ? [] : [`[${kind}]`])];
  // No line break: JSON escapes them, but for two that end lines of TypeScript.
  const json = (value: unknown): string =>
    JSON.stringify(value).replace(/[\u2028\u2029]/g, (c) => `\\u${c.charCodeAt(0).toString(16)}`);
  return [...parts, ...written.map(([key, value]) => `${key}=${json(value)}`)].join(' ');
}

function sourceOf(cell: NotebookCell): string[] {
  const lines = joinSource(cell.source).split('\n');
  const isCode = kindOf(cell) === 'code' && cell.language === CELL_LANGUAGE;
  return lines.map((line) => escaped(isCode ? line : commented(line)));
}

/** The text of the script, and what it cannot hold. */
export function toScript(file: NotebookFile): { text: string; notes: string[] } {
  const notes = new Notes();
  const { length } = file.cells.flatMap((cell) => cell.outputs ?? []);
  if (length > 0) notes.add(`Outputs (${length}) are not kept: a script holds code and text.`);
  if (Object.keys(file.metadata).length > 0) notes.add('Metadata of the notebook is not kept.');
  const blocks = file.cells.map((cell, i) => {
    if (cell.attachments !== undefined) notes.add('attachments are not kept', i);
    return [markOf(cell, i, notes), ...sourceOf(cell)].join('\n') + '\n';
  });
  return { text: blocks.join('\n'), notes: notes.lines() };
}

/** End of the JSON value that begins at `at`: a string, a word, or brackets that close. */
function endOfValue(text: string, at: number): number {
  let [depth, inString] = [0, false];
  for (let i = at; i < text.length; i++) {
    const c = text[i];
    if (inString) {
      if (c === '\\') i++;
      else if (c === '"') inString = false;
    } else if (c === '"') inString = true;
    else if (c === '[' || c === '{') depth++;
    else if (c === ']' || c === '}') depth--;
    else if (depth === 0 && /\s/.test(c)) return i;
  }
  return text.length;
}

/** `key=value` with a JSON value, as many as there are; what is left over is no metadata. */
function readMetadata(text: string): { metadata: Array<[string, Json]>; rest: string } {
  const metadata: Array<[string, Json]> = [];
  let rest = text.trim();
  for (;;) {
    const key = /^([A-Za-z_][\w-]*)=/.exec(rest);
    if (!key) return { metadata, rest };
    const end = endOfValue(rest, key[0].length);
    try {
      metadata.push([key[1], JSON.parse(rest.slice(key[0].length, end)) as Json]);
    } catch {
      return { metadata, rest };
    }
    rest = rest.slice(end).trim();
  }
}

interface Mark {
  kind: 'code' | 'markdown' | 'raw';
  language: string;
  metadata: JsonObject;
}

const KINDS: ReadonlyMap<string, Mark['kind']> = new Map([
  ['markdown', 'markdown'],
  ['md', 'markdown'],
  ['raw', 'raw'],
  ['code', 'code'],
]);

function readMark(text: string, index: number, notes: Notes): Mark {
  const [, title, kindName, options] = /^([^[\]="{}]*?)\s*(?:\[(\w*)\])?\s*((?:[A-Za-z_][\w-]*=.*)?)$/.exec(
    text.trim(),
  ) ?? [...['', text.trim(), undefined, '']];
  const kind = KINDS.get(kindName ?? 'code');
  const { metadata, rest } = readMetadata(options ?? '');
  if (rest !== '' || !kind)
    notes.add(`its mark is not understood in full: ${JSON.stringify(text.trim().slice(0, 60))}`, index);
  const entries = [...(title ? [['title', title] as [string, Json]] : []), ...metadata];
  const language = entries.find(([key, value]) => key === LANGUAGE && typeof value === 'string')?.[1] as
    string | undefined;
  const isForeign = (kind ?? 'code') === 'code' && language !== undefined;
  return {
    kind: kind ?? 'code',
    language: isForeign ? language : CELL_LANGUAGE,
    metadata: objectOf(entries.filter(([key]) => !isForeign || key !== LANGUAGE)),
  };
}

function cellOf(mark: Mark, lines: readonly string[], index: number): NotebookCell {
  const { kind, metadata } = mark;
  const language = kind === 'code' ? mark.language : kind;
  const plain = language === CELL_LANGUAGE;
  const text = lines.map((line) => (plain ? unescaped(line) : uncommented(unescaped(line)))).join('\n');
  return {
    id: `cell-${index + 1}`,
    kind: kind === 'markdown' ? 'markdown' : 'code',
    language,
    source: splitSource(text),
    ...(Object.keys(metadata).length > 0 && { metadata }),
  };
}

/** Without the YAML header that jupytext writes, between two lines "// ---". */
function withoutHeader(lines: string[], notes: Notes): string[] {
  if (lines[0] !== '// ---') return lines;
  const end = lines.indexOf('// ---', 1);
  if (end < 0 || !lines.slice(0, end).every((line) => line.startsWith('//'))) return lines;
  notes.add('The header (between "// ---") is left out.');
  return lines.slice(lines[end + 1] === '' ? end + 2 : end + 1);
}

/** The notebook of a script: what stands before the first mark is a cell of code. */
export function fromScript(text: string): { notebook: NotebookFile; notes: string[] } {
  const notes = new Notes();
  const all = (text.charCodeAt(0) === 0xfeff ? text.slice(1) : text).replace(/\r\n?/g, '\n').split('\n');
  const lines = withoutHeader(all, notes);
  // The end of the last line is none of its own.
  if (lines.at(-1) === '') lines.pop();
  const starts = [...lines.keys()].filter((i) => MARK.test(lines[i]));
  const blocks = starts.map((start, i) => ({
    start,
    end: starts[i + 1] ?? lines.length,
    isLast: i === starts.length - 1,
  }));
  const before = lines.slice(0, starts[0] ?? lines.length);
  const cells: NotebookCell[] = [];
  const plain: Mark = { kind: 'code', language: CELL_LANGUAGE, metadata: {} };
  const withoutBlank = (block: string[]): string[] =>
    block.length > 1 && block.at(-1) === '' ? block.slice(0, -1) : block;
  if (before.some((line) => line.trim() !== '')) cells.push(cellOf(plain, withoutBlank(before), 0));
  for (const { start, end, isLast } of blocks) {
    const block = lines.slice(start + 1, end);
    const mark = readMark(MARK.exec(lines[start])?.[1] ?? '', cells.length, notes);
    cells.push(cellOf(mark, isLast ? block : withoutBlank(block), cells.length));
  }
  return { notebook: { ...newNotebook(), cells }, notes: notes.lines() };
}
