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
