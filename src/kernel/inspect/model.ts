/** A language model's folder: config.json, weights, tokenizer. */
import { basename, join } from 'node:path';
import { formatBytes } from '../../protocol/bytes.js';
import { kindOfPath, readJson } from '../io/files.js';
import { readConfig } from '../models/config.js';
import { weightShapes } from '../models/layout.js';
import { compareNames, CPU_WEIGHT_BYTES, FLOATS } from '../models/load.js';
import { loadTokenizer } from '../models/tokenizerFiles.js';
import { hookNames } from '../models/hooks.js';
import type { ModelConfig, Tokenizer } from '../models/types.js';
import type { JsonObject } from '../../protocol/notebook.js';
import { openFolderWeights, type FolderWeights } from './shards.js';
import type { Report, Subject } from './report.js';
import type { ModelFact, TensorFact } from './types.js';
import { lookAtValues } from './values.js';
import { quoted } from './words.js';

export async function inspectModel(subject: Subject, report: Report): Promise<void> {
  const { path } = subject;
  const config = await configOf(path, report);
  const weights = await openFolderWeights(path, report);
  try {
    const several = weights.files.length > 1;
    for (const { name, source } of weights.files) report.addTensors(source, several ? name : undefined);
    if (!subject.remote)
      for (const { source } of weights.files) await lookAtValues(report, source, 'refused', subject.signal);
  } finally {
    for (const { source } of weights.files) await source.close();
  }
  if (weights.format === undefined)
    report.add('missing-file', 'refused', `${basename(path)} has no weights: model.safetensors or pytorch_model.bin`);
  if (config) {
    report.inspection.model = factOf(config);
    tellTensors(config, weights, report);
    tellSizes(config, report);
  }
  const tokenizer = await inspectTokenizer(subject, report);
  if (tokenizer && config) tellVocabulary(tokenizer, config, report);
  if (!tokenizer && report.inspection.unusual.every(({ code }) => code !== 'tokenizer-refused'))
    tellNoTokenizer(subject, config, report);
  const format = `Hugging Face model, ${weights.format ?? 'no weights'}`;
  report.is('model', format, `const lm = await fg.models.load(${quoted(subject.asked)})`);
}

/** As fg.models.load does it: repositories with GPT-2's vocabulary and no tokenizer have GPT-2's. */
function tellNoTokenizer({ remote }: Subject, config: ModelConfig | undefined, report: Report): void {
  if (remote && config?.vocab === 50257) report.add('no-tokenizer', 'note', "no tokenizer: GPT-2's is taken");
  else report.add('no-tokenizer', 'refused', 'no tokenizer: tokenizer.json, or vocab.json and merges.txt');
}

async function configOf(folder: string, report: Report): Promise<ModelConfig | undefined> {
  const path = join(folder, 'config.json');
  try {
    const json = await readJson(path);
    if (typeof json !== 'object' || json === null || Array.isArray(json))
      throw new Error(`${path} must hold an object`);
    return readConfig(json as JsonObject, path);
  } catch (error) {
    const quantised = error instanceof Error && error.message.includes('quantization_config');
    report.failed(error, quantised ? 'quantized' : 'config-refused');
    return undefined;
  }
}

function factOf(config: ModelConfig): ModelFact {
  const hooks = hookNames(config).filter((hook) => /hook_resid_(pre|post)$/.test(hook));
  return {
    family: config.family,
    layers: config.layers,
    width: config.dModel,
    heads: config.heads,
    kvHeads: config.kvHeads ?? config.heads,
    headWidth: config.dHead,
    mlpWidth: config.dMlp,
    vocabulary: config.vocab,
    context: config.context,
    tiedEmbeddings: config.tiedEmbeddings,
    hooks: [hooks[0] ?? '', hooks.at(-1) ?? ''],
  };
}

/** Names, shapes and types against what the config says. */
function tellTensors(config: ModelConfig, { complete, files }: FolderWeights, report: Report): void {
  if (files.length === 0) return;
  const tensors = new Map(report.inspection.tensors.map((tensor) => [tensor.name, tensor]));
  const { stored, missing, unexpected, twins } = compareNames([...tensors.keys()], config);
  if (missing.length > 0 && complete)
    report.add(
      'missing-tensor',
      'refused',
      `a ${config.family} model has ${missing.length} more: ${some(missing)}`,
      missing,
    );
  if (unexpected.length > 0)
    report.add('unknown-tensor', 'refused', `a ${config.family} model has no ${some(unexpected)}`, unexpected);
  for (const { weight, tensors: both } of twins)
    report.add('duplicate-tensor', 'refused', `${both.join(' and ')} are both ${weight}`, both);
  const shapes = weightShapes(config);
  const off: string[] = [];
  const whole: TensorFact[] = [];
  for (const [weight, name] of stored) {
    const tensor = tensors.get(name)!;
    if (tensor.shape.join() !== shapes.get(weight)!.join()) off.push(name);
    if (tensor.dtype === null || !FLOATS.has(tensor.dtype)) whole.push(tensor);
  }
  if (off.length > 0) {
    const says = (name: string): string => `[${tensors.get(name)!.shape.join(', ')}]`;
    const first = [...stored].find(([, name]) => name === off[0])![0];
    const text = `${off[0]} is ${says(off[0])} but config.json says [${shapes.get(first)!.join(', ')}]`;
    report.add('shape-mismatch', 'refused', off.length > 1 ? `${text}; and ${off.length - 1} more` : text, off);
  }
  if (whole.length > 0) {
    const names = whole.map(({ name }) => name);
    report.add(
      'quantized',
      'refused',
      `${names[0]} is ${whole[0].dtype ?? 'of a type'} that is not read as weights`,
      names,
    );
  }
}

const some = (names: readonly string[]): string =>
  `${names.slice(0, 4).join(', ')}${names.length > 4 ? ` and ${names.length - 4} more` : ''}`;

function tellSizes(config: ModelConfig, report: Report): void {
  if (config.tiedEmbeddings)
    report.add('tied-embeddings', 'note', 'the unembedding is the token embedding: one matrix, trained as both');
  const { float32, bf16 } = report.inspection.memory;
  if (float32 > CPU_WEIGHT_BYTES)
    report.add(
      'needs-16-bit',
      'warning',
      `${formatBytes(float32)} of weights in float32 are more than the cpu device holds (${formatBytes(CPU_WEIGHT_BYTES)}): load it with { dtype: 'bf16' } (${formatBytes(bf16)}), or on a GPU`,
    );
}

/** The tokenizer of a folder; undefined where there is none or it is refused, which is told. */
export async function inspectTokenizer(subject: Subject, report: Report): Promise<Tokenizer | undefined> {
  const at = (name: string): Promise<unknown> => kindOfPath(join(subject.path, name));
  const has = (await at('tokenizer.json')) ?? (await at('vocab.json')) ?? (await at('tokenizer.model'));
  if (!has) return undefined;
  try {
    const tokenizer = await loadTokenizer(subject.path);
    report.inspection.tokenizer = {
      kind: await kindOfTokenizer(subject.path),
      vocabulary: tokenizer.vocabSize,
      bosId: tokenizer.bosId ?? null,
      eosId: tokenizer.eosId ?? null,
      padId: tokenizer.padId ?? null,
      addsBos: tokenizer.addsBos ?? false,
    };
    return tokenizer;
  } catch (error) {
    report.failed(error, 'tokenizer-refused');
    return undefined;
  }
}

async function kindOfTokenizer(folder: string): Promise<string> {
  const path = join(folder, 'tokenizer.json');
  if (!(await kindOfPath(path))) return 'BPE';
  const { model } = (await readJson(path)) as { model?: { type?: unknown } };
  return typeof model?.type === 'string' ? model.type.slice(0, 40) : 'BPE';
}

function tellVocabulary({ vocabSize }: Tokenizer, { vocab }: ModelConfig, report: Report): void {
  if (vocabSize > vocab)
    report.add('tokenizer-refused', 'refused', `the tokenizer has ${vocabSize} tokens but the model only ${vocab}`);
  if (vocabSize < vocab)
    report.add(
      'padded-vocabulary',
      'note',
      `the model's vocabulary of ${vocab} is padded: the tokenizer has ${vocabSize} tokens`,
    );
}
