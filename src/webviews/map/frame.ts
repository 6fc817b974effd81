/** What stands around the points: captions, the words for assistive technology, provenance. */
import { el } from '../ui/dom.js';
import { count, number, plural } from '../ui/format.js';
import type { MapModel } from './model.js';
import { unitOf } from './shift.js';

/** Names a map's layer and returns the element that shows its counts. */
export function decorateLayer(layer: HTMLElement, model: MapModel, s: number, scrollingPage: boolean): HTMLElement {
  const set = model.sets[s];
  const counts = el('span', { class: 'counts' });
  layer.setAttribute(
    'aria-label',
    `Map ${set.name}: ${set.meta.title}, ${plural(set.n - set.deadCount, unitOf(model))}. Arrows pan, plus and minus zoom, 0 shows all, Shift and arrows move between ${unitOf(model)}s, N goes to the next hit, Enter pins, Escape clears, slash searches.`,
  );
  layer.append(
    el(
      'div',
      { class: 'caption' },
      el('span', { class: `badge set${s}` }, set.name),
      el('span', { class: 'title', title: `${set.meta.title} · ${set.meta.layout}` }, set.meta.title),
      counts,
    ),
  );
  if (scrollingPage) layer.append(el('div', { class: 'help' }, 'Ctrl + wheel zooms'));
  return counts;
}

/** Legend, and how layout and links were made. */
export function foot(model: MapModel, legend: HTMLElement): HTMLElement {
  const { pairing } = model.meta;
  const provenance = [
    // What is said of a shift begins with the layout.
    model.meta.shift?.note ?? model.sets[0].meta.layout,
    pairing &&
      `${pairing.method}, ${plural(pairing.pairs, 'pair')}, ${count(pairing.tokens)} tokens, mean r ${number(pairing.meanR, 3)}`,
  ].filter(Boolean);
  const text = provenance.join(' · ');
  return el(
    'div',
    { class: model.meta.shift ? 'foot whole' : 'foot' },
    legend,
    el('span', { class: 'provenance', title: text }, text),
  );
}
