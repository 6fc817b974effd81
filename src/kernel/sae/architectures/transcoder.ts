/** Transcoder: a standard encoder whose decoder predicts another activation. */
import type { Architecture } from './architecture.js';
import { standard } from './standard.js';

export const transcoder: Architecture<'transcoder'> = {
  ...standard,
  name: 'transcoder',
  formula: 'f = ReLU(z); ŷ = f·W_dec + b_dec predicts another activation',
  fields: { transcoder: 'needed' },
  training: undefined,
  saved: { saelens: { cfg: ({ dOut, dIn }) => ({ d_out: dOut ?? dIn }) } },
};
