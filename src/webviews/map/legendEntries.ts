/** What the colours and marks of a map mean, as data: the panel and the files of pictures show the same. */
import { measureOf } from '../../protocol/measure.js';
import type { Palette } from '../plot/palette.js';
import type { Scale } from '../plot/scale.js';
import type { Rgb } from '../ui/color.js';
import { number, percent, plural } from '../ui/format.js';
import { regionClass, type ColourValues } from './colourValues.js';
import { columnOfColor, columnText, type MapColumn } from './columns.js';
import type { Filters, Lit } from './filter.js';
import type { MapModel } from './model.js';
import type { Regions } from './regions.js';
import { CROSS, groupStyle, partStyle } from './shapes.js';
import { unitOf } from './shift.js';

export type LegendEntry =
  | {
      kind: 'mark';
      color: Rgb;
      shape: number;
      rim?: 'hollow' | 'outlined';
      text: string;
      note?: string;
      /** The class that it stands for (colourValues.ts); absent: none that can be chosen. */
      code?: number;
    }
  | {
      kind: 'scale';
      colors: readonly Rgb[];
      low: string;
      high: string;
      title: string;
      note?: string;
      /** Histogram of the alive points over the scale. */
      counts: readonly number[];
      unit: string;
    }
  | { kind: 'text'; text: string };

/** Classes named in the legend. */
const MOST_CLASSES = 12;

const hollow = (color: Rgb, text: string): LegendEntry => ({ kind: 'mark', color, shape: 0, rim: 'hollow', text });

interface ScaleParts {
  palette: Palette;
  counts: readonly number[];
  unit: string;
}

function columnEntries(column: MapColumn, { palette, counts, unit }: ScaleParts): LegendEntry[] {
  const { name, note, classes, range, clipped, log, values } = column;
  const missing = values.some((own) => own?.some((v) => Number.isNaN(v)));
  const none = missing ? [hollow(palette.muted, `no ${name}`)] : [];
  if (classes) {
    const shown = classes
      .slice(0, MOST_CLASSES)
      .map((text, c): LegendEntry => ({ kind: 'mark', ...groupStyle(c), text, note, code: c }));
    const more = classes.length - shown.length;
    return [...shown, ...(more > 0 ? [{ kind: 'text' as const, text: `and ${more} more` }] : []), ...none];
  }
  const [low, high] = range.map((v) => columnText(column, v));
  const title = `${name}${log ? ' (log)' : ''}`;
  const ends = { low: `${clipped[0] ? '≤ ' : ''}${low}`, high: `${clipped[1] ? '≥ ' : ''}${high}` };
  return [{ kind: 'scale', colors: palette.links, ...ends, title, note, counts, unit }, ...none];
}

function rateEntry({ range, clipped }: Scale, { palette, counts, unit }: ScaleParts): LegendEntry {
  const [low, high] = range.map(percent);
  const ends = { low: `${clipped[0] ? '≤ ' : ''}${low}`, high: `${clipped[1] ? '≥ ' : ''}${high}` };
  return { kind: 'scale', colors: palette.rates, ...ends, title: 'firing rate (log)', counts, unit };
}

/** Named regions with their colours, the largest first. */
function regionEntries({ sets }: MapModel, regions: readonly Regions[], palette: Palette): LegendEntry[] {
  return regions.flatMap(({ list }, s): LegendEntry[] => {
    const side = sets.length > 1 ? `${sets[s].name}: ` : '';
    if (list.length === 0) {
      const text = `${side}no regions: the points make one cloud`;
      return [{ kind: 'mark', color: palette.sets[s], shape: 0, text }];
    }
    const named = [...list.entries()].filter(([, { name }]) => name.length > 0);
    const shown = named.slice(0, MOST_CLASSES).map(([r, { name, size }]): LegendEntry => {
      const style = { ...groupStyle(r), code: regionClass(s, r) };
      return { kind: 'mark', ...style, text: `${side}${name.join(', ')}`, note: plural(size, 'feature') };
    });
    const rest = list.length - shown.length;
    const what = named.length > shown.length ? 'more' : 'without a name that shuffled labels would not give';
    return [...shown, ...(rest > 0 ? [{ kind: 'text' as const, text: `${side}${rest} ${what}` }] : [])];
  });
}

export interface LegendJob {
  model: MapModel;
  filters: Filters;
  lit: Lit;
  palette: Palette;
  rates: Scale;
  regions: readonly Regions[];
  values: ColourValues | null;
}

function colourEntries({ model, filters, palette, rates, regions, values }: LegendJob): LegendEntry[] {
  const counted = { counts: values?.counts ?? [], unit: `${unitOf(model)}s` };
  const parts = { ...counted, palette };
  const column = columnOfColor(model.added, filters.colorBy);
  if (column) return columnEntries(column, parts);
  switch (filters.colorBy) {
    case 'none':
      return model.sets.map((set, s) => ({
        kind: 'mark',
        color: palette.sets[s],
        shape: 0,
        text: `${set.name} ${unitOf(model)}s`,
      }));
    case 'firingRate':
      return [rateEntry(rates, parts)];
    case 'region':
      return regionEntries(model, regions, palette);
    case 'part':
      return (model.sets[0].meta.parts ?? []).map(({ name, title, points }, p) => ({
        kind: 'mark',
        ...{ ...partStyle(p), code: p },
        text: `${name}: ${plural(points, 'feature')}`,
        note: title,
      }));
    case 'delta': {
      const title = model.meta.shift?.delta ?? 'Δ';
      return [
        { kind: 'scale', colors: palette.rates, low: '0', high: number(model.largestDelta, 3), title, ...counted },
      ];
    }
    case 'r':
      return [
        {
          kind: 'scale',
          colors: palette.links,
          low: '0',
          high: '1',
          title: `${measureOf(model.meta.pairing?.method ?? '')} to counterpart`,
          ...counted,
        },
        hollow(palette.muted, 'no counterpart'),
      ];
    default:
      return (model.meta.groups ?? []).map((group, g) => ({
        kind: 'mark',
        ...{ ...groupStyle(g), code: g },
        text: group.name,
        note: group.words.join(' '),
      }));
  }
}

export function legendEntries(job: LegendJob): LegendEntry[] {
  const { model, filters, lit, palette } = job;
  const entries = colourEntries(job);
  const own = filters.colorBy === 'none' ? palette.hit : palette.muted;
  if (lit.active) entries.push({ kind: 'mark', color: own, shape: 0, rim: 'outlined', text: 'hit' });
  if (lit.active && model.twin) entries.push(hollow(own, 'partner of a hit'));
  if (filters.showDead) entries.push({ kind: 'mark', color: palette.muted, shape: CROSS, text: 'dead' });
  return entries;
}
