/**
 * Matryoshka BatchTopK (Bussmann et al. 2025): the first w_1, w_2, … features must reconstruct alone too, so that early
 * features stay general. At inference it is a BatchTopK. Trained with, unweighted as in SAELens,
 *
 *   loss = Σ_l 1/B Σ_b ‖x̂_l − x‖² + the auxiliary loss of dead features      x̂_l = b_dec + Σ_{i < w_l} f_i W_dec,i
 */
import { numbers } from '../../verb/option.js';
import { asJumpRelu, batchtopk, batchTopKOnDevice, BATCHTOPK_OPTIONS, batchTopKRun } from './batchtopk.js';
import type { TrainedArchitecture } from './training.js';

const OPTIONS = {
  ...BATCHTOPK_OPTIONS,
  matryoshkaWidths: numbers({
    doc: 'w: widths of the nested groups, growing; all features are added as the last.',
    min: 1,
    fallback: 'an eighth, a quarter and half of the features, and all',
  }),
} as const;

export const matryoshkaBatchtopk: TrainedArchitecture<'matryoshka_batchtopk', typeof OPTIONS> = {
  ...batchtopk,
  name: 'matryoshka_batchtopk',
  formula: 'as batchtopk; the nested groups shape training alone',
  training: {
    options: OPTIONS,
    start: ({ matryoshkaWidths, ...rest }, shape) => batchTopKRun(rest, shape, widthsOf(matryoshkaWidths, shape.dSae)),
    onDevice: ({ matryoshkaWidths, ...rest }) => batchTopKOnDevice(rest, (dSae) => widthsOf(matryoshkaWidths, dSae)),
  },
  saved: { saelensForm: asJumpRelu },
};

/** @throws RangeError on widths that do not grow, or are more than there are features */
function widthsOf(given: readonly number[] | undefined, dSae: number): number[] {
  const widths = given ? [...given] : [8, 4, 2].map((part) => Math.floor(dSae / part)).filter((width) => width > 0);
  if (widths.at(-1) !== dSae) widths.push(dSae);
  const bad = widths.findIndex((width, i) => i > 0 && width <= widths[i - 1]);
  if (bad > 0)
    throw new RangeError(
      `matryoshkaWidths are ${widths.slice(0, -1).join(', ')} of ${dSae} features; give widths that grow, each at most ${dSae}`,
    );
  return widths;
}
