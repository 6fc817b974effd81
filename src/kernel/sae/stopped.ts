/** What a training says and keeps when it should not go on, and what the user should know of its text and its end. */
import { count } from '../present/items.js';
import type { HistoryRow } from './train.js';

/** Text that is read more often than this is learned by heart. */
const READINGS = 200;
/** Loss against the least so far, over so many logged steps in a row: the training explodes. */
const EXPLODED = 1e3;
const EXPLODED_ROWS = 3;

/** The loss or the gradient stopped being finite, or the loss exploded: the same options would end there again. */
export class DivergedError extends Error {
  override readonly name = 'DivergedError';
}

/** Warning about a text that is read hundreds of times; undefined for one that is not. */
export function repeatedText(steps: number, batch: number, rows: number | undefined): string | undefined {
  if (rows === undefined || steps * batch < READINGS * rows) return undefined;
  return `Warning: ${count(steps)} steps of ${count(batch)} tokens read this text of ${count(rows)} tokens ${count(Math.round((steps * batch) / rows))} times: the SAE learns it by heart, and figures on it say little; give more text, or fewer steps`;
}

/** Warning about an SAE that ends worse than the mean activation; undefined where it does not. */
export function negativeEnd(history: readonly HistoryRow[]): string | undefined {
  const last = history.slice(-10);
  const mean = last.reduce((sum, { explainedVariance }) => sum + explainedVariance, 0) / last.length;
  if (!(mean < 0)) return undefined;
  return `Warning: the explained variance ends at ${mean.toFixed(3)}: below 0, the mean activation would do better than this SAE; give more steps, a larger k or a smaller penalty, or look at { lr } and { bDecInitMethod }`;
}

/** Whether the last logged losses are all far above the least one. From the history alone, so that it is the same after a stop. */
export function exploded(history: readonly HistoryRow[]): boolean {
  if (history.length <= EXPLODED_ROWS) return false;
  let least = Infinity;
  for (const { loss } of history) least = Math.min(least, loss);
  return least > 0 && history.slice(-EXPLODED_ROWS).every(({ loss }) => loss > EXPLODED * least);
}
