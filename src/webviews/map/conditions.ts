/** Conditions in the search of a map, such as r>=.5, firings<100, rate>1%, match:mutual or any column by its name. */
import { columnText } from './columns.js';
import type { MapModel } from './model.js';

export interface Condition {
  name: string;
  op: '<' | '<=' | '>' | '>=' | '=';
  value: string;
}

/** Of a point and its counterpart. */
export type MatchKind = 'mutual' | 'one-way' | 'none';

export function matchKind({ sets }: MapModel, s: number, i: number): MatchKind {
  const partner = sets[s].partner[i];
  if (partner < 0) return 'none';
  return sets[1 - s].partner[partner] === i ? 'mutual' : 'one-way';
}

type Value = number | string | undefined;
type Field = (set: number, point: number) => Value;

/** What conditions may be about, by name in lower case: the map's own figures, then the columns that were added. */
export function fieldsOf(model: MapModel): Map<string, Field> {
  const { sets, twin, added } = model;
  const fields = new Map<string, Field>([['id', (s, i) => sets[s].columns.feature[i]]]);
  if (sets.some(({ meta }) => !meta.unmeasured)) {
    fields.set('firings', (s, i) => sets[s].columns.firings[i]);
    fields.set('rate', (s, i) => sets[s].columns.firingRate[i]);
  }
  if (twin) {
    fields.set('r', (s, i) => (sets[s].partner[i] < 0 ? undefined : sets[s].r[i]));
    fields.set('match', (s, i) => matchKind(model, s, i));
  }
  if (sets[0].columns.cosine) fields.set('cosine', (s, i) => sets[s].columns.cosine?.[i]);
  if (model.meta.shift) fields.set('delta', (s, i) => sets[s].ends?.delta[i]);
  for (const column of added)
    fields.set(column.name.toLowerCase(), (s, i) => {
      const value = column.values[s]?.[i] ?? NaN;
      if (Number.isNaN(value)) return undefined;
      return column.classes ? columnText(column, value) : value;
    });
  return fields;
}

const PART = /(?:"([^"]+)"|([^\s,<>=:"]+))(<=|>=|<|>|=|:)("[^"]*"|[^\s,]+)/g;

/** The conditions of a query whose names are known, and the rest of it: words, ids and patterns. */
export function splitQuery(query: string, known: (name: string) => boolean): { rest: string; conditions: Condition[] } {
  const conditions: Condition[] = [];
  const rest = query.replace(
    PART,
    (whole, quoted: string | undefined, plain: string | undefined, op: string, value: string) => {
      const name = (quoted ?? plain ?? '').toLowerCase();
      if (!known(name)) return whole;
      conditions.push({ name, op: (op === ':' ? '=' : op) as Condition['op'], value: value.replace(/^"|"$/g, '') });
      return ' ';
    },
  );
  return { rest, conditions };
}

/** A number such as ".5", "1e3" or "1%"; NaN for anything else. */
const numberOf = (text: string): number =>
  text.endsWith('%') ? Number(text.slice(0, -1)) / 100 : text.trim() === '' ? NaN : Number(text);

/** Points without a value pass no condition. */
export function conditionTest(field: Field, { op, value }: Condition): (set: number, point: number) => boolean {
  const wanted = numberOf(value);
  const word = value.toLowerCase();
  return (s, i) => {
    const own = field(s, i);
    if (own === undefined) return false;
    if (typeof own === 'string') return op === '=' && own.toLowerCase() === word;
    if (op === '=') return own === wanted;
    if (op === '<') return own < wanted;
    if (op === '<=') return own <= wanted;
    return op === '>' ? own > wanted : own >= wanted;
  };
}
