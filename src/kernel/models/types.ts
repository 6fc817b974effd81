/** What the other rooms know of language models, tokenizers and tokens. */
import type { Given } from '../verb/option.js';
import type { GENERATE } from './generateOptions.js';
import type { Matrix } from '../compute/matrix.js';
import type * as tf from '@tensorflow/tfjs-core';
import type { JsonObject } from '../../protocol/notebook.js';
import type { CallOptions } from '../compute/call.js';

export interface Tokenizer {
  /** sha256 over the vocabulary in id order: two models may share tokens only when these agree. */
  readonly id: string;
  /** Tokens that there are: ids are 0 to vocabSize − 1. */
  readonly vocabSize: number;
  /** Id of the end-of-text token. */
  readonly eosId: number | undefined;
  /** Id of the token that begins a text, where the tokenizer has one. */
  readonly bosId: number | undefined;
  /** Id of the token that fills up short texts, where the tokenizer has one. */
  readonly padId?: number;
  /**
   * The model was trained on texts that begin with bosId, so prompts and sequences do by default (tokenizer_config.json's
   * add_bos_token, or the template of tokenizer.json); absent means no.
   */
  readonly addsBos?: boolean;
  /** Token ids of a text; no special token is added. */
  encode(text: string): Int32Array;
  /** The text of token ids. */
  decode(ids: ArrayLike<number>): string;
  /** The text of one token alone, such as " king". */
  piece(id: number): string;
}

/** Token sequences of one length: the thing that activations of two models must share. */
export interface TokenSet {
  /** Content hash of tokens, shape and tokenizer. */
  readonly id: string;
  /** sequences × context, row-major. */
  readonly tokens: Int32Array;
  readonly sequences: number;
  readonly context: number;
  readonly tokenizer: Tokenizer;
  /** Where it came from: file or hub id, split, samples, bos, seed. */
  readonly source: JsonObject;
  /**
   * Positions that are filled up (1) or text (0), sequences × context; absent when none is padding. Padding counts in no
   * statistic and trains nothing.
   */
  readonly padding?: Uint8Array;
  /** Ground truth of generated text: concept id of each token (0 = none), and the names by id. */
  readonly concepts?: { names: string[]; ids: Uint8Array };
}

export type ModelFamily =
  'gpt2' | 'gpt_neo' | 'gpt_neox' | 'llama' | 'mistral' | 'qwen2' | 'qwen3' | 'gemma' | 'gemma2' | 'gemma3_text';

/** How long contexts stretch rotary frequencies; formulas in positions.ts. */
export type RopeScaling =
  | { type: 'linear'; factor: number }
  /** `original`: positions that the model was first trained on. */
  | { type: 'dynamic'; factor: number; original: number }
  | { type: 'llama3'; factor: number; lowFreqFactor: number; highFreqFactor: number; original: number }
  | {
      type: 'yarn';
      factor: number;
      original: number;
      betaFast: number;
      betaSlow: number;
      /** Scales cos and sin. */
      attentionFactor: number;
      /** Whether the ramp's ends are whole dimensions. */
      truncate: boolean;
    };

/** Rotary positions on the first `dims` of each head. */
export interface Rotary {
  dims: number;
  base: number;
  scaling?: RopeScaling;
}

export interface ModelConfig {
  family: ModelFamily;
  layers: number;
  dModel: number;
  heads: number;
  /** Heads of keys and values, which groups of query heads share; default: as many as heads. */
  kvHeads?: number;
  dHead: number;
  dMlp: number;
  vocab: number;
  /** Longest sequence. */
  context: number;
  /** Epsilon of the norms. */
  layerNormEps: number;
  /** LayerNorm (default), RMSNorm, or RMSNorm by 1 + weight (Gemma). */
  norm?: 'layer' | 'rms' | 'rms-plus-one';
  activation: 'gelu_new' | 'gelu' | 'relu' | 'silu';
  /** MLP out of activation(gate) · up; default false. */
  gatedMlp?: boolean;
  /** Per layer: all earlier tokens, or a window of them; undefined = all global. */
  attention?: Array<'global' | 'local'>;
  /** Tokens that a local layer sees, itself included. */
  window?: number;
  rotary?: Rotary;
  /** Rotary positions of local layers, where they have their own (Gemma 3). */
  localRotary?: Rotary;
  /** Biases of q, k and v, of the attention's output and of the MLP, in families that choose (Llama to Gemma). */
  qkvBias?: boolean;
  attnOutBias?: boolean;
  mlpBias?: boolean;
  /** RMSNorm of each head's q and k before the rotation. */
  qkNorm?: boolean;
  /** Norms behind attention and MLP as well as before. */
  postNorms?: boolean;
  /** Factor of q · k; default 1/√dHead, and 1 for GPT-Neo. */
  attnScale?: number;
  /** Scores become cap · tanh(score / cap) before the mask. */
  attnSoftCap?: number;
  /** Logits become cap · tanh(logit / cap). */
  logitSoftCap?: number;
  /** Factor of the token embedding. */
  embedScale?: number;
  parallelResidual: boolean;
  tiedEmbeddings: boolean;
}

/** What an edit may know of the forward pass that it runs in. */
export interface EditContext {
  /** Token ids of the pass, B × T row-major. */
  readonly tokens: Int32Array;
  /** B, sequences. */
  readonly batch: number;
  /** T, tokens in each. */
  readonly time: number;
  /** Position in the text of the first token; above 0 once a text is longer than the model's context. */
  readonly offset: number;
  /** Number of the first sequence in the token set that the pass is a block of; 0 for a prompt. */
  readonly sequence: number;
}

/** A text, or a token set, that edits are about to run on. */
export interface EditedText {
  readonly model: Pick<LanguageModel, 'name' | 'id' | 'tokenizer'>;
  /** Whole sequences of `length` tokens, row-major. */
  readonly tokens: Int32Array;
  readonly length: number;
  /** Tokens that generation may add; default 0. */
  readonly added?: number;
}

/** Replaces an activation at a hook: gets [B, T, …] and returns a tensor of the same shape. Runs inside tf.tidy. */
export interface HookEdit {
  (activation: tf.Tensor, hook: string, context: EditContext): tf.Tensor;
  /** Refuses a text on which the edit cannot act as meant (a position beyond its end, say), before anything runs. */
  readonly check?: (text: EditedText) => void;
}

/** A named change to activations at a hook. */
export interface Intervention {
  /** TransformerLens hook name at which `edit` acts. */
  readonly hook: string;
  /** As shown: "steer blocks.0.hook_mlp_out by 4 × feature 12 of …". */
  readonly description: string;
  /** For artifact identity. */
  readonly parameters: JsonObject;
  /** What LanguageModel.forward takes in `edits`. */
  readonly edit: HookEdit;
  /** Directions of the same kind as those that it moves along, such as the decoder rows of its SAE: for nulls. */
  readonly peers?: Peers;
}

/** Directions at a hook, and which of them an intervention moves along itself. */
export interface Peers {
  /** As shown: "decoder rows of …". */
  readonly name: string;
  /** [n, d], all heads one after the other. */
  readonly rows: Matrix;
  readonly own: ReadonlySet<number>;
}

export interface ForwardOptions {
  /** Hooks whose activations are returned. */
  capture?: readonly string[];
  /** Changes by hook name, applied in order before the activation is captured and used. */
  edits?: ReadonlyMap<string, readonly HookEdit[]>;
  /** Stop right after this hook; logits are then undefined. */
  stopAt?: string;
  /**
   * Activations of the same tokens, without an edit, by hook: taken where they stand in for work (known.ts says which do).
   * The caller keeps and disposes them.
   */
  known?: ReadonlyMap<string, tf.Tensor>;
  /** For edits: position in the text of each sequence's first token; default 0. */
  offset?: number;
  /**
   * For edits: number of the first sequence in the token set that these are a block of. A caller that gives it has checked the
   * edits on the whole set (checkEdits); without it the tokens are a text of their own and are checked here.
   */
  sequence?: number;
}

export interface ForwardResult {
  /** [B, T, vocab]; undefined when stopped earlier. */
  logits?: tf.Tensor3D;
  /** By hook name, [B, T, width] (attention scores and patterns [B, heads, T, T]). Caller disposes. */
  captured: Map<string, tf.Tensor>;
}

/** How a prompt is continued. */
export interface GenerateOptions extends Given<typeof GENERATE>, CallOptions {
  /** Changes to activations at every step, in order. */
  interventions?: Intervention | readonly Intervention[];
  /** The same by hook name, as forward takes them; they come before interventions. */
  edits?: ForwardOptions['edits'];
}

export interface LanguageModel {
  /** Hub id or folder name. */
  readonly name: string;
  /** Hash of config and weights. */
  readonly id: string;
  /** Sizes and architecture. */
  readonly config: ModelConfig;
  /** Its own tokenizer. */
  readonly tokenizer: Tokenizer;
  /** Every hook point, TransformerLens names, in the order they run. */
  readonly hooks: readonly string[];
  /** Width of the last axis at a hook; throws an error that lists near names for an unknown hook. */
  hookWidth(hook: string): number;
  /** Runs B sequences of T tokens (tokens: B × T row-major ids): logits and captured activations, which the caller disposes. */
  forward(tokens: Int32Array, batch: number, options?: ForwardOptions): ForwardResult;
  /** Continues a prompt and returns the new text alone; greedy unless { temperature } is given. */
  generate(prompt: string, options?: GenerateOptions): Promise<string>;
  /**
   * Logits [B, T, vocab] of what the final LayerNorm gives, [B, T, d]. Directions that have not passed it are given with
   * `foldNorm`: true, its linear part is applied first (a LayerNorm centres and multiplies by its weight, an RMSNorm
   * multiplies); false, nothing of it is.
   */
  unembed(normalized: tf.Tensor3D, foldNorm?: boolean): tf.Tensor3D;
  /** Frees the weights; the model cannot be used afterwards. */
  dispose(): void;
}
