/** Marks above a drawing: rings, numbers of pins, the lasso; on any 2D canvas. */
import { css, type Rgb } from '../ui/color.js';
import type { Palette } from './palette.js';

/** A ring with a halo of the ground's colour, `halo` wide in all. */
export function ring(
  c: CanvasRenderingContext2D,
  o: { x: number; y: number; radius: number; color: Rgb; ground: Rgb; width: number; halo: number; veil: number },
): void {
  for (const [line, style] of [
    [o.halo, css(o.ground, o.veil)],
    [o.width, css(o.color)],
  ] as const) {
    c.beginPath();
    c.arc(o.x, o.y, o.radius, 0, 2 * Math.PI);
    c.lineWidth = line;
    c.strokeStyle = style;
    c.stroke();
  }
}

/** The number of a pin; (x, y) is the middle of its left end. */
export function badge(c: CanvasRenderingContext2D, x: number, y: number, text: string, color: Rgb, ground: Rgb): void {
  c.font = '600 11px system-ui, sans-serif';
  const width = badgeWidth(c, text);
  c.beginPath();
  c.roundRect(x, y - 8, width, 16, 8);
  c.fillStyle = css(color);
  c.strokeStyle = css(ground);
  c.lineWidth = 2;
  c.stroke();
  c.fill();
  c.fillStyle = css(ground);
  c.textAlign = 'center';
  c.textBaseline = 'middle';
  c.fillText(text, x + width / 2, y + 0.5);
}

export function badgeWidth(c: CanvasRenderingContext2D, text: string): number {
  c.font = '600 11px system-ui, sans-serif';
  return Math.max(16, c.measureText(text).width + 8);
}

/** A polygon that is being drawn: x0, y0, x1, y1, …; fewer than two points are none. */
export function lasso(c: CanvasRenderingContext2D, polygon: readonly number[] | null, palette: Palette): void {
  if (!polygon || polygon.length < 4) return;
  c.beginPath();
  c.moveTo(polygon[0], polygon[1]);
  for (let i = 2; i < polygon.length; i += 2) c.lineTo(polygon[i], polygon[i + 1]);
  c.closePath();
  c.fillStyle = css(palette.hit, 0.12);
  c.strokeStyle = css(palette.hit);
  c.lineWidth = 1.5;
  c.setLineDash([5, 3]);
  c.fill();
  c.stroke();
  c.setLineDash([]);
}
