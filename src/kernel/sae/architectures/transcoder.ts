/**
 * Transcoder (Dunefsky et al. 2024): a standard encoder whose decoder predicts another activation y of the same token,
 * such as an MLP's output from its input. Trained as a standard SAE is, with ‖ŷ − y‖² in the place of ‖x̂ − x‖².
 */
import type { Given } from '../../verb/option.js';
import { sparseRun, SPARSITY_OPTIONS } from './sparsity.js';
import { sparseOnDevice } from './sparsityOnDevice.js';
import { standard } from './standard.js';
import type { TrainedArchitecture } from './training.js';

/** Those of a standard SAE, but for tied weights: encoder and decoder lie in different spaces. */
const { tied: _, ...OPTIONS } = SPARSITY_OPTIONS;
export const TRANSCODER_OPTIONS = OPTIONS;
export type TranscoderOptions = Given<typeof TRANSCODER_OPTIONS>;

export const transcoder: TrainedArchitecture<'transcoder', typeof TRANSCODER_OPTIONS> = {
  ...standard,
  name: 'transcoder',
  formula: 'f = ReLU(z); ŷ = f·W_dec + b_dec predicts another activation',
  fields: { transcoder: 'needed' },
  training: { options: TRANSCODER_OPTIONS, start: sparseRun, onDevice: sparseOnDevice },
  saved: { saelens: { cfg: ({ dOut, dIn }) => ({ d_out: dOut ?? dIn }) } },
};
