/**
 * A language model: its weights, and what one asks of it. The forward pass itself is in pass.ts.
 *
 * B = batch, T = tokens in a sequence, d = model width, V = vocabulary.
 */
import { tf } from '../compute/tf.js';
import { LruMap } from '../compute/lru.js';
import { fromBf16 } from '../io/ndarray.js';
import { HookRun, STOP, checkEdits, hookNames, hookWidth, share } from './hooks.js';
import { generate } from './generate.js';
import { modelId } from './identity.js';
import { productByBlocks, widen, widenRows, type HalfWeight } from './halfWeights.js';
import { modelNames, weightShapes, type ModelNames } from './layout.js';
import { crossEntropy, embedding, softCap } from './ops.js';
import { PackedWeights } from './packedWeights.js';
import { Pass, type PassModel } from './pass.js';
import type { ForwardOptions, ForwardResult, GenerateOptions, LanguageModel, ModelConfig, Tokenizer } from './types.js';

export interface TransformerInit {
  name: string;
  config: ModelConfig;
  tokenizer: Tokenizer;
  /** Every weight by Hugging Face's name (layout.ts); the model owns them from here on. */
  parameters: Map<string, tf.Tensor>;
  /** Those that are kept in 16 bits instead, by name. */
  halves?: Map<string, HalfWeight>;
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
  private readonly halves: Map<string, HalfWeight>;
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
    this.halves = init.halves ?? new Map();
    this.trainable = init.trainable ?? false;
    this.knownId = init.id;
    this.hooks = hookNames(init.config);
    this.names = modelNames(init.config);
    for (const [name, shape] of weightShapes(init.config)) {
      const weight = this.weights.get(name) ?? this.halves.get(name);
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

  /**
   * Weights by Hugging Face's name: tf.Variables when the model is trainable. Read them; the model owns them.
   * @throws for a model loaded with { dtype: 'bf16' }, whose weights are no tensors: see weightValues
   */
  parameters(): Map<string, tf.Tensor> {
    this.requireAlive();
    if (this.halves.size > 0)
      throw new Error(`${this.name} keeps its weights in 16 bits; load it without { dtype: 'bf16' } for tensors`);
    return new Map(this.weights);
  }

  /** Values of one weight as float32, by Hugging Face's name. */
  async weightValues(name: string): Promise<Float32Array> {
    this.requireAlive();
    const half = this.halves.get(name);
    return half ? fromBf16(half.bits) : await (this.weight(name) as tf.Tensor<tf.Rank>).data<'float32'>();
  }

  /** Rows of the embedding, times its scale, of B sequences: [N, d] as hook_embed holds them. Throws as forward does. */
  async embeddedRows(ids: Int32Array, batch: number): Promise<Float32Array> {
    this.requireAlive();
    this.requireTokens(ids, batch);
    const { embedScale } = this.config;
    const rows = tf.tidy(() => {
      const gathered = this.rows(this.names.embed, ids);
      return embedScale === undefined ? gathered : gathered.mul(embedScale);
    });
    const values = (await rows.data()) as Float32Array;
    rows.dispose();
    return values;
  }

  hookWidth(hook: string): number {
    return hookWidth(this.config, hook);
  }

  /**
   * Runs B sequences of T = tokens.length / batch tokens.
   * Logits are [B, T, V]. Residual-stream and MLP hooks are [B, T, width], LayerNorm scales [B, T, 1],
   * q, k, v and z [B, T, H, Dh], attention scores and patterns [B, H, T, T] (scores are -Infinity where masked),
   * attn.hook_result [B, T, H, d]. Throws on ids outside the vocabulary, T over the context, unknown hooks, and edits that
   * cannot act on these tokens; a caller that runs a token set in blocks and gives { sequence } checks the whole set first.
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
          logits = [this.unembed(this.pass(run).residual(tokens, batch, length))];
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
      const x = this.pass(run)
        .residual(tokens, batch, length)
        .slice([0, 0, 0], [-1, length - 1, -1]); // [B, T-1, d]
      const logits = this.unembed(x).reshape<tf.Tensor2D>([batch * (length - 1), this.config.vocab]);
      return crossEntropy(logits, nextTokens(tokens, batch, length)).mean<tf.Scalar>();
    });
  }

  /**
   * What ln_final.hook_normalized holds, [B, T, d], to logits [B, T, V]; a final RMSNorm's weight acts here, since the
   * hook lies before it, unless `foldNorm` is false. Public because a big vocabulary is taken in blocks of rows.
   */
  unembed(normalized: tf.Tensor3D, foldNorm?: boolean): tf.Tensor3D {
    const [batch, length, d] = normalized.shape;
    const { norm, logitSoftCap, vocab } = this.config;
    return tf.tidy(() => {
      let flat = normalized.reshape<tf.Tensor2D>([batch * length, d]);
      const rms = norm === 'rms' || norm === 'rms-plus-one';
      if (foldNorm && !rms) flat = flat.sub(flat.mean(1, true));
      if (foldNorm ?? rms) {
        const weight = this.weight(this.names.lnFinal.weight);
        flat = flat.mul(norm === 'rms-plus-one' ? weight.add(1) : weight);
      }
      const half = this.halves.get(this.names.unembed);
      const logits = half ? productByBlocks(flat, half) : tf.matMul(flat, this.weight(this.names.unembed), false, true); // [B·T, V]
      const capped = logitSoftCap === undefined ? logits : softCap(logits, logitSoftCap);
      return capped.reshape<tf.Tensor3D>([batch, length, vocab]);
    });
  }

  /** Logits [V] of the token after a single sequence. */
  nextLogits(tokens: Int32Array, edits?: ForwardOptions['edits'], offset = 0): tf.Tensor1D {
    this.requireAlive();
    const length = this.requireTokens(tokens, 1);
    return tf.tidy(() => {
      const x = this.pass(new HookRun(this.hooks, { edits, offset }, tokens, 1)).residual(tokens, 1, length); // [1, T, d]
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
    this.halves.clear();
    this.constants.clear();
  }

  private pass(run: HookRun): Pass {
    const { config, names, trainable } = this;
    const model: PassModel = {
      config,
      names,
      trainable,
      isPacked: !trainable && this.halves.size === 0,
      weight: (name) => this.weight(name),
      rows: (name, ids) => this.rows(name, ids),
      packed: this.packed,
      constant: (key, make) => this.constant(key, make),
    };
    return new Pass(model, run);
  }

  /** Tensors that depend on the sequence length alone, kept from one pass to the next. */
  private constant(key: string, make: () => tf.Tensor[]): tf.Tensor[] {
    const known = this.constants.get(key);
    if (known) return known;
    const tensors = make().map((tensor) => tf.keep(tensor));
    this.constants.set(key, tensors);
    return tensors;
  }

  /** A weight as a tensor: the model's own, or one widened for the tidy that asks. */
  private weight(name: string): tf.Tensor {
    const half = this.halves.get(name);
    return half ? widen(half) : (this.weights.get(name) as tf.Tensor);
  }

  private rows(name: string, ids: Int32Array): tf.Tensor2D {
    const half = this.halves.get(name);
    return half ? widenRows(half, ids) : embedding(this.weight(name) as tf.Tensor2D, ids);
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
      throw new Error(
        `sequences of ${length} tokens exceed the context of ${context} of ${this.name}; give shorter ones ({ context } of a dataset)`,
      );
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
