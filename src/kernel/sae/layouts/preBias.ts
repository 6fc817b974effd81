/**
 * State dicts with pre_bias, encoder_weights, encoder_bias, decoder_weights: top-k SAEs that subtract pre_bias. k is the
 * last number of the name, behind the number of features (sae_1024_4.pt).
 */
import { basename } from 'node:path';
import type { Layout } from './layout.js';

export const preBias: Layout = {
  name: 'pre_bias state dict',
  signs: 'pre_bias, encoder_bias, encoder_weights, decoder_weights',
  recognises: (files) => files.has('pre_bias', 'encoder_bias', 'encoder_weights', 'decoder_weights'),
  async read(files) {
    const weights = {
      W_enc: await files.matrix('encoder_weights'),
      b_enc: await files.vector('encoder_bias'),
      W_dec: await files.matrix('decoder_weights'),
      b_dec: await files.vector('pre_bias'),
    };
    const dSae = weights.W_dec.rows;
    const architecture = files.choose('architecture', { assumed: 'topk' });
    const named = kFromName(files.path, dSae);
    const ask = `a topk SAE without its k (the name does not end in _${dSae}_K.pt); give { k }`;
    return {
      config: {
        architecture,
        dIn: weights.W_dec.cols,
        dSae,
        ...(architecture === 'standard' ? {} : { k: files.choose('k', { assumed: named, ask }) }),
        // What the tensor's name says.
        applyBDecToInput: files.choose('applyBDecToInput', { said: true }),
        normalizeActivations: 'none',
        hookName: '',
        modelName: '',
        metadata: { source_file: basename(files.path) },
      },
      weights,
    };
  },
};

/** k of a name such as sae_1024_4.pt: features, then k. */
function kFromName(path: string, dSae: number): number | undefined {
  const found = /_(\d+)_(\d+)\.[a-z]+$/i.exec(basename(path));
  return found && Number(found[1]) === dSae ? Number(found[2]) : undefined;
}
