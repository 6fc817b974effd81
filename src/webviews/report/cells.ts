/** Cells and outputs of a notebook as a document. */
import { DRAWN, MIME } from '../../protocol/mime.js';
import { isRecord } from '../../protocol/objects.js';
import type { CellOutput, Json, NotebookCell, OutputItem } from '../../protocol/notebook.js';
import { renderOutput, type OutputEnvironment } from '../renderers/outputs.js';
import { el } from '../ui/dom.js';
import { plural } from '../ui/format.js';
import { highlight } from './highlight.js';
import { renderMarkdown } from './markdown.js';

export function renderCell(
  cell: NotebookCell,
  env: OutputEnvironment,
  slug: (text: string) => string,
): HTMLElement | null {
  const source = cell.source.join('');
  if (cell.kind === 'markdown') {
    const node = el('section', { class: 'cell md' });
    node.append(renderMarkdown(source, slug, (name) => attachedImage(cell, name)));
    return node;
  }
  const outputs = (cell.outputs ?? []).map((output) => renderCellOutput(output, env)).filter((o) => o !== null);
  const shown = outputs.length ? el('div', { class: 'outputs' }, ...outputs) : null;
  if (source.trim() === '') return shown && el('section', { class: 'cell code' }, shown);
  const code = el('pre', { tabIndex: 0 }, el('code'));
  code.firstElementChild?.append(highlight(source.replace(/\n+$/, '')));
  const { order, status } = cell.execution ?? {};
  const facts = [
    order === undefined ? 'code' : `[${order}]`,
    plural(source.replace(/\n+$/, '').split('\n').length, 'line'),
    status === 'error' ? 'failed' : status === 'interrupted' ? 'interrupted' : '',
  ].filter(Boolean);
  const details = el('details', {}, el('summary', {}, facts.join(' · ')), code);
  details.open = true;
  return el('section', { class: 'cell code' }, details, shown);
}

/** The richest item that is known here; items are stored richest first. A progress bar has no place in a document. */
function renderCellOutput(output: CellOutput, env: OutputEnvironment): HTMLElement | null {
  const item = output.items.find((i) => known(i.mime));
  if (!item || item.mime === MIME.progress) return null;
  const host = el('div', { class: 'output' });
  if (DRAWN.includes(item.mime)) {
    const root = host.appendChild(el('div'));
    // Drawn once it is in the page: charts and maps need their size.
    queueMicrotask(() => renderOutput(item.mime, jsonOf(item), root, env));
  } else host.append(plain(item));
  return host;
}

const IMAGES = ['image/png', 'image/jpeg', 'image/gif', 'image/webp'];

/** The data URL of an image attached to a cell, as Jupyter keeps it: { name: { mime: base64 } }. */
function attachedImage(cell: NotebookCell, name: string): string | undefined {
  const { attachments } = cell as { attachments?: unknown };
  const bundle = isRecord(attachments) && Object.hasOwn(attachments, name) ? attachments[name] : undefined;
  for (const mime of IMAGES) {
    const data = isRecord(bundle) ? bundle[mime] : undefined;
    const base64 = (Array.isArray(data) ? data.join('') : String(data ?? '')).replace(/\s/g, '');
    if (base64 !== '' && /^[A-Za-z0-9+/]+=*$/.test(base64)) return `data:${mime};base64,${base64}`;
  }
  return undefined;
}
const TEXTS = ['application/json', 'text/markdown'];

function known(mime: string): boolean {
  return (
    DRAWN.includes(mime) ||
    IMAGES.includes(mime) ||
    TEXTS.includes(mime) ||
    ([MIME.text, MIME.stdout, MIME.stderr, MIME.error] as string[]).includes(mime)
  );
}

function jsonOf(item: OutputItem): Json {
  if (item.json !== undefined) return item.json;
  try {
    return JSON.parse((item.text ?? []).join('')) as Json;
  } catch {
    return null;
  }
}

function plain(item: OutputItem): HTMLElement {
  if (IMAGES.includes(item.mime) && item.base64) {
    const image = el('img');
    image.alt = 'image output';
    image.src = `data:${item.mime};base64,${item.base64}`;
    return image;
  }
  if (item.mime === 'text/markdown') {
    const node = el('div', { class: 'md' });
    node.append(renderMarkdown((item.text ?? []).join('')));
    return node;
  }
  if (item.mime === MIME.error) return el('pre', { class: 'error', tabIndex: 0 }, errorText(jsonOf(item)));
  const text = item.text ? item.text.join('') : JSON.stringify(item.json, null, 2);
  return el('pre', { class: item.mime === MIME.stderr ? 'stderr' : 'text', tabIndex: 0 }, withoutAnsi(text ?? ''));
}

function errorText(error: Json): string {
  if (error === null || typeof error !== 'object' || Array.isArray(error)) return 'error';
  const head = [error.name, error.message].filter((part) => typeof part === 'string' && part !== '').join(': ');
  const stack = typeof error.stack === 'string' ? withoutAnsi(error.stack) : '';
  return stack.includes(String(error.message)) ? stack : `${head}${stack ? `\n${stack}` : ''}`;
}

export function withoutAnsi(text: string): string {
  // eslint-disable-next-line no-control-regex
  return text.replace(/\u001b\[[0-9;?]*[ -/]*[@-~]|\u001b\][^\u0007]*(?:\u0007|\u001b\\)/g, '');
}
