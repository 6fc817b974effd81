/** Skip transcoder: a transcoder to whose output W_skip·x is added, x as it came in. */
import type { Architecture } from './architecture.js';
import { transcoder } from './transcoder.js';

export const skipTranscoder: Architecture<'skip_transcoder'> = {
  ...transcoder,
  name: 'skip_transcoder',
  formula: 'as transcoder, ŷ = f·W_dec + b_dec + W_skip·x',
  tensors: { W_skip: 'needed' },
};
