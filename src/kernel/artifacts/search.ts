/** Finding artifacts by words, kind, notebook and date. */
import type { ArtifactRecord } from './types.js';

/** Conditions that must all hold. */
export interface RecordFilter {
  /** Words that must all occur in id, kind, title, note, cell, key figures or parameters. */
  search?: string;
  /** The kind itself, such as "sae". */
  kind?: string;
  /** Words that must all occur in the title. */
  title?: string;
  /** Words that must all occur in the note. */
  note?: string;
  /** Words that must all occur in the name of the notebook that made it, or in the id of the cell. */
  notebook?: string;
  /** Made then or later: milliseconds since 1970. */
  since?: number;
  /** Made before: milliseconds since 1970. */
  before?: number;
}

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
