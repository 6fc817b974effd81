/**
 * A sparse autoencoder, inference only, in one canonical form (types.ts, encode.ts); what its architecture adds is one file
 * of architectures/.
 */
import { parse } from 'node:path';
import { nameRows, type Matrix } from '../compute/matrix.js';
import { rowNorms } from '../compute/rows.js';
import { canonicalJson, sha256 } from '../io/hash.js';
import { EXTRA_TENSORS, type Architecture, type ExtraTensor } from './architectures/architecture.js';
import { architectureOf } from './architectures/index.js';
import { decodeRows, encodeRows, firstNonFinite, type Coder } from './encode.js';
import { rememberSite } from './site.js';
import { saeTitle, shownArchitecture } from './title.js';
import type { EncodedRows, Sae, SaeConfig, SaeWeights } from './types.js';

export { firstNonFinite } from './encode.js';
export type { SaeWeights } from './types.js';

/**
 * Makes an SAE of a config and its weights (kept, not copied). Throws on shapes that do not fit, weights that are not
 * finite, tensors and fields that the architecture does not take, an unknown architecture, a k outside 1 … d_sae, and
 * activation scaling that was not folded in yet.
 */
export function createSae(config: SaeConfig, weights: SaeWeights): Sae {
  checkConfig(config);
  const architecture = architectureOf(config.architecture);
  checkWeights(config, weights);
  const { W_dec } = weights;
  const coder: Coder = {
    config,
    weights,
    architecture,
    norms: config.rescaleActsByDecoderNorm ? rowNorms(W_dec) : undefined,
  };
  const name = nameOf(config);
  nameRows(W_dec, saeTitle({ name, config }));
  // What a transcoder writes is elsewhere than what it reads.
  const { modelName: model, modelId, hookName, hookNameOut: hook = hookName } = config;
  rememberSite(W_dec, { model, modelId, hook });
  return {
    ...weights,
    name,
    id: identityOf(config, weights, architecture),
    config,
    decoder: W_dec,
    encode: (x) => encodeRows(coder, x),
    decode: (features, x) => decodeRows(coder, features, x),
  };
}

/** Model, hook, architecture and width; of a file that names neither model nor hook, the file instead of them. */
function nameOf(config: SaeConfig): string {
  const { modelName, hookName, dSae, metadata } = config;
  const file = typeof metadata.source_file === 'string' ? parse(metadata.source_file).name : '';
  const where = [modelName, hookName].filter(Boolean);
  return [...(where.length > 0 ? where : [file]), shownArchitecture(config), dSae].filter(Boolean).join(' ');
}

/** x → features → x̂ (of a transcoder: the activation that it predicts), in the units of the activations. */
export function reconstruct(sae: Sae, x: Matrix): { features: EncodedRows; reconstruction: Matrix } {
  const features = sae.encode(x);
  return { features, reconstruction: sae.decode(features) };
}

/** @throws when the SAE predicts another activation than it reads, or cannot encode; `what` begins the message. */
export function requireReconstructs(sae: Sae, what: string): void {
  const { architecture, transcoder, hookName, hookNameOut } = sae.config;
  if (architecture === 'decoder') throw new Error(`${what}: ${sae.name} is a decoder alone; it encodes nothing`);
  if (transcoder)
    throw new Error(
      `${what}: ${sae.name} is a transcoder: it reads ${hookName || 'one activation'} and predicts ${hookNameOut || 'another'}; an SAE that reconstructs what it reads is needed`,
    );
}

/** Throws on a config that cannot be computed, saying what is supported. */
export function checkConfig(config: SaeConfig): void {
  const { dIn, dSae, dOut } = config;
  const architecture = architectureOf(config.architecture);
  for (const [name, value] of Object.entries({ d_in: dIn, d_sae: dSae, d_out: dOut ?? dIn })) {
    if (!Number.isInteger(value) || value < 1)
      throw new RangeError(`${name} must be a positive integer but is ${value}`);
  }
  checkFields(config, architecture);
  architecture.check?.(config);
  if (config.transcoder ? config.applyBDecToInput : false)
    throw new Error('a transcoder cannot subtract b_dec from its input: b_dec belongs to its output');
  if (!config.transcoder && dOut !== undefined && dOut !== dIn)
    throw new RangeError(`d_out ${dOut} differs from d_in ${dIn}, which only a transcoder may`);
  if (config.normalizeActivations === 'expected_average_only_in') {
    throw new Error(
      'normalizeActivations "expected_average_only_in" is a scale of the training data that is not in the weights yet; ' +
        'load with { normScalingFactor } (√d_in / mean ‖x‖ of the training activations; 1 if it was folded already)',
    );
  }
  if (config.normalizeActivations === 'layer_norm' && dIn < 2)
    throw new RangeError('layer_norm needs d_in of at least 2');
  if (config.transcoder && config.normalizeActivations !== 'none')
    throw new Error(`a transcoder with normalize_activations "${config.normalizeActivations}" is not supported`);
}

function checkFields(config: SaeConfig, { name, fields }: Architecture): void {
  const given = {
    k: config.k !== undefined,
    activation: config.activation !== undefined && config.activation !== 'relu',
    rescaleActsByDecoderNorm: config.rescaleActsByDecoderNorm === true,
    transcoder: config.transcoder === true,
    pursuit: config.pursuit !== undefined,
  };
  for (const field of Object.keys(given) as Array<keyof typeof given>) {
    const rule = fields[field];
    if (given[field] && !rule) throw new Error(`${field} means nothing to a ${name} SAE; leave it out`);
    if (!given[field] && rule === 'needed' && field !== 'k')
      throw new Error(`a ${name} SAE needs ${field} in its config`);
  }
}

function checkWeights(config: SaeConfig, weights: SaeWeights): void {
  for (const [name, data] of checkShapes(config, weights)) {
    const bad = firstNonFinite(data);
    if (bad >= 0)
      throw new RangeError(`${name} holds ${data[bad]} at element ${bad}; the SAE's file or training is broken`);
  }
}

/** Throws on tensors that the architecture lacks or does not take, and on shapes that do not fit; the values by name. */
export function checkShapes(config: SaeConfig, weights: SaeWeights): Map<string, Float32Array> {
  const architecture = architectureOf(config.architecture);
  const { dIn, dSae } = config;
  const dOut = config.dOut ?? dIn;
  const encoded = architecture.name === 'decoder' ? 0 : dSae;
  const shapes: Record<string, number[]> = {
    W_enc: [dIn, encoded],
    b_enc: [encoded],
    W_dec: [dSae, dOut],
    b_dec: [dOut],
  };
  const extra: Record<ExtraTensor, number[]> = { threshold: [dSae], r_mag: [dSae], b_mag: [dSae], W_skip: [dOut, dIn] };
  for (const name of EXTRA_TENSORS) {
    const rule = architecture.tensors[name];
    if (weights[name] && !rule)
      throw new Error(`a ${architecture.name} SAE has no ${name}: is it of another architecture?`);
    if (!weights[name] && rule === 'needed') throw new Error(`a ${architecture.name} SAE needs the tensor ${name}`);
    if (weights[name]) shapes[name] = extra[name];
  }
  const values = new Map<string, Float32Array>();
  for (const [name, expected] of Object.entries(shapes)) {
    const tensor = weights[name as keyof SaeWeights]!;
    const [got, data] =
      tensor instanceof Float32Array ? [[tensor.length], tensor] : [[tensor.rows, tensor.cols], tensor.data];
    if (got.join() !== expected.join()) {
      throw new RangeError(
        `${name} must be [${expected.join(', ')}] for d_in ${dIn}, d_sae ${dSae}${dOut === dIn ? '' : `, d_out ${dOut}`} but is [${got.join(', ')}]`,
      );
    }
    values.set(name, data);
  }
  return values;
}

/** What changes numbers is in the identity; metadata and names of training runs are not. */
function identityOf(config: SaeConfig, weights: SaeWeights, { fields }: Architecture): string {
  const { architecture, dIn, dSae, k, applyBDecToInput, normalizeActivations, hookName, modelName } = config;
  const rescale = config.rescaleActsByDecoderNorm ?? false;
  const kept = {
    architecture,
    dIn,
    dSae,
    k: fields.k === 'needed' ? (k ?? null) : null,
    applyBDecToInput,
    normalizeActivations,
    hookName,
    modelName,
    rescale,
    ...(config.activation === 'tanh-relu' ? { activation: config.activation } : {}),
    ...(config.pursuit ? { pursuit: { ...config.pursuit } } : {}),
    ...(config.transcoder ? { transcoder: true, dOut: config.dOut ?? dIn, hookNameOut: config.hookNameOut ?? '' } : {}),
  };
  const { W_enc, b_enc, W_dec, b_dec } = weights;
  const extra = EXTRA_TENSORS.flatMap((name) => {
    const tensor = weights[name];
    return tensor ? [name, tensor instanceof Float32Array ? tensor : tensor.data] : [];
  });
  return sha256(['sae 1', canonicalJson(kept), W_enc.data, b_enc, W_dec.data, b_dec, ...extra]);
}
