/** Finding artifacts by words. */
import type { ArtifactRecord } from './types.js';

/** Records in which every word occurs: in id, kind, title, note, cell, key figures or parameters; case does not count. */
export function searchRecords(records: readonly ArtifactRecord[], search: string): ArtifactRecord[] {
  const words = search.toLowerCase().split(/\s+/).filter(Boolean);
  return records.filter(({ id, kind, title, note, madeBy, parameters }) => {
    const text = [id, kind, title, note, JSON.stringify(madeBy ?? {}), JSON.stringify(parameters)]
      .join(' ')
      .toLowerCase();
    return words.every((word) => text.includes(word));
  });
}
