/** Names of regions on a map: the largest first, none over another, more of them as one zooms. */
import { toScreen } from '../plot/camera.js';
import type { Palette } from '../plot/palette.js';
import { css } from '../ui/color.js';
import type { Region } from './regions.js';
import type { Viewport } from './surface.js';

export interface PlacedName {
  text: string;
  /** Middle, in CSS pixels of the canvas. */
  x: number;
  y: number;
  width: number;
}

const FONT = '600 12px system-ui, sans-serif';
const HEIGHT = 16;
/** Room between names. */
const GAP = 6;
/** Names keep this far from the edges of their map. */
const EDGE = 2;
/** Names that a map of this many square pixels has room for, beside its points. */
const AREA = 26_000;

/** Names of the regions in view that do not overlap. `measure`: width of a text. */
export function placeNames(
  regions: readonly Region[],
  view: Viewport,
  measure: (text: string) => number,
): PlacedName[] {
  const placed: PlacedName[] = [];
  const most = Math.max(1, Math.floor((view.width * view.height) / AREA));
  for (const { name, x, y } of regions) {
    if (placed.length >= most) break;
    if (name.length === 0) continue;
    const text = name.join(', ');
    const width = measure(text);
    const [sx, sy] = toScreen(view.camera, view, x, y);
    const room = view.width - width - 2 * EDGE;
    if (room < 0 || sx < 0 || sy < 0 || sx > view.width || sy > view.height) continue;
    // A region at the edge keeps its name, moved inwards.
    const within = (at: number, half: number, size: number): number => Math.min(size - half, Math.max(half, at));
    const at = {
      ...{ text, width },
      x: view.left + within(sx, width / 2 + EDGE, view.width),
      y: view.top + within(sy, HEIGHT / 2 + EDGE, view.height),
    };
    const over = placed.some(
      (other) =>
        Math.abs(other.x - at.x) < (other.width + width) / 2 + GAP && Math.abs(other.y - at.y) < HEIGHT + GAP / 2,
    );
    if (!over) placed.push(at);
  }
  return placed;
}

/** Draws the names of the regions of every set over its points. */
export function namePainter(
  regions: ReadonlyArray<readonly Region[]>,
  views: readonly Viewport[],
  palette: Palette,
): ((c: CanvasRenderingContext2D, ratio: number) => void) | null {
  if (regions.every((own) => own.every(({ name }) => name.length === 0))) return null;
  return (c, ratio) => {
    c.setTransform(ratio, 0, 0, ratio, 0, 0);
    c.font = FONT;
    c.textAlign = 'center';
    c.textBaseline = 'middle';
    c.lineJoin = 'round';
    regions.forEach((own, s) => {
      const view = views[s];
      if (!view || view.width <= 0) return;
      for (const { text, x, y } of placeNames(own, view, (t) => c.measureText(t).width)) {
        c.lineWidth = 4;
        c.strokeStyle = css(palette.ground, 0.85);
        c.strokeText(text, x, y);
        c.fillStyle = css(palette.text);
        c.fillText(text, x, y);
      }
    });
  };
}
