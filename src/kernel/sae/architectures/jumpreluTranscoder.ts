/** JumpReLU transcoder: trained as a JumpReLU SAE is, with ‖ŷ − y‖² in the place of ‖x̂ − x‖². */
import { jumprelu } from './jumprelu.js';
import { JUMPRELU_OPTIONS } from './jumpreluLoss.js';
import type { TrainedArchitecture } from './training.js';
import { transcoder } from './transcoder.js';

export const jumpreluTranscoder: TrainedArchitecture<'jumprelu_transcoder', typeof JUMPRELU_OPTIONS> = {
  ...jumprelu,
  name: 'jumprelu_transcoder',
  formula: 'f = ReLU(z) · [z > θ]; ŷ = f·W_dec + b_dec predicts another activation',
  fields: { k: 'allowed', transcoder: 'needed' },
  saved: transcoder.saved,
};
