/**
 * Skip transcoder (Paulo et al. 2025): a transcoder to whose output W_skip·x is added, x as it came in. W_skip begins at
 * 0 and is trained along: what is linear in x takes no features.
 */
import { matrix } from '../../compute/matrix.js';
import type { TrainedShape } from '../parameters.js';
import { sparseRun } from './sparsity.js';
import { sparseOnDevice } from './sparsityOnDevice.js';
import type { TrainedArchitecture, TrainingRun } from './training.js';
import { transcoder, TRANSCODER_OPTIONS } from './transcoder.js';

export const skipTranscoder: TrainedArchitecture<'skip_transcoder', typeof TRANSCODER_OPTIONS> = {
  ...transcoder,
  name: 'skip_transcoder',
  formula: 'as transcoder, ŷ = f·W_dec + b_dec + W_skip·x',
  tensors: { W_skip: 'needed' },
  training: {
    options: TRANSCODER_OPTIONS,
    start: (given, shape) => skipRun(sparseRun(given), shape),
    onDevice: (given) => ({ ...sparseOnDevice(given), skip: true }),
  },
};

/** A transcoder's run with a skip connection. */
export function skipRun(run: TrainingRun, { dIn, dOut = dIn }: TrainedShape): TrainingRun {
  return {
    ...run,
    parameters: { ...run.parameters, W_skip: new Float32Array(dOut * dIn) },
    finish(weights, trained) {
      // x was scaled, y was not.
      weights.W_skip = matrix(
        dOut,
        dIn,
        trained.extra.W_skip.map((v) => v * trained.scale),
      );
      return run.finish?.(weights, trained);
    },
  };
}
