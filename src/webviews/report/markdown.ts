/**
 * Markdown as DOM, by markdown-it, which VS Code's notebooks use too. No HTML passes through: tags are shown as the text
 * they are, and nodes are built here one by one. Images become links to their source, as a report loads nothing; those
 * that are attached to the cell are shown.
 */
import MarkdownIt, { type Token } from 'markdown-it';
import { el } from '../ui/dom.js';

/** Addresses a link may have: http, https, mailto, anchors and relative paths; anything with another scheme is text. */
export function safeHref(href: string): string | null {
  const text = href.trim();
  // Control characters and spaces are dropped by URL parsers, which would hide a scheme from the test below.
  if (/[\u0000-\u0020]/.test(text)) return null; // eslint-disable-line no-control-regex
  const scheme = /^([a-z][a-z0-9+.-]*):/i.exec(text)?.[1].toLowerCase();
  if (scheme !== undefined && !['http', 'https', 'mailto'].includes(scheme)) return null;
  return text.startsWith('//') || text.startsWith('\\') ? null : text;
}

/** The source of an image that is attached to its cell: "attachment:" and its name. */
const ATTACHED = /^attachment:(.+)$/i;

/** The data URL of an attached image by its name; undefined where there is none that a page may show. */
export type Attached = (name: string) => string | undefined;

const parser = new MarkdownIt({ html: false, linkify: true });
parser.validateLink = (url) => safeHref(url) !== null || ATTACHED.test(url);

/** Elements that a document may have; markdown-it names no others. */
const TAGS = 'p h1 h2 h3 h4 h5 h6 blockquote ul ol li table thead tbody tr th td strong em s a hr br code pre'.split(
  ' ',
);

/** Blocks of a document. `slug` makes the ids of headings. */
export function renderMarkdown(
  source: string,
  slug: (text: string) => string = () => '',
  attached: Attached = () => undefined,
): DocumentFragment {
  const fragment = document.createDocumentFragment();
  draw(parser.parse(source, {}), fragment, attached);
  for (const heading of fragment.querySelectorAll('h1, h2, h3, h4, h5, h6'))
    heading.id = slug(heading.textContent ?? '');
  return fragment;
}

function draw(tokens: readonly Token[], into: ParentNode, attached: Attached): void {
  const open: ParentNode[] = [into];
  for (const token of tokens) {
    const parent = open[open.length - 1];
    if (token.type === 'inline') draw(token.children ?? [], parent, attached);
    else if (token.nesting < 0) open.pop();
    // markdown-it hides the paragraphs of a tight list: their text goes into the list item itself.
    else if (token.hidden) open.push(parent);
    else {
      const [outer, inner] = nodeOf(token, attached);
      parent.append(outer);
      if (token.nesting > 0) open.push(inner);
    }
  }
}

/** What a token adds, and where its content goes. */
function nodeOf(token: Token, attached: Attached): [outer: Node, inner: ParentNode] {
  const { type, content } = token;
  const plain = (text: string): [Node, ParentNode] => [
    document.createTextNode(text),
    document.createDocumentFragment(),
  ];
  const one = (node: HTMLElement): [Node, ParentNode] => [node, node];
  if (type === 'text') return plain(content);
  if (type === 'softbreak') return plain('\n');
  if (type === 'code_inline') return one(el('code', {}, content));
  if (type === 'fence' || type === 'code_block')
    return one(el('pre', { tabIndex: 0 }, el('code', {}, content.replace(/\n$/, ''))));
  if (type === 'image') return one(imageOf(String(token.attrGet('src')), content, attached));
  if (type === 'link_open') return one(link(String(token.attrGet('href'))));
  if (!TAGS.includes(token.tag)) return plain(content);
  const node = el(token.tag as 'p');
  const start = token.attrGet('start');
  if (start !== null) node.setAttribute('start', String(start));
  const side = /^text-align:(left|center|right)$/.exec(token.attrGet('style') ?? '')?.[1];
  if (side || token.tag === 'td' || token.tag === 'th') node.style.setProperty('text-align', side ?? 'left');
  return type === 'table_open' ? [el('div', { class: 'scroll' }, node), node] : one(node);
}

/** An attached image; of any other, a link to it. */
function imageOf(src: string, text: string, attached: Attached): HTMLElement {
  const name = ATTACHED.exec(src)?.[1];
  const data = name === undefined ? undefined : attached(decoded(name));
  if (data === undefined) return link(src, text || src);
  const node = el('img');
  node.alt = text;
  node.src = data;
  return node;
}

/** markdown-it writes spaces and letters beyond ASCII of an address as %20 and the like. */
function decoded(name: string): string {
  try {
    return decodeURIComponent(name);
  } catch {
    return name;
  }
}

function link(href: string, text?: string): HTMLElement {
  const node = el('a', {}, text);
  const safe = safeHref(href);
  if (safe !== null) node.href = safe;
  node.rel = 'noopener noreferrer';
  return node;
}
