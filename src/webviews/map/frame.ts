/** What stands around the points: captions, the words for assistive technology, provenance. */
import { measureOf } from '../../protocol/measure.js';
import { caption, wheelHelp } from '../plot/frame.js';
import { el } from '../ui/dom.js';
import { count, number, plural } from '../ui/format.js';
import type { Lit } from './filter.js';
import type { MapModel, MapSet } from './model.js';
import { unitOf } from './shift.js';
import type { Stage } from './stage.js';

/** Names a map's layer, fills its heading, and returns the element that shows its counts. */
export function decorateLayer(
  { layers, headings }: Pick<Stage, 'layers' | 'headings'>,
  model: MapModel,
  s: number,
  scrollingPage: boolean,
): HTMLElement {
  const layer = layers[s];
  const set = model.sets[s];
  const counts = el('span', { class: 'counts' });
  // The title of a picture of one map is that of the map; of two, each is named by its SAE.
  const titles = model.twin ? model.sets.map(({ meta }) => meta.title) : [model.meta.title];
  const title = titles[s];
  layer.setAttribute(
    'aria-label',
    `Map ${set.name}: ${title}, ${plural(set.n - set.deadCount, unitOf(model))}. Arrows pan, plus and minus zoom, 0 shows all, Shift and arrows move between ${unitOf(model)}s, ${model.twin ? 'C goes to the counterpart, ' : ''}N goes to the next hit, Enter pins, Escape clears, Control and Z undo, slash searches.`,
  );
  const { title: of, layout } = set.meta;
  headings[s].append(
    caption({
      badge: `set${s}`,
      name: set.name,
      title,
      titles,
      tip: `${[...new Set([title, of])].join(' · ')} · ${layout}`,
      counts,
    }),
  );
  if (scrollingPage) layer.append(wheelHelp());
  return counts;
}

/** How layout and links were made. */
export function provenance({ meta, sets }: MapModel): Array<string | undefined> {
  const { pairing, shift } = meta;
  return [
    // What is said of a shift begins with the layout.
    shift?.note ?? sets[0].meta.layout,
    pairing &&
      // Pairs first: what follows may be cut where the line ends.
      `${plural(pairing.pairs, 'pair')}, mean ${measureOf(pairing.method)} ${number(pairing.meanR, 3)}${pairing.tokens > 0 ? `, ${count(pairing.tokens)} tokens` : ''} (${pairing.method})`,
  ];
}

/** "1,000 features · 12 dead hidden". */
export function countsText(model: MapModel, { n, deadCount }: MapSet, showDead: boolean): string {
  const dead = deadCount > 0 ? ` · ${count(deadCount)} dead${showDead ? '' : ' hidden'}` : '';
  return `${plural(n - deadCount, unitOf(model))}${dead}`;
}

/** What is lit, in one sentence. */
export const spokenHits = (model: MapModel, { hits }: Lit): string =>
  model.sets.map(({ name, n }, s) => `${name}: ${count(hits[s])} of ${plural(n, unitOf(model))}`).join('; ');
