/** The selection, which is what is lit: its points, its links, where it lies, what it is copied as. */
import { labelAt } from '../ui/bundle.js';
import { labelLine } from '../ui/format.js';
import { scaleOf, type Camera } from '../plot/camera.js';
import { othersOf } from './counterparts.js';
import { linkOf, type Lit } from './filter.js';
import type { MapModel } from './model.js';
import type { Viewport } from './surface.js';

/** Points a side between which a mesh is drawn: more is a blur. */
export const MAX_MESH = 32;
/** Lines to counterparts that are drawn, the first of them. */
export const MAX_SELECTED_LINES = 400;

/** Lit points of each set; with partners of hits where `partners`. */
export const litPoints = ({ state }: Lit, partners = false): number[][] =>
  state.map((of) => [...of.keys()].filter((i) => of[i] === 1 || (partners && of[i] === 2)));

/** A line from a selected point to a counterpart; `further`: to another than its partner. */
export interface SelectedLink {
  set: number;
  point: number;
  partner: number;
  further: boolean;
}

/** Links of the selected points to all their counterparts, each pair once: partners first, then the others, the largest r first. */
export function selectedLinks(model: MapModel, lit: Lit, minR: number): SelectedLink[] {
  if (!model.twin || !lit.active) return [];
  const seen = new Set<string>();
  const links: Array<SelectedLink & { r: number }> = [];
  const add = (set: number, point: number, to: { point: number; r: number }, further: boolean): void => {
    const key = set === 0 ? `${point} ${to.point}` : `${to.point} ${point}`;
    if (to.point < 0 || seen.has(key)) return;
    seen.add(key);
    links.push({ set, point, partner: to.point, further, r: to.r });
  };
  const points = litPoints(lit).flatMap((of, set) => of.map((point) => ({ set, point })));
  for (const { set, point } of points) {
    const of = model.sets[set];
    add(set, point, { point: linkOf(of, point, minR), r: of.r[point] }, false);
  }
  for (const { set, point } of points)
    for (const other of othersOf(model.sets[set], point, minR)) add(set, point, other, true);
  return links.sort((a, b) => Number(a.further) - Number(b.further) || b.r - a.r).map(({ r: _, ...link }) => link);
}

/** The camera that shows these points; the one at hand where there are none. */
export function cameraOn(view: Viewport, x: Float32Array, y: Float32Array, points: readonly number[]): Camera {
  const at = points.filter((i) => Number.isFinite(x[i]) && Number.isFinite(y[i]));
  if (at.length === 0) return view.camera;
  const ends = (v: Float32Array) =>
    at.reduce(([a, b], i) => [Math.min(a, v[i]), Math.max(b, v[i])], [Infinity, -Infinity]);
  const [[left, right], [low, high]] = [ends(x), ends(y)];
  const middle = { x: (left + right) / 2, y: (low + high) / 2 };
  const perZoom = scaleOf({ ...middle, zoom: 1 }, view);
  const room = Math.min(view.width / Math.max(1e-3, right - left), view.height / Math.max(1e-3, high - low));
  return { ...middle, zoom: Math.min(40, Math.max(0.5, (0.8 * room) / perZoom)) };
}

/** Cameras that bring a point and its partner into the middle of their maps. */
export const camerasAt = (
  { sets }: MapModel,
  views: readonly Viewport[],
  { set, point, partner }: { set: number; point: number; partner: number },
): Camera[] =>
  views.map(({ camera }, s) => {
    const i = s === set ? point : partner;
    return i < 0 ? camera : { x: sets[s].x[i], y: sets[s].y[i], zoom: Math.max(camera.zoom, 4) };
  });

/** The selection as source text of a cell. */
export function selectionCell(model: MapModel, lit: Lit, name: string): string {
  const sets = model.sets.map((set, s) => ({
    ...(set.meta.sae ? { sae: set.meta.sae.id } : {}),
    name: set.meta.title,
    features: litPoints(lit)[s].map((i) => set.columns.feature[i]),
  }));
  const words = sets.map(
    ({ name: of, features }, s) =>
      `//   ${of}: ${features
        .slice(0, 5)
        .map((f) => {
          const point = model.sets[s].pointOf.get(f)!;
          return `#${f} ${labelLine(labelAt(model.sets[s].columns, point))}`.replace(/\s+/g, ' ').trim();
        })
        .join('; ')}${features.length > 5 ? '; …' : ''}`,
  );
  const lines = sets.map((set) => `  ${JSON.stringify(set)},`);
  return [`// ${name.replace(/\s+/g, ' ')}`, ...words, 'const selection = [', ...lines, ']', ''].join('\n');
}
