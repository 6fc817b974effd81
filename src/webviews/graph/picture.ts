/** The graphs as one picture: title, every shown graph with its counts, the scale, how it was made. */
import { css, type Rgb } from '../ui/color.js';
import { pictureBase64 } from '../ui/picture.js';
import type { Camera, Box } from '../plot/camera.js';
import type { Palette } from '../plot/palette.js';
import { valueText } from './card.js';
import { histogram, type NodeColours } from './colour.js';
import { drawMarks, type Marks } from './overlay.js';
import type { Scene } from './scene.js';
import { drawScene } from './surface.js';

export interface PictureGraph {
  scene: Scene;
  marks: Marks;
  camera: Camera;
  box: Box;
  title: string;
  detail: string;
}

/** Pixels of the picture per pixel of the screen. */
const SCALE = 2;
const PAD = 24;
const HEAD = 46;
const GAP = 20;
const SANS = 'system-ui, -apple-system, "Segoe UI", Roboto, sans-serif';

/** PNG bytes as base64. */
export function picture(o: {
  title: string;
  graphs: PictureGraph[];
  colours: NodeColours;
  palette: Palette;
}): Promise<string> {
  const { graphs } = o;
  const inner = graphs.reduce((sum, g) => sum + g.box.width, 0) + GAP * (graphs.length - 1);
  const height = graphs.reduce((m, g) => Math.max(m, g.box.height), 0);
  const width = Math.max(inner, 640) + 2 * PAD;
  const size = { width, height: height + 2 * PAD + 2 * HEAD + 24 };
  return pictureBase64(size, SCALE, (c) => draw(c, o, { ...size, height }));
}

type Picture = Parameters<typeof picture>[0];

function draw(c: CanvasRenderingContext2D, o: Picture, { width, height }: Box): void {
  const { graphs, palette } = o;
  c.scale(SCALE, SCALE);
  c.fillStyle = css(palette.ground);
  c.fillRect(0, 0, c.canvas.width, c.canvas.height);
  text(c, o.title, PAD, PAD + 10, `600 17px ${SANS}`, palette.text, width - 2 * PAD);
  let x = PAD;
  for (const g of graphs) {
    const top = PAD + 34;
    text(c, g.title, x, top + 8, `600 13px ${SANS}`, palette.text, g.box.width);
    text(c, g.detail, x, top + 26, `12px ${SANS}`, palette.muted, g.box.width);
    c.save();
    c.translate(x, top + HEAD);
    c.beginPath();
    c.rect(0, 0, g.box.width, g.box.height);
    c.clip();
    drawScene(c, g.scene, g.camera, g.box);
    drawMarks(c, { ...g, palette });
    c.restore();
    x += g.box.width + GAP;
  }
  drawScale(c, o.colours, palette, PAD, height + PAD + HEAD + 56);
}

function text(
  c: CanvasRenderingContext2D,
  value: string,
  x: number,
  y: number,
  font: string,
  colour: Rgb,
  room: number,
): number {
  c.font = font;
  c.textAlign = 'left';
  c.textBaseline = 'middle';
  c.fillStyle = css(colour);
  let shown = value;
  while (shown.length > 1 && c.measureText(shown).width > room) shown = `${shown.slice(0, -2).trimEnd()}…`;
  c.fillText(shown, x, y);
  return c.measureText(shown).width;
}

function drawScale(c: CanvasRenderingContext2D, colours: NodeColours, palette: Palette, x: number, y: number): void {
  const font = `12px ${SANS}`;
  let at = x + text(c, colours.title + (colours.log ? ' (log)' : ''), x, y, font, palette.muted, 300) + 10;
  if (colours.classes) return;
  at +=
    text(
      c,
      `${colours.clipped[0] ? '≤ ' : ''}${valueText(colours, colours.range[0])}`,
      at,
      y,
      font,
      palette.text,
      100,
    ) + 8;
  const bins = 24;
  const counts = histogram(colours, bins);
  const most = counts.reduce((a, b) => Math.max(a, b), 1);
  counts.forEach((n, i) => {
    c.fillStyle = css(palette.links[Math.round((255 * (i + 0.5)) / bins)]);
    const tall = (22 * n) / most;
    c.fillRect(at + i * 6, y - 2 - tall, 5, tall);
    c.fillRect(at + i * 6, y, 6, 7);
  });
  at += bins * 6 + 8;
  text(c, `${colours.clipped[1] ? '≥ ' : ''}${valueText(colours, colours.range[1])}`, at, y, font, palette.text, 100);
}
