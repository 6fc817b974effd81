/**
 * dictionary_learning: ae.pt with config.json {trainer: {dict_class, …}}, or ae.pt alone where its tensors name the class.
 * What each class computes is in CLASSES; a scale of normalised training is folded into its files already.
 */
import type { SaeArchitecture, SaeConfig, SaeWeights } from '../types.js';
import type { SaeFiles } from './files.js';
import { NeedsOption, type Layout, type SaeParts } from './layout.js';

interface Class {
  architecture: SaeArchitecture;
  /** Whether the decoder's bias is subtracted from the input. */
  subtracts: boolean;
  /** Canonical names to names in the file; '.T' behind one of nn.Linear, which is [out, in]. */
  names: Partial<Record<keyof SaeWeights, string>>;
  /** Only these tensors may be there besides: of training. */
  idle?: readonly string[];
}

const LINEAR = { W_enc: 'encoder.weight.T', b_enc: 'encoder.bias', W_dec: 'decoder.weight.T' };
const DIRECT = { W_enc: 'W_enc', b_enc: 'b_enc', W_dec: 'W_dec', b_dec: 'b_dec' };

const CLASSES: Readonly<Record<string, Class>> = {
  AutoEncoder: { architecture: 'standard', subtracts: true, names: { ...LINEAR, b_dec: 'bias' } },
  AutoEncoderNew: { architecture: 'standard', subtracts: false, names: { ...LINEAR, b_dec: 'decoder.bias' } },
  GatedAutoEncoder: {
    architecture: 'gated',
    subtracts: true,
    names: {
      W_enc: 'encoder.weight.T',
      b_enc: 'gate_bias',
      r_mag: 'r_mag',
      b_mag: 'mag_bias',
      W_dec: 'decoder.weight.T',
      b_dec: 'decoder_bias',
    },
  },
  // Its threshold serves an encoding that has to be asked for; by default the k largest are kept.
  AutoEncoderTopK: { architecture: 'topk', subtracts: true, names: { ...LINEAR, b_dec: 'b_dec' }, idle: ['threshold'] },
  BatchTopKSAE: {
    architecture: 'batchtopk',
    subtracts: true,
    names: { ...LINEAR, b_dec: 'b_dec', threshold: 'threshold' },
  },
  JumpReluAutoEncoder: { architecture: 'jumprelu', subtracts: false, names: { ...DIRECT, threshold: 'threshold' } },
  // Its groups shape training alone.
  MatryoshkaBatchTopKSAE: {
    architecture: 'matryoshka_batchtopk',
    subtracts: true,
    names: { ...DIRECT, threshold: 'threshold' },
    idle: ['group_sizes', 'active_groups'],
  },
};

export const dictionaryLearning: Layout = {
  name: 'dictionary_learning',
  signs: 'config.json with trainer.dict_class beside ae.pt; or a .pt with the tensors of one of its classes',
  recognises: (files) => files.field('trainer.dict_class') !== undefined || classOfTensors(files) !== undefined,
  async read(files): Promise<SaeParts> {
    const name = files.text('trainer.dict_class') || requireOne(files, classOfTensors(files)!);
    const found = Object.hasOwn(CLASSES, name) ? CLASSES[name] : undefined;
    if (!found)
      throw new Error(
        `${files.path}: the class ${name} of dictionary_learning is not known; known are ${Object.keys(CLASSES).join(', ')}`,
      );
    const weights = await weightsOf(files, found);
    files.irrelevant('of training, or of an encoding that is not the default', found.idle ?? []);
    files.irrelevant('how it was trained; the class alone says what it computes', ['trainer.*', 'buffer', 'buffer.*']);
    return { config: await configOf(files, name, found, weights), weights };
  },
};

async function weightsOf(files: SaeFiles, { names, architecture }: Class): Promise<SaeWeights> {
  const read = async (name: keyof SaeWeights): Promise<Float32Array> => files.vector(names[name]!);
  const [enc, dec] = [names.W_enc!, names.W_dec!].map((name) => ({
    name: name.replace(/\.T$/, ''),
    turned: name.endsWith('.T'),
  }));
  const weights: SaeWeights = {
    W_enc: await files.matrix(enc.name, enc.turned),
    b_enc: await read('b_enc'),
    W_dec: await files.matrix(dec.name, dec.turned),
    b_dec: await read('b_dec'),
  };
  if (names.r_mag) weights.r_mag = await read('r_mag');
  if (names.b_mag) weights.b_mag = await read('b_mag');
  if (!names.threshold) return weights;
  if (architecture === 'jumprelu') return { ...weights, threshold: await read('threshold') };
  const theta = await files.scalar('threshold');
  if (theta < 0)
    throw new Error(
      `${files.path}: threshold is ${theta}: training had not set it, so this SAE can only select over its training batch; train it past its threshold_start_step`,
    );
  return { ...weights, threshold: new Float32Array(weights.W_dec.rows).fill(theta) };
}

async function configOf(files: SaeFiles, name: string, found: Class, { W_enc, W_dec }: SaeWeights): Promise<SaeConfig> {
  const [dIn, dSae] = [W_enc.rows, W_dec.rows];
  for (const [field, size] of [
    ['activation_dim', dIn],
    ['dict_size', dSae],
  ] as const) {
    const said = files.count(`trainer.${field}`);
    if (said !== undefined && said !== size)
      throw new Error(`${files.configName} says ${field} ${said}, but ${files.path} has ${size}`);
  }
  const k = files.has('k') ? await files.scalar('k') : files.count('trainer.k');
  const takesK = ['topk', 'batchtopk', 'matryoshka_batchtopk'].includes(found.architecture);
  // A class that only the tensors' names speak for may be overruled in what they do not show.
  const sure = files.field('trainer.dict_class') !== undefined;
  const subtracts = sure ? { said: found.subtracts } : { assumed: found.subtracts };
  return {
    architecture: files.choose('architecture', { said: found.architecture }) as SaeArchitecture,
    dIn,
    dSae,
    ...(takesK && (k ?? files.options.k) !== undefined ? { k: files.choose('k', { said: k }) } : {}),
    applyBDecToInput: files.choose('applyBDecToInput', subtracts),
    normalizeActivations: 'none',
    hookName: hookOf(files),
    modelName: files.text('trainer.lm_name'),
    metadata: { library: 'dictionary_learning', class: name },
  };
}

/** resid_post_layer_3 and the like; other submodules are not one activation of TransformerLens for sure. */
function hookOf(files: SaeFiles): string {
  const found = /^resid_post_layer_(\d+)$/.exec(files.text('trainer.submodule_name'));
  return found ? `blocks.${found[1]}.hook_resid_post` : '';
}

/** The class that a checkpoint without a config must be of; undefined when the tensors' names leave it open. */
function classOfTensors(files: SaeFiles): string | undefined {
  if (files.hasConfig || !/\.(pt|pth|bin)$/.test(files.path)) return undefined;
  if (files.has('W_enc', 'W_dec', 'group_sizes', 'threshold')) return 'MatryoshkaBatchTopKSAE';
  if (files.has('decoder_bias', 'r_mag', 'gate_bias', 'mag_bias')) return 'GatedAutoEncoder';
  if (files.has('bias', 'encoder.weight', 'encoder.bias', 'decoder.weight')) return 'AutoEncoder';
  if (files.has('encoder.weight', 'encoder.bias', 'decoder.weight', 'b_dec', 'k')) return ofTopK(files);
  const size = files.shape('threshold');
  if (files.has('W_enc', 'b_enc', 'W_dec', 'b_dec') && size.length === 1 && !files.has('k'))
    return 'JumpReluAutoEncoder';
  return undefined;
}

const EITHER = 'AutoEncoderTopK or BatchTopKSAE';

/** TopK and BatchTopK have the same tensors when a threshold is among them. */
function ofTopK(files: SaeFiles): string {
  if (!files.has('threshold')) return 'AutoEncoderTopK';
  const { architecture } = files.options;
  if (architecture === 'topk') return 'AutoEncoderTopK';
  return architecture === 'batchtopk' ? 'BatchTopKSAE' : EITHER;
}

function requireOne(files: SaeFiles, name: string): string {
  if (name !== EITHER) return name;
  throw new NeedsOption(
    `${files.path} has the tensors of both AutoEncoderTopK and BatchTopKSAE of dictionary_learning, and no config.json to say which; give { architecture: 'topk' } or { architecture: 'batchtopk' }`,
  );
}
