/**
 * What a crosscoder's training has beyond an SAE's of the joined activations:
 *
 *   loss = Σ_m ‖x̂_m − x_m‖² + what the architecture adds
 *
 * standard: λ/B Σ_b Σ_i f_bi Σ_m ‖W_dec,m,i‖, the sum of the norms of the sides (Lindsey et al. 2024), which makes it
 * cheaper for a feature to leave a side that does not need it. topk: nothing. Dedicated features (arXiv 2602.11729) are
 * zero in the encoder and decoder of every other side, from the start on and after every step.
 */
import { matrix } from '../compute/matrix.js';
import { rowNorms } from '../compute/rows.js';
import type { TrainingRun } from '../sae/architectures/training.js';
import type { Parts } from '../sae/architectures/trainingOnDevice.js';
import type { Parameters } from '../sae/parameters.js';
import { scaleRows } from '../sae/fold.js';
import { coefficientAt } from '../sae/schedule.js';
import type { Around } from '../sae/trainOptions.js';
import { sideNorms } from './crosscoder.js';

export interface Sides {
  /** Where each side's columns begin; the last entry is the width of all. */
  readonly offsets: readonly number[];
  /** Features dedicated to each side. */
  readonly dedicated: readonly number[];
}

/** A crosscoder around the architecture on joined activations. */
export const aroundSides = (sides: Sides): Around => ({
  run: (run) => crosscoderRun(run, sides),
  onDevice: (training) => ({ ...training, key: `${training.key} of sides`, parts: partsOf(sides) }),
});

/** The sides as a graph takes them: penalties count the sum of their norms, and dedicated features have weights in one. */
const partsOf = ({ offsets, dedicated }: Sides): Parts => ({
  offsets,
  open(features) {
    if (dedicated.every((count) => count === 0)) return undefined;
    const sides = offsets.length - 1;
    const open = new Float32Array(features * sides).fill(1);
    let first = 0;
    dedicated.forEach((count, m) => {
      open.fill(0, first * sides, (first + count) * sides);
      for (let f = first; f < first + count; f++) open[f * sides + m] = 1;
      first += count;
    });
    return open;
  },
});

/** The run of a crosscoder around that of the architecture. */
export function crosscoderRun(run: TrainingRun, sides: Sides): TrainingRun {
  const { l1Coefficient, l1WarmUpSteps } = run.settings;
  const penalized =
    typeof l1Coefficient === 'number' ? sumOfNorms(sides.offsets, l1Coefficient, Number(l1WarmUpSteps)) : run.loss;
  return {
    ...run,
    settings: { ...run.settings, sides: { offsets: [...sides.offsets], dedicated: [...sides.dedicated] } },
    begin: (p) => dedicate(p, sides),
    loss(batch) {
      const added = penalized(batch);
      return {
        ...added,
        terms(sums) {
          const terms = added.terms(sums);
          // Gradients that are zero stay zero in Adam's moments, so that these weights never leave 0.
          clearOthers(batch.g, sides);
          return terms;
        },
      };
    },
  };
}

/** Clears dedicated features, and lets their rows keep the norms that the others have: shorter ones would not fire. */
function dedicate(p: Parameters, sides: Sides): void {
  const rows = [p.W_encT, p.W_dec].map((data) => matrix(p.dSae, p.dIn, data));
  const before = rows.map((each) => rowNorms(each));
  clearOthers(p, sides);
  rows.forEach((each, i) => {
    const after = rowNorms(each);
    scaleRows(
      each,
      after.map((norm, f) => (norm > 0 && norm !== before[i][f] ? before[i][f] / norm : 1)),
    );
  });
}

/** Zeros, in encoder and decoder rows of dedicated features, in the columns of all other sides. */
function clearOthers({ W_encT, W_dec, dIn }: Parameters, { offsets, dedicated }: Sides): void {
  let first = 0;
  dedicated.forEach((features, m) => {
    for (let f = first; f < first + features; f++) {
      for (const rows of [W_encT, W_dec]) {
        rows.fill(0, f * dIn, f * dIn + offsets[m]);
        rows.fill(0, f * dIn + offsets[m + 1], (f + 1) * dIn);
      }
    }
    first += features;
  });
}

/** The L1 loss with Σ_m ‖W_dec,m,i‖ where a standard SAE has ‖W_dec,i‖. */
function sumOfNorms(offsets: readonly number[], l1Coefficient: number, l1WarmUpSteps: number): TrainingRun['loss'] {
  const sides = offsets.length - 1;
  return ({ p, g, rows, step }) => {
    const lambda = coefficientAt(step, l1Coefficient, l1WarmUpSteps);
    const norms = sideNorms(p.W_dec, p.dSae, offsets);
    const sums = new Float64Array(p.dSae);
    norms.forEach((norm, at) => (sums[Math.floor(at / sides)] += norm));
    return {
      penalty: lambda > 0 ? sums.map((n) => (lambda / rows) * n) : undefined,
      fires: { kind: 'positive' },
      terms([{ features }]) {
        let l1 = 0;
        for (let f = 0; f < p.dSae; f++) {
          l1 += features[f] * sums[f];
          for (let m = 0; m < sides; m++) {
            const norm = norms[f * sides + m];
            const factor = norm > 0 ? ((lambda / rows) * features[f]) / norm : 0;
            if (factor === 0) continue;
            for (let j = f * p.dIn + offsets[m]; j < f * p.dIn + offsets[m + 1]; j++) g.W_dec[j] += factor * p.W_dec[j];
          }
        }
        return { added: (lambda * l1) / rows, l1: l1 / rows };
      },
    };
  };
}
