/** How correlation maps, their filters and their scores are shown. */
import type { FilteredMap } from '../correlation/filters.js';
import type { SameTokenScore } from '../correlation/sameToken.js';
import type { PairedMap, SimilarityScore } from '../correlation/types.js';
import type { OutputItem } from '../../protocol/notebook.js';
import { orNull } from './charts.js';
import { count, scoreTable, tableItems, tableOf, textItem } from './items.js';

function mapText(map: PairedMap): string {
  const { a, b, r } = map.pairs;
  const mean = r.length > 0 ? `, mean r ${(r.reduce((sum, x) => sum + x, 0) / r.length).toFixed(3)}` : '';
  return `A ${map.a.meta.sae.name} ↔ B ${map.b.meta.sae.name}: ${count(r.length)} pairs of ${count(new Set(a).size)} features of A and ${count(new Set(b).size)} of B${mean}, over ${count(map.tokens)} tokens (${map.method})`;
}

export const mapItems = (map: PairedMap): OutputItem[] => [textItem(mapText(map))];

export function filteredItems(map: FilteredMap): OutputItem[] {
  const rows = map.counts.map(({ step, pairs, meanR }) => ({ step, pairs, 'mean r': orNull(meanR) }));
  return tableItems({ ...tableOf(rows, 'Matched pairs after each filter'), note: mapText(map) });
}

export const similarityItems = (scores: readonly SimilarityScore[], { pairs, method }: PairedMap): OutputItem[] =>
  scoreTable(scores, `Similarity of decoder rows, ${pairs.a.length} pairs (${method})`);

export function sameTokenItems({ shared, jaccard, top, raw, pairs, excluded }: SameTokenScore): OutputItem[] {
  const left = excluded > 0 ? ` (${excluded} with a dead feature left out)` : '';
  return scoreTable([shared, jaccard, top, raw], `Same-token score, ${pairs} pairs${left}`);
}
