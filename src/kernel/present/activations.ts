/** How results of fg.activations are shown. */
import type { OutputItem } from '../../protocol/notebook.js';
import { labelLine, shareText, sharesText, type PointLabel } from '../../protocol/tokens.js';
import type { Aligned } from '../activations/align.js';
import type { FoundFeatures } from '../activations/find.js';
import type { FeatureTokens } from '../activations/tokenStatistics.js';
import { orNull } from './charts.js';
import { ofFeatures } from './featureCells.js';
import { count, tableItems, tableOf } from './items.js';

/** Features and tokens that are listed: more make an output that no one reads. */
const LISTED = { features: 1000, tokens: 5 };

/** Token statistics, a feature a row. */
export function tokenItems(found: readonly FeatureTokens[], sae: { id: string; name: string }): OutputItem[] {
  const percent = (share: number): number | null => orNull(100 * share);
  const rows = found.slice(0, LISTED.features).map((f) => ({
    feature: f.feature,
    firings: f.firings,
    'different tokens': f.distinct,
    tokens: sharesText(f.tokens.slice(0, LISTED.tokens)) || '(dead)',
    '% at first position': percent(f.first),
    '% on special tokens': percent(f.special),
    '% on punctuation': percent(f.punctuation),
    positions: sharesText(f.positions.slice(0, 3).map(({ position, share }) => ({ token: String(position), share }))),
  }));
  return tableItems({
    ...ofFeatures(tableOf(rows, `Tokens that features of ${sae.name} fire on`), { feature: sae.id }),
    ...(rows.length < found.length ? { totalRows: found.length } : {}),
    note: 'shares are of the activation mass Σ a of the feature; positions count from 0',
  });
}

/** Whether a word has a feature of its own, and how near the best comes. */
export function foundText({ query, occurrences, features, own }: FoundFeatures): string {
  if (occurrences === 0) return `${query} does not occur in this text`;
  const [best] = features;
  if (!best) return `No feature fires on ${query} (${count(occurrences)} occurrences)`;
  const said = `#${best.feature} fires on ${shareText(best.ofOccurrences)} of ${count(occurrences)} occurrences, and ${shareText(best.ofMass)} of its activation lies on them`;
  return own >= 0
    ? `${query} has a feature of its own: ${said}`
    : `No feature of its own for ${query}: the best, ${said}`;
}

/** The features of a word, one a row. */
export function foundItems(
  found: FoundFeatures,
  labels: readonly PointLabel[],
  sae: { id: string; name: string },
): OutputItem[] {
  const rows = found.features.map((f) => ({
    feature: f.feature,
    '% of occurrences': 100 * f.ofOccurrences,
    '% of its activation': 100 * f.ofMass,
    firings: f.firings,
    label: labelLine(labels[f.feature]),
  }));
  const note = `${foundText(found)} (own: at least ${shareText(found.least)} of both)`;
  const table = tableOf(rows, `Features of ${sae.name} that fire on ${found.query}`);
  return tableItems({ ...ofFeatures(table, { feature: sae.id }), note });
}

/** How much of two stores was joined. */
export function alignedItems({ a, b, spans, shares }: Aligned): OutputItem[] {
  const row = (side: string, { meta }: Aligned['a'], characters: number, tokens: number) => ({
    ...{ side, model: meta.model.name, SAE: meta.sae.name },
    '% of characters joined': orNull(100 * characters),
    '% of tokens joined': orNull(100 * tokens),
  });
  const rows = [row('A', a, shares.charactersA, shares.tokensA), row('B', b, shares.charactersB, shares.tokensB)];
  const note = `${shareText(shares.single)} of the spans are one token on both sides; white space and special tokens are not counted`;
  return tableItems({ ...tableOf(rows, `Aligned by characters: ${count(spans)} spans of text`), note });
}
