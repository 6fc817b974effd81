/** Pieces of legends. */
import { css, type Rgb } from '../ui/color.js';
import { el } from '../ui/dom.js';

/** A mark as it is drawn: `shape` is a class of the styles. */
export function swatch(color: Rgb, shape = 'disc', kind: 'full' | 'hollow' | 'outlined' = 'full'): HTMLElement {
  return el('span', { class: `swatch ${shape} ${kind}`, style: { '--c': css(color) } });
}

export function legendItem(mark: HTMLElement | null, text: string, title?: string): HTMLElement {
  return el('span', { class: 'item', title }, mark, text);
}

/** Colours of a scale of 256 from left to right. */
export function gradient(colors: readonly Rgb[]): HTMLElement {
  const stops = [0, 64, 128, 192, 255].map((i) => css(colors[i])).join(', ');
  return el('span', { class: 'gradient', style: { 'background-image': `linear-gradient(to right, ${stops})` } });
}

export interface ScaleItem {
  title: string;
  note?: string;
  low: string;
  high: string;
  colors: readonly Rgb[];
  /** How many of `unit` lie in each equal part of the scale; []: no histogram. */
  counts: readonly number[];
  unit: string;
  /** Lets a reader keep a range of parts of the scale. */
  choose?: { range: [from: number, to: number]; changed(range: [from: number, to: number]): void };
}

/** A scale: bars of its histogram above the colours they belong to. */
export function scaleItem(o: ScaleItem): HTMLElement {
  const { counts, colors, choose } = o;
  const most = counts.reduce((a, b) => Math.max(a, b), 1);
  const total = counts.reduce((a, b) => a + b, 0);
  const bars = counts.map((n, i) =>
    el('span', {
      class: 'bar',
      title: `${n} of ${total} ${o.unit}`,
      style: {
        height: n === 0 ? '0' : `${Math.max(8, (100 * n) / most)}%`,
        'background-color': css(colors[Math.round((255 * (i + 0.5)) / counts.length)]),
      },
    }),
  );
  const histogram = el('span', { class: 'histogram' }, ...bars);
  const scale = el('span', { class: 'bars', role: choose ? 'group' : 'img' }, histogram, gradient(colors));
  scale.setAttribute('aria-label', `histogram of ${total} ${o.unit} over ${o.title}`);
  if (choose) scale.append(rangeOf(o, choose, bars));
  return el(
    'span',
    { class: 'item scale', title: o.note ?? o.title },
    el('span', { class: 'what' }, o.title),
    el('span', { class: 'low' }, o.low),
    counts.length > 0 ? scale : gradient(colors),
    el('span', { class: 'high' }, o.high),
  );
}

/** The two ends of a range as sliders over the colours. */
function rangeOf(
  { title, counts }: ScaleItem,
  { range, changed }: NonNullable<ScaleItem['choose']>,
  bars: readonly HTMLElement[],
): HTMLElement {
  const now: [number, number] = [...range];
  const show = () => bars.forEach((bar, i) => bar.classList.toggle('out', i < now[0] || i >= now[1]));
  const ends = ([0, 1] as const).map((end) => {
    const input = el('input', { class: 'end', aria: { label: `${title}: show ${end === 0 ? 'from' : 'up to'} here` } });
    Object.assign(input, { type: 'range', min: '0', max: String(counts.length), step: '1', value: String(range[end]) });
    input.addEventListener('input', () => {
      const value = Number(input.value);
      // A range keeps one part at least.
      now[end] = end === 0 ? Math.min(value, now[1] - 1) : Math.max(value, now[0] + 1);
      input.value = String(now[end]);
      show();
      changed([...now]);
    });
    return input;
  });
  show();
  return el('span', { class: 'ends' }, ...ends);
}
