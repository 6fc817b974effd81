/**
 * JumpReLU: f = ReLU(z) where z > θ, a threshold for each feature. Trained (Rajamanoharan et al. 2024, as in SAELens) with
 *
 *   loss = mse + λ · sparsity + the pre-activation loss of dead features         n_i = ‖W_dec,i‖
 *
 *   step       1/B Σ_b Σ_i [z > θ]                  the L0 itself
 *   tanh       1/B Σ_b Σ_i tanh(c f n_i)            Anthropic 2025
 *   quadratic  (L0 / target − 1)²                   the target-L0 loss of the paper
 *
 * The jump has no derivative in θ: a rectangle of width ε about θ stands for its delta (straight-through). Within
 * |z − θ| < ε/2, d f/dθ = −θ/ε and d[z > θ]/dθ = −1/ε; z itself gets the gradient of f where it fires and no other.
 */
import { matrix } from '../../compute/matrix.js';
import { rowNorms } from '../../compute/rows.js';
import type { Given } from '../../verb/option.js';
import { PRE_ACT_OPTIONS, preActLoss } from '../preActLoss.js';
import { coefficientAt } from '../schedule.js';
import { matrixTensor, shiftedBias, vectorTensor } from '../writers/tensors.js';
import { plainSlope } from './architecture.js';
import { JUMPRELU_OPTIONS, sparsityOf, thresholds, type Settings } from './jumpreluLoss.js';
import { jumpReluOnDevice } from './jumpreluOnDevice.js';
import { biased } from './onDevice.js';
import { addBias, selectPositive } from './select.js';
import { addNormGradient } from './sparsity.js';
import type { BatchLoss, TrainedArchitecture, TrainingBatch, TrainingRun } from './training.js';

export const jumprelu: TrainedArchitecture<'jumprelu', typeof JUMPRELU_OPTIONS> = {
  name: 'jumprelu',
  formula: 'f = ReLU(z) · [z > θ]',
  tensors: { threshold: 'needed' },
  // A BatchTopK SAE is saved as a JumpReLU one; its k is the L0 that it should have.
  fields: { k: 'allowed' },
  firesAbove0: true,
  slope: plainSlope,
  encode(block) {
    addBias(block, block.weights.b_enc);
    return selectPositive(block, block.weights.threshold);
  },
  onDevice: {
    keeps: 'all',
    fire(block) {
      const z = biased(block);
      const { g } = block;
      return g.where(g.op('Greater', [z, block.vector('threshold')]), z, g.number(0));
    },
  },
  saved: {
    // SAELens's own jumprelu has no k.
    saelens: {},
    // This class never subtracts b_dec: b_enc − b_dec·W_enc makes up for an SAE that does.
    dictionaryLearning: ({ config }, weights) => ({
      name: 'JumpReluAutoEncoder',
      tensors: {
        W_enc: matrixTensor(weights.W_enc),
        b_enc: vectorTensor(config.applyBDecToInput ? shiftedBias(weights, -1) : weights.b_enc),
        W_dec: matrixTensor(weights.W_dec),
        b_dec: vectorTensor(weights.b_dec),
        threshold: vectorTensor(weights.threshold!),
      },
    }),
  },
  training: {
    options: JUMPRELU_OPTIONS,
    start: (given, { dSae }) => run(given, dSae),
    onDevice: (given) => jumpReluOnDevice(jumpReluSettings(given)),
  },
};

export function jumpReluSettings(given: Given<typeof JUMPRELU_OPTIONS>): Settings {
  const settings: Settings = {
    l0Coefficient: given.l0Coefficient ?? JUMPRELU_OPTIONS.l0Coefficient.usual,
    l0WarmUpSteps: given.l0WarmUpSteps ?? JUMPRELU_OPTIONS.l0WarmUpSteps.usual,
    jumpreluSparsityLossMode: given.jumpreluSparsityLossMode ?? JUMPRELU_OPTIONS.jumpreluSparsityLossMode.usual,
    l0Target: given.l0Target ?? null,
    jumpreluTanhScale: given.jumpreluTanhScale ?? JUMPRELU_OPTIONS.jumpreluTanhScale.usual,
    jumpreluInitThreshold: given.jumpreluInitThreshold ?? JUMPRELU_OPTIONS.jumpreluInitThreshold.usual,
    jumpreluBandwidth: given.jumpreluBandwidth ?? JUMPRELU_OPTIONS.jumpreluBandwidth.usual,
    jumpreluThreshold: given.jumpreluThreshold ?? JUMPRELU_OPTIONS.jumpreluThreshold.usual,
    preActLossCoefficient: given.preActLossCoefficient ?? PRE_ACT_OPTIONS.preActLossCoefficient.usual,
  };
  requireFitting(given, settings);
  return settings;
}

function run(given: Given<typeof JUMPRELU_OPTIONS>, dSae: number): TrainingRun {
  const settings = jumpReluSettings(given);
  const start = settings.jumpreluInitThreshold;
  const begun = settings.jumpreluThreshold === 'log' ? Math.log(start) : start;
  return {
    settings: { ...settings },
    parameters: { threshold: new Float32Array(dSae).fill(begun) },
    loss: (batch) => lossOf(batch, settings),
    finish(weights, { extra }) {
      weights.threshold = Float32Array.from(thresholds(extra.threshold, settings));
    },
  };
}

/** @throws RangeError for options that the mode of the loss does not use, or lacks */
function requireFitting(
  given: Given<typeof JUMPRELU_OPTIONS>,
  { jumpreluSparsityLossMode: mode, l0Target }: Settings,
): void {
  if (mode === 'quadratic' && l0Target === null)
    throw new RangeError("jumpreluSparsityLossMode 'quadratic' needs the L0 to aim at; give { l0Target }");
  if (mode !== 'quadratic' && l0Target !== null)
    throw new RangeError(
      `l0Target means nothing to jumpreluSparsityLossMode '${mode}'; leave it out, or give { jumpreluSparsityLossMode: 'quadratic' }`,
    );
  if (mode !== 'tanh' && given.jumpreluTanhScale !== undefined)
    throw new RangeError(
      `jumpreluTanhScale means nothing to jumpreluSparsityLossMode '${mode}'; leave it out, or give { jumpreluSparsityLossMode: 'tanh' }`,
    );
}

function lossOf(batch: TrainingBatch, settings: Settings): BatchLoss {
  const { p, g, rows, step } = batch;
  const theta = thresholds(p.extra.threshold, settings);
  const norms = rowNorms(matrix(p.dSae, p.dOut, p.W_dec));
  const mode = settings.jumpreluSparsityLossMode;
  const epsilon = settings.jumpreluBandwidth;
  const lambda = coefficientAt(step, settings.l0Coefficient, settings.l0WarmUpSteps);
  const dead = preActLoss(batch, settings.preActLossCoefficient, theta, norms);
  // dL/dθ, entries in the band, and of tanh: its sum and dL/d‖W_dec row‖.
  const toTheta = new Float64Array(p.dSae);
  const inBand = new Uint32Array(p.dSae);
  const toNorm = new Float64Array(p.dSae);
  let tanhs = 0;
  const weight = lambda / rows;
  const scale = settings.jumpreluTanhScale;
  return {
    fires: { kind: 'jump', theta, band: epsilon / 2 },
    dead: dead.dead,
    through(gradient, f, value) {
      let toF = gradient;
      if (mode === 'tanh') {
        const t = Math.tanh(scale * value * norms[f]);
        const slope = weight * scale * (1 - t * t);
        tanhs += t;
        toF += slope * norms[f];
        toNorm[f] += slope * value;
      }
      if (!(value > 0) || value - theta[f] < epsilon / 2) {
        toTheta[f] -= (theta[f] / epsilon) * toF;
        inBand[f]++;
      }
      return value > 0 ? toF : 0;
    },
    terms([sums]) {
      const { value, slope } = sparsityOf(sums.firing, tanhs, rows, settings);
      for (let f = 0; f < p.dSae; f++) toTheta[f] -= (inBand[f] / epsilon) * lambda * slope;
      const added = dead.terms(toTheta, toNorm);
      if (mode === 'tanh' || added > 0) addNormGradient(p, g, norms, toNorm);
      const trained = p.extra.threshold;
      for (let f = 0; f < p.dSae; f++)
        g.extra.threshold[f] += toTheta[f] * (settings.jumpreluThreshold === 'log' ? theta[f] : trained[f] > 0 ? 1 : 0);
      return { added: lambda * value + added, l1: value, aux: added };
    },
  };
}
