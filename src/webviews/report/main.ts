/** An exported report: the notebook in the page becomes a document with live maps and charts, without a network. */
import type { FeatureDescriptor } from '../../protocol/feature.js';
import { MIME } from '../../protocol/mime.js';
import { featureQuery, readFeatureQuery } from '../../protocol/featureLink.js';
import { asDescriptor, VIEWS } from '../../protocol/views.js';
import type { NotebookFile } from '../../protocol/notebook.js';
import type { OutputEnvironment } from '../renderers/outputs.js';
import { el } from '../ui/dom.js';
import { plural } from '../ui/format.js';
import { LinkBus, openFeature } from '../ui/link.js';
import { messageOf } from '../ui/message.js';
import { download, fileName } from '../ui/save.js';
import { adoptStyles, followTheme } from '../ui/theme.js';
import { dropdown } from '../ui/toolkit.js';
import { renderCell } from './cells.js';
import { carries, pageFiles } from './pageFiles.js';
import { REPORT_CSS } from './styles.js';
import { viewPage } from './viewPage.js';

const link = new LinkBus();
/** SAEs whose features have a page here, by the ids of the pages. */
let pages: ReadonlyMap<string, string> = new Map();
const canvas = new URLSearchParams(location.search).get('canvas') === '2d' ? '2d' : 'auto';

const hasPage = (sae: string): boolean => [...pages.values()].includes(sae);

/** The feature that the address asks for, and of which SAE. */
function asked(): { sae: string; feature: number } | null {
  const link = readFeatureQuery(location.hash);
  const sae = link?.sae ?? [...pages.values()].at(0);
  return link && sae !== undefined && hasPage(sae) ? { sae, feature: link.feature } : null;
}

const environment: OutputEnvironment = {
  host: (view, { id }) => {
    const manifest = VIEWS[view].bundle;
    return {
      ...{ link, canvas, live: null },
      featureLink: (sae, feature) =>
        Promise.resolve(`${location.href.replace(/#.*$/, '')}#${featureQuery({ feature, sae })}`),
      files: manifest && carries(id, manifest.meta) ? pageFiles(id) : null,
      savePage:
        manifest &&
        ((shown) => download({ name: fileName(shown.meta.title, 'html'), text: viewPage(view, manifest, shown) })),
    };
  },
  openFeature: (sae) => (hasPage(sae) ? (feature) => openFeature(link, sae, feature, `feature ${feature}`) : undefined),
  state: (_, id) => {
    const there = asked();
    return there && pages.get(id) === there.sae ? { feature: there.feature } : undefined;
  },
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
};

/** SAEs that the notebook has a feature page of, by the ids of the pages. */
function featurePages({ cells }: NotebookFile): Map<string, string> {
  const items = cells.flatMap((cell) => (cell.outputs ?? []).flatMap((output) => output.items));
  const pagesOf = items.flatMap(({ mime, json }) =>
    mime === MIME.feature ? ((asDescriptor('feature', json) as FeatureDescriptor | undefined) ?? []) : [],
  );
  return new Map(
    pagesOf.flatMap(({ id, meta }) => (meta.sets?.[0]?.sae?.id ? [[id, meta.sets[0].sae.id] as const] : [])),
  );
}

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

/** A list of the second and third level headings, where there are enough for one to help. */
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

/** Paper is light: what follows the theme is drawn anew before the page is printed, and again behind it. */
function printLight(): void {
  const { dataset } = document.documentElement;
  let chosen: string | undefined;
  addEventListener('beforeprint', () => {
    chosen = dataset.theme;
    dataset.theme = 'light';
  });
  addEventListener('afterprint', () => {
    if (chosen === undefined) delete dataset.theme;
    else dataset.theme = chosen;
  });
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
    pages = featurePages(notebook);
    // The page of a single output has no code; it is not called a notebook with a count of cells.
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
    if (asked()) article.querySelector('.fg-feature')?.scrollIntoView({ block: 'start' });
  } catch (error) {
    article.append(el('p', { class: 'fg-none', role: 'alert' }, `The report could not be read: ${messageOf(error)}`));
  }
  addEventListener('hashchange', () => {
    const there = asked();
    if (there) openFeature(link, there.sae, there.feature, `feature ${there.feature}`);
  });
  addEventListener('beforeprint', () => {
    for (const details of article.querySelectorAll('details')) details.open = true;
  });
  printLight();
}

start();
