/**
 * The forward pass of pass.ts as a graph, from embedded tokens to the hooks that are asked for, for every family. Rows are
 * tokens: what pass.ts holds as [B, T, …] is [N, …] here, N = B·T, but inside attention.
 *
 * N = tokens of the batch, d = model width, H = heads, Hkv = heads of keys and values, Dh = head width, M = MLP width.
 */
import { Graph, type Value } from '../compute/graphs/graph.js';
import type { OnnxGraph } from '../compute/onnxModel.js';
import type { BlockNames, LinearNames, ModelNames, NormNames } from './layout.js';
import type { ModelConfig } from './types.js';

/** A masked score: its share is exp(−1e30) = 0. Shaders may take infinity for anything. */
export const MASKED = -1e30;

/** Names of inputs that are not weights. */
export const INPUT = {
  /** [N, d]: rows of the embedding, scaled. */
  embedded: '#embedded',
  /** [N, d]: rows of the table of positions. */
  position: '#position',
  /** [T, T]: 0 or MASKED. */
  mask: '#mask',
  localMask: '#mask local',
  /** [N, 1, dims] each. */
  cos: '#cos',
  sin: '#sin',
  localCos: '#cos local',
  localSin: '#sin local',
  /** int64 [4]: B, T, H, Dh. */
  heads: '#heads',
  /** [N, width]: what takes the place of an activation. */
  replacement: '#replacement',
  /** int32 [N, 1]: the token that follows. */
  next: '#next',
  /** [N, V]: logits of the clean run. */
  clean: '#clean',
} as const;

/** Outputs of a scored pass besides the hooks. */
export const SCORED = { logits: '#logits', crossEntropy: '#cross-entropy', divergence: '#divergence' } as const;

/** What a pass is asked for. */
export interface PassWants {
  /** Activations that come out, "h0", "h1", …; the pass ends with the last of them where it is not scored. */
  readonly hooks: readonly string[];
  /** The hook at which INPUT.replacement goes on in the place of what came there. */
  readonly replaced?: string;
  /**
   * The pass goes on to the logits, and each position gets −log p(INPUT.next). 'clean': the logits come out too.
   * 'changed': KL(INPUT.clean ‖ these) instead.
   */
  readonly scored?: 'clean' | 'changed';
  /** Rows of the unembedding in one input; default 128 MiB of them. */
  readonly tileRows?: number;
}

/** Rows first … end − 1 of a weight, as one input. */
export interface WeightTile {
  input: string;
  weight: string;
  first: number;
  end: number;
}

export interface PassProgram {
  graph: OnnxGraph;
  /** Weights that it takes as inputs, under their own names. */
  weights: string[];
  /** Weights that it takes in parts. */
  tiles: WeightTile[];
  /** Other inputs, of INPUT. */
  inputs: Set<string>;
}

/** Floats of one input: 128 MiB, which every WebGPU device takes. */
const TILE_FLOATS = 2 ** 25;

/** Thrown once every hook has its value. */
const DONE = new Error('all hooks have run');

/** The graph whose outputs are the activations at the hooks, [N, width] each: heads side by side; and scores. */
export function passGraph(config: ModelConfig, names: ModelNames, wants: PassWants): PassProgram {
  return new PassGraph(config, names, wants).build();
}

class PassGraph {
  private readonly g = new Graph();
  private readonly found = new Map<string, Value>();
  private readonly weights = new Set<string>();
  private readonly inputs = new Set<string>();
  private readonly tiles: WeightTile[] = [];
  private readonly scores: Record<string, Value> = {};
  private readonly hooks: readonly string[];

  constructor(
    private readonly config: ModelConfig,
    private readonly names: ModelNames,
    private readonly asked: PassWants,
  ) {
    this.hooks = asked.hooks;
  }

  build(): PassProgram {
    try {
      this.run();
    } catch (done) {
      if (done !== DONE) throw done;
    }
    const { replaced } = this.asked;
    const wanted = replaced === undefined ? this.hooks : [...this.hooks, replaced];
    const missing = wanted.filter((hook) => !this.found.has(hook));
    if (missing.length > 0) throw new Error(`the graph of the model does not pass ${missing.join(', ')}`);
    const outputs = Object.fromEntries(this.hooks.map((hook, i) => [`h${i}`, this.found.get(hook)!]));
    const graph = this.g.build({ ...outputs, ...this.scores });
    return { graph, weights: [...this.weights], tiles: this.tiles, inputs: this.inputs };
  }

  private run(): void {
    const { g } = this;
    let x = this.at('hook_embed', this.input(INPUT.embedded));
    if (this.names.position) x = g.add(x, this.at('hook_pos_embed', this.input(INPUT.position)));
    for (let layer = 0; layer < this.config.layers; layer++) x = this.block(x, layer);
    const normalized = this.norm(x, this.names.lnFinal, 'ln_final');
    if (this.asked.scored) this.score(this.unembed(normalized), this.asked.scored);
  }

  /** Logits [N, V]. */
  private unembed(x: Value): Value {
    const { g } = this;
    const { vocab, dModel, logitSoftCap: cap } = this.config;
    const weight = this.names.unembed;
    const rows = this.asked.tileRows ?? Math.floor(TILE_FLOATS / dModel);
    for (let first = 0; first < vocab; first += rows) {
      const end = Math.min(vocab, first + rows);
      this.tiles.push({ input: `${weight} ${first} ${end}`, weight, first, end });
    }
    const parts = this.tiles.map(({ input }) => g.gemm(x, g.input(input), { transB: true }));
    const logits = parts.length === 1 ? parts[0] : g.op('Concat', parts, { axis: 1 });
    return cap === undefined ? logits : g.mul(g.op('Tanh', [g.mul(logits, g.number(1 / cap))]), g.number(cap));
  }

  /** −log p of the next token, and the divergence from the clean run: logits count from the largest of their row. */
  private score(logits: Value, scored: 'clean' | 'changed'): void {
    const { g } = this;
    const own = this.centred(logits);
    const taken = g.op('GatherElements', [own.values, this.input(INPUT.next, 'int32')], { axis: 1 });
    this.scores[SCORED.crossEntropy] = g.sub(own.total, taken);
    if (scored === 'clean') {
      this.scores[SCORED.logits] = logits;
      return;
    }
    const clean = this.centred(this.input(INPUT.clean));
    const p = g.op('Exp', [g.sub(clean.values, clean.total)]);
    const mean = g.sum(g.mul(p, g.sub(clean.values, own.values)));
    const divergence = g.add(mean, g.sub(own.total, clean.total));
    const isBelow = g.op('Less', [divergence, g.number(0)]);
    this.scores[SCORED.divergence] = g.where(isBelow, g.number(0), divergence);
  }

  /** Rows less their largest value, and the log Σ exp of what they are then, [N, 1]. */
  private centred(logits: Value): { values: Value; total: Value } {
    const { g } = this;
    const values = g.sub(logits, g.op('ReduceMax', [logits, g.whole(-1)]));
    return { values, total: g.op('Log', [g.sum(g.op('Exp', [values]))]) };
  }

  private at(hook: string, value: Value): Value {
    const { replaced, scored } = this.asked;
    if (this.hooks.includes(hook) || hook === replaced) this.found.set(hook, value);
    if (!scored && this.found.size === this.hooks.length) throw DONE;
    return hook === replaced ? this.input(INPUT.replacement) : value;
  }

  private isAsked = (hook: string): boolean => this.hooks.includes(hook) || hook === this.asked.replaced;

  private weight(name: string): Value {
    this.weights.add(name);
    return this.g.input(name);
  }

  private input(name: string, element?: 'int64' | 'int32'): Value {
    this.inputs.add(name);
    return this.g.input(name, element);
  }

  private block(input: Value, layer: number): Value {
    const { g } = this;
    const names = this.names.blocks[layer];
    const at = `blocks.${layer}`;
    const x = this.at(`${at}.hook_resid_pre`, input);
    let attnOut = this.attention(this.norm(x, names.ln1, `${at}.ln1`), layer);
    if (names.ln1Post) attnOut = this.norm(attnOut, names.ln1Post, `${at}.ln1_post`);
    attnOut = this.at(`${at}.hook_attn_out`, attnOut);
    const afterAttention = g.add(x, attnOut);
    const parallel = this.config.parallelResidual;
    const mid = parallel ? afterAttention : this.at(`${at}.hook_resid_mid`, afterAttention);
    const mlpIn = this.at(`${at}.hook_mlp_in`, parallel ? x : mid);
    let mlpOut = this.mlp(this.norm(mlpIn, names.ln2, `${at}.ln2`), names, at);
    if (names.ln2Post) mlpOut = this.norm(mlpOut, names.ln2Post, `${at}.ln2_post`);
    mlpOut = this.at(`${at}.hook_mlp_out`, mlpOut);
    return this.at(`${at}.hook_resid_post`, g.add(mid, mlpOut));
  }

  private attention(x: Value, layer: number): Value {
    const { heads, kvHeads = heads, dHead, family } = this.config;
    const names = this.names.blocks[layer];
    const at = `blocks.${layer}.attn`;
    let [q, k, v] = this.queriesKeysValues(x, names.qkv); // [N, H·Dh], 2 × [N, Hkv·Dh]
    q = this.at(`${at}.hook_q`, q);
    k = this.at(`${at}.hook_k`, k);
    v = this.at(`${at}.hook_v`, v);
    if (names.qNorm && names.kNorm) [q, k] = [this.headNorm(q, names.qNorm, heads), this.headNorm(k, names.kNorm, kvHeads)]; // prettier-ignore
    if (this.config.rotary) {
      const [cos, sin, dims] = this.rotaryTables(layer);
      q = this.at(`${at}.hook_rot_q`, this.rotate(q, heads, cos, sin, dims));
      k = this.at(`${at}.hook_rot_k`, this.rotate(k, kvHeads, cos, sin, dims));
    }
    const scale = this.config.attnScale ?? (family === 'gpt_neo' ? 1 : 1 / Math.sqrt(dHead));
    const z = this.at(`${at}.hook_z`, this.mixture(q, k, v, layer, scale)); // [N, H·Dh]
    if (this.isAsked(`${at}.hook_result`)) return this.sumOfHeads(z, names.attnOut, `${at}.hook_result`);
    return this.linear(z, names.attnOut);
  }

  /** softmax(q kᵀ · scale + mask) v, heads side by side. */
  private mixture(q: Value, k: Value, v: Value, layer: number, scale: number): Value {
    const { g } = this;
    const { heads, dHead, attnSoftCap: cap } = this.config;
    const scaled = scale === 1 ? q : g.mul(q, g.number(scale));
    const queries = g.transpose(g.op('Reshape', [scaled, this.input(INPUT.heads, 'int64')]), 0, 2, 1, 3); // [B, H, T, Dh]
    const keys = g.transpose(this.keys(k), 0, 2, 3, 1); // [B, H, Dh, T]
    let scores = g.matMul(queries, keys); // [B, H, T, T]
    if (cap !== undefined) scores = g.mul(g.op('Tanh', [g.mul(scores, g.number(1 / cap))]), g.number(cap));
    const pattern = g.op('Softmax', [g.add(scores, this.mask(layer))]);
    const mixed = g.matMul(pattern, g.transpose(this.keys(v), 0, 2, 1, 3)); // [B, H, T, Dh]
    return g.reshape(g.transpose(mixed, 0, 2, 1, 3), -1, heads * dHead);
  }

  /** Keys or values [N, Hkv·Dh] for every query head: [B, T, H, Dh], each repeated in place. */
  private keys(x: Value): Value {
    const { g } = this;
    const { heads, kvHeads = heads, dHead } = this.config;
    const shape = this.input(INPUT.heads, 'int64');
    if (kvHeads === heads) return g.op('Reshape', [x, shape]);
    const repeated = g.op('Expand', [g.reshape(x, -1, kvHeads, 1, dHead), g.whole(1, 1, heads / kvHeads, 1)]);
    return g.op('Reshape', [repeated, shape]);
  }

  private queriesKeysValues(x: Value, names: BlockNames['qkv']): Value[] {
    const { g } = this;
    if (names.length === 3) return names.map((name) => this.linear(x, name));
    const fused = this.linear(x, names[0]); // [N, 3d]
    const { heads, dHead, family } = this.config;
    const d = heads * dHead;
    if (family !== 'gpt_neox') return g.ops('Split', 3, [fused, g.whole(d, d, d)], { axis: 1 });
    // GPT-NeoX orders the rows (head, qkv, Dh), GPT-2 (qkv, head, Dh).
    const parts = g.ops('Split', 3, [g.reshape(fused, -1, heads, 3 * dHead), g.whole(dHead, dHead, dHead)], {
      axis: 2,
    });
    return parts.map((part) => g.reshape(part, -1, d));
  }

  /** The attention output as a sum of per-head results, which are held at the hook, [N, H·d]. */
  private sumOfHeads(z: Value, names: LinearNames, hook: string): Value {
    const { g } = this;
    const { heads, dHead, dModel } = this.config;
    const stored = this.weight(names.weight);
    const weight = this.names.linearIsOutIn ? g.transpose(stored, 1, 0) : stored; // [H·Dh, d]
    const perHead = g.transpose(g.reshape(z, -1, heads, dHead), 1, 0, 2); // [H, N, Dh]
    const results = g.transpose(g.matMul(perHead, g.reshape(weight, heads, dHead, dModel)), 1, 0, 2); // [N, H, d]
    const held = this.at(hook, g.reshape(results, -1, heads * dModel));
    const sum = g.sum(g.reshape(held, -1, heads, dModel), 1, false);
    return names.bias ? g.add(sum, this.weight(names.bias)) : sum;
  }

  private mlp(x: Value, names: BlockNames, at: string): Value {
    const { g } = this;
    const pre = this.at(`${at}.mlp.hook_pre`, this.linear(x, names.mlpGate ?? names.mlpIn)); // [N, M]
    let post = this.activation(pre);
    if (names.mlpGate) post = g.mul(post, this.at(`${at}.mlp.hook_pre_linear`, this.linear(x, names.mlpIn)));
    return this.linear(this.at(`${at}.mlp.hook_post`, post), names.mlpOut);
  }

  private activation(x: Value): Value {
    const { g } = this;
    switch (this.config.activation) {
      case 'gelu_new':
        return g.op('Gelu', [x], { approximate: 'tanh' });
      case 'gelu':
        return g.op('Gelu', [x]);
      case 'relu':
        return g.op('Relu', [x]);
      case 'silu':
        return g.mul(x, g.op('Sigmoid', [x]));
    }
  }

  /** x [N, in] → [N, out]. */
  private linear(x: Value, names: LinearNames): Value {
    const bias = names.bias ? { c: this.weight(names.bias) } : {};
    return this.g.gemm(x, this.weight(names.weight), { ...bias, transB: this.names.linearIsOutIn });
  }

  /** The norm that the config names, with its hooks (pass.ts). */
  private norm(x: Value, names: NormNames, at: string): Value {
    const { g } = this;
    const eps = g.number(this.config.layerNormEps);
    const centred = names.bias ? g.sub(x, g.mean(x)) : x;
    const scale = this.at(`${at}.hook_scale`, g.sqrt(g.add(g.mean(g.mul(centred, centred)), eps)));
    const divided = g.div(centred, scale);
    if (names.bias) {
      const moved = g.add(g.mul(divided, this.weight(names.weight)), this.weight(names.bias));
      return this.at(`${at}.hook_normalized`, moved);
    }
    return g.mul(this.at(`${at}.hook_normalized`, divided), this.rmsWeight(names));
  }

  private rmsWeight(names: NormNames): Value {
    const weight = this.weight(names.weight);
    return this.config.norm === 'rms-plus-one' ? this.g.add(weight, this.g.number(1)) : weight;
  }

  /** RMSNorm of every head by itself: [N, heads·Dh]. */
  private headNorm(x: Value, names: NormNames, heads: number): Value {
    const { g } = this;
    const { dHead, layerNormEps } = this.config;
    const each = g.reshape(x, -1, heads, dHead);
    const scale = g.sqrt(g.add(g.mean(g.mul(each, each)), g.number(layerNormEps)));
    return g.reshape(g.mul(g.div(each, scale), this.rmsWeight(names)), -1, heads * dHead);
  }

  private isLocal = (layer: number): boolean => this.config.attention?.[layer] === 'local';

  private mask(layer: number): Value {
    return this.input(this.isLocal(layer) ? INPUT.localMask : INPUT.mask);
  }

  private rotaryTables(layer: number): [cos: Value, sin: Value, dims: number] {
    const { rotary, localRotary } = this.config;
    if (localRotary && this.isLocal(layer))
      return [this.input(INPUT.localCos), this.input(INPUT.localSin), localRotary.dims];
    return [this.input(INPUT.cos), this.input(INPUT.sin), rotary!.dims];
  }

  /** Rotates the first dims of each head of x [N, heads·Dh]; pairs are (i, i + dims/2). */
  private rotate(x: Value, heads: number, cos: Value, sin: Value, dims: number): Value {
    const { g } = this;
    const { dHead } = this.config;
    const each = g.reshape(x, -1, heads, dHead);
    const part = (from: number, to: number): Value => g.slice(each, 2, from, to);
    const [first, second] = [part(0, dims / 2), part(dims / 2, dims)];
    const concat = (...parts: Value[]): Value => g.op('Concat', parts, { axis: 2 });
    const turned = g.add(g.mul(concat(first, second), cos), g.mul(concat(g.op('Neg', [second]), first), sin));
    return g.reshape(dims < dHead ? concat(turned, part(dims, dHead)) : turned, -1, heads * dHead);
  }
}
