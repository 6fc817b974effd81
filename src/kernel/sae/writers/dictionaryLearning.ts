/** dictionary_learning: ae.pt and config.json, by the class that computes the same. */
import { torchCheckpoint } from '../../io/torchWrite.js';
import type { NdArray } from '../../io/ndarray.js';
import type { Sae, SaeWeights } from '../types.js';
import { encoderBias } from './sparsify.js';
import { matrixTensor, refuse, single, vectorTensor, withoutRescaling, type SaeOutput } from './tensors.js';

export function dictionaryLearningFiles(sae: Sae): SaeOutput {
  const { dIn, dSae, modelName, k, transcoder, normalizeActivations, activation } = sae.config;
  if (transcoder || sae.W_skip) refuse(sae, 'dictionary_learning', 'transcoder');
  if (normalizeActivations !== 'none') refuse(sae, 'dictionary_learning', 'normalisation of the input');
  if (activation === 'tanh-relu') refuse(sae, 'dictionary_learning', 'tanh-relu');
  const { name, tensors } = classOf(sae, withoutRescaling(sae));
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

function classOf(sae: Sae, weights: SaeWeights): { name: string; tensors: Record<string, NdArray> } {
  const { architecture, applyBDecToInput } = sae.config;
  const { W_enc, b_enc, W_dec, b_dec } = weights;
  const bias = vectorTensor(b_dec);
  const subtracted = vectorTensor(encoderBias(sae, W_enc, b_enc, !applyBDecToInput));
  const linear = { 'encoder.weight': matrixTensor(W_enc, true), 'decoder.weight': matrixTensor(W_dec, true) };
  switch (architecture) {
    case 'standard':
      return applyBDecToInput
        ? { name: 'AutoEncoder', tensors: { bias, ...linear, 'encoder.bias': vectorTensor(b_enc) } }
        : { name: 'AutoEncoderNew', tensors: { ...linear, 'encoder.bias': vectorTensor(b_enc), 'decoder.bias': bias } };
    case 'gated':
      if (!applyBDecToInput) refuse(sae, 'dictionary_learning', 'gated SAE that does not subtract b_dec');
      return {
        name: 'GatedAutoEncoder',
        tensors: {
          decoder_bias: bias,
          ...linear,
          r_mag: vectorTensor(sae.r_mag!),
          gate_bias: vectorTensor(b_enc),
          mag_bias: vectorTensor(sae.b_mag!),
        },
      };
    case 'topk': {
      // An unset threshold: its top-k encoding does not use one.
      const tensors = { ...linear, 'encoder.bias': subtracted, b_dec: bias, k: scalarK(sae), threshold: scalar(-1) };
      return { name: 'AutoEncoderTopK', tensors };
    }
    case 'batchtopk': {
      const tensors = {
        ...linear,
        'encoder.bias': subtracted,
        b_dec: bias,
        k: scalarK(sae),
        threshold: scalar(theta(sae)),
      };
      return { name: 'BatchTopKSAE', tensors };
    }
    case 'jumprelu':
      return { name: 'JumpReluAutoEncoder', tensors: jumpRelu(sae, weights) };
    default:
      return refuse(sae, 'dictionary_learning', `${architecture} SAE`);
  }
}

/** This class never subtracts b_dec: b_enc − b_dec·W_enc makes up for an SAE that does. */
function jumpRelu(sae: Sae, { W_enc, b_enc, W_dec, b_dec, threshold }: SaeWeights): Record<string, NdArray> {
  const sum = Float64Array.from(b_enc);
  if (sae.config.applyBDecToInput)
    for (let j = 0; j < W_enc.rows; j++)
      for (let f = 0; f < W_enc.cols; f++) sum[f] -= b_dec[j] * W_enc.data[j * W_enc.cols + f];
  return {
    W_enc: matrixTensor(W_enc),
    b_enc: vectorTensor(Float32Array.from(sum)),
    W_dec: matrixTensor(W_dec),
    b_dec: vectorTensor(b_dec),
    threshold: vectorTensor(threshold!),
  };
}

const scalar = (value: number): NdArray => ({ dtype: 'F32', shape: [], data: Float32Array.of(value) });
/** A BatchTopK SAE of unknown k has 1 there: encoding by threshold does not use it. */
const scalarK = (sae: Sae): NdArray => ({ dtype: 'I32', shape: [], data: Int32Array.of(sae.config.k ?? 1) });
const theta = (sae: Sae): number =>
  single(
    sae.threshold!,
    `${sae.name} has a threshold for each feature, and BatchTopKSAE has one for all; save it with layout 'saelens'`,
  );
