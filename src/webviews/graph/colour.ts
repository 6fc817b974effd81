/** What nodes are coloured by: their members' values of a column drawn together, a keyword group's share, or their size. */
import { binsOf, isShare, scaleOfValues, type Scale } from '../plot/scale.js';
import { normalToken, wordTest } from '../plot/search.js';
import { membersOf, type GraphModel, type GraphSet } from './model.js';

export type Stat = 'mean' | 'median' | 'std' | 'max';
export const STATS: readonly Stat[] = ['mean', 'median', 'std', 'max'];

/** "members", "component", "column:<name>", "group:<name>" (a group of the bundle) or "words:<words>" (the reader's own). */
export type ColourBy = string;

/** The scale is over all graphs. */
export interface NodeColours extends Scale {
  title: string;
  note?: string;
  /** Per graph and node; NaN where no member has a value. Codes of `classes` when there are classes. */
  values: Float64Array[];
  classes: string[] | null;
  /** Shares and rates are shown in per cent. */
  percent: boolean;
}

/** std is the population's (divided by n), as in numpy and KeplerMapper. NaN members are left out; none left: NaN. */
export function aggregate(values: ArrayLike<number>, members: Int32Array, stat: Stat): number {
  const kept: number[] = [];
  for (const point of members) if (!Number.isNaN(values[point])) kept.push(values[point]);
  const n = kept.length;
  if (n === 0) return NaN;
  const mean = kept.reduce((a, b) => a + b, 0) / n;
  switch (stat) {
    case 'mean':
      return mean;
    case 'max':
      return kept.reduce((a, b) => Math.max(a, b), -Infinity);
    case 'std':
      return Math.sqrt(kept.reduce((a, v) => a + (v - mean) ** 2, 0) / n);
    case 'median': {
      kept.sort((a, b) => a - b);
      return n % 2 ? kept[(n - 1) / 2] : (kept[n / 2 - 1] + kept[n / 2]) / 2;
    }
  }
}

/** The commonest code among the members, the smaller one on a tie; NaN where none has one. */
export function commonest(values: ArrayLike<number>, members: Int32Array): number {
  const counts = new Map<number, number>();
  for (const point of members)
    if (!Number.isNaN(values[point])) counts.set(values[point], (counts.get(values[point]) ?? 0) + 1);
  let best = NaN;
  let most = 0;
  for (const [code, count] of counts) if (count > most || (count === most && code < best)) [best, most] = [code, count];
  return best;
}

/** Share of a node's members whose labels have a word of the group, as whole words; NaN in a graph without labels. */
export function keywordShare(set: GraphSet, words: readonly string[]): Float64Array {
  if (!set.labelled) return new Float64Array(set.n).fill(NaN);
  const matches = wordTest(words);
  const hit = Uint8Array.from(set.keys, (key) => (matches(key) ? 1 : 0));
  return Float64Array.from({ length: set.n }, (_, i) => {
    const members = membersOf(set, i);
    return members.reduce((sum, point) => sum + hit[point], 0) / Math.max(1, members.length);
  });
}

/** Words of a group that the reader typed: separated by spaces or commas. */
export function wordsOf(text: string): string[] {
  return text.split(/[\s,;]+/).filter((word) => normalToken(word) !== '');
}

/** Every column that a graph has, by name, in order of appearance. */
export function columnNames(model: GraphModel): string[] {
  return [...new Set(model.sets.flatMap((set) => set.meta.columns.map((c) => c.name)))];
}

/** Values of a column by point; undefined where the graph has none of this name. */
export function columnOf(set: GraphSet, name: string): Float32Array | undefined {
  const at = set.meta.columns.findIndex((c) => c.name === name);
  return at < 0 ? undefined : set.columns.column[at];
}

/** What is shown first: the first column with a value in any node, else the sizes. */
export function defaultColour(model: GraphModel): ColourBy {
  const name = columnNames(model).find((n) =>
    model.sets.some((set) => columnOf(set, n)?.some((v) => Number.isFinite(v))),
  );
  return name === undefined ? 'members' : `column:${name}`;
}

/** Whether these graphs can be coloured by it. */
export function isColour(model: GraphModel, by: ColourBy): boolean {
  if (by === 'members' || by === 'component') return true;
  if (by.startsWith('column:')) return columnNames(model).includes(by.slice(7));
  if (by.startsWith('group:')) return model.meta.groups?.some((g) => g.name === by.slice(6)) ?? false;
  return by.startsWith('words:') && wordsOf(by.slice(6)).length > 0;
}

export function nodeColours(model: GraphModel, by: ColourBy, stat: Stat): NodeColours {
  if (by.startsWith('column:')) return columnColours(model, by.slice(7), stat);
  if (by.startsWith('group:') || by.startsWith('words:')) {
    const name = by.slice(6);
    const words = by.startsWith('words:')
      ? wordsOf(name)
      : (model.meta.groups?.find((g) => g.name === name)?.words ?? []);
    const values = model.sets.map((set) => keywordShare(set, words));
    const most = values.reduce((m, set) => set.reduce((a, v) => (v > a ? v : a), m), 0);
    return {
      title: `share of members with: ${name}`,
      note: `whole words of the members' labels: ${words.join(' ')}`,
      ...{ values, classes: null, range: [0, most || 1], clipped: [false, false], log: false, percent: true },
    };
  }
  const component = by === 'component';
  const values = model.sets.map((set) => Float64Array.from(component ? set.columns.component : set.size));
  return component
    ? {
        ...{ title: 'component', note: 'numbered by size, largest first', values, ...WHOLE },
        ...{ classes: classesUpTo(values), percent: false },
      }
    : { title: 'members', values, classes: null, ...scaleOfValues(values), percent: false };
}

/** Stands where a scale is expected: classes have none. */
const WHOLE: Scale = { range: [0, 1], log: false, clipped: [false, false] };

function classesUpTo(values: Float64Array[]): string[] {
  const most = values.reduce((m, set) => set.reduce((a, b) => Math.max(a, b), m), -1);
  return Array.from({ length: most + 1 }, (_, i) => `component ${i + 1}`);
}

function columnColours(model: GraphModel, name: string, stat: Stat): NodeColours {
  const column = model.sets.flatMap((set) => set.meta.columns).find((c) => c.name === name);
  if (column?.classes) {
    const classes = [
      ...new Set(model.sets.flatMap((set) => set.meta.columns.find((c) => c.name === name)?.classes ?? [])),
    ];
    // Graphs may number the same classes in another order.
    const values = model.sets.map((set) => {
      const own = set.meta.columns.find((c) => c.name === name)?.classes ?? [];
      const codes = columnOf(set, name);
      return Float64Array.from({ length: set.n }, (_, i) => {
        const code = codes ? commonest(codes, membersOf(set, i)) : NaN;
        return own[code] === undefined ? NaN : classes.indexOf(own[code]);
      });
    });
    return {
      title: `commonest ${name}`,
      note: column.note,
      values,
      classes,
      ...WHOLE,
      percent: false,
    };
  }
  const values = model.sets.map((set) => {
    const data = columnOf(set, name);
    return Float64Array.from({ length: set.n }, (_, i) => (data ? aggregate(data, membersOf(set, i), stat) : NaN));
  });
  const percent = isShare(name);
  return { title: `${stat} ${name}`, note: column?.note, values, classes: null, ...scaleOfValues(values), percent };
}

/** How many nodes lie in each of `bins` equal parts of the scale, over all graphs. */
export function histogram(c: NodeColours, bins: number): number[] {
  return binsOf(bins, c, (add) => c.values.forEach((set) => set.forEach(add)));
}
