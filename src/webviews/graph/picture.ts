/** The graphs as one picture on paper: title, every shown graph with its counts, what colours mean, how it was made. */
import { css, type Rgb } from '../ui/color.js';
import type { Camera, Box } from '../plot/camera.js';
import { PAPER } from '../plot/palette.js';
import type { PaperPicture } from '../plot/paper.js';
import { histogram, type NodeColours } from './colour.js';
import { colourScale, keyEntries } from './legend.js';
import type { Lighting } from './lighting.js';
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

export interface GraphPicture {
  title: string;
  graphs: readonly PictureGraph[];
  colours: NodeColours;
  lighting: Lighting;
  /** Graphs side by side; those behind them stand below. */
  perRow: number;
}

const PAD = 24;
const TITLE = 34;
const HEAD = 46;
const GAP = 20;
const LINE = 22;
const BINS = 24;
const SANS = '"DejaVu Sans", Verdana, sans-serif';
const SMALL = `12px ${SANS}`;
const { text: INK, muted: MUTED } = PAPER;

/** The box of a graph of which `perRow` share a picture's width. */
export function roomOnPaper(width: number, perRow: number): Box {
  const each = (width - 2 * PAD - GAP * (perRow - 1)) / perRow;
  return { width: each, height: perRow > 1 ? each : each / 1.33 };
}

/** The picture of scenes that were made with the colours of paper. */
export function graphPicture(o: GraphPicture): PaperPicture {
  const rows: Array<{ graphs: readonly PictureGraph[]; top: number; height: number }> = [];
  let top = PAD + TITLE;
  for (let i = 0; i < o.graphs.length; i += o.perRow) {
    const graphs = o.graphs.slice(i, i + o.perRow);
    const height = graphs.reduce((most, g) => Math.max(most, g.box.height), 0);
    rows.push({ graphs, top, height });
    top += HEAD + height + GAP;
  }
  const inner = rows.map(({ graphs }) => graphs.reduce((sum, g) => sum + g.box.width + GAP, -GAP));
  const width = inner.reduce((most, wide) => Math.max(most, wide), 480) + 2 * PAD;
  const key = new Key(o, width - 2 * PAD);
  return {
    title: o.title,
    width,
    height: top + key.height + PAD,
    marks: o.graphs.reduce((sum, { scene }) => sum + scene.n + scene.edgeWidth.length, 0),
    draw(c, ratio) {
      c.setTransform(ratio, 0, 0, ratio, 0, 0);
      c.fillStyle = css(PAPER.ground);
      c.fillRect(0, 0, width, top + key.height + PAD);
      text(c, o.title, PAD, PAD + 10, { font: `600 17px ${SANS}`, room: width - 2 * PAD });
      for (const row of rows) {
        let x = PAD;
        for (const g of row.graphs) {
          drawGraph(c, g, x, row.top);
          x += g.box.width + GAP;
        }
      }
      key.draw(c, PAD, top + 8);
    },
  };
}

function drawGraph(c: CanvasRenderingContext2D, g: PictureGraph, x: number, top: number): void {
  const { width, height } = g.box;
  text(c, g.title, x, top + 8, { font: `600 13px ${SANS}`, room: width });
  text(c, g.detail, x, top + 26, { colour: MUTED, room: width });
  c.save();
  c.translate(x, top + HEAD);
  c.beginPath();
  c.rect(0, 0, width, height);
  c.clip();
  drawScene(c, g.scene, g.camera, g.box);
  drawMarks(c, { ...g, palette: PAPER });
  c.restore();
}

function text(
  c: CanvasRenderingContext2D,
  value: string,
  x: number,
  y: number,
  { font = SMALL, colour = INK, room = Infinity }: { font?: string; colour?: Rgb; room?: number } = {},
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

const widthOf = (value: string): number => 0.6 * 12 * value.length;

/** What colours mean, in lines that fit. */
class Key {
  private readonly entries: Array<{ x: number; line: number; draw(c: CanvasRenderingContext2D, x: number, y: number): void }> = []; // prettier-ignore
  readonly height: number;

  constructor({ colours, lighting }: GraphPicture, room: number) {
    let [x, line] = [0, 0];
    const add = (width: number, draw: (c: CanvasRenderingContext2D, x: number, y: number) => void): void => {
      if (x > 0 && x + width > room) [x, line] = [0, line + 1];
      this.entries.push({ x, line, draw });
      x += width + 18;
    };
    if (!colours.classes) add(scaleWidth(colours), (c, at, y) => drawScale(c, colours, at, y));
    for (const { colour, hollow, text: words } of keyEntries(colours, lighting, PAPER))
      add(widthOf(words) + (colour ? 18 : 0), (c, at, y) => {
        if (colour) drawSwatch(c, colour, hollow, at + 6, y);
        text(c, words, at + (colour ? 18 : 0), y, { colour: MUTED });
      });
    this.height = LINE * (line + 1);
  }

  draw(c: CanvasRenderingContext2D, left: number, top: number): void {
    for (const { x, line, draw } of this.entries) draw(c, left + x, top + LINE * line + LINE / 2);
  }
}

function drawSwatch(c: CanvasRenderingContext2D, colour: Rgb, hollow: boolean, x: number, y: number): void {
  c.beginPath();
  c.arc(x, y, 5, 0, 2 * Math.PI);
  c.fillStyle = c.strokeStyle = css(colour);
  c.lineWidth = 1.6;
  if (hollow) c.stroke();
  else c.fill();
}

function scaleWidth(colours: NodeColours): number {
  const { title, low, high } = colourScale(colours);
  return widthOf(title) + widthOf(low) + widthOf(high) + BINS * 6 + 26;
}

/** The scale with the histogram of the nodes standing on it. */
function drawScale(c: CanvasRenderingContext2D, colours: NodeColours, x: number, y: number): void {
  const { title, low, high } = colourScale(colours);
  let at = x + text(c, title, x, y, { colour: MUTED }) + 10;
  at += text(c, low, at, y) + 8;
  const counts = histogram(colours, BINS);
  const most = counts.reduce((a, b) => Math.max(a, b), 1);
  counts.forEach((n, i) => {
    c.fillStyle = css(PAPER.links[Math.round((255 * (i + 0.5)) / BINS)]);
    const tall = (10 * n) / most;
    c.fillRect(at + i * 6, y + 1 - tall, 5, tall);
    c.fillRect(at + i * 6, y + 1, 6, 5);
  });
  text(c, high, at + BINS * 6 + 8, y);
}
