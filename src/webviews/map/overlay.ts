/** Rings, links between the maps, pin numbers, lasso: a 2D canvas above the points, redrawn on every pointer move. */
import { css, type Rgb } from '../ui/color.js';
import { toScreen } from '../plot/camera.js';
import { badge, lasso, ring } from '../plot/marks.js';
import type { Linked } from './counterparts.js';
import { drawFamily } from './lines.js';
import type { MapModel } from './model.js';
import type { Palette } from '../plot/palette.js';
import type { SelectedLink } from './selection.js';
import type { Viewport } from './surface.js';

export interface OverlayScene {
  model: MapModel;
  views: readonly Viewport[];
  palette: Palette;
  /** Hovered point and its counterparts. */
  hover: Linked | null;
  pins: readonly Linked[];
  /** Links of the selection, and its points between which a mesh is drawn, by set. */
  selected: readonly SelectedLink[];
  mesh: ReadonlyArray<readonly number[]>;
  /** Screen polygon being drawn, in canvas CSS pixels. */
  lasso: readonly number[] | null;
  ratio: number;
}

interface Spot {
  x: number;
  y: number;
  /** Outside its map's box: x, y is then on the border and `angle` points to it. */
  away: boolean;
  angle: number;
}

/** Where a point lies on the canvas; pulled to the edge of its map when it is out of view. */
function spotOf(scene: OverlayScene, set: number, point: number): Spot | null {
  const view = scene.views[set];
  const { x: xs, y: ys } = scene.model.sets[set];
  if (!view || view.width <= 0 || !Number.isFinite(xs[point]) || !Number.isFinite(ys[point])) return null;
  const [sx, sy] = toScreen(view.camera, view, xs[point], ys[point]);
  const inset = 12;
  const x = Math.min(view.width - inset, Math.max(inset, sx));
  const y = Math.min(view.height - inset, Math.max(inset, sy));
  const away = sx < 0 || sy < 0 || sx > view.width || sy > view.height;
  return {
    x: view.left + (away ? x : sx),
    y: view.top + (away ? y : sy),
    away,
    angle: Math.atan2(sy - y, sx - x),
  };
}

export function drawOverlay(context: CanvasRenderingContext2D, scene: OverlayScene): void {
  const { canvas } = context;
  context.setTransform(scene.ratio, 0, 0, scene.ratio, 0, 0);
  context.clearRect(0, 0, canvas.width / scene.ratio, canvas.height / scene.ratio);
  drawMesh(context, scene);
  for (const link of scene.selected) drawSelectedLink(context, scene, link);
  scene.pins.forEach((pin, k) => drawPair(context, scene, pin, scene.palette.text, String(k + 1)));
  if (scene.hover) drawFamily(context, scene, scene.hover.point);
  if (scene.hover) drawPair(context, scene, scene.hover, scene.palette.hover, null);
  lasso(context, scene.lasso, scene.palette);
}

function drawPair(
  c: CanvasRenderingContext2D,
  scene: OverlayScene,
  pair: Linked,
  color: Rgb,
  number: string | null,
): void {
  const here = spotOf(scene, pair.set, pair.point);
  for (const other of pair.others) drawOther(c, scene, here, spotOf(scene, 1 - pair.set, other), color);
  const there = pair.partner >= 0 ? spotOf(scene, 1 - pair.set, pair.partner) : null;
  if (here && there) drawLink(c, here, there, color, number === null, scene.palette.ground);
  if (here) drawSpot(c, here, color, scene.palette.ground, number, false);
  if (there) drawSpot(c, there, color, scene.palette.ground, number, true);
}

/** A thinner arc to a further counterpart, which has a small ring. */
function drawOther(
  c: CanvasRenderingContext2D,
  scene: OverlayScene,
  here: Spot | null,
  there: Spot | null,
  color: Rgb,
) {
  if (!here || !there) return;
  const { ground } = scene.palette;
  arc(c, here, there, [[3, css(ground, 0.5)], [1, css(color, 0.65)]]); // prettier-ignore
  if (there.away) drawArrow(c, there, color, ground);
  else ring(c, { ...there, radius: 5, color, ground, width: 1.4, halo: 3, veil: 0.7 });
}

/** A line between every two selected points of a map. */
function drawMesh(c: CanvasRenderingContext2D, scene: OverlayScene): void {
  c.strokeStyle = css(scene.palette.hit, 0.35);
  c.lineWidth = 1;
  scene.mesh.forEach((points, set) => {
    const spots = points
      .map((point) => spotOf(scene, set, point))
      .filter((spot) => spot !== null && !spot.away) as Spot[];
    c.beginPath();
    spots.forEach((a, i) => {
      for (const b of spots.slice(i + 1)) {
        c.moveTo(a.x, a.y);
        c.lineTo(b.x, b.y);
      }
    });
    c.stroke();
  });
}

/** A thin straight line; nothing where both ends are out of view. */
function drawSelectedLink(
  c: CanvasRenderingContext2D,
  scene: OverlayScene,
  { set, point, partner, further }: SelectedLink,
): void {
  const [a, b] = [spotOf(scene, set, point), spotOf(scene, 1 - set, partner)];
  if (!a || !b || (a.away && b.away)) return;
  const { hit, ground } = scene.palette;
  c.strokeStyle = css(hit, further ? 0.25 : 0.45);
  c.lineWidth = 1;
  c.beginPath();
  c.moveTo(a.x, a.y);
  c.lineTo(b.x, b.y);
  c.stroke();
  // Partners are lit by the map itself.
  if (further && !b.away) ring(c, { ...b, radius: 3.5, color: hit, ground, width: 1, halo: 2, veil: 0.6 });
}

/** A shallow arc with a halo of the ground colour, so that it stays visible over dense maps. */
function arc(c: CanvasRenderingContext2D, a: Spot, b: Spot, strokes: ReadonlyArray<readonly [number, string]>): void {
  const length = Math.hypot(b.x - a.x, b.y - a.y) || 1;
  const bend = Math.min(60, length * 0.12);
  const mx = (a.x + b.x) / 2 + ((a.y - b.y) / length) * -bend;
  const my = (a.y + b.y) / 2 - (Math.abs(b.x - a.x) / length) * bend;
  for (const [width, style] of strokes) {
    c.lineWidth = width;
    c.strokeStyle = style;
    c.beginPath();
    c.moveTo(a.x, a.y);
    c.quadraticCurveTo(mx, my, b.x, b.y);
    c.stroke();
  }
}

/** An arc, dashed between pins. */
function drawLink(c: CanvasRenderingContext2D, a: Spot, b: Spot, color: Rgb, strong: boolean, ground: Rgb): void {
  c.setLineDash(strong ? [] : [4, 4]);
  arc(c, a, b, [[strong ? 5 : 3, css(ground, 0.65)], [strong ? 1.8 : 1, css(color, strong ? 0.95 : 0.5)]]); // prettier-ignore
  c.setLineDash([]);
}

/** A ring (two for the partner), or an arrow at the border for a point out of view; pins carry their number. */
function drawSpot(
  c: CanvasRenderingContext2D,
  spot: Spot,
  color: Rgb,
  ground: Rgb,
  number: string | null,
  partner: boolean,
): void {
  if (spot.away) drawArrow(c, spot, color, ground);
  else
    for (const radius of partner ? [7, 11] : [8])
      ring(c, { ...spot, radius, color, ground, width: 2.2, halo: 5, veil: 0.8 });
  if (number !== null) badge(c, spot.x + 3, spot.y - 11, number, color, ground);
}

function drawArrow(c: CanvasRenderingContext2D, spot: Spot, color: Rgb, ground: Rgb): void {
  c.save();
  c.translate(spot.x, spot.y);
  c.rotate(spot.angle);
  c.beginPath();
  c.moveTo(9, 0);
  c.lineTo(-5, -7);
  c.lineTo(-1, 0);
  c.lineTo(-5, 7);
  c.closePath();
  c.fillStyle = css(color);
  c.strokeStyle = css(ground);
  c.lineWidth = 2;
  c.stroke();
  c.fill();
  c.restore();
}
