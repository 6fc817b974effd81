/** Contours of a map's density, behind points that are too many to be told apart: closed lines by marching squares. */
import { toScreen } from '../plot/camera.js';
import type { Palette } from '../plot/palette.js';
import { css } from '../ui/color.js';
import type { MapSet } from './model.js';
import { densityOf, type Density } from './regions.js';
import type { Viewport } from './surface.js';

/** Closed lines x0, y0, x1, y1, … in world coordinates, denser ground on their left; by level, the outermost first. */
export type Contours = Float32Array[][];

/** A map of fewer points shows its density by itself. */
export const MANY_POINTS = 2000;
/** Shares of the points that lie where it is at least as dense as on a line. */
const SHARES = [0.95, 0.75, 0.5, 0.25];

/** Sides of a square of four cells (0 low, 1 right, 2 high, 3 left) that a line enters and leaves, by its dense corners. */
const SIDES: ReadonlyArray<ReadonlyArray<readonly [number, number]>> = [
  [], [[0, 3]], [[1, 0]], [[1, 3]], [[2, 1]], [[0, 3], [2, 1]], [[2, 0]], [[2, 3]],
  [[3, 2]], [[0, 2]], [[1, 0], [3, 2]], [[1, 2]], [[3, 1]], [[0, 1]], [[3, 0]], [],
]; // prettier-ignore
/** The same where two dense corners face each other and the middle between them is dense. */
const JOINED: Record<number, ReadonlyArray<readonly [number, number]>> = {
  5: [[0, 1], [2, 3]],
  10: [[3, 0], [1, 2]],
}; // prettier-ignore

/** The lines along which the density has a value; the grid's rim must lie below it. */
export function linesAt({ width, density, place }: Density, level: number): Float32Array[] {
  const next = new Map<number, number>();
  for (let j = 0; j < width - 1; j++)
    for (let i = 0; i < width - 1; i++) {
      const c = j * width + i;
      const corners = [density[c], density[c + 1], density[c + width + 1], density[c + width]];
      const dense = corners.reduce((bits, v, k) => bits | (v >= level ? 1 << k : 0), 0);
      const middle = (corners[0] + corners[1] + corners[2] + corners[3]) / 4;
      // A side's number is shared by the two squares that it lies between.
      const sides = [2 * c, 2 * (c + 1) + 1, 2 * (c + width), 2 * c + 1];
      const pairs = middle >= level && JOINED[dense] ? JOINED[dense] : SIDES[dense];
      for (const [from, to] of pairs) next.set(sides[from], sides[to]);
    }
  const lines: Float32Array[] = [];
  while (next.size > 0) {
    const [start] = next.keys();
    const line: number[] = [];
    for (let side: number | undefined = start; side !== undefined;) {
      const from: number = side >> 1;
      const upright = side % 2 === 1;
      const to = from + (upright ? width : 1);
      const t = (level - density[from]) / (density[to] - density[from]);
      line.push(place((from % width) + (upright ? 0 : t)), place(Math.floor(from / width) + (upright ? t : 0)));
      const after: number | undefined = next.get(side);
      next.delete(side);
      side = after;
    }
    lines.push(Float32Array.from(line));
  }
  return lines;
}

/** Contours of the alive points; [] where they are few or lie nowhere. */
export function contoursOf(set: Pick<MapSet, 'x' | 'y' | 'n' | 'dead' | 'deadCount'>): Contours {
  if (set.n - set.deadCount < MANY_POINTS) return [];
  const density = densityOf(set);
  const own = Float32Array.from(density.cell.filter((c) => c >= 0), (c) => density.density[c]).sort(); // prettier-ignore
  if (own.length === 0) return [];
  return SHARES.map((share) => linesAt(density, own[Math.floor((1 - share) * (own.length - 1))]));
}

/** Draws the contours of every set; null where there are none. */
export function contourPainter(
  contours: readonly Contours[],
  views: readonly Viewport[],
  palette: Palette,
): ((c: CanvasRenderingContext2D, ratio: number) => void) | null {
  if (contours.every((own) => own.length === 0)) return null;
  return (c, ratio) => {
    c.setTransform(ratio, 0, 0, ratio, 0, 0);
    contours.forEach((levels, s) => {
      const view = views[s];
      if (!view || view.width <= 0) return;
      c.save();
      c.beginPath();
      c.rect(view.left, view.top, view.width, view.height);
      c.clip();
      for (const lines of levels) {
        c.beginPath();
        for (const line of lines) trace(c, view, line);
        c.fillStyle = css(palette.muted, 0.07);
        c.fill('evenodd');
        c.strokeStyle = css(palette.muted, 0.35);
        c.lineWidth = 0.8;
        c.stroke();
      }
      c.restore();
    });
  };
}

function trace(c: CanvasRenderingContext2D, view: Viewport, line: Float32Array): void {
  for (let k = 0; k < line.length; k += 2) {
    const [x, y] = toScreen(view.camera, view, line[k], line[k + 1]);
    if (k === 0) c.moveTo(view.left + x, view.top + y);
    else c.lineTo(view.left + x, view.top + y);
  }
  c.closePath();
}
