/**
 * Gemma Scope: params.npz with W_enc [d_in, d_sae], b_enc, W_dec, b_dec and threshold, names in either case. JumpReLU;
 * b_dec is not subtracted. SAEs of the embedding were trained on it times √d_in.
 */
import type { SaeFiles } from './files.js';
import { scaleAll } from './fold.js';
import type { Layout } from './layout.js';

export const gemmaScope: Layout = {
  name: 'Gemma Scope',
  signs: 'params.npz (any .npz) with W_enc, b_enc, W_dec, b_dec, threshold',
  recognises: (files) => files.path.endsWith('.npz') && named(files) !== undefined,
  async read(files) {
    const of = named(files)!;
    const weights = {
      W_enc: await files.matrix(of('W_enc')),
      b_enc: await files.vector('b_enc'),
      W_dec: await files.matrix(of('W_dec')),
      b_dec: await files.vector('b_dec'),
      threshold: await files.vector('threshold'),
    };
    const [dIn, dSae, dOut] = [weights.W_enc.rows, weights.W_dec.rows, weights.W_dec.cols];
    // layer_12/width_16k/average_l0_82/params.npz
    const l0 = /(?:^|\/)average_l0_(\d+)(?:\/|$)/.exec(files.path)?.[1];
    const metadata = { library: 'Gemma Scope', ...(l0 === undefined ? {} : { average_l0: Number(l0) }) };
    if (/(^|\/)embedding\//.test(files.path)) {
      scaleAll(weights.W_enc.data, 1 / Math.sqrt(dIn));
      scaleAll(weights.W_dec.data, Math.sqrt(dIn));
      Object.assign(metadata, { note: 'hook_embed as TransformerLens gives it, times √d_in' });
    }
    const transcoder = dOut !== dIn || /transcoder/.test(files.path);
    return {
      config: {
        architecture: files.choose('architecture', { said: transcoder ? 'jumprelu_transcoder' : 'jumprelu' }),
        dIn,
        dSae,
        ...(dOut === dIn ? {} : { dOut }),
        ...(transcoder ? { transcoder } : {}),
        applyBDecToInput: files.choose('applyBDecToInput', { said: false }),
        normalizeActivations: 'none',
        hookName: '',
        modelName: '',
        metadata,
      },
      weights,
    };
  },
};

/** Upper or lower case, as the file has it. */
function named(files: SaeFiles): ((name: 'W_enc' | 'W_dec') => string) | undefined {
  if (!files.has('b_enc', 'b_dec', 'threshold')) return undefined;
  if (files.has('W_enc', 'W_dec')) return (name) => name;
  if (files.has('w_enc', 'w_dec')) return (name) => name.toLowerCase();
  return undefined;
}
