/** Records found by words, kind, notebook and date. */
import { describe, expect, it } from 'vitest';
import { dateOf, searchRecords, type RecordFilter } from '#kernel/artifacts/search.js';
import type { ArtifactRecord } from '#kernel/artifacts/types.js';

const record = (id: string, of: Partial<ArtifactRecord>): ArtifactRecord => ({
  ...{ id, kind: 'sae', parameters: {}, inputs: {}, codeVersion: 1, device: 'cpu', packages: {}, wallMs: 1 },
  created: '2026-11-29T12:00:00.000Z',
  ...of,
});
const records = [
  record('1', { title: 'SAE topk 64', note: 'for the Talk', madeBy: { notebook: 'stories', cell: 'c7' } }),
  record('2', { kind: 'layout', title: 'PCA of SAE topk 64', created: '2026-11-28T23:59:59.999Z' }),
  record('3', { parameters: { k: 4096 }, created: '2026-11-29T00:00:00.000Z' }),
];
const found = (filter: RecordFilter): string => searchRecords(records, filter).map(({ id }) => id).join(''); // prettier-ignore

describe('records', () => {
  it('are found when all that is given holds, whatever the case', () => {
    expect(found({})).toBe('123');
    expect(found({ search: 'TOPK sae' })).toBe('12');
    expect(found({ search: '4096' })).toBe('3');
    expect(found({ kind: 'sae' })).toBe('13');
    expect(found({ kind: 'sa' })).toBe('');
    expect(found({ title: 'pca' })).toBe('2');
    expect(found({ note: 'talk' })).toBe('1');
    expect(found({ notebook: 'stories' })).toBe('1');
    expect(found({ notebook: 'c7', kind: 'layout' })).toBe('');
  });

  it('are found from a date on, and before one, which is outside', () => {
    expect(found({ since: dateOf('2026-11-29') })).toBe('13');
    expect(found({ before: dateOf('2026-11-29') })).toBe('2');
    expect(found({ since: dateOf('2026-11-29T00:00:01'), before: dateOf('2026-11-30') })).toBe('1');
  });
});

describe('dates', () => {
  it('are of ISO 8601, in UTC', () => {
    expect(dateOf('2026-11-29')).toBe(Date.UTC(2026, 10, 29));
    for (const text of ['2026-11-29T18:30', '2026-11-29T18:30Z', '2026-11-29T18:30:00.000'])
      expect(dateOf(text)).toBe(Date.UTC(2026, 10, 29, 18, 30));
  });

  it.each(['', 'May', '29.11.2026', '2026-13-01', '2026-02-30', '2026-11-29 18:30', '2026-11-29T18:30+01:00', '2026'])(
    '%s is none',
    (text) => expect(dateOf(text)).toBeUndefined(),
  );
});
