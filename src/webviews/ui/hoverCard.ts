/** The name of a feature anywhere: its number and label, a card on hover or focus, and a click that opens its page. */
import type { FeatureExample } from '../../protocol/bundle.js';
import { labelWords, loneToken, type PointLabel } from '../../protocol/tokens.js';
import { el, fill } from './dom.js';
import { exampleList, labelChips, peaksLine } from './examples.js';
import { messageOf } from './message.js';

export const HOVER_CARD_CSS = `
.fg-ref { all: unset; cursor: pointer; display: inline-flex; gap: 7px; align-items: baseline; max-width: 100%; min-width: 0; color: var(--fg-text); border-radius: 3px; box-sizing: border-box; }
.fg-ref .number { color: var(--fg-link); font-variant-numeric: tabular-nums; flex: none; }
.fg-ref .words { overflow: hidden; text-overflow: ellipsis; white-space: nowrap; min-width: 0; }
.fg-ref:hover .number, .fg-ref:focus-visible .number { text-decoration: underline; }
.fg-ref:focus-visible { outline: 1px solid var(--fg-focus); outline-offset: 1px; }
.fg-ref.still { cursor: default; }
.fg-hovercard { position: fixed; inset: auto; margin: 0; padding: 8px 12px 10px; box-sizing: border-box; width: max-content; max-width: min(430px, calc(100vw - 16px)); max-height: calc(100vh - 16px); overflow: hidden; color: var(--fg-text); background: var(--vscode-editorHoverWidget-background, var(--fg-surface)); border: 1px solid var(--vscode-editorHoverWidget-border, var(--fg-border)); border-radius: 4px; box-shadow: 0 4px 18px rgba(0, 0, 0, 0.28); pointer-events: none; }
.fg-hovercard h4 { margin: 0 0 4px; font-size: 1em; font-weight: 600; color: var(--fg-strong); }
.fg-hovercard .stats { margin: 4px 0 0; color: var(--fg-muted); font-size: 0.92em; }
`;

export interface NamedFeature {
  feature: number;
  /** Such as the name of its SAE. */
  of: string;
  label: PointLabel;
  /** A line under the label, such as its firing rate. */
  stats?: string;
  examples?: () => Promise<readonly FeatureExample[]>;
  /** Opens its page; absent: there is none to open. */
  open?: () => void;
}

/** Words of a label that fit in a line; all are on the card. */
const WORDS = 3;
const EXAMPLES = 3;
/** The pointer must rest this long before the card is asked for: one that passes over names causes no requests. */
const WAIT_MS = 120;

/** The first words of a label in one line; "" without a label. */
export const shortLabel = (label: PointLabel): string =>
  [...new Set(labelWords(label).map(loneToken))].slice(0, WORDS).join(', ');

function cardOf({ feature, of, label, stats, examples }: NamedFeature): HTMLElement {
  const texts = el('div', { class: 'examples' });
  examples?.().then(
    (list) => list.length > 0 && fill(texts, exampleList(list, EXAMPLES, false)),
    (error: unknown) => fill(texts, `Examples could not be read: ${messageOf(error)}`),
  );
  return el(
    'div',
    {},
    el('h4', {}, `#${feature} · ${of}`),
    labelChips(label),
    peaksLine(label),
    stats ? el('p', { class: 'stats' }, stats) : null,
    texts,
  );
}

/** Puts a card beside what it belongs to, inside the window. */
function place(card: HTMLElement, beside: HTMLElement): void {
  const at = beside.getBoundingClientRect();
  const { offsetWidth: width, offsetHeight: height } = card;
  const left = Math.max(8, Math.min(at.left, innerWidth - width - 8));
  const below = at.bottom + 6 + height <= innerHeight - 8;
  const top = below ? at.bottom + 6 : Math.max(8, at.top - 6 - height);
  Object.assign(card.style, { left: `${left}px`, top: `${top}px` });
}

/** The element that names a feature. */
export function featureName(named: NamedFeature): HTMLElement {
  const words = shortLabel(named.label);
  const element = el(
    'button',
    { class: named.open ? 'fg-ref' : 'fg-ref still', data: { feature: String(named.feature) } },
    el('span', { class: 'number' }, `#${named.feature}`),
    el('span', { class: 'words' }, words),
  );
  element.type = 'button';
  const what = `feature ${named.feature} of ${named.of}${words ? `: ${words}` : ''}`;
  element.setAttribute('aria-label', named.open ? `Open ${what}` : what);
  let card: HTMLElement | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const show = (): void => {
    if (card || !element.isConnected) return;
    card = el('div', { class: 'fg-hovercard', role: 'tooltip' }, cardOf(named));
    card.setAttribute('popover', 'manual');
    element.after(card);
    card.showPopover();
    const settle = new ResizeObserver(() => card && place(card, element));
    settle.observe(card);
    place(card, element);
  };
  const hide = (): void => {
    clearTimeout(timer);
    card?.remove();
    card = undefined;
  };
  const soon = (): void => {
    clearTimeout(timer);
    timer = setTimeout(show, WAIT_MS);
  };
  for (const type of ['pointerenter', 'focus']) element.addEventListener(type, soon);
  for (const type of ['pointerleave', 'blur', 'click']) element.addEventListener(type, hide);
  element.addEventListener('keydown', (event) => event.key === 'Escape' && hide());
  element.addEventListener('click', () => named.open?.());
  return element;
}
