/**
 * Qwen-Scope: layerN.sae.pt with W_enc [d_sae, d_in], b_enc, W_dec [d_in, d_sae], b_dec: both matrices the other way round
 * than elsewhere. Top-k; b_dec is not subtracted; k is in the repository's name (…-L0_50).
 */
import { basename } from 'node:path';
import type { SaeFiles } from './files.js';
import type { Layout } from './layout.js';

export const qwenScope: Layout = {
  name: 'Qwen-Scope',
  signs: 'layerN.sae.pt with W_enc [d_sae, d_in], b_enc, W_dec [d_in, d_sae], b_dec',
  recognises: (files) => !files.hasConfig && /^layer\d+\.sae\.pt$/.test(basename(files.path)) && turned(files),
  async read(files) {
    const weights = {
      W_enc: await files.matrix('W_enc', true),
      b_enc: await files.vector('b_enc'),
      W_dec: await files.matrix('W_dec', true),
      b_dec: await files.vector('b_dec'),
    };
    const k = /L0_(\d+)/.exec(files.path);
    const layer = /^layer(\d+)/.exec(basename(files.path))!;
    return {
      config: {
        architecture: files.choose('architecture', { said: 'topk' }),
        dIn: weights.W_enc.rows,
        dSae: weights.W_enc.cols,
        k: files.choose('k', {
          said: k ? Number(k[1]) : undefined,
          ask: 'the path does not hold the L0_K of the repository, which is its k; give { k }',
        }),
        applyBDecToInput: files.choose('applyBDecToInput', { said: false }),
        normalizeActivations: 'none',
        hookName: `blocks.${layer[1]}.hook_resid_post`,
        modelName: '',
        metadata: { library: 'Qwen-Scope' },
      },
      weights,
    };
  },
};

/** [d_sae, d_in] by the lengths of the biases. */
function turned(files: SaeFiles): boolean {
  if (!files.has('W_enc', 'b_enc', 'W_dec', 'b_dec')) return false;
  const [dSae] = files.shape('b_enc');
  const [dIn] = files.shape('b_dec');
  return files.shape('W_enc').join() === `${dSae},${dIn}` && files.shape('W_dec').join() === `${dIn},${dSae}`;
}
