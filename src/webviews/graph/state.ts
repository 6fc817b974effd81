/** What a graph view keeps over a reload: small JSON, checked when read back. */
import type { JsonObject } from '../../protocol/notebook.js';
import { finite, homes, listOfParts, restorePlot, type PlotState } from '../plot/state.js';
import { defaultColour, isColour, STATS, wordsOf, type ColourBy, type Stat } from './colour.js';
import type { GraphModel } from './model.js';

export type Tab = 'nodes' | 'components' | 'findings' | 'noise' | 'details';
export const TABS: readonly Tab[] = ['nodes', 'components', 'findings', 'noise', 'details'];

export interface NodeRef {
  set: number;
  node: number;
}

export interface GraphViewState extends PlotState {
  pins: NodeRef[];
  colourBy: ColourBy;
  stat: Stat;
  /** Keyword groups that the reader typed. */
  words: string[];
  /** Edges that share fewer members are hidden. */
  minWeight: number;
  /** Light the noise on the maps. */
  noise: boolean;
  tab: Tab | 'closed';
  /** Which graph is shown; -1 = all. */
  shown: number;
}

export function defaultState(model: GraphModel): GraphViewState {
  return {
    version: 1,
    cameras: homes(model.sets.length),
    pins: [],
    query: '',
    substring: false,
    colourBy: defaultColour(model),
    stat: 'mean',
    words: [],
    minWeight: 1,
    noise: false,
    tab: 'nodes',
    shown: -1,
    sort: { key: 'members', descending: true },
  };
}

/** A saved state made whole: what is missing or wrong becomes the default. */
export function restoreState(
  saved: JsonObject | undefined,
  model: GraphModel,
  fallback: GraphViewState,
): GraphViewState {
  if (!saved || saved.version !== 1) return fallback;
  const s: Partial<Record<keyof GraphViewState, unknown>> = saved;
  const isNode = (p: Partial<NodeRef> | null): p is NodeRef =>
    Number.isInteger(p?.set) && Number.isInteger(p?.node) && model.sets[p?.set as number]?.n > (p?.node as number);
  return {
    ...restorePlot(s, fallback),
    pins: listOfParts<NodeRef>(s.pins)
      .filter(isNode)
      .filter((p) => p.node >= 0)
      .map(({ set, node }) => ({ set, node })),
    colourBy: typeof s.colourBy === 'string' && isColour(model, s.colourBy) ? s.colourBy : fallback.colourBy,
    stat: STATS.includes(s.stat as Stat) ? (s.stat as Stat) : fallback.stat,
    words: listOfParts(s.words).filter((w): w is string => typeof w === 'string' && wordsOf(w).length > 0),
    minWeight: Math.max(1, Math.round(finite(s.minWeight, 1))),
    noise: s.noise === true,
    tab: s.tab === 'closed' || TABS.includes(s.tab as Tab) ? (s.tab as Tab | 'closed') : fallback.tab,
    shown: model.sets[finite(s.shown, -1)] ? (s.shown as number) : -1,
  };
}
