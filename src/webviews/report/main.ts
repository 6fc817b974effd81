/** An exported report: the notebook in the page becomes a document with live maps and charts, without a network. */
import type { GraphDescriptor } from '../../protocol/graph.js';
import type { MapDescriptor } from '../../protocol/map.js';
import type { NotebookFile } from '../../protocol/notebook.js';
import { sidecarElementId } from '../../protocol/webview.js';
import { bundleMapSource } from '../map/bundle.js';
import { bundleGraphSource } from '../mapper/bundle.js';
import { download, fileName } from '../mapper/save.js';
import type { OutputEnvironment } from '../renderers/outputs.js';
import { el } from '../ui/dom.js';
import { plural } from '../ui/format.js';
import { LinkBus } from '../ui/link.js';
import { messageOf } from '../ui/message.js';
import { bytesOfBase64 } from '../ui/rpc.js';
import { adoptStyles, followTheme } from '../ui/theme.js';
import { dropdown } from '../ui/toolkit.js';
import { renderCell } from './cells.js';
import { graphPage } from './graphPage.js';
import { REPORT_CSS } from './styles.js';

async function sidecar(bundle: string, file: string): Promise<Uint8Array> {
  const node = document.getElementById(sidecarElementId(bundle, file));
  if (!node?.textContent) throw new Error(`the report does not carry ${file} of ${bundle}; export it again`);
  const stream = new Blob([bytesOfBase64(node.textContent.trim())]).stream();
  return new Uint8Array(await new Response(stream.pipeThrough(new DecompressionStream('gzip'))).arrayBuffer());
}

const carries = (bundle: string, file: string) => document.getElementById(sidecarElementId(bundle, file)) !== null;

const environment: OutputEnvironment = {
  mapSource: (map: MapDescriptor) =>
    carries(map.id, 'map.json') ? bundleMapSource((file) => sidecar(map.id, file)) : null,
  graphSource: (graph: GraphDescriptor) =>
    carries(graph.id, 'graph.json')
      ? bundleGraphSource(
          (file) => sidecar(graph.id, file),
          (file) => carries(graph.id, file),
        )
      : null,
  saveGraphPage: (graph) => download({ name: fileName(graph.meta.title, 'html'), text: graphPage(graph) }),
  link: new LinkBus(),
  copyText: async (text) => {
    // file:// pages may lack the clipboard API: the selection of a hidden field serves there.
    if (navigator.clipboard) return navigator.clipboard.writeText(text);
    const field = document.body.appendChild(el('textarea', { class: 'fg-sr' }));
    field.value = text;
    field.select();
    const done = document.execCommand('copy');
    field.remove();
    if (!done) throw new Error('no clipboard');
  },
  canvas: new URLSearchParams(location.search).get('canvas') === '2d' ? '2d' : 'auto',
};

function makeSlugs(): (text: string) => string {
  const used = new Map<string, number>();
  return (text) => {
    const base =
      text
        .toLowerCase()
        .replace(/[^\p{L}\p{N}]+/gu, '-')
        .replace(/^-|-$/g, '') || 'section';
    const seen = used.get(base) ?? 0;
    used.set(base, seen + 1);
    // A prefix keeps headings from taking the ids of the page's own elements.
    return `s-${base}${seen ? `-${seen}` : ''}`;
  };
}

function themeChoice(): HTMLElement {
  return dropdown({
    label: 'Theme of this page',
    choices: [
      { value: '', label: 'Theme: system' },
      { value: 'light', label: 'Theme: light' },
      { value: 'dark', label: 'Theme: dark' },
      { value: 'hc', label: 'Theme: high contrast' },
      { value: 'hc-light', label: 'Theme: high contrast light' },
    ],
    value: document.documentElement.dataset.theme ?? '',
    onChange: (value) => {
      if (value) document.documentElement.dataset.theme = value;
      else delete document.documentElement.dataset.theme;
    },
  }).element;
}

/** A list of the second and third level headings, where there are enough to want one. */
function contents(article: HTMLElement): HTMLElement | null {
  const headings = [...article.querySelectorAll<HTMLElement>('.md > h1, .md > h2, .md > h3')].slice(1);
  if (headings.length < 4) return null;
  const items = headings.map((heading) => {
    const link = el('a', { class: heading.tagName === 'H3' ? 'l3' : '' }, heading.textContent);
    link.href = `#${heading.id}`;
    return el('li', {}, link);
  });
  return el('nav', { class: 'toc', aria: { label: 'Contents' } }, el('strong', {}, 'Contents'), el('ol', {}, ...items));
}

function start(): void {
  const app = document.getElementById('app') ?? document.body.appendChild(el('div', { id: 'app' }));
  adoptStyles(app, REPORT_CSS);
  followTheme(app, () => undefined);
  const article = el('article');
  app.append(article);
  try {
    const text = document.getElementById('notebook')?.textContent;
    if (!text) throw new Error('the page carries no notebook');
    const notebook = JSON.parse(text) as NotebookFile;
    // The page of one output has no code: it is no notebook to its reader.
    const written = notebook.cells.some((c) => c.kind === 'code' && c.source.join('').trim() !== '');
    article.append(
      el(
        'div',
        { class: 'top' },
        el('span', {}, written ? `${document.title} · ${plural(notebook.cells.length, 'cell')}` : document.title),
        el('span', { class: 'grow' }),
        themeChoice(),
      ),
    );
    const slug = makeSlugs();
    const cells = notebook.cells.map((cell) => renderCell(cell, environment, slug)).filter((c) => c !== null);
    // A notebook that begins with its own heading needs no other title.
    if (!cells[0]?.querySelector('h1')) article.append(el('h1', { class: 'title' }, document.title));
    article.append(...cells);
    const toc = contents(article);
    if (toc) app.prepend(toc);
    app.classList.toggle('with-toc', toc !== null);
  } catch (error) {
    article.append(el('p', { class: 'fg-none', role: 'alert' }, `The report could not be read: ${messageOf(error)}`));
  }
  addEventListener('beforeprint', () => {
    for (const details of article.querySelectorAll('details')) details.open = true;
  });
}

start();
