/**
 * Gemma Scope 2: params.safetensors with w_enc [d_in, d_sae], b_enc, w_dec [d_sae, d_out], b_dec, threshold, and for
 * transcoders affine_skip_connection [d_in, d_out], from which x·A is added. JumpReLU; b_dec is not subtracted.
 */
import type { SaeArchitecture, SaeWeights } from '../types.js';
import type { SaeFiles } from './files.js';
import type { Layout } from './layout.js';

export const gemmaScope2: Layout = {
  name: 'Gemma Scope 2',
  signs: 'w_enc, b_enc, w_dec, b_dec, threshold (affine_skip_connection)',
  recognises: (files) => !files.path.endsWith('.npz') && files.has('w_enc', 'b_enc', 'w_dec', 'b_dec', 'threshold'),
  async read(files) {
    if (files.shape('w_enc').length > 2 || files.shape('w_dec').length > 2)
      throw new Error(
        `${files.path}: w_dec is [${files.shape('w_dec').join(', ')}]: a cross-layer transcoder, which is not supported; load an SAE or a transcoder of one layer`,
      );
    const weights: SaeWeights = {
      W_enc: await files.matrix('w_enc'),
      b_enc: await files.vector('b_enc'),
      W_dec: await files.matrix('w_dec'),
      b_dec: await files.vector('b_dec'),
      threshold: await files.vector('threshold'),
    };
    if (files.has('affine_skip_connection')) weights.W_skip = await files.matrix('affine_skip_connection', true);
    const [dIn, dSae, dOut] = [weights.W_enc.rows, weights.W_dec.rows, weights.W_dec.cols];
    const { architecture, hookName, hookNameOut } = kindOf(files, weights, dIn !== dOut);
    return {
      config: {
        architecture: files.choose('architecture', { said: architecture }),
        dIn,
        dSae,
        ...(dOut === dIn ? {} : { dOut }),
        ...(architecture === 'jumprelu' ? {} : { transcoder: true, hookNameOut }),
        applyBDecToInput: files.choose('applyBDecToInput', { said: false }),
        normalizeActivations: 'none',
        hookName,
        modelName: files.text('model_name'),
        metadata: { library: 'Gemma Scope 2' },
      },
      weights,
    };
  },
};

function kindOf(
  files: SaeFiles,
  { W_skip }: SaeWeights,
  widthsDiffer: boolean,
): { architecture: SaeArchitecture; hookName: string; hookNameOut: string } {
  const where = `${files.configName} of ${files.path}: `;
  const act = files.field('architecture');
  if (act !== undefined && act !== 'jump_relu' && act !== 'jumprelu')
    throw new Error(`${where}architecture ${JSON.stringify(act)} is not known; known is jump_relu`);
  const affine = files.flag('affine_connection');
  if (affine !== undefined && affine !== (W_skip !== undefined))
    throw new Error(
      `${where}affine_connection is ${affine}, but the weights ${W_skip ? 'have' : 'lack'} affine_skip_connection`,
    );
  const type = files.text('type');
  if (type === 'clt' || type === 'crosscoder')
    throw new Error(`${where}type "${type}" is not supported; supported are sae and transcoder`);
  const [hookIn, hookOut] = [files.text('hf_hook_point_in'), files.text('hf_hook_point_out')];
  files.irrelevant('said about the SAE, its size and its training', [
    'width',
    'l0',
    'site',
    'layer',
    'affine_connection',
    'submission',
  ]);
  const transcoder = type === 'transcoder' || W_skip !== undefined || widthsDiffer || hookIn !== hookOut;
  const architecture = !transcoder ? 'jumprelu' : W_skip ? 'jumprelu_skip_transcoder' : 'jumprelu_transcoder';
  const layer = /^model\.layers\.(\d+)\.output$/.exec(hookIn);
  return {
    architecture,
    hookName: layer ? `blocks.${layer[1]}.hook_resid_post` : '',
    hookNameOut: hookOut,
  };
}
