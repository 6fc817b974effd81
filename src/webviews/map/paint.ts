/** Turns data, filters and theme into batches of coloured marks, and says what the colours mean. */
import type { Palette } from '../plot/palette.js';
import { mix, type Rgb } from '../ui/color.js';
import { placeOn, scaleOfValues, type Scale } from '../plot/scale.js';
import { columnMark, type MapColumn } from './columns.js';
import { linkOf, type Filters, type Lit } from './filter.js';
import type { MapModel, MapSet } from './model.js';
import type { Regions } from './regions.js';
import { CROSS, groupStyle, HOLLOW, OUTLINE, partStyle, type Mark } from './shapes.js';
import type { Batch } from './surface.js';

/** The scale of firing rates over the alive features of all sets, without the outermost 2 % of many; logarithmic. */
export function rateScale(model: MapModel): Scale {
  const rates = model.sets.map(({ columns }) => columns.firingRate.filter((rate) => rate > 0));
  return { ...scaleOfValues(rates), log: rates.some(({ length }) => length > 0) };
}

/** Diameter in CSS pixels of plain points, so that they neither vanish nor merge. */
export function baseDiameter(visible: number, width: number, height: number): number {
  const room = Math.sqrt((width * height) / Math.max(1, visible));
  return Math.min(10, Math.max(2, room * 0.32));
}

export interface PaintJob {
  model: MapModel;
  filters: Filters;
  lit: Lit;
  palette: Palette;
  groups: Int16Array[];
  rates: Scale;
  /** By set, once they are found. */
  regions: readonly Regions[];
  /** The column that was added and is shown. */
  column?: MapColumn;
  diameter: number;
}

function plainMark(job: PaintJob, s: number, set: MapSet, i: number): Mark {
  const { filters, palette } = job;
  if (filters.colorBy === 'firingRate') {
    const rate = set.columns.firingRate[i];
    if (!(rate > 0)) return { color: palette.muted, shape: HOLLOW };
    return { color: palette.rates[Math.round(255 * placeOn(job.rates, rate))], shape: 0 };
  }
  if (filters.colorBy === 'r') {
    if (linkOf(set, i, filters.minR) < 0 || Number.isNaN(set.r[i])) return { color: palette.muted, shape: HOLLOW };
    return { color: palette.links[Math.round(255 * Math.min(1, Math.max(0, set.r[i])))], shape: 0 };
  }
  if (filters.colorBy === 'delta' && set.ends) {
    const t = job.model.largestDelta > 0 ? set.ends.delta[i] / job.model.largestDelta : 0;
    return { color: palette.rates[Math.round(255 * t)], shape: 0 };
  }
  if (job.column) return columnMark(job.column, palette, s, i) ?? { color: palette.muted, shape: HOLLOW };
  if (filters.colorBy === 'part' && set.family) return partStyle(set.family.part[i]);
  if (filters.colorBy === 'group') {
    const g = job.groups[s]?.[i] ?? -1;
    return g < 0 ? { color: mix(palette.muted, palette.ground, 0.45), shape: 0 } : groupStyle(g);
  }
  if (filters.colorBy === 'region' && job.regions[s]?.list.length) {
    const region = job.regions[s].of[i];
    return region < 0 ? { color: mix(palette.muted, palette.ground, 0.45), shape: 0 } : groupStyle(region);
  }
  return { color: palette.sets[s], shape: 0 };
}

/** A feature that fires much is larger, one that fires little smaller; all alike where nothing was measured. */
function sizeByRate({ rates, filters }: PaintJob, set: MapSet, i: number): number {
  if (set.meta.unmeasured || filters.colorBy === 'delta') return 1;
  return 0.8 + 0.45 * placeOn(rates, set.columns.firingRate[i]);
}

/** Order of drawing: dead, faded and plain points in the set's fixed random order, then partners of hits, then hits. */
export function paint(job: PaintJob, s: number): Batch {
  const set = job.model.sets[s];
  const { filters, lit, palette, diameter } = job;
  const batch: Batch = {
    n: 0,
    plain: 0,
    position: new Float32Array(2 * set.n),
    color: new Uint8Array(4 * set.n),
    mark: new Uint8Array(2 * set.n),
  };
  const put = (i: number, color: Rgb, alpha: number, size: number, mark: number) => {
    const k = batch.n++;
    batch.position[2 * k] = set.x[i];
    batch.position[2 * k + 1] = set.y[i];
    batch.color.set(color, 4 * k);
    batch.color[4 * k + 3] = Math.round(255 * alpha);
    batch.mark[2 * k] = Math.min(255, Math.round(2 * size));
    batch.mark[2 * k + 1] = mark;
  };
  const state = lit.state[s];
  // Dense maps fade, so that the cores of clusters stand out from their rims.
  const usual = Math.max(0.28, 0.85 * Math.min(1, (12_000 / Math.max(1, set.n)) ** 0.5));
  const linked = filters.minR > 0 && !set.family;
  for (let k = 0; k < set.n; k++) {
    const i = set.shuffled[k];
    if (state[i] !== 0 || !Number.isFinite(set.x[i]) || !Number.isFinite(set.y[i])) continue;
    if (set.dead[i]) {
      if (filters.showDead) put(i, palette.muted, lit.active ? 0.25 : 0.6, Math.max(4, diameter * 0.8), CROSS);
      continue;
    }
    const { color, shape } = plainMark(job, s, set, i);
    const weak = linked && linkOf(set, i, filters.minR) < 0;
    // Features of a small SAE are drawn larger, so that they are seen among the many of a large one.
    const crowd = set.family ? set.n / (2 * set.meta.parts![set.family.part[i]].points) : 1;
    const emphasis =
      Math.min(2.5, Math.max(1, crowd)) * (filters.colorBy === 'group' && (job.groups[s]?.[i] ?? -1) >= 0 ? 1.5 : 1);
    const quiet = lit.active || weak;
    put(
      i,
      quiet ? mix(color, palette.ground, 0.25) : color,
      quiet ? 0.24 : usual,
      diameter * emphasis * sizeByRate(job, set, i),
      shape,
    );
  }
  batch.plain = batch.n;
  const big = Math.max(6.5, diameter * 1.5);
  for (const wanted of [2, 1])
    for (let i = 0; i < set.n; i++) {
      if (state[i] !== wanted || !Number.isFinite(set.x[i]) || !Number.isFinite(set.y[i])) continue;
      const plain = plainMark(job, s, set, i);
      const shape = plain.shape & 7;
      const own = filters.colorBy === 'none' ? palette.hit : plain.color;
      put(i, own, 1, wanted === 1 ? big : big + 1, shape | (wanted === 1 ? OUTLINE : HOLLOW));
    }
  return batch;
}
