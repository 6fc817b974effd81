/** How results of fg.sae are shown. */
import type { OutputItem } from '../../protocol/notebook.js';
import type { BesideEvaluation, SaeEvaluation } from '../sae/evaluationSums.js';
import type { LENS, LogitLensOptions, PromotedToken } from '../sae/logitLens.js';
import type { Sae } from '../sae/types.js';
import type { Filled } from '../verb/filled.js';
import { ofFeatures } from './featureCells.js';
import { count, tableItems, tableOf } from './items.js';

const figuresOf = (e: SaeEvaluation): Record<string, number> => ({
  L0: e.l0,
  ...(Number.isNaN(e.l0Training) ? {} : { 'L0 at the end of training': e.l0Training }),
  'explained variance': e.explainedVariance,
  'explained variance, mean over tokens': e.explainedVariancePerToken,
  '1 − FVU, mean over batches': e.oneMinusFvu,
  'MSE per token, summed over dims': e.mseSumPerToken,
  'cosine of x and reconstruction': e.cosineSimilarity,
  'CE loss (nats)': e.ceClean,
  'CE loss with SAE': e.ceSae,
  'CE loss with zeros': e.ceZero,
  'CE loss with the mean': e.ceMean,
  'CE loss recovered': e.ceLossRecovered,
  'CE loss recovered, of the mean': e.ceLossRecoveredMean,
  'KL with SAE (nats)': e.klSae,
  'KL recovered': e.klScore,
  'KL recovered, of the mean': e.klScoreMean,
  'dead features': e.dead,
  'dense features (fire on > 10 % of tokens)': e.dense,
});

/** Figures of an evaluation, one a row; those of baselines in further columns. */
export function evaluationItems(sae: Sae, e: BesideEvaluation): OutputItem[] {
  const beside = Object.entries(e.baselines ?? {}).map(([kind, of]) => [kind, figuresOf(of)] as const);
  const rows = Object.entries(figuresOf(e)).map(([figure, value]) => ({
    figure,
    [beside.length > 0 ? 'SAE' : 'value']: value,
    ...Object.fromEntries(beside.map(([kind, of]) => [kind, of[figure]])),
  }));
  return tableItems({
    ...tableOf(rows, `Evaluation of ${sae.name}`),
    note: `${count(e.tokens)} tokens, ${count(e.sequences)} sequences`,
  });
}

/** Features that are listed: more make an output that no one reads. */
const LISTED = 1000;

/** Tokens that features promote, a feature a row, and beside them those that they suppress where there are any. */
export function lensItems(
  sae: Sae,
  promoted: ReadonlyArray<readonly PromotedToken[]>,
  { top, bottom, foldNorm }: Filled<typeof LENS, LogitLensOptions>,
): OutputItem[] {
  const written = (tokens: readonly PromotedToken[]): string =>
    tokens.map(({ token }) => JSON.stringify(token)).join(' ');
  const rows = promoted.slice(0, LISTED).map((tokens, feature) => ({
    feature,
    logit: tokens[0]?.logit,
    tokens: written(tokens.slice(0, top)),
    ...(bottom > 0 ? { lowest: tokens.at(-1)?.logit, suppressed: written(tokens.slice(top).reverse()) } : {}),
  }));
  const table = tableOf(rows, `Tokens that features of ${sae.name} promote`);
  return tableItems({
    ...ofFeatures(table, { feature: sae.id }),
    ...(rows.length < promoted.length ? { totalRows: promoted.length } : {}),
    note: foldNorm
      ? 'logit: of the first token, with the linear part of the final norm, without its scale'
      : 'logit: of the first token, without the final LayerNorm',
  });
}
