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
/** The title lies over the top of a map. */
const TITLE = 30;
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
    const inside =
      sx - width / 2 >= 2 &&
      sx + width / 2 <= view.width - 2 &&
      sy - HEIGHT / 2 >= TITLE &&
      sy + HEIGHT / 2 <= view.height - 2;
    if (!inside) continue;
    const at = { text, x: view.left + sx, y: view.top + sy, width };
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
