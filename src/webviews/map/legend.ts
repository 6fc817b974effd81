/** What colours and marks mean now. */
import { css, type Rgb } from '../ui/color.js';
import { el, fill } from '../ui/dom.js';
import { number, percent } from '../ui/format.js';
import type { Filters, Lit } from './filter.js';
import type { MapModel } from './model.js';
import { groupStyle, type Palette } from './paint.js';
import { SHAPES } from './shapes.js';
import { unitOf } from './shift.js';

/** A swatch drawn by CSS in the mark's shape. */
function swatch(color: Rgb, shape = 0, kind: 'full' | 'hollow' | 'outlined' = 'full'): HTMLElement {
  return el('span', { class: `swatch ${SHAPES[shape]} ${kind}`, style: { '--c': css(color) } });
}

function gradient(colors: Rgb[], low: string, high: string, title: string): HTMLElement {
  const stops = [0, 64, 128, 192, 255].map((i) => css(colors[i])).join(', ');
  return el(
    'span',
    { class: 'item' },
    el('span', {}, title),
    el('span', { class: 'low' }, low),
    el('span', { class: 'gradient', style: { 'background-image': `linear-gradient(to right, ${stops})` } }),
    el('span', { class: 'high' }, high),
  );
}

export function drawLegend(
  element: HTMLElement,
  model: MapModel,
  filters: Filters,
  lit: Lit,
  palette: Palette,
  rates: [number, number],
): void {
  const items: HTMLElement[] = [];
  if (filters.colorBy === 'none')
    model.sets.forEach((set, s) =>
      items.push(el('span', { class: 'item' }, swatch(palette.sets[s]), `${set.name} ${unitOf(model)}s`)),
    );
  else if (filters.colorBy === 'firingRate')
    items.push(gradient(palette.rates, percent(rates[0]), percent(rates[1]), 'firing rate (log)'));
  else if (filters.colorBy === 'delta')
    items.push(gradient(palette.rates, '0', number(model.largestDelta, 3), model.meta.shift?.delta ?? 'Δ'));
  else if (filters.colorBy === 'r') {
    items.push(gradient(palette.links, '0', '1', 'r to counterpart'));
    items.push(el('span', { class: 'item' }, swatch(palette.muted, 0, 'hollow'), 'no counterpart'));
  } else
    model.meta.groups?.forEach((group, g) => {
      const { color, shape } = groupStyle(g);
      items.push(el('span', { class: 'item', title: group.words.join(' ') }, swatch(color, shape), group.name));
    });
  if (lit.active) {
    const own = filters.colorBy === 'none' ? palette.hit : palette.muted;
    items.push(el('span', { class: 'item' }, swatch(own, 0, 'outlined'), 'hit'));
    if (model.twin) items.push(el('span', { class: 'item' }, swatch(own, 0, 'hollow'), 'partner of a hit'));
  }
  if (filters.showDead) items.push(el('span', { class: 'item' }, swatch(palette.muted, 5), 'dead'));
  fill(element, ...items);
}
