/** JumpReLU transcoder with a skip connection. */
import { jumpReluSettings } from './jumprelu.js';
import { JUMPRELU_OPTIONS } from './jumpreluLoss.js';
import { jumpReluOnDevice } from './jumpreluOnDevice.js';
import { jumpreluTranscoder } from './jumpreluTranscoder.js';
import { skipRun } from './skipTranscoder.js';
import type { TrainedArchitecture } from './training.js';

export const jumpreluSkipTranscoder: TrainedArchitecture<'jumprelu_skip_transcoder', typeof JUMPRELU_OPTIONS> = {
  ...jumpreluTranscoder,
  name: 'jumprelu_skip_transcoder',
  formula: 'as jumprelu_transcoder, ŷ = f·W_dec + b_dec + W_skip·x',
  tensors: { threshold: 'needed', W_skip: 'needed' },
  training: {
    options: JUMPRELU_OPTIONS,
    start: (given, shape) => skipRun(jumpreluTranscoder.training.start(given, shape), shape),
    onDevice: (given) => ({ ...jumpReluOnDevice(jumpReluSettings(given)), skip: true }),
  },
};
