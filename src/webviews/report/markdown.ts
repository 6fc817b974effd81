/**
 * Markdown as DOM: headings, paragraphs, lists, code, quotes, tables, rules, emphasis, code spans, links. No HTML
 * passes through: tags are shown as the text they are. Images become links to their source, as a report loads nothing.
 */
import { el, type Child } from '../ui/dom.js';

/** Addresses a link may have: http, https, mail, anchors and relative paths; anything with another scheme is text. */
export function safeHref(href: string): string | null {
  const text = href.trim();
  // Control characters and spaces are dropped by URL parsers, which would hide a scheme from the test below.
  if (/[\u0000-\u0020]/.test(text)) return null; // eslint-disable-line no-control-regex
  const scheme = /^([a-z][a-z0-9+.-]*):/i.exec(text)?.[1].toLowerCase();
  if (scheme !== undefined && !['http', 'https', 'mailto'].includes(scheme)) return null;
  return text.startsWith('//') || text.startsWith('\\') ? null : text;
}

const INLINE =
  /(?<code>`+)(?<codeText>[\s\S]*?[^`])\k<code>(?!`)|!?\[(?<text>(?:[^[\]]|\[[^\]]*\])*)\]\((?<href>[^()\s]*(?:\([^()\s]*\)[^()\s]*)*)(?:\s+"[^"]*")?\)|<(?<auto>https?:\/\/[^\s<>]+)>|(?<strong>\*\*|__)(?=\S)(?<strongText>[\s\S]*?\S)\k<strong>|(?<em>\*|(?<![\p{L}\p{N}])_)(?=\S)(?<emText>[\s\S]*?\S)(?<emEnd>\*|_(?![\p{L}\p{N}]))|~~(?<strike>[\s\S]+?)~~|\\(?<escaped>[!-/:-@[-`{-~])/u;

/** Inline text: each construct once, what remains is text. */
export function inline(text: string): Child[] {
  const out: Child[] = [];
  let rest = text;
  for (let match = INLINE.exec(rest); match; match = INLINE.exec(rest)) {
    const g = match.groups as Record<string, string | undefined>;
    // An opening * closes with * and _ with _; a mixed pair is text.
    if (g.em !== undefined && g.em !== g.emEnd) {
      out.push(rest.slice(0, match.index + 1));
      rest = rest.slice(match.index + 1);
      continue;
    }
    out.push(rest.slice(0, match.index), span(g, match[0]));
    rest = rest.slice(match.index + match[0].length);
  }
  out.push(rest);
  return out.filter((c) => c !== '');
}

function span(g: Record<string, string | undefined>, whole: string): Child {
  if (g.codeText !== undefined) return el('code', {}, g.codeText.trim());
  if (g.strongText !== undefined) return el('strong', {}, ...inline(g.strongText));
  if (g.emText !== undefined) return el('em', {}, ...inline(g.emText));
  if (g.strike !== undefined) return el('s', {}, ...inline(g.strike));
  if (g.escaped !== undefined) return g.escaped;
  const href = safeHref(g.auto ?? g.href ?? '');
  const label = g.auto ? [g.auto] : inline(g.text ?? '');
  if (href === null || href === '') return whole;
  const link = el('a', {}, ...(label.length > 0 ? label : [href]));
  link.href = href;
  link.rel = 'noopener noreferrer';
  return link;
}

const FENCE = /^ {0,3}(```+|~~~+)\s*(\S*)/;
const HEADING = /^ {0,3}(#{1,6})\s+(.*?)\s*#*\s*$/;
const RULE = /^ {0,3}([-*_])(?:\s*\1){2,}\s*$/;
const ITEM = /^(\s*)([-*+]|\d{1,9}[.)])\s+(.*)$/;
const TABLE_LINE = /^\s*\|?\s*:?-+:?\s*(\|\s*:?-+:?\s*)*\|?\s*$/;

/** Blocks of a document. `slug` makes the ids of headings. */
export function renderMarkdown(source: string, slug: (text: string) => string = () => ''): DocumentFragment {
  const fragment = document.createDocumentFragment();
  const lines = source.replace(/\r\n?/g, '\n').split('\n');
  let at = 0;
  while (at < lines.length) {
    const [node, next] = block(lines, at, slug);
    if (node) fragment.append(node);
    at = next;
  }
  return fragment;
}

type Block = [Node | null, number];

function block(lines: string[], at: number, slug: (text: string) => string): Block {
  const line = lines[at];
  if (line.trim() === '') return [null, at + 1];
  const fence = FENCE.exec(line);
  if (fence) return fenced(lines, at, fence[1]);
  const heading = HEADING.exec(line);
  if (heading) {
    const node = el(`h${heading[1].length}` as 'h1', {}, ...inline(heading[2]));
    node.id = slug(node.textContent ?? '');
    return [node, at + 1];
  }
  if (RULE.test(line)) return [el('hr'), at + 1];
  if (/^ {0,3}>/.test(line)) return quote(lines, at, slug);
  if (ITEM.test(line)) return list(lines, at, slug);
  if (line.includes('|') && at + 1 < lines.length && lines[at + 1].includes('-') && TABLE_LINE.test(lines[at + 1]))
    return table(lines, at);
  return paragraph(lines, at);
}

function fenced(lines: string[], at: number, mark: string): Block {
  const body: string[] = [];
  let i = at + 1;
  for (; i < lines.length && !lines[i].trim().startsWith(mark); i++) body.push(lines[i]);
  return [el('pre', { tabIndex: 0 }, el('code', {}, body.join('\n'))), i + 1];
}

function quote(lines: string[], at: number, slug: (text: string) => string): Block {
  const body: string[] = [];
  let i = at;
  for (; i < lines.length && /^ {0,3}>/.test(lines[i]); i++) body.push(lines[i].replace(/^ {0,3}> ?/, ''));
  const node = el('blockquote');
  node.append(renderMarkdown(body.join('\n'), slug));
  return [node, i];
}

/** A list: an item runs to the next item of its own depth; deeper lines are its own document. */
function list(lines: string[], at: number, slug: (text: string) => string): Block {
  const first = ITEM.exec(lines[at]) as RegExpExecArray;
  const depth = first[1].length;
  const ordered = /\d/.test(first[2]);
  const node = el(ordered ? 'ol' : 'ul');
  if (ordered && Number.parseInt(first[2]) !== 1) node.setAttribute('start', String(Number.parseInt(first[2])));
  let i = at;
  while (i < lines.length) {
    const item = ITEM.exec(lines[i]);
    if (!item || item[1].length !== depth || /\d/.test(item[2]) !== ordered) break;
    const body = [item[3]];
    for (i++; i < lines.length; i++) {
      const indent = lines[i].length - lines[i].trimStart().length;
      const blank = lines[i].trim() === '';
      const goesOn = blank
        ? i + 1 < lines.length && /^\s/.test(lines[i + 1]) && lines[i + 1].search(/\S/) > depth
        : indent > depth;
      const lazy =
        !blank &&
        !ITEM.test(lines[i]) &&
        indent <= depth &&
        lines[i - 1].trim() !== '' &&
        !HEADING.test(lines[i]) &&
        !FENCE.test(lines[i]);
      if (!goesOn && !lazy) break;
      body.push(lines[i].slice(Math.min(indent, depth + item[2].length + 1)));
    }
    const entry = el('li');
    if (body.length === 1) entry.append(...inline(body[0]).map((c) => (typeof c === 'string' ? c : (c as Node))));
    else entry.append(renderMarkdown(body.join('\n'), slug));
    node.append(entry);
    while (i < lines.length && lines[i].trim() === '' && ITEM.exec(lines[i + 1] ?? '')?.[1].length === depth) i++;
  }
  return [node, i];
}

function cells(line: string): string[] {
  return line
    .trim()
    .replace(/^\||(?<!\\)\|$/g, '')
    .split(/(?<!\\)\|/)
    .map((cell) => cell.trim().replace(/\\\|/g, '|'));
}

function table(lines: string[], at: number): Block {
  const sides = cells(lines[at + 1]).map((c) => (/^:-+:$/.test(c) ? 'center' : c.endsWith(':') ? 'right' : 'left'));
  const row = (line: string, tag: 'th' | 'td') =>
    el('tr', {}, ...cells(line).map((c, i) => el(tag, { style: { 'text-align': sides[i] ?? 'left' } }, ...inline(c))));
  let i = at + 2;
  const body: HTMLElement[] = [];
  for (; i < lines.length && lines[i].includes('|') && lines[i].trim() !== ''; i++) body.push(row(lines[i], 'td'));
  const node = el('table', {}, el('thead', {}, row(lines[at], 'th')), el('tbody', {}, ...body));
  return [el('div', { class: 'scroll' }, node), i];
}

function paragraph(lines: string[], at: number): Block {
  const body: string[] = [];
  let i = at;
  for (; i < lines.length && lines[i].trim() !== ''; i++) {
    if (i > at && (FENCE.test(lines[i]) || HEADING.test(lines[i]) || ITEM.test(lines[i]) || /^ {0,3}>/.test(lines[i])))
      break;
    body.push(lines[i].trimStart());
  }
  const node = el('p');
  body.forEach((line, k) => {
    const broken = / {2,}$|\\$/.test(line);
    node.append(
      ...inline(line.replace(/ {2,}$|\\$/, '').trimEnd()).map((c) => (typeof c === 'string' ? c : (c as Node))),
    );
    if (k < body.length - 1) node.append(broken ? el('br') : '\n');
  });
  return [node, i];
}
