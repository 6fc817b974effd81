/**
 * Matching pursuit (../pursuit.ts). There is no encoder of its own: W_enc = W_decᵀ, b_enc = 0, and b_dec is always
 * subtracted. Trained, as in SAELens, with the squared error alone, whose gradient passes through every step: with
 * e = dL/dx̂ and h_T = 0, going back over the steps t of a token,
 *
 *   dL/dv_t = (e − h_{t+1}) · w      dL/dw += v_t (e − h_{t+1}) + dL/dv_t r_t      h_t = h_{t+1} + dL/dv_t w      dL/db_dec = Σ e − h_0
 */
import { breathe } from '../../compute/call.js';
import { transposed } from '../../compute/gemm.js';
import { matrix } from '../../compute/matrix.js';
import { flag, real, whole, type Given } from '../../verb/option.js';
import { inPieces, type DecodedBlock } from '../block.js';
import { candidatesHere, entriesOf, pursuit, type Pursuit, type PursuitInput, type Taken } from '../pursuit.js';
import { pursuedOnDevice } from '../pursuitOnDevice.js';
import { indexArray } from './select.js';
import type { BatchLoss, TrainedArchitecture, TrainingBatch, TrainingRun } from './training.js';

/** Operations of a piece of plain loops: about 0.2 s. */
const LOOP_FLOPS = 2e8;

const OPTIONS = {
  residualThreshold: real({
    doc: 'Norm of what is left of a token below which no further feature is taken; 0: none.',
    min: 0,
    usual: 0.01,
  }),
  maxIterations: whole({ doc: 'Features taken of a token at most.', min: 1, fallback: 'the width of the activations' }),
  stopOnDuplicateSupport: flag({
    doc: 'Take no further feature once one was taken again.',
    usual: true,
  }),
} as const;

export const matchingPursuit: TrainedArchitecture<'matching_pursuit', typeof OPTIONS> = {
  name: 'matching_pursuit',
  formula: 'again and again the feature of largest W_dec,i · r, with that value, r ← r − f_i W_dec,i from r = x̃',
  tensors: {},
  fields: { pursuit: 'needed' },
  firesAbove0: false,
  slope: () => undefined,
  check({ applyBDecToInput, pursuit: given }) {
    if (!applyBDecToInput)
      throw new Error('a matching_pursuit SAE reads x − b_dec; without that b_dec has no part in it: leave it 0');
    if (given && !(given.residualThreshold >= 0))
      throw new RangeError(`residualThreshold must be at least 0 but is ${given.residualThreshold}`);
  },
  encode({ config, weights, z, input, rows, counts }) {
    const { dIn, dSae } = config;
    const given = { input, z, rows, decoder: weights.W_dec.data, dIn, dSae };
    const pieces = pursuedHere(given, config.pursuit!);
    let piece = pieces.next();
    while (!piece.done) piece = pieces.next();
    const { indptr, features, values } = entriesOf(piece.value);
    for (let i = 0; i < rows; i++) counts[i] = indptr[i + 1] - indptr[i];
    const indices = indexArray(dSae, features.length);
    indices.set(features);
    return { indices, values };
  },
  saved: {
    saelens: {
      decoderAlone: true,
      cfg: ({ pursuit: p }) => ({
        residual_threshold: p!.residualThreshold,
        max_iterations: p!.maxIterations,
        stop_on_duplicate_support: p!.stopOnDuplicateSupport,
      }),
    },
  },
  training: {
    options: OPTIONS,
    tied: true,
    decoderInitNorm: 1,
    start: (given) => run(given),
    onDevice: 'products',
  },
};

const settingsOf = (given: Given<typeof OPTIONS>): Pursuit => ({
  residualThreshold: given.residualThreshold ?? OPTIONS.residualThreshold.usual,
  maxIterations: given.maxIterations ?? null,
  stopOnDuplicateSupport: given.stopOnDuplicateSupport ?? OPTIONS.stopOnDuplicateSupport.usual,
});

function run(given: Given<typeof OPTIONS>): TrainingRun {
  const settings = settingsOf(given);
  return {
    settings: { ...settings },
    config: { pursuit: settings },
    loss: (batch) => lossOf(batch, settings),
    finish(weights, { W_dec, scale }) {
      // Of activations s·x the same rows are taken, with s times the values: the scale passes rows by.
      weights.W_dec.data.set(W_dec);
      const { rows, cols } = weights.W_dec;
      weights.W_enc = matrix(cols, rows, transposed(W_dec, rows, cols));
      return { pursuit: { ...settings, residualThreshold: settings.residualThreshold / scale } };
    },
  };
}

function lossOf({ p, g, device, breakAt }: TrainingBatch, settings: Pursuit): BatchLoss {
  // The encoder follows; no gradient of it, so that it counts in no norm and Adam leaves it.
  p.W_encT.set(p.W_dec);
  let taken: Taken;
  return {
    through: () => 0,
    ownProducts: device !== undefined,
    async select({ input, z, rows }) {
      const given = { input, z, rows, decoder: p.W_dec, dIn: p.dIn, dSae: p.dSae };
      taken = device
        ? await pursuedOnDevice(device, given, settings, { breakAt })
        : await breathing(pursuedHere(given, settings), breakAt);
      const entries = entriesOf(taken);
      return { count: entries.indptr[rows], entries };
    },
    addBlock: (block) => backThroughSteps(block, taken, p, g, breakAt),
    terms: () => ({ added: 0 }),
  };
}

/** A pursuit with its products on this thread; yields between pieces of work. */
function* pursuedHere(given: PursuitInput & { z: Float32Array }, settings: Pursuit): Generator<void, Taken> {
  const running = pursuit(given, settings);
  for (let next = running.next(); ; next = running.next(yield* candidatesHere(given, next.value)))
    if (next.done) return next.value;
}

async function breathing<T>(pieces: Generator<void, T>, breakAt: (() => void) | undefined): Promise<T> {
  for (;;) {
    const { done, value } = pieces.next();
    if (done) return value;
    await breathe();
    breakAt?.();
  }
}

/** Adds to g what passes through the values of the steps; v e for the rows and Σ e for b_dec are the decoder's own. */
async function backThroughSteps(
  block: DecodedBlock,
  { features, values }: Taken,
  { W_dec, dIn }: TrainingBatch['p'],
  g: TrainingBatch['g'],
  breakAt: (() => void) | undefined,
): Promise<void> {
  const steps = features.reduce((sum, of) => sum + of.length, 0);
  const left = new Float64Array(dIn);
  const h = new Float64Array(dIn);
  await inPieces(
    block.rows,
    (8 * dIn * (steps + 1)) / block.rows,
    breakAt,
    (first, last) => {
      for (let i = first; i < last; i++) {
        // What was left in the end is x − x̂.
        for (let j = 0; j < dIn; j++) left[j] = -block.error[i * dIn + j];
        h.fill(0);
        for (let t = features[i].length - 1; t >= 0; t--) {
          const value = values[i][t];
          const at = features[i][t] * dIn;
          let toValue = 0;
          for (let j = 0; j < dIn; j++) {
            left[j] += value * W_dec[at + j];
            toValue += ((2 / block.batch) * block.error[i * dIn + j] - h[j]) * W_dec[at + j];
          }
          for (let j = 0; j < dIn; j++) {
            g.W_dec[at + j] += toValue * left[j] - value * h[j];
            h[j] += toValue * W_dec[at + j];
          }
        }
        for (let j = 0; j < dIn; j++) g.b_dec[j] -= h[j];
      }
    },
    LOOP_FLOPS,
  );
}
