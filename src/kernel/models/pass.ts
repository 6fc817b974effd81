/**
 * One forward pass of a decoder-only transformer with hook points, for all families: what a config says is what runs.
 *
 * B = batch, T = tokens in a sequence, d = model width, H = heads, Hkv = heads of keys and values, Dh = head width,
 * M = MLP width, V = vocabulary. Every function below is differentiable in the weights and in the activations.
 *
 * Sources: Hugging Face transformers' definitions of the families; TransformerLens' hook points.
 */
import { tf } from '../compute/tf.js';
import type { HookRun } from './hooks.js';
import type { BlockNames, LinearNames, ModelNames, NormNames } from './layout.js';
import {
  attention,
  attentionMix,
  attentionScores,
  gelu,
  geluNew,
  layerNorm,
  linear,
  repeatHeads,
  rmsNorm,
  silu,
} from './ops.js';
import type { PackedWeights } from './packedWeights.js';
import { attentionMask, rotaryTables, rotate } from './positions.js';
import type { ModelConfig } from './types.js';

/** What a pass reads of its model. */
export interface PassModel {
  readonly config: ModelConfig;
  readonly names: ModelNames;
  /** Weights change: every operation keeps what its gradient needs. */
  readonly trainable: boolean;
  /** Linear layers may be packed: their weights stay as they are and where they are. */
  readonly isPacked: boolean;
  readonly packed: PackedWeights;
  weight(name: string): tf.Tensor;
  /** Rows of a table [V, d] by id: [N, d]. */
  rows(name: string, ids: Int32Array): tf.Tensor2D;
  /** Tensors that depend on the sequence length alone, kept from one pass to the next. */
  constant(key: string, make: () => tf.Tensor[]): tf.Tensor[];
}

export class Pass {
  private readonly config: ModelConfig;

  constructor(
    private readonly model: PassModel,
    private readonly run: HookRun,
  ) {
    this.config = model.config;
  }

  /** Embedding, blocks and final norm: [B, T, d], as ln_final.hook_normalized holds it. */
  residual(tokens: Int32Array, batch: number, length: number): tf.Tensor3D {
    const { layers } = this.config;
    // The last one known: all before it is.
    let layer = layers - 1;
    while (layer >= 0 && !this.run.known(`blocks.${layer}.hook_resid_pre`)) layer--;
    let x: tf.Tensor3D =
      this.run.known(`blocks.${layer}.hook_resid_pre`) ?? tf.tidy(() => this.embed(tokens, batch, length)); // [B, T, d]
    for (layer = Math.max(layer, 0); layer < layers; layer++) {
      const before = x;
      const at = layer;
      x = tf.tidy(() => this.block(before, at)); // [B, T, d]
    }
    return this.norm(x, this.model.names.lnFinal, 'ln_final', 'before weight');
  }

  private embed(tokens: Int32Array, batch: number, length: number): tf.Tensor3D {
    const { dModel, embedScale } = this.config;
    const { names } = this.model;
    let gathered = this.model.rows(names.embed, tokens).reshape<tf.Tensor3D>([batch, length, dModel]);
    if (embedScale !== undefined) gathered = gathered.mul(embedScale);
    const embedded = this.run.at('hook_embed', gathered); // [B, T, d]
    if (!names.position) return embedded;
    let position: tf.Tensor = this.model.weight(names.position).slice([0, 0], [length, dModel]); // [T, d]
    if (this.run.wants('hook_pos_embed'))
      position = this.run.at('hook_pos_embed', position.expandDims(0).tile([batch, 1, 1])); // [B, T, d]
    return embedded.add(position);
  }

  /** Sequential: x + attn(ln1 x), then + mlp(ln2 ·). Parallel: x + attn(ln1 x) + mlp(ln2 x). */
  private block(input: tf.Tensor3D, layer: number): tf.Tensor3D {
    const { run } = this;
    const names = this.model.names.blocks[layer];
    const at = `blocks.${layer}`;
    const x = run.at(`${at}.hook_resid_pre`, input); // [B, T, d]
    const readByAttention = (): tf.Tensor3D => {
      const out = this.attention(this.norm(x, names.ln1, `${at}.ln1`), layer);
      return names.ln1Post ? this.norm(out, names.ln1Post, `${at}.ln1_post`) : out;
    };
    const attnOut = run.at(`${at}.hook_attn_out`, run.known<tf.Tensor3D>(`${at}.hook_attn_out`) ?? readByAttention());
    const afterAttention = x.add<tf.Tensor3D>(attnOut); // [B, T, d]
    const mid = this.config.parallelResidual ? afterAttention : run.at(`${at}.hook_resid_mid`, afterAttention);
    const mlpIn = run.at(`${at}.hook_mlp_in`, this.config.parallelResidual ? x : mid);
    const readByMlp = (): tf.Tensor3D => {
      const out = this.mlp(this.norm(mlpIn, names.ln2, `${at}.ln2`), names, at);
      return names.ln2Post ? this.norm(out, names.ln2Post, `${at}.ln2_post`) : out;
    };
    const mlpOut = run.at(`${at}.hook_mlp_out`, run.known<tf.Tensor3D>(`${at}.hook_mlp_out`) ?? readByMlp());
    return run.at(`${at}.hook_resid_post`, mid.add<tf.Tensor3D>(mlpOut)); // [B, T, d]
  }

  private attention(x: tf.Tensor3D, layer: number): tf.Tensor3D {
    const [batch, length] = x.shape;
    const { run } = this;
    const { heads, kvHeads = heads, dHead, family } = this.config;
    const names = this.model.names.blocks[layer];
    const at = `blocks.${layer}.attn`;

    let [q, k, v] = this.queriesKeysValues(x, names.qkv); // [B, T, H, Dh], 2 × [B, T, Hkv, Dh]
    q = run.at(`${at}.hook_q`, q);
    k = run.at(`${at}.hook_k`, k);
    v = run.at(`${at}.hook_v`, v);
    if (names.qNorm && names.kNorm) [q, k] = [this.headNorm(q, names.qNorm), this.headNorm(k, names.kNorm)];
    const tables = this.rotaryTables(layer, length); // 2 × [T, 1, dims]
    if (tables) {
      q = run.at(`${at}.hook_rot_q`, rotate(q, tables[0], tables[1]));
      k = run.at(`${at}.hook_rot_k`, rotate(k, tables[0], tables[1]));
    }
    const group = heads / kvHeads;
    [k, v] = [repeatHeads(k, group), repeatHeads(v, group)];
    // GPT-Neo trained without scaling: its scores are plain dot products.
    const scale = this.config.attnScale ?? (family === 'gpt_neo' ? 1 : 1 / Math.sqrt(dHead));
    const z = run.at(`${at}.hook_z`, this.mixture(q, k, v, this.mask(layer, length), scale, at)); // [B, T, H, Dh]

    if (run.wants(`${at}.hook_result`)) return this.sumOfHeads(z, names.attnOut, `${at}.hook_result`);
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
  ): tf.Tensor4D {
    const { run } = this;
    const { attnSoftCap } = this.config;
    const [scoresAt, patternAt] = [`${at}.hook_attn_scores`, `${at}.hook_pattern`];
    const isPlain = attnSoftCap === undefined && !this.model.trainable;
    if (isPlain && !run.wants(scoresAt) && !run.wants(patternAt)) return attention(q, k, v, mask, scale);
    const scores = run.at(scoresAt, attentionScores(q, k, mask, scale, attnSoftCap)); // [B, H, T, T]
    return attentionMix(run.at(patternAt, tf.softmax(scores)), v);
  }

  /** x [B, T, d] → q [B, T, H, Dh], k and v [B, T, Hkv, Dh]. */
  private queriesKeysValues(x: tf.Tensor3D, names: BlockNames['qkv']): tf.Tensor4D[] {
    const [batch, length] = x.shape;
    const { heads, dHead, family } = this.config;
    if (names.length === 3)
      return names.map((name) => {
        const y = this.linear(x, name);
        return y.reshape<tf.Tensor4D>([batch, length, y.shape[2] / dHead, dHead]);
      });
    const fused = this.linear(x, names[0]); // [B, T, 3d]
    // GPT-NeoX orders the rows (head, qkv, Dh), GPT-2 (qkv, head, Dh).
    const parts =
      family === 'gpt_neox'
        ? tf.split(fused.reshape([batch * length, heads, 3 * dHead]), 3, 2)
        : tf.split(fused.reshape([batch * length, 3 * heads * dHead]), 3, 1);
    return parts.map((part) => part.reshape<tf.Tensor4D>([batch, length, heads, dHead]));
  }

  /** The attention output as a sum of per-head results [B, T, H, d], which only runs when hook_result is wanted. */
  private sumOfHeads(z: tf.Tensor4D, names: LinearNames, hook: string): tf.Tensor3D {
    const [batch, length, heads, dHead] = z.shape;
    const d = this.config.dModel;
    const stored = this.model.weight(names.weight);
    const weight = this.model.names.linearIsOutIn ? stored.transpose() : stored; // [H·Dh, d]
    const perHead = z.reshape([batch * length, heads, dHead]).transpose([1, 0, 2]); // [H, B·T, Dh]
    const results = tf.matMul(perHead, weight.reshape([heads, dHead, d])); // [H, B·T, d]
    const result = this.run.at(hook, results.transpose([1, 0, 2]).reshape<tf.Tensor4D>([batch, length, heads, d]));
    const sum = result.sum<tf.Tensor3D>(2);
    return names.bias ? sum.add(this.model.weight(names.bias)) : sum;
  }

  private mlp(x: tf.Tensor3D, names: BlockNames, at: string): tf.Tensor3D {
    const { run } = this;
    const pre = run.at(`${at}.mlp.hook_pre`, this.linear(x, names.mlpGate ?? names.mlpIn)); // [B, T, M]
    let post = this.activation(pre);
    if (names.mlpGate) post = post.mul(run.at(`${at}.mlp.hook_pre_linear`, this.linear(x, names.mlpIn)));
    return this.linear(run.at(`${at}.mlp.hook_post`, post), names.mlpOut); // [B, T, d]
  }

  private activation(x: tf.Tensor3D): tf.Tensor3D {
    switch (this.config.activation) {
      case 'gelu_new':
        return geluNew(x);
      case 'gelu':
        return gelu(x);
      case 'relu':
        return tf.relu(x);
      case 'silu':
        return silu(x);
    }
  }

  /** x [B, T, in] → [B, T, out], as one product of B·T rows. */
  private linear(x: tf.Tensor3D, names: LinearNames): tf.Tensor3D {
    const [batch, length, width] = x.shape;
    const { model } = this;
    const bias = names.bias ? (model.weight(names.bias) as tf.Tensor1D) : undefined;
    const weight = model.weight(names.weight) as tf.Tensor2D;
    const outIn = model.names.linearIsOutIn;
    const rows = batch * length;
    const packed = !model.isPacked ? undefined : model.packed.layer(names.weight, weight, bias, outIn, rows);
    const y = linear(x.reshape([rows, width]), weight, bias, outIn, packed); // [B·T, out]
    return y.reshape([batch, length, y.shape[1]]);
  }

  /**
   * The norm that the config names, over the last axis, with TransformerLens' hooks: hook_scale [B, T, 1] is
   * √(variance + eps), or √(mean x² + eps) of an RMSNorm; hook_normalized is behind the weight and bias of a LayerNorm,
   * before the weight of an RMSNorm. `'before weight'` returns what the latter holds.
   */
  private norm(x: tf.Tensor3D, names: NormNames, at: string, end?: 'before weight'): tf.Tensor3D {
    const weight = this.model.weight(names.weight) as tf.Tensor1D;
    if (names.bias) return this.layerNorm(x, weight, this.model.weight(names.bias) as tf.Tensor1D, at);
    const { layerNormEps: eps, norm } = this.config;
    const shift = norm === 'rms-plus-one' ? 1 : 0;
    const { run } = this;
    if (!end && !run.wants(`${at}.hook_scale`) && !run.wants(`${at}.hook_normalized`))
      return rmsNorm(x, weight, eps, shift);
    const scale = run.at(`${at}.hook_scale`, x.square().mean(-1, true).add(eps).sqrt()); // [B, T, 1]
    const normalized = run.at(`${at}.hook_normalized`, x.div<tf.Tensor3D>(scale));
    return end ? normalized : normalized.mul(shift === 0 ? weight : weight.add(shift));
  }

  private layerNorm(x: tf.Tensor3D, weight: tf.Tensor1D, bias: tf.Tensor1D, at: string): tf.Tensor3D {
    const { run } = this;
    const eps = this.config.layerNormEps;
    if (!run.wants(`${at}.hook_scale`)) return run.at(`${at}.hook_normalized`, layerNorm(x, weight, bias, eps));
    const centred = x.sub(x.mean(-1, true)); // [B, T, d]
    const scale = run.at(`${at}.hook_scale`, centred.square().mean(-1, true).add(eps).sqrt()); // [B, T, 1]
    return run.at(`${at}.hook_normalized`, centred.div(scale).mul(weight).add<tf.Tensor3D>(bias));
  }

  /** RMSNorm of every head of q or k by itself. */
  private headNorm(x: tf.Tensor4D, names: NormNames): tf.Tensor4D {
    const weight = this.model.weight(names.weight) as tf.Tensor1D; // [Dh]
    return rmsNorm(x, weight, this.config.layerNormEps, this.config.norm === 'rms-plus-one' ? 1 : 0);
  }

  private isLocal(layer: number): boolean {
    return this.config.attention?.[layer] === 'local';
  }

  private rotaryTables(layer: number, length: number): tf.Tensor[] | undefined {
    const { rotary, localRotary } = this.config;
    const own = localRotary && this.isLocal(layer) ? localRotary : rotary;
    const key = own === localRotary ? 'local rotary' : 'rotary';
    return own && this.model.constant(`${key} ${length}`, () => rotaryTables(length, own));
  }

  private mask(layer: number, length: number): tf.Tensor {
    const local = this.isLocal(layer) ? this.config.window : undefined;
    return this.model.constant(`mask ${length} ${local ?? ''}`, () => [attentionMask(length, local)])[0]; // [T, T]
  }
}
