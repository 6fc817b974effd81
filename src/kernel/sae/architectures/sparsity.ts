/** Sparsity penalties of ReLU features, u_bi = f_bi ‖W_dec,i‖: λ/B Σ_b ‖u_b‖_p, or λ/B Σ_b Σ_i tanh(c u_bi). */
import { filled } from '../../verb/filled.js';
import { matrix } from '../../compute/matrix.js';
import { rowNorms } from '../../compute/rows.js';
import { choice, real, whole, type Given } from '../../verb/option.js';
import type { Block } from '../block.js';
import type { Parameters } from '../parameters.js';
import { coefficientAt } from '../schedule.js';
import { rectify } from '../selectFiring.js';
import { TIED_OPTIONS, tiedRun } from './tied.js';
import type { BatchLoss, TrainingBatch, TrainingRun } from './training.js';

/** Options of penalties on Σ f. */
export const L1_OPTIONS = {
  l1Coefficient: real({ doc: 'λ.', min: 0, usual: 1 }),
  l1WarmUpSteps: whole({ doc: 'Steps over which λ grows linearly from 0.', min: 0, usual: 0 }),
} as const;

/** Options of ReLU SAEs. */
export const SPARSITY_OPTIONS = {
  ...L1_OPTIONS,
  sparsityPenalty: choice(['lp', 'tanh'], {
    doc: "What λ weighs: 'lp' is the L_p norm of f · ‖W_dec row‖ over features, 'tanh' is Σ tanh(c · f · ‖W_dec row‖).",
    usual: 'lp',
  }),
  lpNorm: real({ doc: 'p.', above: 0, usual: 1 }),
  tanhScale: real({ doc: "c of 'tanh'.", above: 0, usual: 4 }),
  ...TIED_OPTIONS,
} as const;

/** The penalty of a run, with every default filled in. */
export type Penalty = { l1Coefficient: number; l1WarmUpSteps: number } & (
  { sparsityPenalty: 'lp'; lpNorm: number } | { sparsityPenalty: 'tanh'; tanhScale: number }
);

/** @throws RangeError for options that the penalty does not use */
export function penaltyOf(given: Given<typeof SPARSITY_OPTIONS>): Penalty {
  const { sparsityPenalty, lpNorm, tanhScale, l1Coefficient, l1WarmUpSteps } = filled(
    { ...SPARSITY_OPTIONS, ...L1_OPTIONS },
    given,
  );
  const unused = sparsityPenalty === 'lp' ? 'tanhScale' : 'lpNorm';
  if (given[unused] !== undefined)
    throw new RangeError(
      `${unused} means nothing to sparsityPenalty '${sparsityPenalty}'; leave it out, or give { sparsityPenalty: '${sparsityPenalty === 'lp' ? 'tanh' : 'lp'}' }`,
    );
  const common = { l1Coefficient, l1WarmUpSteps };
  return sparsityPenalty === 'lp' ? { ...common, sparsityPenalty, lpNorm } : { ...common, sparsityPenalty, tanhScale };
}

/** The run of a ReLU SAE. @throws RangeError for options that the penalty does not use */
export function sparseRun(given: Given<typeof SPARSITY_OPTIONS>): TrainingRun {
  const penalty = penaltyOf(given);
  const run: TrainingRun = {
    settings: { ...penalty },
    loss(batch) {
      const lambda = coefficientAt(batch.step, penalty.l1Coefficient, penalty.l1WarmUpSteps);
      if (penalty.sparsityPenalty === 'tanh') return tanhLoss(batch, lambda, penalty.tanhScale);
      return penalty.lpNorm === 1 ? l1Loss(batch, lambda) : lpLoss(batch, lambda, penalty.lpNorm);
    },
  };
  return given.tied ? tiedRun(run) : run;
}

const normsOf = (p: Parameters): Float64Array => rowNorms(matrix(p.dSae, p.dOut, p.W_dec));

function l1Loss({ p, g, rows }: TrainingBatch, lambda: number): BatchLoss {
  const norms = normsOf(p);
  return {
    penalty: lambda > 0 ? norms.map((n) => (lambda / rows) * n) : undefined,
    fires: { kind: 'positive' },
    terms([{ features }]) {
      const l1 = penalizeDecoder(p, g, norms, features, lambda / rows) / rows;
      return { added: lambda * l1, l1 };
    },
  };
}

/** d‖u‖_p/du_i = (u_i / ‖u‖_p)^(p − 1). */
function lpLoss({ p, g, rows }: TrainingBatch, lambda: number, power: number): BatchLoss {
  const norms = normsOf(p);
  const toNorm = new Float64Array(p.dSae);
  let ofRow: Float64Array = new Float64Array(0);
  let total = 0;
  return {
    select(block) {
      const count = rectify(block);
      ofRow = lpNorms(block, norms, power);
      total += ofRow.reduce((sum, norm) => sum + norm, 0);
      return { count };
    },
    through(gradient, f, value, row) {
      const slope = value > 0 ? (lambda / rows) * ((value * norms[f]) / ofRow[row]) ** (power - 1) : 0;
      toNorm[f] += slope * value;
      return gradient + slope * norms[f];
    },
    terms() {
      addNormGradient(p, g, norms, toNorm);
      return { added: (lambda * total) / rows, l1: total / rows };
    },
  };
}

/** ‖f ⊙ norms‖_p of each row of features. */
function lpNorms({ z, rows }: Block, norms: Float64Array, power: number): Float64Array {
  const out = new Float64Array(rows);
  for (let i = 0, at = 0; i < rows; i++) {
    let sum = 0;
    for (let f = 0; f < norms.length; f++, at++) if (z[at] > 0) sum += (z[at] * norms[f]) ** power;
    out[i] = sum ** (1 / power);
  }
  return out;
}

function tanhLoss({ p, g, rows }: TrainingBatch, lambda: number, scale: number): BatchLoss {
  const norms = normsOf(p);
  const toNorm = new Float64Array(p.dSae);
  let total = 0;
  return {
    fires: { kind: 'positive' },
    through(gradient, f, value) {
      const t = Math.tanh(scale * value * norms[f]);
      const slope = (lambda / rows) * scale * (1 - t * t);
      total += t;
      toNorm[f] += slope * value;
      return gradient + slope * norms[f];
    },
    terms() {
      addNormGradient(p, g, norms, toNorm);
      return { added: (lambda * total) / rows, l1: total / rows };
    },
  };
}

/** Adds gradients on decoder norms, toNorm · W/‖W‖ (0 for a zero row), to those of the decoder rows. */
export function addNormGradient(p: Parameters, g: Parameters, norms: Float64Array, toNorm: Float64Array): void {
  const { dSae, dOut, W_dec } = p;
  const to = g.W_dec;
  for (let f = 0; f < dSae; f++) {
    if (toNorm[f] === 0 || norms[f] === 0) continue;
    const factor = toNorm[f] / norms[f];
    for (let j = f * dOut; j < (f + 1) * dOut; j++) to[j] += factor * W_dec[j];
  }
}

/** λ/B · Σ_b Σ_i f‖W_dec,i‖: adds its gradient on the decoder; returns the sum before λ/B. */
export function penalizeDecoder(
  p: Parameters,
  g: Parameters,
  norms: Float64Array,
  sums: Float64Array,
  weight: number,
): number {
  let total = 0;
  for (let f = 0; f < p.dSae; f++) total += sums[f] * norms[f];
  addNormGradient(
    p,
    g,
    norms,
    sums.map((sum) => weight * sum),
  );
  return total;
}
