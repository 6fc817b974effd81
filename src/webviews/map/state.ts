/** What a map view keeps over a reload: small JSON, checked when read back. */
import { keywordGroups, type KeywordGroup } from '../../protocol/keywordGroups.js';
import type { JsonObject } from '../../protocol/notebook.js';
import { isJsonObject } from '../../protocol/objects.js';
import { finite, homes, listOfParts, restorePlot, type PlotState } from '../plot/state.js';
import { restoreOnly, type Only } from './colourValues.js';
import { columnColor, isColumnColor, type ColorBy } from './columns.js';
import { NO_FILTERS, type Filters } from './filter.js';
import { LEAST_COSINE } from './lines.js';
import type { MapModel } from './model.js';

export interface Pin {
  set: number;
  /** Feature id. */
  feature: number;
}

export interface MapViewState extends PlotState {
  pins: Pin[];
  group: string | null;
  /** Words of a group that was typed, as typed; "" = none. It goes before `group`. */
  typed: string;
  /** Groups of the reader's own. */
  groups: KeywordGroup[];
  minR: number;
  showDead: boolean;
  colorBy: ColorBy;
  /** Maps of before and after: where the points are (0 = before, 1 = after), and what is drawn with them. */
  shift: number;
  /** Layouts in three dimensions: how they are turned, in degrees. */
  yaw: number;
  pitch: number;
  arrows: boolean;
  nullShown: boolean;
  /** What was chosen in the legend of the colours. */
  only: Only | null;
  /** Lines from the selection to its counterparts, and a mesh within it. */
  lines: boolean;
  mesh: boolean;
  /** The table has pairs of special tokens too, and mutual ones alone. */
  special: boolean;
  mutual: boolean;
  /** What the prompt box keeps; null: nothing. */
  prompt: JsonObject | null;
  pane: 'details' | 'pairs' | 'selections' | 'groups' | 'prompt' | 'closed';
}

const COLORS: readonly ColorBy[] = ['none', 'firingRate', 'r', 'group', 'delta', 'part', 'region'];
const isColor = (by: unknown): by is ColorBy => COLORS.includes(by as ColorBy) || isColumnColor(by);

export function defaultState(sets: number): MapViewState {
  return {
    version: 1,
    cameras: homes(sets),
    pins: [],
    query: NO_FILTERS.query,
    substring: NO_FILTERS.substring,
    group: NO_FILTERS.group,
    typed: '',
    groups: [],
    minR: NO_FILTERS.minR,
    showDead: NO_FILTERS.showDead,
    colorBy: NO_FILTERS.colorBy,
    shift: 1,
    yaw: 0,
    pitch: 0,
    arrows: true,
    nullShown: true,
    sort: { key: 'r', descending: true },
    only: null,
    lines: false,
    mesh: false,
    special: false,
    mutual: false,
    prompt: null,
    pane: 'closed',
  };
}

/** How a map is coloured before its reader chooses: by what it was made to show. */
export function firstColour({ meta, sets, added }: MapModel): Pick<MapViewState, 'colorBy'> & { minR?: number } {
  if (meta.shift) return { colorBy: 'delta' };
  if (sets[0].family) return { colorBy: 'part', minR: LEAST_COSINE };
  if (added.length > 0) return { colorBy: columnColor(added[0].name) };
  if (sets.length > 1) return { colorBy: 'r' };
  // Regions are of the plane.
  return { colorBy: !sets[0].space ? 'region' : sets[0].meta.unmeasured ? 'none' : 'firingRate' };
}

/** What is shown of a map that nobody has looked at yet. */
export const firstFilters = (model: MapModel): Filters => ({ ...NO_FILTERS, ...firstColour(model) });

const PANES: ReadonlyArray<MapViewState['pane']> = ['details', 'pairs', 'selections', 'groups', 'prompt', 'closed'];

/** Groups as a state keeps them; those that are damaged are left out. */
function restoreGroups(saved: unknown): KeywordGroup[] {
  return listOfParts<KeywordGroup>(saved).flatMap((each) => {
    try {
      return typeof each?.name === 'string'
        ? keywordGroups(
            { [each.name]: each.features ? { features: each.features, note: each.note } : each.words },
            'a kept group',
          )
        : [];
    } catch {
      return [];
    }
  });
}

/** A saved state made whole: what is missing or wrong becomes the default. */
export function restoreState(saved: JsonObject | undefined, sets: number, fallback = defaultState(sets)): MapViewState {
  if (!saved || saved.version !== 1) return fallback;
  const s: Partial<Record<keyof MapViewState, unknown>> = saved;
  return {
    ...restorePlot(s, fallback),
    pins: listOfParts<Pin>(s.pins).flatMap((p) =>
      p && Number.isInteger(p.set) && Number.isInteger(p.feature) && (p.set as number) >= 0 && (p.set as number) < sets
        ? [{ set: p.set as number, feature: p.feature as number }]
        : [],
    ),
    group: typeof s.group === 'string' ? s.group : null,
    typed: typeof s.typed === 'string' ? s.typed : '',
    groups: restoreGroups(s.groups),
    minR: Math.min(1, Math.max(0, finite(s.minR, fallback.minR))),
    showDead: s.showDead === true,
    colorBy: isColor(s.colorBy) ? s.colorBy : fallback.colorBy,
    shift: Math.min(1, Math.max(0, finite(s.shift, fallback.shift))),
    yaw: Math.min(180, Math.max(-180, finite(s.yaw, fallback.yaw))),
    pitch: Math.min(90, Math.max(-90, finite(s.pitch, fallback.pitch))),
    arrows: s.arrows !== false,
    nullShown: s.nullShown !== false,
    only: restoreOnly(s.only),
    lines: s.lines === true,
    mesh: s.mesh === true,
    special: s.special === true,
    mutual: s.mutual === true,
    prompt: isJsonObject(s.prompt) ? s.prompt : null,
    pane: PANES.includes(s.pane as MapViewState['pane']) ? (s.pane as MapViewState['pane']) : fallback.pane,
  };
}
