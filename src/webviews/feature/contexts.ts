/** Activating contexts in bands: the largest activations, those of every band, and some at random. */
import type { ExampleBand, FeatureExample } from '../../protocol/bundle.js';
import { el } from '../ui/dom.js';
import { exampleRow } from '../ui/examples.js';
import { aligned, plural } from '../ui/format.js';

/** Tokens around the peak before a context is opened. */
const NARROW = { before: 9, after: 6 };

/** An example with fewer tokens around its peak. */
export function narrowed(example: FeatureExample): FeatureExample {
  const from = Math.max(0, example.peak - NARROW.before);
  const to = example.peak + NARROW.after + 1;
  return {
    ...example,
    tokens: example.tokens.slice(from, to),
    activations: example.activations.slice(from, to),
    peak: example.peak - from,
  };
}

/** A context that a click makes wider, and narrow again. */
function context(example: FeatureExample, max: number): HTMLElement {
  const narrow = narrowed(example);
  const more = narrow.tokens.length < example.tokens.length;
  const draw = (wide: boolean): HTMLElement => {
    const row = exampleRow(wide ? example : narrow, max);
    if (!more) return row;
    row.classList.add('opens');
    row.tabIndex = 0;
    row.setAttribute('role', 'button');
    row.setAttribute('aria-expanded', String(wide));
    const toggle = (): void => {
      const next = draw(!wide);
      row.replaceWith(next);
      next.focus();
    };
    row.addEventListener('click', toggle);
    row.addEventListener('keydown', (event) => {
      if (event.key !== 'Enter' && event.key !== ' ') return;
      event.preventDefault();
      toggle();
    });
    return row;
  };
  return draw(false);
}

function heading(band: ExampleBand | undefined, firings: number): string {
  if (!band) return 'Largest activations';
  if (band.from === 0 && band.firings === firings) return `At random, of all ${plural(firings, 'firing')}`;
  return `${aligned(band.from, 3)} to ${aligned(band.to, 3)} · ${plural(band.firings, 'firing')}`;
}

/** The contexts, a section for each band; `firings`: of the feature. */
export function contexts(examples: readonly FeatureExample[], firings: number, max: number): HTMLElement[] {
  const bands: Array<{ band?: ExampleBand; examples: FeatureExample[] }> = [];
  for (const example of examples) {
    const last = bands.at(-1);
    const same = last && last.band?.from === example.band?.from && last.band?.to === example.band?.to;
    if (same) last.examples.push(example);
    else bands.push({ band: example.band, examples: [example] });
  }
  return bands.map((each) =>
    el(
      'section',
      { class: 'band', aria: { label: heading(each.band, firings) } },
      el('h4', {}, heading(each.band, firings)),
      el('ul', { class: 'fg-examples' }, ...each.examples.map((example) => context(example, max))),
    ),
  );
}
