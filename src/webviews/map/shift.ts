/** Maps of before and after: where points are between the two, the arrows, and what their figures are called. */
import { css, type Rgb } from '../ui/color.js';
import { number } from '../ui/format.js';
import { toScreen } from '../plot/camera.js';
import type { Filters, Lit } from './filter.js';
import type { MapModel, MapSet } from './model.js';
import type { Palette } from '../plot/palette.js';
import type { Viewport } from './surface.js';
import { idColumn, labelColumn, type GridColumn } from '../plot/table.js';

/** Arrows drawn at most, those of largest Δ: more than that is a blur. */
export const MAX_ARROWS = 3000;

/** What the points are called. */
export const unitOf = (model: MapModel): string => model.meta.shift?.unit ?? 'feature';

/** Puts the points on their way: 0 = before, 1 = after. */
export function moveTo(model: MapModel, share: number): void {
  for (const set of model.sets) {
    if (!set.ends) continue;
    const { from, to } = set.ends;
    for (let i = 0; i < set.n; i++) {
      set.x[i] = from.x[i] + share * (to.x[i] - from.x[i]);
      set.y[i] = from.y[i] + share * (to.y[i] - from.y[i]);
    }
  }
}

export interface ArrowScene {
  model: MapModel;
  views: readonly Viewport[];
  palette: Palette;
  filters: Filters;
  lit: Lit;
}

/** Points whose arrows are drawn: all, or those of largest Δ. */
function withArrows(set: MapSet): Uint32Array {
  const { ends } = set;
  if (!ends || set.n <= MAX_ARROWS) return set.shuffled;
  return set.shuffled
    .slice()
    .sort((i, j) => ends.delta[j] - ends.delta[i])
    .subarray(0, MAX_ARROWS);
}

function colorOf({ model, palette, filters }: ArrowScene, s: number, delta: number): Rgb {
  if (filters.colorBy !== 'delta' || model.largestDelta === 0) return palette.sets[s];
  return palette.rates[Math.round((255 * delta) / model.largestDelta)];
}

/** Draws the arrows of a map of before and after on a cleared canvas; null on other maps. */
export function arrowPainter(scene: ArrowScene): ((c: CanvasRenderingContext2D, ratio: number) => void) | null {
  return scene.model.meta.shift ? (c, ratio) => drawArrows(c, ratio, scene) : null;
}

/** An arrow from before to after for every point; faint where something is lit and the point is not. */
function drawArrows(c: CanvasRenderingContext2D, ratio: number, scene: ArrowScene): void {
  const { model, views, lit } = scene;
  c.setTransform(ratio, 0, 0, ratio, 0, 0);
  model.sets.forEach((set, s) => {
    const view = views[s];
    if (!set.ends || view.width <= 0) return;
    const { from, to, delta } = set.ends;
    c.save();
    c.beginPath();
    c.rect(view.left, view.top, view.width, view.height);
    c.clip();
    for (const i of withArrows(set)) {
      const [x0, y0] = toScreen(view.camera, view, from.x[i], from.y[i]);
      const [x1, y1] = toScreen(view.camera, view, to.x[i], to.y[i]);
      const length = Math.hypot(x1 - x0, y1 - y0);
      if (!(length > 1.5)) continue;
      const quiet = lit.active && lit.state[s][i] === 0;
      drawArrow(
        c,
        view.left + x0,
        view.top + y0,
        view.left + x1,
        view.top + y1,
        css(colorOf(scene, s, delta[i]), quiet ? 0.1 : 0.6),
      );
    }
    c.restore();
  });
}

function drawArrow(c: CanvasRenderingContext2D, x0: number, y0: number, x1: number, y1: number, style: string): void {
  const length = Math.hypot(x1 - x0, y1 - y0);
  const [ux, uy] = [(x1 - x0) / length, (y1 - y0) / length];
  const head = Math.min(7, length / 2);
  c.strokeStyle = style;
  c.fillStyle = style;
  c.lineWidth = 1.1;
  c.beginPath();
  c.moveTo(x0, y0);
  c.lineTo(x1 - ux * head, y1 - uy * head);
  c.stroke();
  c.beginPath();
  c.moveTo(x1, y1);
  c.lineTo(x1 - ux * head - uy * head * 0.45, y1 - uy * head + ux * head * 0.45);
  c.lineTo(x1 - ux * head + uy * head * 0.45, y1 - uy * head - ux * head * 0.45);
  c.closePath();
  c.fill();
}

/** What a card says of a point in place of firing rates. */
export function shiftStats(model: MapModel, set: number, point: number): string {
  return `${model.meta.shift!.delta} ${number(model.sets[set].ends!.delta[point], 4)}`;
}

/** Columns of the table: token, Δ, and Δ of the null. */
export function shiftColumns(model: MapModel): GridColumn[] {
  const [own, nulls] = model.sets;
  const { columns } = own;
  const delta = (set: MapSet, key: string, title: string): GridColumn => ({
    key,
    title,
    width: '6em',
    numeric: true,
    text: (i) => number(set.ends!.delta[i], 4),
    value: (i) => set.ends!.delta[i],
  });
  return [
    idColumn({ key: 'a', title: 'Token', width: '5.2em' }, (i) => columns.feature[i]),
    labelColumn('aLabel', 'Text', (i) => columns.labels[i]),
    delta(own, 'r', 'Δ'),
    ...(nulls ? [delta(nulls, 'nullDelta', 'Δ null')] : []),
  ];
}
