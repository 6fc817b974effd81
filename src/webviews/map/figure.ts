/**
 * A map as a picture that leaves the editor: title, the maps with their captions, legend, and how they were made. Drawn with
 * a canvas's calls, so that a canvas gives its pixels and a vector pen its SVG.
 */
import type { MapMeta } from '../../protocol/map.js';
import { HOME, toScreen, type Camera } from '../plot/camera.js';
import { PAPER, type Palette } from '../plot/palette.js';
import type { PaperPicture } from '../plot/paper.js';
import { svgOf } from '../plot/vectorPen.js';
import { css } from '../ui/color.js';
import { plural } from '../ui/format.js';
import { colourValues } from './colourValues.js';
import { contourPainter, contoursOf } from './contours.js';
import { columnOfColor } from './columns.js';
import { computeLit, groupIndices, type Filters, type Lit } from './filter.js';
import { provenance } from './frame.js';
import { legendEntries, type LegendEntry } from './legendEntries.js';
import { linePainter } from './lines.js';
import type { MapModel } from './model.js';
import { namePainter } from './names.js';
import { baseDiameter, paint, rateScale } from './paint.js';
import { regionsOf, type Regions } from './regions.js';
import { CROSS, HOLLOW, OUTLINE } from './shapes.js';
import { arrowPainter, moveTo, unitOf } from './shift.js';
import { firstFilters } from './state.js';
import type { Batch, Viewport } from './surface.js';

/** What is seen of one map. */
export interface FigureView {
  width: number;
  height: number;
  camera: Camera;
}

export interface MapFigure {
  model: MapModel;
  filters: Filters;
  lit: Lit;
  /** Of each map; [] where the map has none. */
  regions: readonly Regions[];
  /** Lines of joint maps and arrows of maps of before and after. */
  arrows: boolean;
  /** One for each map that is shown, from the first on. */
  views: readonly FigureView[];
}

const PAD = 24;
const HEAD = 40;
const TITLE_SIZE = 13;
const TITLE_LINE = 17;
const TITLE = 34;
const GAP = 20;
const LINE = 20;
const SIDE = 520;
const SANS = '"DejaVu Sans", Verdana, sans-serif';

interface Figure extends MapFigure {
  palette: Palette;
  placed: Viewport[];
  /** Of each map, in lines. */
  titles: string[][];
  legend: Array<Array<{ entry: LegendEntry; x: number }>>;
  notes: string[];
  width: number;
  height: number;
}

/** What the axes mean, in words. */
function axesOf({ plane, sets: [{ layout }] }: MapMeta): string {
  if (/^pca/i.test(layout)) return 'x: first principal component, y: second';
  if (plane === 'shared') return 'both maps share one plane without a unit: nearness counts, between the maps too';
  if (/umap/i.test(layout)) return 'axes have no unit: nearness counts, distance between far groups does not';
  return '';
}

const widthOfText = (text: string, size: number): number => 0.6 * size * text.length;

/** Room of a map's name before its title. */
const nameWidth = ({ sets }: MapModel, s: number): number => widthOfText(sets[s].name, TITLE_SIZE) + 10;

const entryText = (entry: LegendEntry): string =>
  entry.kind === 'scale' ? `${entry.title} ${entry.low} ${entry.high}` : entry.text;

/** Entries in lines that fit. */
function linesOf(entries: readonly LegendEntry[], width: number): Figure['legend'] {
  const lines: Figure['legend'] = [];
  let x = Infinity;
  for (const entry of entries) {
    const wide = widthOfText(entryText(entry), 12) + (entry.kind === 'scale' ? 150 : 40);
    if (x + wide > width) {
      lines.push([]);
      x = 0;
    }
    lines.at(-1)!.push({ entry, x });
    x += wide;
  }
  return lines;
}

function wrapped(text: string, width: number, size = 11): string[] {
  const lines: string[] = [];
  for (const word of text.split(' ')) {
    const last = lines.at(-1);
    if (last !== undefined && widthOfText(`${last} ${word}`, size) <= width)
      lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(word);
  }
  return lines;
}

function layOut(given: MapFigure): Figure {
  const { model, views, filters, lit, regions } = given;
  const height = views.reduce((most, view) => Math.max(most, view.height), 0);
  let left = PAD;
  const titles = views.map(({ width: room }, s) =>
    wrapped(model.sets[s].meta.title, room - nameWidth(model, s), TITLE_SIZE),
  );
  const head = HEAD + TITLE_LINE * (titles.reduce((most, lines) => Math.max(most, lines.length), 1) - 1);
  const placed = views.map((view, s) => {
    const at = { ...view, left, top: PAD + TITLE + head, reach: model.sets[s].reach };
    left += view.width + GAP;
    return at;
  });
  const width = Math.max(left - GAP + PAD, 480);
  const rates = rateScale(model);
  const groups = filters.colorBy === 'group' ? groupIndices(model) : [];
  const values = colourValues({ model, colorBy: filters.colorBy, rates, regions, groups });
  const entries = legendEntries({ model, filters, lit, palette: PAPER, rates, regions, values });
  const legend = linesOf(entries, width - 2 * PAD);
  const text = [...provenance(model), axesOf(model.meta)].filter(Boolean).join(' · ');
  const notes = wrapped(text, width - 2 * PAD);
  const foot = 16 + LINE * (legend.length + notes.length);
  return {
    ...given,
    palette: PAPER,
    placed,
    titles,
    legend,
    notes,
    width,
    height: PAD + TITLE + head + height + foot + PAD,
  };
}

function text(c: CanvasRenderingContext2D, value: string, x: number, y: number, room: number): void {
  let shown = value;
  while (shown.length > 1 && c.measureText(shown).width > room) shown = `${shown.slice(0, -2).trimEnd()}…`;
  c.fillText(shown, x, y);
}

const SIDES: Record<number, ReadonlyArray<readonly [number, number]>> = {
  1: [[-0.86, -0.86], [0.86, -0.86], [0.86, 0.86], [-0.86, 0.86]],
  2: [[0, -1], [0.866, 0.5], [-0.866, 0.5]],
  3: [[0, -1.1], [1.1, 0], [0, 1.1], [-1.1, 0]],
}; // prettier-ignore

/** The outline of a plus whose arms are `arm` thick, turned by a number of eighths of a circle. */
function plus(arm: number, eighths: number): Array<readonly [number, number]> {
  const corners: Array<[number, number]> = [[arm, -1], [arm, -arm], [1, -arm], [1, arm], [arm, arm], [arm, 1], [-arm, 1], [-arm, arm], [-1, arm], [-1, -arm], [-arm, -arm], [-arm, -1]]; // prettier-ignore
  const [cos, sin] = [Math.cos((eighths * Math.PI) / 4), Math.sin((eighths * Math.PI) / 4)];
  return corners.map(([x, y]) => [x * cos - y * sin, x * sin + y * cos]);
}
const PLUS = plus(0.36, 0);
const DEAD = plus(0.24, 1);

/** A mark as the map draws it: a filled shape, its rim alone, or with a rim in the text's colour. */
function mark(
  c: CanvasRenderingContext2D,
  at: { x: number; y: number; r: number; shape: number },
  colour: string,
  rim: string,
): void {
  const { x, y, r } = at;
  const kind = at.shape & 7;
  const corners = kind === 4 ? PLUS : kind === CROSS ? DEAD : SIDES[kind];
  c.beginPath();
  if (!corners) c.arc(x, y, r, 0, 2 * Math.PI);
  corners?.forEach(([dx, dy], i) => (i === 0 ? c.moveTo(x + dx * r, y + dy * r) : c.lineTo(x + dx * r, y + dy * r)));
  if (corners) c.closePath();
  if (at.shape & HOLLOW) {
    c.strokeStyle = colour;
    c.lineWidth = 1.6;
    return c.stroke();
  }
  c.fillStyle = colour;
  c.fill();
  if (!(at.shape & OUTLINE)) return;
  c.strokeStyle = rim;
  c.lineWidth = 1.6;
  c.stroke();
}

function drawPoints(c: CanvasRenderingContext2D, batch: Batch, view: Viewport, rim: string): void {
  for (let k = 0; k < batch.n; k++) {
    const [x, y] = toScreen(view.camera, view, batch.position[2 * k], batch.position[2 * k + 1]);
    const r = batch.mark[2 * k] / 4;
    if (x < -r || y < -r || x > view.width + r || y > view.height + r) continue;
    const [red, green, blue, alpha] = batch.color.subarray(4 * k, 4 * k + 4);
    const colour = css([red, green, blue], Math.round((1000 * alpha) / 255) / 1000);
    mark(c, { x: view.left + x, y: view.top + y, r, shape: batch.mark[2 * k + 1] }, colour, rim);
  }
}

/** The points of a map as they are drawn, in their order. */
export function figureBatch({ model, filters, lit, regions }: MapFigure, s: number, view: FigureView): Batch {
  const groups = filters.colorBy === 'group' ? groupIndices(model) : [];
  const column = columnOfColor(model.added, filters.colorBy);
  const { n, dead, deadCount } = model.sets[s];
  const visible = filters.showDead ? n : n - (dead.length > 0 ? deadCount : 0);
  const diameter = baseDiameter(visible, view.width, view.height);
  return paint({ model, filters, lit, palette: PAPER, groups, rates: rateScale(model), regions, column, diameter }, s);
}

function drawEntry(c: CanvasRenderingContext2D, entry: LegendEntry, x: number, y: number, palette: Palette): void {
  c.font = `12px ${SANS}`;
  const words = (value: string, at: number): number => {
    c.fillStyle = css(palette.text);
    c.fillText(value, at, y);
    return at + widthOfText(value, 12);
  };
  if (entry.kind === 'text') return void words(entry.text, x);
  if (entry.kind === 'mark') {
    const flag = entry.rim === 'hollow' ? HOLLOW : entry.rim === 'outlined' ? OUTLINE : 0;
    mark(c, { x: x + 6, y, r: 5, shape: entry.shape | flag }, css(entry.color), css(palette.text));
    return void words(entry.text, x + 16);
  }
  const from = words(entry.low, words(entry.title, x) + 8) + 6;
  const bins = entry.counts.length || 32;
  const most = entry.counts.reduce((a, b) => Math.max(a, b), 1);
  const wide = 96 / bins;
  for (let i = 0; i < bins; i++) {
    c.fillStyle = css(entry.colors[Math.round((255 * (i + 0.5)) / bins)]);
    // The histogram stands on its colours.
    const tall = entry.counts.length > 0 ? (10 * entry.counts[i]) / most : 6;
    c.fillRect(from + wide * i, y + 1 - tall, wide - (entry.counts.length > 0 ? 0.6 : -0.2), tall);
    c.fillRect(from + wide * i, y + 1, wide + 0.2, 4);
  }
  words(entry.high, from + 102);
}

function drawMaps(c: CanvasRenderingContext2D, figure: Figure, ratio: number): void {
  const { model, palette, placed, filters, lit } = figure;
  const scene = { model, views: placed, palette, filters, lit };
  if (!model.meta.shift) contourPainter(model.sets.map((set) => contoursOf(set)), placed, palette)?.(c, ratio); // prettier-ignore
  c.setTransform(ratio, 0, 0, ratio, 0, 0);
  placed.forEach((view, s) => {
    const set = model.sets[s];
    c.font = `600 ${TITLE_SIZE}px ${SANS}`;
    c.fillStyle = css(palette.sets[s]);
    const lines = figure.titles[s];
    const first = view.top - 28 - TITLE_LINE * (lines.length - 1);
    c.fillText(set.name, view.left, first);
    c.fillStyle = css(palette.text);
    const indent = nameWidth(model, s);
    lines.forEach((line, i) => text(c, line, view.left + indent, first + TITLE_LINE * i, view.width - indent));
    c.font = `12px ${SANS}`;
    c.fillStyle = css(palette.muted);
    const dead = set.deadCount > 0 ? ` · ${set.deadCount} dead${filters.showDead ? '' : ' hidden'}` : '';
    text(c, `${plural(set.n - set.deadCount, unitOf(model))}${dead}`, view.left, view.top - 11, view.width);
    c.save();
    c.beginPath();
    c.rect(view.left, view.top, view.width, view.height);
    c.clip();
    drawPoints(c, figureBatch(figure, s, view), view, css(palette.text));
    c.restore();
  });
  const lines = figure.arrows ? (linePainter(scene) ?? arrowPainter(scene)) : null;
  lines?.(c, ratio);
  namePainter(
    figure.regions.map(({ list }) => list),
    placed,
    palette,
  )?.(c, ratio);
  c.setTransform(ratio, 0, 0, ratio, 0, 0);
  c.textAlign = 'left';
}

/** @param ratio pixels of the picture per unit of its size. */
function draw(c: CanvasRenderingContext2D, figure: Figure, ratio: number): void {
  const { model, palette, width, height } = figure;
  c.setTransform(ratio, 0, 0, ratio, 0, 0);
  c.textBaseline = 'middle';
  c.textAlign = 'left';
  c.fillStyle = css(palette.ground);
  c.fillRect(0, 0, width, height);
  c.fillStyle = css(palette.text);
  c.font = `600 17px ${SANS}`;
  text(c, model.meta.title, PAD, PAD + 10, width - 2 * PAD);
  drawMaps(c, figure, ratio);
  let y = figure.placed.reduce((low, view) => Math.max(low, view.top + view.height), 0) + 24;
  for (const line of figure.legend) {
    for (const { entry, x } of line) drawEntry(c, entry, PAD + x, y, palette);
    y += LINE;
  }
  c.font = `11px ${SANS}`;
  c.fillStyle = css(palette.muted);
  for (const line of figure.notes) {
    c.fillText(line, PAD, y);
    y += LINE;
  }
}

/** The picture, ready to be drawn. */
export function mapPicture(given: MapFigure): PaperPicture {
  const figure = layOut(given);
  const { width, height, model } = figure;
  const marks = model.sets.reduce((sum, { n }) => sum + n, 0);
  return { title: model.meta.title, width, height, marks, draw: (c, ratio) => draw(c, figure, ratio) };
}

/** The picture as SVG text. */
export function mapSvg(given: MapFigure): string {
  const picture = mapPicture(given);
  return svgOf(picture, picture.title, (c) => picture.draw(c, 1));
}

/** The same maps side by side in a picture of this width, each as high as it is in proportion. */
export function figureOfWidth(given: MapFigure, width: number): MapFigure {
  const { views, model } = given;
  const each = (width - 2 * PAD - GAP * (views.length - 1)) / views.length;
  const tall = views.map((_, s) => model.sets[s].reach[1] / model.sets[s].reach[0]);
  const height =
    each *
    Math.min(
      views.length > 1 ? 1 : 0.75,
      tall.reduce((most, ratio) => Math.max(most, ratio), 0.5),
    );
  return { ...given, views: views.map(({ camera }) => ({ camera, width: each, height })) };
}

/** The map as it is first seen, its maps as squares. */
export function firstFigure(model: MapModel): MapFigure {
  const filters = firstFilters(model);
  moveTo(model, 1);
  const views = model.sets.map(() => ({ width: SIDE, height: SIDE, camera: HOME }));
  const regions = model.meta.shift ? [] : model.sets.map((set) => regionsOf(set));
  return { model, filters, lit: computeLit(model, filters), regions, arrows: true, views };
}
