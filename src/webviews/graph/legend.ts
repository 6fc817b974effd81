/** What colours, sizes and lights mean: a scale with the histogram of the nodes above it, or the classes. */
import { legendItem, scaleItem, swatch } from '../plot/legend.js';
import { CATEGORIES, type Rgb } from '../ui/color.js';
import { fill } from '../ui/dom.js';
import type { Palette } from '../plot/palette.js';
import { valueText } from './card.js';
import { histogram, type NodeColours } from './colour.js';
import type { Lighting } from './lighting.js';

const BINS = 24;
/** Classes that are named. */
const MOST_CLASSES = 12;

export interface KeyEntry {
  /** null: words alone. */
  colour: Rgb | null;
  hollow: boolean;
  text: string;
}

/** All that is said beside a scale. */
export function keyEntries(colours: NodeColours, lighting: Lighting, palette: Palette): KeyEntry[] {
  const entries: KeyEntry[] = [];
  const add = (colour: Rgb | null, text: string, hollow = false): void => void entries.push({ colour, hollow, text });
  if (colours.classes) {
    const used = new Set(colours.values.flatMap((v) => [...v].filter((c) => !Number.isNaN(c))));
    const named = [...used].sort((a, b) => a - b).slice(0, MOST_CLASSES);
    for (const c of named) add(CATEGORIES[c % CATEGORIES.length], colours.classes[c] ?? '');
    if (used.size > MOST_CLASSES) add(null, `and ${used.size - MOST_CLASSES} more`);
  }
  if (colours.values.some((set) => set.some((v) => Number.isNaN(v)))) add(palette.muted, 'no value', true);
  add(null, 'size: members · line: shared members');
  if (lighting.matched.some(Boolean)) add(palette.hit, 'matched with the pinned node, in %');
  else if (lighting.active.some(Boolean)) add(palette.hit, 'lit: share of members', true);
  return entries;
}

export function drawLegend(element: HTMLElement, colours: NodeColours, lighting: Lighting, palette: Palette): void {
  const items = keyEntries(colours, lighting, palette).map(({ colour, hollow, text }) =>
    legendItem(colour && swatch(colour, 'disc', hollow ? 'hollow' : 'full'), text),
  );
  if (!colours.classes) items.unshift(scale(colours, palette));
  fill(element, ...items);
}

/** A scale's title and ends in words. */
export function colourScale(colours: NodeColours): { title: string; low: string; high: string } {
  const [low, high] = colours.range;
  return {
    title: `${colours.title}${colours.log ? ' (log)' : ''}`,
    low: `${colours.clipped[0] ? '≤ ' : ''}${valueText(colours, low)}`,
    high: `${colours.clipped[1] ? '≥ ' : ''}${valueText(colours, high)}`,
  };
}

function scale(colours: NodeColours, palette: Palette): HTMLElement {
  return scaleItem({
    ...colourScale(colours),
    note: colours.note,
    ...{ colors: palette.links, counts: histogram(colours, BINS), unit: 'nodes' },
  });
}
