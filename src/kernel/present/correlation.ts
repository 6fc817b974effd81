/** How correlation maps, their filters and their scores are shown. */
import { measureOf } from '../../protocol/measure.js';
import type { PairAssociation } from '../correlation/association.js';
import type { Hub } from '../correlation/hubs.js';
import type { FilteredMap } from '../correlation/restrict.js';
import type { Judgement } from '../correlation/judgements.js';
import type { SameTokenScore } from '../correlation/sameToken.js';
import type { PairedMap, SimilarityScore } from '../correlation/types.js';
import type { OutputItem } from '../../protocol/notebook.js';
import { labelLine, sharesText, type FeatureLabel, type TokenShare } from '../../protocol/tokens.js';
import { orNull } from './charts.js';
import { ofFeatures, SAE_ID } from './featureCells.js';
import { count, scoreTable, tableItems, tableOf, textItem, type TableRow } from './items.js';

function mapText(map: PairedMap): string {
  const { a, b, r } = map.pairs;
  const what = measureOf(map.method);
  const mean = r.length > 0 ? `, mean ${what} ${(r.reduce((sum, x) => sum + x, 0) / r.length).toFixed(3)}` : '';
  return `A ${map.a.meta.sae.name} ↔ B ${map.b.meta.sae.name}:\n${count(r.length)} pairs of ${count(new Set(a).size)} features of A and ${count(new Set(b).size)} of B${mean}, over ${count(map.tokens)} tokens\n(${map.method})`;
}

/** r from which a feature counts as found again. */
const FOUND = [0.5, 0.9];

/** The pairs of a map in a row. */
function pairRow(of: string, { pairs: { a, r }, featuresA, method }: PairedMap): TableRow {
  const what = measureOf(method);
  const sorted = Float64Array.from(r).sort();
  const middle = sorted.length >> 1;
  const median = sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
  const found = (least: number): number => new Set(a.filter((_, i) => r[i] >= least)).size;
  return {
    of,
    pairs: r.length,
    [`mean ${what}`]: orNull(sorted.reduce((sum, x) => sum + x, 0) / sorted.length),
    [`median ${what}`]: orNull(median),
    ...Object.fromEntries(FOUND.map((least) => [`features of A with ${what} ≥ ${least}`, found(least)])),
    'features of A': featuresA,
  };
}

/** A map beside those of its baselines. */
function besideTable(map: PairedMap, title: string): OutputItem[] {
  const rows = Object.entries({ SAE: map, ...map.baselines }).map(([of, each]) => pairRow(of, each));
  return tableItems({ ...tableOf(rows, title), note: mapText(map).replaceAll('\n', ' ') });
}

/**
 * A map in three short lines of text: a notebook's plain text does not wrap. With baselines, a table of all of them.
 */
export const mapItems = (map: PairedMap): OutputItem[] =>
  map.baselines ? besideTable(map, 'Matched pairs beside those of the baselines') : [textItem(mapText(map))];

/** What the filters left; before it, where there are baselines, what they left of these. */
export const filteredOutputs = (map: FilteredMap): OutputItem[][] => [
  ...(Object.keys(map.baselines ?? {}).length > 0 ? [besideTable(map, 'What the filters left of the baselines')] : []),
  filteredItems(map),
];

/** The pairs, and the mean of the map's measure over them, after each filter. */
export function filteredItems(map: FilteredMap): OutputItem[] {
  const what = measureOf(map.method);
  const rows = map.counts.map(({ step, pairs, meanR }, i) => {
    const before = i > 0 ? map.counts[i - 1] : undefined;
    return {
      step,
      'pairs before': before ? before.pairs : null,
      pairs,
      [`mean ${what} before`]: before ? orNull(before.meanR) : null,
      [`mean ${what}`]: orNull(meanR),
    };
  });
  const note = [mapText(map).replaceAll('\n', ' '), ...filterWarnings(map.counts)].join('. ');
  return tableItems({ ...tableOf(rows, 'Matched pairs after each filter'), note });
}

/** What filters found nothing, and which one took the last pairs. */
function filterWarnings(counts: FilteredMap['counts']): string[] {
  const last = counts.findIndex(({ pairs }, i) => i > 0 && pairs === 0 && counts[i - 1].pairs > 0);
  return [
    ...counts.flatMap(({ step, warning }) => (warning ? [`${step}: ${warning}`] : [])),
    ...(last > 0 ? [`No pair is left behind “${counts[last].step}”, which took the last ${count(counts[last - 1].pairs)}`] : []), // prettier-ignore
  ];
}

/** Said below a table that has no rows for want of pairs. */
const NO_PAIRS = 'the map has no pairs';

/** Scores of the decoder rows of pairs beside their nulls. */
export const similarityItems = (
  scores: readonly SimilarityScore[] & { readonly baselines?: Readonly<Record<string, readonly SimilarityScore[]>> },
  { pairs, method }: PairedMap,
): OutputItem[] =>
  scoreTable(scores, `Similarity of decoder rows, ${pairs.a.length} pairs (${method})`, {
    baselines: scores.baselines,
  });

/** Columns A and B as features of the SAEs of a map. */
const sidesOf = ({ a, b }: Pick<PairedMap, 'a' | 'b'>) => ({ A: a.meta.sae.id, B: b.meta.sae.id });

/** Verdicts and notes on pairs. */
export function judgementItems(found: readonly Judgement[], map: PairedMap): OutputItem[] {
  if (found.length === 0) return [textItem('No pair of these two stores has a verdict')];
  const rows = found.map(({ a, b, verdict, note }) => ({ A: a, B: b, verdict, note }));
  return tableItems(ofFeatures(tableOf(rows, 'Verdicts on pairs'), sidesOf(map)));
}

/** Pairs that are listed: more make an output that no one reads. */
const LISTED = 1000;

/** What pairs do together, those of highest r first. */
export function pairLabelItems(labels: readonly TokenShare[][], map: PairedMap): OutputItem[] {
  const { a, b, r } = map.pairs;
  const order = [...r.keys()].sort((i, j) => r[j] - r[i] || i - j);
  const rows = order.map((i) => ({ A: a[i], B: b[i], r: r[i], 'fire together on': sharesText(labels[i]) || 'never' }));
  const table = ofFeatures(tableOf(rows, 'What matched features do together', LISTED), sidesOf(map));
  return tableItems({ ...table, note: a.length > 0 ? 'shares are of Σ a·b over the tokens' : NO_PAIRS });
}

/** Pairs by every measure, those of highest r first. */
export function associationItems(found: readonly PairAssociation[], map: PairedMap): OutputItem[] {
  const order = [...found].sort((x, y) => y.pearson - x.pearson || x.b - y.b);
  const rows = order.map(({ a, b, firingsA, firingsB, both, pearson, cosine, jaccard, phi, mutualInformation }) => ({
    ...{ A: a, B: b, r: orNull(pearson), cosine: orNull(cosine), 'A fires': firingsA, 'B fires': firingsB, both },
    ...{ Jaccard: orNull(jaccard), phi: orNull(phi), 'mutual information (bits)': orNull(mutualInformation) },
  }));
  const table = ofFeatures(tableOf(rows, 'Matched pairs by every measure', LISTED), sidesOf(map));
  return tableItems(found.length > 0 ? table : { ...table, note: NO_PAIRS });
}

/** Hubs with their labels. */
export function hubItems(
  hubs: readonly Hub[],
  labels: Readonly<Record<Hub['side'], readonly FeatureLabel[]>>,
  map: PairedMap,
): OutputItem[] {
  const pairs = map.pairs.r.length;
  const sides = sidesOf(map);
  const what = measureOf(map.method);
  const rows = hubs.map(({ side, feature, pairs: n, share, meanR, bestR, partners }) => ({
    ...{ [SAE_ID]: sides[side] },
    ...{ side, feature, label: labelLine(labels[side][feature]), pairs: n, share },
    ...{ [`mean ${what}`]: meanR, [`best ${what}`]: bestR },
    'first partners': partners.slice(0, 8).join(' '),
  }));
  const title =
    hubs.length > 0 ? `Hubs: features that share ${count(pairs)} pairs` : `No hub among ${count(pairs)} pairs`;
  return tableItems(ofFeatures(tableOf(rows, title, LISTED), { feature: { key: SAE_ID } }));
}

/** Shares of pairs with tokens in common, beside their nulls. */
export function sameTokenItems({ pairs, excluded, baselines = {}, ...scores }: SameTokenScore): OutputItem[] {
  const listed = ({ shared, jaccard, top, raw }: Omit<SameTokenScore, 'pairs' | 'excluded'>) => [shared, jaccard, top, raw]; // prettier-ignore
  const left = excluded > 0 ? ` (${excluded} with a dead feature left out)` : '';
  return scoreTable(listed(scores), `Same-token score, ${pairs} pairs${left}`, {
    baselines: Object.fromEntries(Object.entries(baselines).map(([kind, of]) => [kind, listed(of)])),
    more: pairs > 0 ? [] : ['No pair of the map has two features that fire: there is nothing to score'],
  });
}
