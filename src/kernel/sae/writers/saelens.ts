/** SAELens 6: cfg.json and sae_weights.safetensors. */
import { EXTRA_TENSORS } from '../architectures/architecture.js';
import { architectureOf } from '../architectures/index.js';
import { cfgOf } from '../cfg.js';
import type { Sae, SaeWeights } from '../types.js';
import { matrixTensor, refuse, vectorTensor, type SaeOutput } from './tensors.js';

export function saelensFiles(sae: Sae): SaeOutput {
  const form = architectureOf(sae.config.architecture).saved.saelensForm?.(sae);
  const { config, weights } = form ?? { config: sae.config, weights: sae };
  const architecture = architectureOf(config.architecture);
  const cfg = cfgOf(config);
  if (sae.W_skip && architecture.tensors.W_skip !== 'needed')
    refuse(sae, 'SAELens', `${config.architecture} SAE with a skip connection`);
  const { names = {}, decoderAlone } = architecture.saved.saelens ?? {};
  const nameOf = (name: keyof SaeWeights): string => names[name] ?? name;
  const tensors: SaeOutput['weights']['tensors'] = {
    ...(decoderAlone ? {} : { W_enc: matrixTensor(weights.W_enc), [nameOf('b_enc')]: vectorTensor(weights.b_enc) }),
    W_dec: matrixTensor(weights.W_dec),
    b_dec: vectorTensor(weights.b_dec),
  };
  for (const name of EXTRA_TENSORS) {
    const tensor = weights[name];
    if (tensor) tensors[nameOf(name)] = tensor instanceof Float32Array ? vectorTensor(tensor) : matrixTensor(tensor);
  }
  return { config: { name: 'cfg.json', json: cfg }, weights: { name: 'sae_weights.safetensors', tensors } };
}
