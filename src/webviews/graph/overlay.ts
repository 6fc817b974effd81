/** Rings, labels, pin numbers and lasso above the nodes: a 2D canvas, and the same marks in exported pictures. */
import { css, mix, type Rgb } from '../ui/color.js';
import { badge, badgeWidth, lasso, ring } from '../plot/marks.js';
import { toScreen, type Box, type Camera } from '../plot/camera.js';
import type { Palette } from '../plot/palette.js';
import { magnify, type Scene } from './scene.js';

export interface Marks {
  hover: number;
  /** Node and number of each pin in this graph. */
  pins: ReadonlyArray<{ node: number; number: number }>;
  /** Nodes that hold the feature that another view picked. */
  picked: ReadonlySet<number>;
  /** Screen polygon being drawn. */
  lasso: readonly number[] | null;
  /** Text of a node's label; '' = none. */
  label(node: number): string;
  /** Whether the shares of lit nodes are overlaps, written beside them. */
  matched: boolean;
}

export function drawMarks(
  c: CanvasRenderingContext2D,
  o: { scene: Scene; marks: Marks; camera: Camera; box: Box; palette: Palette },
): void {
  const { scene, marks, camera, box, palette } = o;
  const grow = magnify(camera);
  const spot = (node: number) => {
    const [x, y] = toScreen(camera, box, scene.x[node], scene.y[node]);
    return { x, y, r: scene.radius[node] * grow };
  };
  const around = (node: number, color: Rgb, width: number, gap: number) => {
    const { x, y, r } = spot(node);
    ring(c, { x, y, radius: r + gap, color, ground: palette.ground, width, halo: width + 2.6, veil: 0.75 });
  };
  for (let i = 0; i < scene.n; i++) if (scene.level[i] === 2) around(i, palette.hit, 1.2 + 1.4 * scene.share[i], 1.5);
  for (const node of marks.picked) around(node, palette.hover, 2.4, 3);
  drawLabels(c, o);
  for (const { node, number } of marks.pins) {
    around(node, palette.text, 2.2, 3);
    const { x, y, r } = spot(node);
    const text = String(number);
    badge(c, x + r * 0.72 + 4 - badgeWidth(c, text) / 2, y - r * 0.72 - 4, text, palette.text, palette.ground);
  }
  if (marks.hover >= 0) around(marks.hover, palette.hover, 2.4, 3.5);
  lasso(c, marks.lasso, palette);
}

const FONT = '11px system-ui, -apple-system, "Segoe UI", Roboto, sans-serif';
const MAX_LABELS = 70;

type Rect = [left: number, top: number, right: number, bottom: number];

const LINE = 14;

/** Places for a label of half width `half` around a node, best first: below, above, right, left. */
function placesAround(x: number, y: number, r: number, half: number): Rect[] {
  const gap = 2;
  const [left, top] = [x - half, y - LINE / 2];
  return [
    [left, y + r + gap, x + half, y + r + gap + LINE],
    [left, y - r - gap - LINE, x + half, y - r - gap],
    [x + r + gap, top, x + r + gap + 2 * half, top + LINE],
    [x - r - gap - 2 * half, top, x - r - gap, top + LINE],
  ];
}

const apart = (a: Rect, b: Rect) => a[0] >= b[2] || b[0] >= a[2] || a[1] >= b[3] || b[1] >= a[3];

/** Labels of the largest nodes in view (of lit ones first), over no other label and no other node. */
function drawLabels(
  c: CanvasRenderingContext2D,
  o: { scene: Scene; marks: Marks; camera: Camera; box: Box; palette: Palette },
): void {
  const { scene, marks, camera, box, palette } = o;
  const grow = magnify(camera);
  const discs: Rect[] = [];
  const seen: Array<{ node: number; x: number; y: number; r: number }> = [];
  for (let node = 0; node < scene.n; node++) {
    const [x, y] = toScreen(camera, box, scene.x[node], scene.y[node]);
    const r = scene.radius[node] * grow;
    if (x < -r || y < -r || x > box.width + r || y > box.height + r) continue;
    // The square inside the disc: labels may touch a rim.
    if (scene.level[node] > 0) discs.push([x - 0.7 * r, y - 0.7 * r, x + 0.7 * r, y + 0.7 * r]);
    if (scene.level[node] > 0) seen.push({ node, x, y, r });
  }
  seen.sort((a, b) => scene.share[b.node] - scene.share[a.node] || b.r - a.r || a.node - b.node);
  const taken: Rect[] = [];
  c.font = FONT;
  c.textAlign = 'center';
  c.textBaseline = 'middle';
  c.lineJoin = 'round';
  for (const { node, x, y, r } of seen.slice(0, 6 * MAX_LABELS)) {
    if (taken.length >= MAX_LABELS) break;
    const percent = marks.matched && scene.level[node] === 2 ? ` ${Math.round(100 * scene.share[node])} %` : '';
    const text = `${marks.label(node)}${percent}`;
    if (text === '') continue;
    const free = placesAround(x, y, r, c.measureText(text).width / 2 + 3).find(
      (rect) =>
        rect[0] >= 0 &&
        rect[1] >= 0 &&
        rect[2] <= box.width &&
        rect[3] <= box.height &&
        taken.every((other) => apart(rect, other)) &&
        discs.every((other) => apart(rect, other)),
    );
    if (!free) continue;
    taken.push(free);
    const [tx, ty] = [(free[0] + free[2]) / 2, (free[1] + free[3]) / 2];
    c.lineWidth = 3.5;
    c.strokeStyle = css(palette.ground, 0.9);
    c.strokeText(text, tx, ty);
    c.fillStyle = css(scene.level[node] === 2 ? palette.text : mix(palette.text, palette.ground, 0.12));
    c.fillText(text, tx, ty);
  }
}
