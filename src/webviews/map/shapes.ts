/**
 * Marks of points. One signed distance per shape, written twice with the same formulas: here for the rasteriser, in
 * GLSL for WebGL. A mark byte is shape | HOLLOW | OUTLINE.
 */
import { CATEGORIES, type Rgb } from '../ui/color.js';

export const SHAPES = ['disc', 'square', 'triangle', 'diamond', 'plus', 'cross'] as const;
export const CROSS = 5;
/** Only the rim is drawn. */
export const HOLLOW = 8;
/** A rim in the text colour around the fill. */
export const OUTLINE = 16;

export interface Mark {
  color: Rgb;
  shape: number;
}

/** Colour and shape of the g-th keyword group or class: 8 colours × 5 shapes, no two alike among the first 40. */
export function groupStyle(g: number): Mark {
  return { color: CATEGORIES[g % 8], shape: g % (SHAPES.length - 1) };
}

/** Colour and shape of the p-th SAE of a joint map: its points are told apart without colour too. */
export const partStyle = (p: number): Mark => ({ color: CATEGORIES[p % 8], shape: [3, 0, 2, 1, 4][p % 5] });

/** Distance in pixels from the edge of a shape of radius r, negative inside; y grows downwards. */
export function shapeDistance(shape: number, x: number, y: number, r: number): number {
  const ax = Math.abs(x);
  const ay = Math.abs(y);
  switch (shape) {
    case 1:
      return Math.max(ax, ay) - r * 0.86;
    case 2:
      return Math.max(ax * 0.866 - y * 0.5, y) - r * 0.5;
    case 3:
      return (ax + ay - r * 1.1) * 0.7071;
    case 4:
      return Math.max(Math.min(ax, ay) - r * 0.36, Math.max(ax, ay) - r);
    case 5: {
      const u = Math.abs(x + y) * 0.7071;
      const v = Math.abs(x - y) * 0.7071;
      return Math.max(Math.min(u, v) - r * 0.24, Math.max(u, v) - r);
    }
    default:
      return Math.hypot(x, y) - r;
  }
}

export const SHAPE_GLSL = `
float shapeDistance(int shape, vec2 p, float r) {
  vec2 a = abs(p);
  if (shape == 1) return max(a.x, a.y) - r * 0.86;
  if (shape == 2) return max(a.x * 0.866 - p.y * 0.5, p.y) - r * 0.5;
  if (shape == 3) return (a.x + a.y - r * 1.1) * 0.7071;
  if (shape == 4) return max(min(a.x, a.y) - r * 0.36, max(a.x, a.y) - r);
  if (shape == 5) {
    float u = abs(p.x + p.y) * 0.7071, v = abs(p.x - p.y) * 0.7071;
    return max(min(u, v) - r * 0.24, max(u, v) - r);
  }
  return length(p) - r;
}`;

/** Coverage and outline share (0..1 each) of a pixel at distance d, for a mark with the given flags. */
export function coverage(d: number, mark: number): [number, number] {
  const rim = 1.6;
  const distance = mark & HOLLOW ? Math.abs(d + rim / 2) - rim / 2 : d;
  const alpha = Math.min(1, Math.max(0, 0.5 - distance));
  const edge = mark & OUTLINE ? Math.min(1, Math.max(0, d + rim)) : 0;
  return [alpha, edge];
}
