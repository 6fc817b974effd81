/** The cfg.json of an SAE, in SAELens 6's layout. */
import type { JsonObject } from '../../protocol/notebook.js';
import { architectureOf } from './architectures/index.js';
import { LAYOUT_VERSION } from './layouts/saelens.js';
import type { SaeConfig } from './types.js';

/** @throws when SAELens has no such SAE, saying what does. */
export function cfgOf(config: SaeConfig): JsonObject {
  const { saved, fields } = architectureOf(config.architecture);
  const { saelens } = saved;
  if (!saelens || (config.transcoder && fields.transcoder !== 'needed'))
    throw new Error(
      `SAELens has no ${config.architecture}${config.transcoder ? ' transcoder' : ' SAE'}; save it in another layout`,
    );
  if (config.activation === 'tanh-relu')
    throw new Error('SAELens 6 would read a tanh-relu SAE as a ReLU one, so it is not saved in that layout');
  return {
    d_in: config.dIn,
    d_sae: config.dSae,
    dtype: 'float32',
    device: 'cpu',
    apply_b_dec_to_input: config.applyBDecToInput,
    normalize_activations: config.normalizeActivations,
    reshape_activations: config.hookName.endsWith('hook_z') ? 'hook_z' : 'none',
    architecture: config.architecture,
    ...saelens.cfg?.(config),
    metadata: {
      ...config.metadata,
      model_name: config.modelName,
      hook_name: config.hookName,
      ...(config.hookNameOut === undefined ? {} : { hook_name_out: config.hookNameOut }),
      ...(config.contextSize === undefined ? {} : { context_size: config.contextSize }),
      ...(config.modelId === undefined ? {} : { fgnb_model_id: config.modelId }),
      sae_lens_version: LAYOUT_VERSION,
    },
  };
}
