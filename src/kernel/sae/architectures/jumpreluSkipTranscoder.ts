/** JumpReLU transcoder with a skip connection. */
import type { Architecture } from './architecture.js';
import { jumpreluTranscoder } from './jumpreluTranscoder.js';

export const jumpreluSkipTranscoder: Architecture<'jumprelu_skip_transcoder'> = {
  ...jumpreluTranscoder,
  name: 'jumprelu_skip_transcoder',
  formula: 'as jumprelu_transcoder, ŷ = f·W_dec + b_dec + W_skip·x',
  tensors: { threshold: 'needed', W_skip: 'needed' },
};
