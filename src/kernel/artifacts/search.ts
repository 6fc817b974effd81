/** Finding artifacts by words, kind, notebook and date. */
import { real, required, text, value, written, type Given, type Parsed } from '../verb/option.js';
import type { ArtifactRecord } from './types.js';

/** A date as ISO 8601 writes it; a time is UTC. */
const DATE = /^\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2}(\.\d{1,3})?)?Z?)?$/;
export const DATE_WORDS = 'a date such as 2026-11-29, or with a time in UTC: 2026-11-29T18:30';

/** Milliseconds since 1970 of such a date; undefined for other text. */
export function dateOf(text: string): number | undefined {
  if (!DATE.test(text)) return undefined;
  const ms = Date.parse(text.length === 10 || text.endsWith('Z') ? text : `${text}Z`);
  // Date.parse() takes 2026-02-30 for a day in March; only this comparison refuses it.
  return Number.isFinite(ms) && new Date(ms).toISOString().startsWith(text.slice(0, 10)) ? ms : undefined;
}

/** A date of an option, as milliseconds since 1970. */
const date = (doc: string) => ({
  ...text({ doc: `${doc}: ${DATE_WORDS}.`, fallback: 'any time' }),
  parse(given: unknown, name: string): number | undefined {
    if (given === undefined) return undefined;
    const ms = typeof given === 'string' ? dateOf(given) : undefined;
    if (ms === undefined) throw new RangeError(`${name} is ${written(given)}; expected ${DATE_WORDS}`);
    return ms;
  },
});

export const LIST = {
  search: text({
    doc: 'Words that must all occur in id, kind, title, note, cell, key figures or parameters; case does not count.',
    fallback: 'all records',
  }),
  kind: text({ doc: 'The kind, such as "sae".', fallback: 'all kinds' }),
  title: text({ doc: 'Words that must all occur in the title.', fallback: 'all titles' }),
  note: text({ doc: 'Words that must all occur in the note.', fallback: 'with a note and without' }),
  notebook: text({ doc: 'Words that must all occur in the name of the notebook that made it.', fallback: 'all' }),
  since: date('Made then or later'),
  before: date('Made before'),
} as const;

/** Conditions that must all hold; dates are milliseconds since 1970. */
export type RecordFilter = Partial<Parsed<typeof LIST>>;

/** @param known kinds that there are */
export const pruneOptions = (known: readonly string[]) => ({
  unusedDays: required(real({ doc: 'Days without use; 0 takes all.', min: 0 })),
  kinds: value<readonly string[]>(
    `an array of some of ${known.map((kind) => `'${kind}'`).join(', ')}`,
    { doc: 'Kinds of artifacts to take.', fallback: 'all' },
    (given) => Array.isArray(given) && given.every((kind) => known.includes(kind as string)),
  ),
});

export type PruneOptions = Given<ReturnType<typeof pruneOptions>>;

/** The records for which all of `filter` holds; case does not count. */
export function searchRecords(records: readonly ArtifactRecord[], filter: RecordFilter): ArtifactRecord[] {
  const has = (words: string | undefined, ...places: unknown[]): boolean => {
    const text = places.join(' ').toLowerCase();
    return (words ?? '').toLowerCase().split(/\s+/).filter(Boolean).every((word) => text.includes(word)); // prettier-ignore
  };
  return records.filter((record) => {
    const { id, kind, title, note, madeBy = {}, parameters } = record;
    const created = Date.parse(record.created);
    return (
      (filter.kind === undefined || filter.kind === kind) &&
      has(filter.search, id, kind, title, note, JSON.stringify(madeBy), JSON.stringify(parameters)) &&
      has(filter.title, title) &&
      has(filter.note, note) &&
      has(filter.notebook, madeBy.notebook, madeBy.cell) &&
      (filter.since === undefined || created >= filter.since) &&
      (filter.before === undefined || created < filter.before)
    );
  });
}
