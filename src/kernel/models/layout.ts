/**
 * Where each family keeps its weights: Hugging Face's names and shapes, which are also ours, so that saving is a copy.
 * GPT-2's Conv1D weights are [in, out], the others' Linear weights [out, in].
 */
import { familyNamed } from './families/index.js';
import type { ModelConfig } from './types.js';

export interface NormNames {
  weight: string;
  /** Of LayerNorm; RMSNorm has none. */
  bias?: string;
}

export interface LinearNames {
  weight: string;
  bias?: string;
}

export interface BlockNames {
  ln1: NormNames;
  /** One fused projection, or one each for q, k and v. */
  qkv: [LinearNames] | [LinearNames, LinearNames, LinearNames];
  /** [dHead] each, where q and k are normed. */
  qNorm?: NormNames;
  kNorm?: NormNames;
  attnOut: LinearNames;
  /** Behind attention and behind the MLP, where the family norms there too. */
  ln1Post?: NormNames;
  ln2: NormNames;
  ln2Post?: NormNames;
  mlpIn: LinearNames;
  /** What the activation is taken of, in a gated MLP. */
  mlpGate?: LinearNames;
  mlpOut: LinearNames;
}

export interface ModelNames {
  /** [vocab, d] */
  embed: string;
  /** [context, d]; absent with rotary positions. */
  position?: string;
  blocks: BlockNames[];
  lnFinal: NormNames;
  /** [vocab, d]; the embedding itself when tied. */
  unembed: string;
  /** Linear weights are [out, in]. */
  linearIsOutIn: boolean;
}

/** Weight names of a model of this config. */
export const modelNames = (config: ModelConfig): ModelNames => familyNamed(config.family).names(config);

/** Shape of every weight, by name, in the order they run. */
export function weightShapes(config: ModelConfig): Map<string, number[]> {
  const { dModel: d, heads, dHead, dMlp, vocab, context } = config;
  const keys = (config.kvHeads ?? heads) * dHead;
  const names = modelNames(config);
  const shapes = new Map<string, number[]>();
  const norm = (names_: NormNames | undefined, width = d) => {
    if (!names_) return;
    shapes.set(names_.weight, [width]);
    if (names_.bias) shapes.set(names_.bias, [width]);
  };
  const linear = (names_: LinearNames, input: number, output: number) => {
    shapes.set(names_.weight, names.linearIsOutIn ? [output, input] : [input, output]);
    if (names_.bias) shapes.set(names_.bias, [output]);
  };
  shapes.set(names.embed, [vocab, d]);
  if (names.position) shapes.set(names.position, [context, d]);
  for (const block of names.blocks) {
    norm(block.ln1);
    const outputs = block.qkv.length === 1 ? [heads * dHead + 2 * keys] : [heads * dHead, keys, keys];
    block.qkv.forEach((projection, i) => linear(projection, d, outputs[i]));
    norm(block.qNorm, dHead);
    norm(block.kNorm, dHead);
    linear(block.attnOut, heads * dHead, d);
    norm(block.ln1Post);
    norm(block.ln2);
    if (block.mlpGate) linear(block.mlpGate, d, dMlp);
    linear(block.mlpIn, d, dMlp);
    linear(block.mlpOut, dMlp, d);
    norm(block.ln2Post);
  }
  norm(names.lnFinal);
  shapes.set(names.unembed, [vocab, d]);
  return shapes;
}
