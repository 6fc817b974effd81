/** SAELens 6: cfg.json and sae_weights.safetensors. */
import { EXTRA_TENSORS } from '../architectures/architecture.js';
import { architectureOf } from '../architectures/index.js';
import { cfgOf } from '../cfg.js';
import type { Sae, SaeConfig, SaeWeights } from '../types.js';
import { matrixTensor, refuse, vectorTensor, withoutRescaling, type SaeOutput } from './tensors.js';

export function saelensFiles(sae: Sae): SaeOutput {
  const { config, weights } = inferenceForm(sae);
  const cfg = cfgOf(config);
  if (sae.W_skip && architectureOf(config.architecture).tensors.W_skip !== 'needed')
    refuse(sae, 'SAELens', `${config.architecture} SAE with a skip connection`);
  const names = architectureOf(config.architecture).saelens?.names ?? {};
  const nameOf = (name: keyof SaeWeights): string => names[name] ?? name;
  const tensors: SaeOutput['weights']['tensors'] = {
    W_enc: matrixTensor(weights.W_enc),
    [nameOf('b_enc')]: vectorTensor(weights.b_enc),
    W_dec: matrixTensor(weights.W_dec),
    b_dec: vectorTensor(weights.b_dec),
  };
  for (const name of EXTRA_TENSORS) {
    const tensor = weights[name];
    if (tensor) tensors[nameOf(name)] = tensor instanceof Float32Array ? vectorTensor(tensor) : matrixTensor(tensor);
  }
  return { config: { name: 'cfg.json', json: cfg }, weights: { name: 'sae_weights.safetensors', tensors } };
}

/** SAELens has a BatchTopK SAE for inference as a JumpReLU one, decoder norms folded; others as they are. */
function inferenceForm(sae: Sae): { config: SaeConfig; weights: SaeWeights } {
  const { architecture, rescaleActsByDecoderNorm: _, k, ...config } = sae.config;
  if (architecture !== 'batchtopk' && architecture !== 'matryoshka_batchtopk')
    return { config: sae.config, weights: sae };
  const metadata = { ...config.metadata, trained_as: architecture, ...(k === undefined ? {} : { trained_k: k }) };
  return { config: { ...config, architecture: 'jumprelu', metadata }, weights: withoutRescaling(sae) };
}
