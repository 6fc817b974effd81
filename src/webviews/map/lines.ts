/** Lines of a joint map: from every child to the row of the smaller SAE that it lies nearest to. */
import { css } from '../ui/color.js';
import { toScreen } from '../plot/camera.js';
import { ring } from '../plot/marks.js';
import type { Palette } from '../plot/palette.js';
import type { Filters, Lit } from './filter.js';
import type { MapModel } from './model.js';
import { partStyle } from './shapes.js';
import type { Viewport } from './surface.js';

/** Lines drawn at most, those of largest cosine: more than that is a blur. */
const MAX_LINES = 5000;

/** Lines of less are put away at first: the nearest row need not be near. */
export const LEAST_COSINE = 0.5;

interface LineScene {
  model: MapModel;
  views: readonly Viewport[];
  palette: Palette;
  lit: Lit;
  filters: Filters;
}

/** Draws the lines of a joint map on a cleared canvas; null on other maps. */
export function linePainter(scene: LineScene): ((c: CanvasRenderingContext2D, ratio: number) => void) | null {
  const { parent, cosine } = scene.model.sets[0].columns;
  if (!parent || !cosine || !scene.model.sets[0].family) return null;
  const children = [...parent.keys()].filter((i) => parent[i] >= 0 && cosine[i] >= scene.filters.minR);
  const drawn = children.length <= MAX_LINES ? children : children.sort((i, j) => cosine[j] - cosine[i]);
  return (c, ratio) => drawLines(c, ratio, scene, drawn.slice(0, MAX_LINES));
}

function drawLines(c: CanvasRenderingContext2D, ratio: number, scene: LineScene, children: readonly number[]): void {
  const { model, views, lit } = scene;
  const [set, view] = [model.sets[0], views[0]];
  const { parent, cosine } = set.columns;
  c.setTransform(ratio, 0, 0, ratio, 0, 0);
  c.save();
  c.beginPath();
  c.rect(view.left, view.top, view.width, view.height);
  c.clip();
  c.lineWidth = 1;
  for (const i of children) {
    const p = parent![i];
    const quiet = lit.active && lit.state[0][i] === 0 && lit.state[0][p] === 0;
    const strength = Math.min(1, Math.max(0.08, cosine![i]));
    c.strokeStyle = css(partStyle(set.family!.part[p]).color, (quiet ? 0.1 : 0.5) * strength);
    line(c, view, [set.x[i], set.y[i]], [set.x[p], set.y[p]]);
  }
  c.restore();
}

function line(c: CanvasRenderingContext2D, view: Viewport, a: [number, number], b: [number, number]): void {
  const [x0, y0] = toScreen(view.camera, view, ...a);
  const [x1, y1] = toScreen(view.camera, view, ...b);
  c.beginPath();
  c.moveTo(view.left + x0, view.top + y0);
  c.lineTo(view.left + x1, view.top + y1);
  c.stroke();
}

/** The parent and the children of a point, with their lines in full. */
export function drawFamily(
  c: CanvasRenderingContext2D,
  scene: Omit<LineScene, 'lit' | 'filters'>,
  point: number,
): void {
  const [set, view] = [scene.model.sets[0], scene.views[0]];
  if (!set.family) return;
  const parent = set.columns.parent?.[point] ?? -1;
  const relatives = [...(parent >= 0 ? [parent] : []), ...(set.family.children.get(point) ?? [])];
  const { hover, ground } = scene.palette;
  c.strokeStyle = css(hover, 0.95);
  c.lineWidth = 1.6;
  for (const i of relatives) line(c, view, [set.x[i], set.y[i]], [set.x[point], set.y[point]]);
  for (const i of relatives) {
    const [x, y] = toScreen(view.camera, view, set.x[i], set.y[i]);
    const at = { x: view.left + x, y: view.top + y };
    ring(c, { ...at, radius: i === parent ? 9 : 5.5, color: hover, ground, width: 1.6, halo: 3, veil: 0.7 });
  }
}
