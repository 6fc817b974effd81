/**
 * Decoder-only transformers with hook points: GPT-2, GPT-Neo and GPT-NeoX in one forward pass.
 *
 * B = batch, T = tokens in a sequence, d = model width, H = heads, Dh = head width, M = MLP width, V = vocabulary.
 * Every function below is differentiable in the weights and in the activations.
 *
 * Sources: Hugging Face transformers' definitions of the three families; TransformerLens' hook points.
 */
import { tf } from '../compute/tf.js';
import { LruMap } from '../compute/lru.js';
import { HookRun, STOP, checkEdits, hookNames, hookWidth, share } from './hooks.js';
import { generate } from './generate.js';
import { modelId } from './identity.js';
import {
  modelNames,
  weightShapes,
  type BlockNames,
  type LayerNormNames,
  type LinearNames,
  type ModelNames,
} from './layout.js';
import {
  attention,
  attentionMix,
  attentionScores,
  crossEntropy,
  embedding,
  gelu,
  geluNew,
  layerNorm,
  linear,
} from './ops.js';
import { PackedWeights } from './packedWeights.js';
import { attentionMask, rotaryTables, rotate } from './positions.js';
import type { ForwardOptions, ForwardResult, GenerateOptions, LanguageModel, ModelConfig, Tokenizer } from './types.js';

export interface TransformerInit {
  name: string;
  config: ModelConfig;
  tokenizer: Tokenizer;
  /** Every weight by Hugging Face's name (layout.ts); the model owns them from here on. */
  parameters: Map<string, tf.Tensor>;
  /** Known identity, else it is computed from the weights when asked for. */
  id?: string;
  /** Weights are variables that training changes: the identity is then computed anew each time. */
  trainable?: boolean;
}

export class TransformerModel implements LanguageModel {
  readonly name: string;
  readonly config: ModelConfig;
  readonly tokenizer: Tokenizer;
  readonly hooks: readonly string[];
  readonly trainable: boolean;
  private readonly weights: Map<string, tf.Tensor>;
  private readonly names: ModelNames;
  /** Attention masks and rotary tables by sequence length: generation meets a new one at every token. */
  private readonly constants = new LruMap<string, tf.Tensor[]>(8, tf.dispose);
  private readonly packed = new PackedWeights();
  private knownId: string | undefined;
  private disposed = false;

  constructor(init: TransformerInit) {
    this.name = init.name;
    this.config = init.config;
    this.tokenizer = init.tokenizer;
    this.weights = init.parameters;
    this.trainable = init.trainable ?? false;
    this.knownId = init.id;
    this.hooks = hookNames(init.config);
    this.names = modelNames(init.config);
    for (const [name, shape] of weightShapes(init.config)) {
      const weight = this.weights.get(name);
      if (!weight || !tf.util.arraysEqual(weight.shape, shape)) {
        throw new Error(
          `model ${this.name}: weight ${name} must be [${shape}] but is ${weight ? `[${weight.shape}]` : 'missing'}`,
        );
      }
    }
  }

  /** sha256 over config and weights. */
  get id(): string {
    if (this.knownId !== undefined) return this.knownId;
    this.requireAlive();
    const id = modelId(this.config, this.weights);
    if (!this.trainable) this.knownId = id;
    return id;
  }

  /** Weights by Hugging Face's name: tf.Variables when the model is trainable. Read them; the model owns them. */
  parameters(): Map<string, tf.Tensor> {
    this.requireAlive();
    return new Map(this.weights);
  }

  hookWidth(hook: string): number {
    return hookWidth(this.config, hook);
  }

  /**
   * Runs B sequences of T = tokens.length / batch tokens.
   * Logits are [B, T, V]. Residual-stream and MLP hooks are [B, T, width], LayerNorm scales [B, T, 1],
   * q, k, v and z [B, T, H, Dh], attention scores and patterns [B, H, T, T] (scores are -Infinity where masked),
   * attn.hook_result [B, T, H, d]. Throws on ids outside the vocabulary, T over the context, unknown hooks, and edits that
   * cannot act on these tokens; whoever runs a token set in blocks and says so by { sequence } checks the whole set first.
   */
  forward(tokens: Int32Array, batch: number, options: ForwardOptions = {}): ForwardResult {
    this.requireAlive();
    const length = this.requireTokens(tokens, batch);
    const run = new HookRun(this.hooks, options, tokens, batch);
    if (options.sequence === undefined) checkEdits(options.edits, { model: this, tokens, length });
    try {
      const outputs = tf.tidy(() => {
        let logits: tf.Tensor[] = [];
        try {
          logits = [this.unembed(this.residual(tokens, batch, length, run))];
        } catch (stopped) {
          if (stopped !== STOP) throw stopped;
        }
        // Captures were kept over the blocks' tidies; as new tensors on the same data they belong to the caller's scope.
        return [...logits, ...[...run.captured.values()].map(share)];
      });
      const first = outputs.length - run.captured.size;
      const captured = new Map([...run.captured.keys()].map((hook, i) => [hook, outputs[first + i]]));
      return first === 1 ? { logits: outputs[0] as tf.Tensor3D, captured } : { captured };
    } finally {
      for (const x of run.captured.values()) x.dispose();
    }
  }

  /** Mean next-token cross-entropy (nats) of B sequences; differentiable in parameters(). */
  loss(tokens: Int32Array, batch: number): tf.Scalar {
    this.requireAlive();
    const length = this.requireTokens(tokens, batch);
    if (length < 2) throw new Error('loss needs sequences of at least 2 tokens: there is no next token to predict');
    return tf.tidy(() => {
      const run = new HookRun(this.hooks, {}, tokens, batch);
      // The last position predicts nothing that is known: it is left out before the unembedding.
      const x = this.residual(tokens, batch, length, run).slice([0, 0, 0], [-1, length - 1, -1]); // [B, T-1, d]
      const logits = this.unembed(x).reshape<tf.Tensor2D>([batch * (length - 1), this.config.vocab]);
      return crossEntropy(logits, nextTokens(tokens, batch, length)).mean<tf.Scalar>();
    });
  }

  /** What ln_final gives, [B, T, d], to logits [B, T, V]. Public because a big vocabulary is taken in blocks of rows. */
  unembed(normalized: tf.Tensor3D): tf.Tensor3D {
    const [batch, length, d] = normalized.shape;
    return tf.tidy(() => {
      const flat = normalized.reshape<tf.Tensor2D>([batch * length, d]);
      const logits = tf.matMul(flat, this.weight(this.names.unembed), false, true); // [B·T, V]
      return logits.reshape<tf.Tensor3D>([batch, length, this.config.vocab]);
    });
  }

  /** Logits [V] of the token after a single sequence. */
  nextLogits(tokens: Int32Array, edits?: ForwardOptions['edits'], offset = 0): tf.Tensor1D {
    this.requireAlive();
    const length = this.requireTokens(tokens, 1);
    return tf.tidy(() => {
      const x = this.residual(tokens, 1, length, new HookRun(this.hooks, { edits, offset }, tokens, 1)); // [1, T, d]
      return this.unembed(x.slice([0, length - 1, 0], [1, 1, -1])).reshape<tf.Tensor1D>([this.config.vocab]);
    });
  }

  generate(prompt: string, options: GenerateOptions = {}): Promise<string> {
    return generate(this, prompt, options);
  }

  dispose(): void {
    if (this.disposed) return;
    this.disposed = true;
    for (const weight of this.weights.values()) weight.dispose();
    this.packed.dispose();
    this.weights.clear();
    this.constants.clear();
  }

  /** Embedding, blocks and final LayerNorm: [B, T, d]. */
  private residual(tokens: Int32Array, batch: number, length: number, run: HookRun): tf.Tensor3D {
    let x = tf.tidy(() => this.embed(tokens, batch, length, run)); // [B, T, d]
    for (let layer = 0; layer < this.config.layers; layer++) {
      const before = x;
      x = tf.tidy(() => this.block(before, layer, run)); // [B, T, d]
    }
    return this.layerNorm(x, this.names.lnFinal, 'ln_final', run); // [B, T, d]
  }

  private embed(tokens: Int32Array, batch: number, length: number, run: HookRun): tf.Tensor3D {
    const { dModel } = this.config;
    const table = this.weight(this.names.embed) as tf.Tensor2D; // [V, d]
    const gathered = embedding(table, tokens).reshape<tf.Tensor3D>([batch, length, dModel]);
    const embedded = run.at('hook_embed', gathered); // [B, T, d]
    if (!this.names.position) return embedded;
    let position: tf.Tensor = this.weight(this.names.position).slice([0, 0], [length, dModel]); // [T, d]
    if (run.wants('hook_pos_embed')) position = run.at('hook_pos_embed', position.expandDims(0).tile([batch, 1, 1])); // [B, T, d]
    return embedded.add(position);
  }

  /** Sequential: x + attn(ln1 x), then + mlp(ln2 ·). Parallel: x + attn(ln1 x) + mlp(ln2 x). */
  private block(input: tf.Tensor3D, layer: number, run: HookRun): tf.Tensor3D {
    const names = this.names.blocks[layer];
    const at = `blocks.${layer}`;
    const x = run.at(`${at}.hook_resid_pre`, input); // [B, T, d]
    const attnOut = run.at(
      `${at}.hook_attn_out`,
      this.attention(this.layerNorm(x, names.ln1, `${at}.ln1`, run), layer, run),
    );
    const afterAttention = x.add<tf.Tensor3D>(attnOut); // [B, T, d]
    const mid = this.config.parallelResidual ? afterAttention : run.at(`${at}.hook_resid_mid`, afterAttention);
    const mlpIn = run.at(`${at}.hook_mlp_in`, this.config.parallelResidual ? x : mid);
    const mlpOut = run.at(
      `${at}.hook_mlp_out`,
      this.mlp(this.layerNorm(mlpIn, names.ln2, `${at}.ln2`, run), names, at, run),
    );
    return run.at(`${at}.hook_resid_post`, mid.add<tf.Tensor3D>(mlpOut)); // [B, T, d]
  }

  private attention(x: tf.Tensor3D, layer: number, run: HookRun): tf.Tensor3D {
    const [batch, length] = x.shape;
    const { heads, dHead, family, rotary } = this.config;
    const names = this.names.blocks[layer];
    const at = `blocks.${layer}.attn`;

    let [q, k, v] = this.queriesKeysValues(x, names.qkv); // 3 × [B, T, H, Dh]
    q = run.at(`${at}.hook_q`, q);
    k = run.at(`${at}.hook_k`, k);
    v = run.at(`${at}.hook_v`, v);
    if (rotary) {
      const [cos, sin] = this.constant(`rotary ${length}`, () => rotaryTables(length, rotary)); // 2 × [T, 1, dims]
      q = run.at(`${at}.hook_rot_q`, rotate(q, cos, sin));
      k = run.at(`${at}.hook_rot_k`, rotate(k, cos, sin));
    }
    // GPT-Neo trained without scaling: its scores are plain dot products.
    const scale = family === 'gpt_neo' ? 1 : 1 / Math.sqrt(dHead);
    const mask = this.mask(layer, length);
    const z = run.at(`${at}.hook_z`, this.mixture(q, k, v, mask, scale, at, run)); // [B, T, H, Dh]

    if (run.wants(`${at}.hook_result`)) return this.sumOfHeads(z, names.attnOut, `${at}.hook_result`, run);
    return this.linear(z.reshape([batch, length, heads * dHead]), names.attnOut); // [B, T, d]
  }

  /** What each head reads, [B, T, H, Dh]; scores and pattern are computed apart when their hooks are wanted. */
  private mixture(
    q: tf.Tensor4D,
    k: tf.Tensor4D,
    v: tf.Tensor4D,
    mask: tf.Tensor,
    scale: number,
    at: string,
    run: HookRun,
  ): tf.Tensor4D {
    const [scoresAt, patternAt] = [`${at}.hook_attn_scores`, `${at}.hook_pattern`];
    if (!this.trainable && !run.wants(scoresAt) && !run.wants(patternAt)) return attention(q, k, v, mask, scale);
    const scores = run.at(scoresAt, attentionScores(q, k, mask, scale)); // [B, H, T, T]
    return attentionMix(run.at(patternAt, tf.softmax(scores)), v);
  }

  /** x [B, T, d] → q, k, v, each [B, T, H, Dh]. */
  private queriesKeysValues(x: tf.Tensor3D, names: BlockNames['qkv']): tf.Tensor4D[] {
    const [batch, length] = x.shape;
    const { heads, dHead, family } = this.config;
    const split = [batch, length, heads, dHead];
    if (names.length === 3) return names.map((name) => this.linear(x, name).reshape<tf.Tensor4D>(split));
    const fused = this.linear(x, names[0]); // [B, T, 3d]
    // GPT-NeoX orders the rows (head, qkv, Dh), GPT-2 (qkv, head, Dh).
    const parts =
      family === 'gpt_neox'
        ? tf.split(fused.reshape([batch * length, heads, 3 * dHead]), 3, 2)
        : tf.split(fused.reshape([batch * length, 3 * heads * dHead]), 3, 1);
    return parts.map((part) => part.reshape<tf.Tensor4D>(split));
  }

  /** The attention output as a sum of per-head results [B, T, H, d], which only runs when hook_result is wanted. */
  private sumOfHeads(z: tf.Tensor4D, names: LinearNames, hook: string, run: HookRun): tf.Tensor3D {
    const [batch, length, heads, dHead] = z.shape;
    const d = this.config.dModel;
    const weight = this.names.linearIsOutIn ? this.weight(names.weight).transpose() : this.weight(names.weight); // [H·Dh, d]
    const perHead = z.reshape([batch * length, heads, dHead]).transpose([1, 0, 2]); // [H, B·T, Dh]
    const results = tf.matMul(perHead, weight.reshape([heads, dHead, d])); // [H, B·T, d]
    const result = run.at(hook, results.transpose([1, 0, 2]).reshape<tf.Tensor4D>([batch, length, heads, d]));
    return result.sum<tf.Tensor3D>(2).add(this.weight(names.bias as string)); // [B, T, d]
  }

  private mlp(x: tf.Tensor3D, names: BlockNames, at: string, run: HookRun): tf.Tensor3D {
    const pre = run.at(`${at}.mlp.hook_pre`, this.linear(x, names.mlpIn)); // [B, T, M]
    const post = run.at(`${at}.mlp.hook_post`, this.activation(pre)); // [B, T, M]
    return this.linear(post, names.mlpOut); // [B, T, d]
  }

  private activation(x: tf.Tensor3D): tf.Tensor3D {
    switch (this.config.activation) {
      case 'gelu_new':
        return geluNew(x);
      case 'gelu':
        return gelu(x);
      case 'relu':
        return tf.relu(x);
    }
  }

  /** x [B, T, in] → [B, T, out], as one product of B·T rows. */
  private linear(x: tf.Tensor3D, names: LinearNames): tf.Tensor3D {
    const [batch, length, width] = x.shape;
    const bias = names.bias ? (this.weight(names.bias) as tf.Tensor1D) : undefined;
    const weight = this.weight(names.weight) as tf.Tensor2D;
    const outIn = this.names.linearIsOutIn;
    const rows = batch * length;
    const packed = this.trainable ? undefined : this.packed.layer(names.weight, weight, bias, outIn, rows);
    const y = linear(x.reshape([rows, width]), weight, bias, outIn, packed); // [B·T, out]
    return y.reshape([batch, length, y.shape[1]]);
  }

  /** LayerNorm with TransformerLens' hooks: scale = √(variance + eps) [B, T, 1], normalized = output [B, T, d]. */
  private layerNorm(x: tf.Tensor3D, names: LayerNormNames, at: string, run: HookRun): tf.Tensor3D {
    const weight = this.weight(names.weight) as tf.Tensor1D;
    const bias = this.weight(names.bias) as tf.Tensor1D;
    const eps = this.config.layerNormEps;
    if (!run.wants(`${at}.hook_scale`)) return run.at(`${at}.hook_normalized`, layerNorm(x, weight, bias, eps));
    const centred = x.sub(x.mean(-1, true)); // [B, T, d]
    const scale = run.at(`${at}.hook_scale`, centred.square().mean(-1, true).add(eps).sqrt()); // [B, T, 1]
    return run.at(`${at}.hook_normalized`, centred.div(scale).mul(weight).add<tf.Tensor3D>(bias));
  }

  private mask(layer: number, length: number): tf.Tensor {
    const { attention, window } = this.config;
    const local = attention?.[layer] === 'local' ? window : undefined;
    return this.constant(`mask ${length} ${local ?? ''}`, () => [attentionMask(length, local)])[0]; // [T, T]
  }

  /** Tensors that depend on the sequence length alone, kept from one pass to the next. */
  private constant(key: string, make: () => tf.Tensor[]): tf.Tensor[] {
    const known = this.constants.get(key);
    if (known) return known;
    const tensors = make().map((tensor) => tf.keep(tensor));
    this.constants.set(key, tensors);
    return tensors;
  }

  private weight(name: string): tf.Tensor {
    return this.weights.get(name) as tf.Tensor;
  }

  private requireAlive(): void {
    if (this.disposed) throw new Error(`model ${this.name} was disposed; load it again`);
  }

  /** Checks the tokens and returns T. */
  private requireTokens(tokens: Int32Array, batch: number): number {
    const { context, vocab } = this.config;
    if (!Number.isInteger(batch) || batch < 1 || tokens.length === 0 || tokens.length % batch !== 0) {
      throw new Error(`${tokens.length} tokens do not make ${batch} sequences of one length of at least 1`);
    }
    const length = tokens.length / batch;
    if (length > context)
      throw new Error(`sequences of ${length} tokens exceed the context of ${context} of ${this.name}`);
    const bad = tokens.findIndex((id) => id < 0 || id >= vocab);
    if (bad >= 0) {
      throw new Error(
        `token ${tokens[bad]} at position ${bad} is outside the vocabulary of ${vocab} of ${this.name}: is this its tokenizer?`,
      );
    }
    return length;
  }
}

/** The token that follows each of the first T-1 positions of B sequences: [B·(T-1)]. */
export function nextTokens(tokens: Int32Array, batch: number, length: number): Int32Array {
  const next = new Int32Array(batch * (length - 1));
  for (let b = 0; b < batch; b++) next.set(tokens.subarray(b * length + 1, (b + 1) * length), b * (length - 1));
  return next;
}
