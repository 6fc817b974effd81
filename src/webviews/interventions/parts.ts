/** Pieces of the interventions panel that only show: tokens, texts, tables of Δ. */
import type {
  InterventionsEffect,
  InterventionsFeatureDelta,
  InterventionsMeta,
  InterventionsTokenDelta,
} from '../../protocol/interventions.js';
import { loneToken } from '../../protocol/tokens.js';
import { difference } from '../ui/difference.js';
import { el, type Child } from '../ui/dom.js';
import { aligned, labelLine, number, percent, visibleToken } from '../ui/format.js';

/** Background of a token: none at 0, at most 75 % opaque. */
function heat(value: number, max: number): string {
  if (!(value > 0) || !(max > 0)) return 'transparent';
  return `color-mix(in srgb, var(--fg-heat) ${Math.round(12 + 63 * Math.min(1, value / max))}%, transparent)`;
}

/** A next token: the space that begins it and all else that cannot be seen have signs. */
export const nextToken = (token: string): string =>
  token.trim() === '' ? loneToken(token) : visibleToken(token).replace(/^ /, '␣');

export interface ChipsOptions {
  label: string;
  tokens: readonly string[];
  values: readonly number[];
  max: number;
  /** Activation in the other row, for the tooltip. */
  other?: { name: string; values: readonly number[] };
  chosen?: ReadonlySet<number>;
  /** Chips become buttons. */
  onToggle?: (index: number) => void;
  disabled?: boolean;
}

/** The prompt's tokens, coloured by activation. */
export function chips(o: ChipsOptions): HTMLElement {
  const nodes = o.tokens.map((token, i) => {
    const value = o.values[i] ?? 0;
    const beside = o.other ? `, ${o.other.name} ${number(o.other.values[i] ?? 0, 3)}` : '';
    const title = `${JSON.stringify(token)} at ${i}: ${number(value, 3)}${beside}`;
    const on = value > 0 ? ' on' : '';
    const chosen = o.chosen?.has(i) ?? false;
    const look = {
      class: `chip${on}${chosen ? ' chosen' : ''}`,
      title,
      style: { 'background-color': heat(value, o.max) },
    };
    if (!o.onToggle) return el('span', look, visibleToken(token));
    const node = el('button', { ...look, aria: { pressed: String(chosen), label: title } }, visibleToken(token));
    node.type = 'button';
    node.disabled = o.disabled ?? false;
    node.dataset.token = String(i);
    node.addEventListener('click', () => o.onToggle?.(i));
    return node;
  });
  return el('div', { class: 'chips', role: 'group', aria: { label: o.label } }, ...nodes);
}

/** A continuation behind its prompt, what differs marked. */
export function continuation(
  tag: string,
  prompt: string,
  before: string,
  after: string,
  side: 'before' | 'after',
): HTMLElement {
  const parts = difference(before, after)[side];
  const nodes: Child[] = parts.map((p) =>
    el(p.kind === 'removed' ? 'del' : p.kind === 'added' ? 'ins' : 'span', {}, p.text),
  );
  const same = side === 'after' && before === after ? `${tag}: unchanged` : tag;
  return el(
    'div',
    {},
    el('span', { class: 'tag' }, same),
    el('p', { class: 'text' }, prompt ? el('span', { class: 'said' }, prompt) : null, ...nodes),
  );
}

function deltaCell(delta: number, largest: number, text: string): HTMLElement {
  const width = largest > 0 ? `${Math.max(1, (40 * Math.abs(delta)) / largest)}px` : '0';
  const bar = el('span', { class: delta < 0 ? 'bar down' : 'bar up', style: { width }, aria: { hidden: 'true' } });
  return el('td', { class: 'delta' }, text, el('span', { class: 'track' }, bar));
}

const signed = (value: number, text: string): string => `${value < 0 ? '−' : '+'}${text}`;

function table(caption: string, heads: string[], rows: HTMLElement[], none: string): HTMLElement {
  if (rows.length === 0) return el('div', {}, el('h3', {}, caption), el('p', { class: 'fg-none' }, none));
  const header = el('tr', {}, ...heads.map((h) => el('th', {}, h)));
  return el('table', {}, el('caption', {}, caption), el('thead', {}, header), el('tbody', {}, ...rows));
}

/** Features that moved; `onPick` for those of the panel's own SAE. */
export function featureTable(
  effect: InterventionsEffect,
  meta: InterventionsMeta,
  onPick?: (feature: number) => void,
): HTMLElement {
  const size = (d: InterventionsFeatureDelta): number => Math.abs(d.after - d.before);
  const largest = effect.features.reduce((m, d) => Math.max(m, size(d)), 0);
  const saes = [meta.sae, ...meta.downstream];
  const rows = effect.features.map((d) => {
    const words = labelLine(d.label) && ` ${labelLine(d.label)}`;
    const place = d.sae > 0 ? ` ${saes[d.sae]?.hook ?? ''}` : '';
    const text = `#${d.feature}${words}${place}`;
    const name =
      onPick && d.sae === 0 ? el('button', { class: 'link', title: `Choose feature ${d.feature}` }, text) : text;
    if (typeof name !== 'string') {
      name.type = 'button';
      name.addEventListener('click', () => onPick?.(d.feature));
    }
    return el(
      'tr',
      {},
      el('td', { class: 'name', title: text }, name),
      el('td', {}, aligned(d.before, 3)),
      el('td', {}, aligned(d.after, 3)),
      deltaCell(d.after - d.before, largest, signed(d.after - d.before, aligned(size(d), 2))),
    );
  });
  const over = effect.n === 1 ? 'on 1 token' : `mean over ${effect.n} tokens`;
  return table(`Features, ${over}`, ['feature', 'before', 'after', 'Δ'], rows, 'No feature moved.');
}

/** Next tokens whose probability moved. */
export function nextTable(effect: InterventionsEffect): HTMLElement {
  const size = (d: InterventionsTokenDelta): number => Math.abs(d.after - d.before);
  const largest = effect.next.reduce((m, d) => Math.max(m, size(d)), 0);
  const rows = effect.next.map((d) =>
    el(
      'tr',
      {},
      el('td', { class: 'name', title: `token ${d.id}` }, nextToken(d.token)),
      el('td', {}, percent(d.before)),
      el('td', {}, percent(d.after)),
      deltaCell(d.after - d.before, largest, signed(d.after - d.before, percent(size(d)).replace(' %', ''))),
    ),
  );
  return table('Next token', ['token', 'before', 'after', 'Δ points'], rows, 'No probability moved.');
}
