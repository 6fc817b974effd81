/** The hover card: in the top layer, beside the pointer, never outside its frame, never over the linked point. */
import { el, fill } from '../ui/dom.js';

export interface Spot {
  x: number;
  y: number;
}

/** Where a card may lie, in CSS pixels of the window. */
export interface Frame {
  left: number;
  top: number;
  width: number;
  height: number;
}

/**
 * Top left corner of a box of `width` × `height` near `at` inside a frame, in CSS pixels. Tries the places around the
 * point, then the corners of the frame, until neither the point nor `avoid` is covered, and clamps into the frame.
 */
export function placeTooltip(
  at: Spot,
  avoid: Spot | null,
  size: { width: number; height: number },
  { left, top, width, height }: Frame,
): Spot {
  const gap = 18;
  const margin = 8;
  const places = [
    { x: at.x + gap, y: at.y + gap },
    { x: at.x + gap, y: at.y - gap - size.height },
    { x: at.x - gap - size.width, y: at.y + gap },
    { x: at.x - gap - size.width, y: at.y - gap - size.height },
    { x: at.x - size.width / 2, y: at.y + gap },
    { x: at.x - size.width / 2, y: at.y - gap - size.height },
    { x: at.x + gap, y: Infinity },
    { x: at.x - gap - size.width, y: Infinity },
    { x: at.x + gap, y: -Infinity },
    { x: at.x - gap - size.width, y: -Infinity },
    ...[Infinity, -Infinity].flatMap((y) => [Infinity, -Infinity].map((x) => ({ x, y }))),
  ].map((p) => ({
    x: Math.max(left + margin, Math.min(p.x, left + width - margin - size.width)),
    y: Math.max(top + margin, Math.min(p.y, top + height - margin - size.height)),
  }));
  const covers = (p: Spot, s: Spot | null) =>
    s !== null && s.x > p.x - 12 && s.x < p.x + size.width + 12 && s.y > p.y - 12 && s.y < p.y + size.height + 12;
  return places.find((p) => !covers(p, at) && !covers(p, avoid)) ?? places.find((p) => !covers(p, at)) ?? places[0];
}

/** The part of the window that shows an element. */
function visiblePart(element: Element, { width, height }: Frame): Frame {
  const rect = element.getBoundingClientRect();
  const [left, top] = [Math.max(0, rect.left), Math.max(0, rect.top)];
  return {
    left,
    top,
    width: Math.max(0, Math.min(width, rect.right) - left),
    height: Math.max(0, Math.min(height, rect.bottom) - top),
  };
}

export class Tooltip {
  readonly element = el('div', { class: 'fg-tooltip', role: 'tooltip' });
  private anchor: Spot = { x: 0, y: 0 };
  private avoid: Spot | null = null;
  private readonly observer = new ResizeObserver(() => this.place());

  /** `within`: the card stays over this element, for others draw over what is beside it; absent: anywhere in the window. */
  constructor(private readonly within?: HTMLElement) {
    this.element.setAttribute('popover', 'manual');
    this.observer.observe(this.element);
  }

  show(content: HTMLElement, at: Spot, avoid: Spot | null): void {
    fill(this.element, content);
    this.anchor = at;
    this.avoid = avoid;
    if (!this.element.matches(':popover-open')) this.element.showPopover();
    this.place();
  }

  /** Follows the pointer while the content stays. */
  move(at: Spot): void {
    this.anchor = at;
    this.place();
  }

  hide(): void {
    if (this.element.isConnected && this.element.matches(':popover-open')) this.element.hidePopover();
  }

  private place(): void {
    if (!this.element.matches(':popover-open')) return;
    const window = { left: 0, top: 0, width: document.documentElement.clientWidth || innerWidth, height: innerHeight };
    const frame = this.within ? visiblePart(this.within, window) : window;
    this.element.style.maxHeight = this.within ? `${Math.max(0, frame.height - 16)}px` : '';
    this.element.style.maxWidth = this.within ? `min(690px, ${Math.max(0, frame.width - 16)}px)` : '';
    const { offsetWidth: width, offsetHeight: height } = this.element;
    const p = placeTooltip(this.anchor, this.avoid, { width, height }, frame);
    this.element.style.left = `${Math.round(p.x)}px`;
    this.element.style.top = `${Math.round(p.y)}px`;
  }

  dispose(): void {
    this.observer.disconnect();
    this.hide();
    this.element.remove();
  }
}
