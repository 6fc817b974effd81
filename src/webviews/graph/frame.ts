/** What stands around the graphs: captions, words for assistive technology, warnings, how they were made. */
import { measureOf } from '../../protocol/measure.js';
import { caption, wheelHelp } from '../plot/frame.js';
import { el, icon } from '../ui/dom.js';
import { number, plural } from '../ui/format.js';
import type { GraphModel } from './model.js';
import type { Plot } from './plot.js';
import { counts, notes, whyEmpty } from './words.js';

/** Names a graph's layer; says in place why it is empty, or, below, what to know about it. */
export function describePlot(plot: Plot, model: GraphModel, s: number, scrollingPage: boolean): void {
  const { layer, element } = plot;
  const { meta, name } = model.sets[s];
  layer.setAttribute(
    'aria-label',
    `Mapper graph ${name}: ${meta.title}, ${counts(meta)}. Arrows move between nodes, Shift and arrows pan, plus and minus zoom, 0 shows all, N goes to the next lit node, Enter pins, Escape clears, slash searches.`,
  );
  const said = el('span', { class: 'counts' }, counts(meta));
  const { title, description, role } = meta;
  const badge = `set${Math.min(1, s)} ${role}`;
  element.prepend(
    caption({
      badge,
      name,
      title,
      titles: model.sets.map((set) => set.meta.title),
      tip: `${title} · ${description}`,
      counts: said,
    }),
  );
  const empty = whyEmpty(meta);
  const warnings = notes(meta).filter((note) => note !== empty);
  if (empty) layer.append(el('div', { class: 'empty', role: 'note' }, icon('warning'), el('p', {}, empty)));
  if (warnings.length > 0)
    element.append(
      el(
        'ul',
        { class: 'notes', aria: { label: 'Warnings' } },
        ...warnings.map((note) => el('li', { title: note }, icon('warning'), el('span', {}, note))),
      ),
    );
  if (scrollingPage) layer.append(wheelHelp());
}

/** How the graphs were made. */
export function provenance({ meta }: GraphModel): Array<string | undefined> {
  const { pairing, sets } = meta;
  return [
    ...new Set(sets.map((set) => set.description)),
    pairing &&
      `${pairing.method}, ${plural(pairing.pairs, 'pair')}, mean ${measureOf(pairing.method)} ${number(pairing.meanR, 3)}`,
  ];
}
