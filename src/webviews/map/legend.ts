/** Legend of the colours and marks in use; its classes and its scale choose which points are lit. */
import { legendItem, scaleItem, swatch } from '../plot/legend.js';
import { el } from '../ui/dom.js';
import { BINS, type Only } from './colourValues.js';
import { SHAPES } from './shapes.js';
import type { LegendEntry } from './legendEntries.js';

/** Entries of the same look need not be built again: a slider that is dragged stays. */
function lookOf(entry: LegendEntry): string {
  if (entry.kind !== 'scale') return JSON.stringify(entry);
  return JSON.stringify({ ...entry, colors: [entry.colors[0], entry.colors[255]] });
}

export class MapLegend {
  private looks: string[] = [];
  private only: Only | null = null;

  constructor(
    private readonly element: HTMLElement,
    private readonly changed: (only: Only | null) => void,
  ) {}

  draw(entries: readonly LegendEntry[], only: Only | null): void {
    // A range that was given up elsewhere puts the sliders back.
    const same = JSON.stringify(only) === JSON.stringify(this.only);
    this.only = only;
    const looks = entries.map((entry) => `${lookOf(entry)}${same || entry.kind !== 'scale' ? '' : Math.random()}`);
    entries.forEach((entry, i) => {
      if (looks[i] === this.looks[i]) return;
      const item = this.item(entry);
      const old = this.element.children[i];
      if (old) old.replaceWith(item);
      else this.element.append(item);
    });
    while (this.element.children.length > entries.length) this.element.lastElementChild?.remove();
    this.looks = entries.map(lookOf);
    this.mark();
  }

  private mark(): void {
    const classes = this.only && 'classes' in this.only ? this.only.classes : [];
    this.element.classList.toggle('chosen', classes.length > 0);
    for (const item of this.element.querySelectorAll<HTMLElement>('[data-code]'))
      item.setAttribute('aria-pressed', String(classes.includes(Number(item.dataset.code))));
  }

  private choose(only: Only | null): void {
    this.only = only;
    this.changed(only);
  }

  /** Takes a class into the choice, or out of it. */
  private toggle(code: number): void {
    const classes = this.only && 'classes' in this.only ? this.only.classes : [];
    const kept = classes.includes(code) ? classes.filter((each) => each !== code) : [...classes, code];
    this.choose(kept.length > 0 ? { classes: kept } : null);
    this.mark();
  }

  private item(entry: LegendEntry): HTMLElement {
    if (entry.kind === 'text') return legendItem(null, entry.text);
    if (entry.kind === 'scale') return this.scale(entry);
    const { color, shape, rim, text, note, code } = entry;
    const mark = swatch(color, SHAPES[shape], rim ?? 'full');
    if (code === undefined) return legendItem(mark, text, note);
    const title = `Show only ${text}${note ? ` · ${note}` : ''}`;
    const item = el('button', { class: 'item', title, on: { click: () => this.toggle(code) } }, mark, text);
    item.type = 'button';
    item.dataset.code = String(code);
    return item;
  }

  private scale(entry: Extract<LegendEntry, { kind: 'scale' }>): HTMLElement {
    const range = this.only && 'range' in this.only ? this.only.range : ([0, BINS] as [number, number]);
    const changed = ([from, to]: [number, number]) =>
      this.choose(from === 0 && to === BINS ? null : { range: [from, to] });
    return scaleItem({ ...entry, unit: entry.unit, choose: { range, changed } });
  }
}
