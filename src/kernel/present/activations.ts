/** How what fg.activations measures is shown. */
import type { OutputItem } from '../../protocol/notebook.js';
import { sharesText } from '../../protocol/tokens.js';
import type { FeatureTokens } from '../activations/tokenStatistics.js';
import { orNull } from './charts.js';
import { tableItems, tableOf } from './items.js';

/** Features and tokens that are listed: more make an output that no one reads. */
const LISTED = { features: 1000, tokens: 5 };

/** Token statistics, a feature a row. */
export function tokenItems(found: readonly FeatureTokens[], sae: string): OutputItem[] {
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
    ...tableOf(rows, `Tokens that features of ${sae} fire on`),
    ...(rows.length < found.length ? { totalRows: found.length } : {}),
    note: 'shares are of the activation mass Σ a of the feature; positions count from 0',
  });
}
