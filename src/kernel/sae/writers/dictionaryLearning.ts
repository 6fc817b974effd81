/** dictionary_learning: ae.pt and config.json, by the class that computes the same (architectures/, `saved`). */
import { torchCheckpoint } from '../../io/torchWrite.js';
import { architectureOf } from '../architectures/index.js';
import type { Sae } from '../types.js';
import { refuse, withoutRescaling, type SaeOutput } from './tensors.js';

export function dictionaryLearningFiles(sae: Sae): SaeOutput {
  const { architecture, dIn, dSae, modelName, k, transcoder, normalizeActivations, activation } = sae.config;
  if (transcoder || sae.W_skip) refuse(sae, 'dictionary_learning', 'transcoder');
  if (normalizeActivations !== 'none') refuse(sae, 'dictionary_learning', 'normalisation of the input');
  if (activation === 'tanh-relu') refuse(sae, 'dictionary_learning', 'tanh-relu');
  const { saved } = architectureOf(architecture);
  if (!saved.dictionaryLearning) refuse(sae, 'dictionary_learning', `${architecture} SAE`);
  const { name, tensors } = saved.dictionaryLearning(sae, withoutRescaling(sae));
  const trainer = {
    dict_class: name,
    activation_dim: dIn,
    dict_size: dSae,
    ...(k === undefined ? {} : { k }),
    lm_name: modelName,
  };
  return {
    config: { name: 'config.json', json: { trainer } },
    weights: { name: 'ae.pt', tensors, bytes: torchCheckpoint(tensors) },
  };
}
