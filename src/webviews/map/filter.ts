/** What is visible and what is lit: search, keyword group, selection and threshold over both maps. */
import type { KeywordGroup } from '../../protocol/keywordGroups.js';
import { normalToken, queryTest, wordTest } from '../plot/search.js';
import type { ColorBy } from './columns.js';
import { conditionTest, fieldsOf, splitQuery } from './conditions.js';
import { ownId, type MapModel, type MapSet } from './model.js';

export interface Filters {
  /** Tokens (any of them; separated by spaces or commas) and feature ids "#12". */
  query: string;
  substring: boolean;
  /** Name of a keyword group, null = none. */
  group: string | null;
  /** A group that was typed; it goes before `group`. */
  typed: KeywordGroup | null;
  /** Links with r below this are hidden; 0 keeps every link, also those without r. */
  minR: number;
  showDead: boolean;
  colorBy: ColorBy;
  /** Points picked with box or lasso. */
  selection: { set: number; points: Uint32Array } | null;
  /** 1 for the points that were chosen in the legend, per set; null = none was. */
  chosen: Uint8Array[] | null;
  /** 1 for the points that other views light, per set; null = they light none of this map's. */
  linked: Array<Uint8Array | null> | null;
}

/** Nothing is asked for. */
export const NO_FILTERS: Filters = {
  query: '',
  substring: false,
  group: null,
  typed: null,
  minR: 0,
  showDead: false,
  colorBy: 'none',
  selection: null,
  chosen: null,
  linked: null,
};

/** Partner of a point under the threshold, -1 = none. A link without r survives only a threshold of 0. */
export function linkOf(set: MapSet, point: number, minR: number): number {
  const partner = set.partner[point];
  if (partner < 0) return -1;
  return minR <= 0 || set.r[point] >= minR ? partner : -1;
}

export interface Lit {
  /** False when nothing is asked for: all points are then plain. */
  active: boolean;
  /** Per set and point: 0 no, 1 hit, 2 partner of a hit. */
  state: Uint8Array[];
  /** Hits per set. */
  hits: number[];
  /** Partners of hits that are no hits themselves, per set. */
  partners: number[];
}

type Matcher = (set: MapSet, point: number) => boolean;

/** Whether a point belongs to a group: by the words of its label, or as its features are listed. */
export function groupTest({ sets }: MapModel, group: KeywordGroup): (set: number, point: number) => boolean {
  if (Array.isArray(group.features)) {
    const listed = sets.map((_, s) => new Set(group.features![s] ?? []));
    return (s, point) => listed[s].has(sets[s].columns.feature[point]);
  }
  const inGroup = wordTest(group.words);
  return (s, point) => inGroup(sets[s].keys[point]);
}

/** Alive features whose label has a word of the group: counts[group][set]. One pass over the labels. */
export function groupCounts(model: MapModel): number[][] {
  const groups = model.meta.groups ?? [];
  const byWord = new Map<string, number[]>();
  groups.forEach((group, g) => {
    for (const word of new Set(group.words.map(normalToken))) byWord.set(word, [...(byWord.get(word) ?? []), g]);
  });
  const counts = groups.map(() => model.sets.map(() => 0));
  model.sets.forEach((set, s) => {
    const seen = new Int32Array(groups.length).fill(-1);
    for (let i = 0; i < set.n; i++) {
      if (set.dead[i]) continue;
      for (const word of set.keys[i].split('\n'))
        for (const g of byWord.get(word) ?? []) {
          if (seen[g] === i) continue;
          seen[g] = i;
          counts[g][s]++;
        }
    }
  });
  groups.forEach((group, g) => {
    if (!Array.isArray(group.features)) return;
    const inGroup = groupTest(model, group);
    model.sets.forEach(({ n, dead }, s) => {
      for (let i = 0; i < n; i++) if (!dead[i] && inGroup(s, i)) counts[g][s]++;
    });
  });
  return counts;
}

/** Index of the first group that holds a label word of the point, -1 = none; per set. */
export function groupIndices(model: MapModel): Int16Array[] {
  const first = new Map<string, number>();
  model.meta.groups?.forEach((group, g) => {
    for (const word of group.words) if (!first.has(normalToken(word))) first.set(normalToken(word), g);
  });
  const listed = (model.meta.groups ?? []).flatMap((group, g) => Array.isArray(group.features) ? [{ g, inGroup: groupTest(model, group) }] : []); // prettier-ignore
  return model.sets.map((set, s) => {
    const out = new Int16Array(set.n).fill(-1);
    for (let i = 0; i < set.n; i++)
      for (const word of set.keys[i].split('\n')) {
        const g = word === '' ? undefined : first.get(word);
        if (g === undefined) continue;
        out[i] = g;
        break;
      }
    for (let i = 0; i < set.n; i++) if (out[i] < 0) out[i] = listed.find(({ inGroup }) => inGroup(s, i))?.g ?? -1;
    return out;
  });
}

/** The keyword group that is asked for, null = none. */
export function groupOf(model: MapModel, { typed, group }: Pick<Filters, 'typed' | 'group'>): KeywordGroup | null {
  return typed ?? model.meta.groups?.find(({ name }) => name === group) ?? null;
}

/** Query, group, selection and what other views light narrow each other; hits light their partners in the other map. */
export function computeLit(model: MapModel, filters: Filters): Lit {
  const tests: Matcher[] = [];
  const fields = fieldsOf(model);
  const { rest, conditions } = splitQuery(filters.query, (name) => fields.has(name));
  const query = queryTest(rest, filters.substring);
  if (query) tests.push((set, point) => query(ownId(set, point), set.keys[point]));
  const at = new Map(model.sets.map((set, s) => [set, s]));
  for (const condition of conditions) {
    const test = conditionTest(fields.get(condition.name)!, condition);
    tests.push((set, point) => test(at.get(set)!, point));
  }
  const group = groupOf(model, filters);
  if (group) {
    const inGroup = groupTest(model, group);
    tests.push((set, point) => inGroup(at.get(set)!, point));
  }
  if (filters.selection) {
    const { set: index, points } = filters.selection;
    const chosen = new Uint8Array(model.sets[index].n);
    for (const point of points) chosen[point] = 1;
    tests.push((set, point) => set === model.sets[index] && chosen[point] === 1);
  }
  for (const light of [filters.chosen, filters.linked]) {
    if (!light) continue;
    const lightOf = new Map(model.sets.map((set, s) => [set, light[s]]));
    tests.push((set, point) => lightOf.get(set)?.[point] === 1);
  }
  const state = model.sets.map((set) => new Uint8Array(set.n));
  const hits = model.sets.map(() => 0);
  const partners = model.sets.map(() => 0);
  if (tests.length === 0) return { active: false, state, hits, partners };
  model.sets.forEach((set, s) => {
    for (let i = 0; i < set.n; i++) {
      if ((set.dead[i] && !filters.showDead) || !tests.every((test) => test(set, i))) continue;
      state[s][i] = 1;
      hits[s]++;
    }
  });
  model.sets.forEach((set, s) => {
    const other = 1 - s;
    for (let i = 0; i < set.n; i++) {
      if (state[s][i] !== 1) continue;
      const partner = linkOf(set, i, filters.minR);
      if (partner < 0 || state[other][partner] !== 0) continue;
      state[other][partner] = 2;
      partners[other]++;
    }
  });
  return { active: true, state, hits, partners };
}
