/** JumpReLU transcoder. */
import type { Architecture } from './architecture.js';
import { jumprelu } from './jumprelu.js';
import { transcoder } from './transcoder.js';

export const jumpreluTranscoder: Architecture<'jumprelu_transcoder'> = {
  ...jumprelu,
  name: 'jumprelu_transcoder',
  formula: 'f = ReLU(z) · [z > θ]; ŷ = f·W_dec + b_dec predicts another activation',
  fields: { k: 'allowed', transcoder: 'needed' },
  training: undefined,
  saved: transcoder.saved,
};
