/** Rings, labels, pin numbers and lasso above the nodes: a 2D canvas, and the same marks in exported pictures. */
import { css, mix, type Rgb } from '../ui/color.js';
import { toScreen, type Box, type Camera } from '../map/camera.js';
import type { Palette } from '../map/paint.js';
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
  for (let i = 0; i < scene.n; i++)
    if (scene.level[i] === 2) ring(c, spot(i), palette.hit, palette.ground, 1.2 + 1.4 * scene.share[i], 1.5);
  for (const node of marks.picked) ring(c, spot(node), palette.hover, palette.ground, 2.4, 3);
  drawLabels(c, o);
  for (const { node, number } of marks.pins) {
    const at = spot(node);
    ring(c, at, palette.text, palette.ground, 2.2, 3);
    badge(c, at.x + at.r * 0.72 + 4, at.y - at.r * 0.72 - 4, String(number), palette.text, palette.ground);
  }
  if (marks.hover >= 0) ring(c, spot(marks.hover), palette.hover, palette.ground, 2.4, 3.5);
  if (marks.lasso && marks.lasso.length >= 4) lasso(c, marks.lasso, palette);
}

function ring(
  c: CanvasRenderingContext2D,
  at: { x: number; y: number; r: number },
  colour: Rgb,
  ground: Rgb,
  width: number,
  gap: number,
): void {
  for (const [line, style] of [
    [width + 2.6, css(ground, 0.75)],
    [width, css(colour)],
  ] as const) {
    c.beginPath();
    c.arc(at.x, at.y, at.r + gap, 0, 2 * Math.PI);
    c.lineWidth = line;
    c.strokeStyle = style;
    c.stroke();
  }
}

const FONT = '11px system-ui, -apple-system, "Segoe UI", Roboto, sans-serif';
const MAX_LABELS = 70;

/** Labels of the largest nodes in view (of lit ones where some are), none over another. */
function drawLabels(
  c: CanvasRenderingContext2D,
  o: { scene: Scene; marks: Marks; camera: Camera; box: Box; palette: Palette },
): void {
  const { scene, marks, camera, box, palette } = o;
  const grow = magnify(camera);
  const wanted: number[] = [];
  for (let i = 0; i < scene.n; i++) if (scene.level[i] > 0) wanted.push(i);
  wanted.sort((a, b) => scene.share[b] - scene.share[a] || scene.radius[b] - scene.radius[a] || a - b);
  const taken: Array<[number, number, number, number]> = [];
  c.font = FONT;
  c.textAlign = 'center';
  c.textBaseline = 'middle';
  c.lineJoin = 'round';
  for (const node of wanted) {
    if (taken.length >= MAX_LABELS) break;
    const [x, y] = toScreen(camera, box, scene.x[node], scene.y[node]);
    const r = scene.radius[node] * grow;
    if (x < 0 || y < 0 || x > box.width || y > box.height) continue;
    const percent = marks.matched && scene.level[node] === 2 ? ` ${Math.round(100 * scene.share[node])} %` : '';
    const text = `${marks.label(node)}${percent}`;
    if (text === '') continue;
    const half = c.measureText(text).width / 2 + 3;
    const top = y + r + 2;
    if (x - half < 0 || x + half > box.width || top + 14 > box.height) continue;
    const rect: [number, number, number, number] = [x - half, top, x + half, top + 14];
    if (taken.some((t) => t[0] < rect[2] && rect[0] < t[2] && t[1] < rect[3] && rect[1] < t[3])) continue;
    taken.push(rect);
    c.lineWidth = 3.5;
    c.strokeStyle = css(palette.ground, 0.9);
    c.strokeText(text, x, top + 7);
    c.fillStyle = css(scene.level[node] === 2 ? palette.text : mix(palette.text, palette.ground, 0.12));
    c.fillText(text, x, top + 7);
  }
}

function badge(c: CanvasRenderingContext2D, x: number, y: number, text: string, colour: Rgb, ground: Rgb): void {
  c.font = '600 11px system-ui, sans-serif';
  const width = Math.max(16, c.measureText(text).width + 8);
  c.beginPath();
  c.roundRect(x - width / 2, y - 8, width, 16, 8);
  c.fillStyle = css(colour);
  c.strokeStyle = css(ground);
  c.lineWidth = 2;
  c.stroke();
  c.fill();
  c.fillStyle = css(ground);
  c.textAlign = 'center';
  c.textBaseline = 'middle';
  c.fillText(text, x, y + 0.5);
}

function lasso(c: CanvasRenderingContext2D, polygon: readonly number[], palette: Palette): void {
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
