/**
 * Llama, Mistral, Qwen 2 and 3, Gemma 1 to 3 in float64 and plain loops, one sequence at a time: what the kernel's forward
 * pass is tested against. Written from Hugging Face's modeling files and modeling_rope_utils.py; it shares no code with
 * the kernel and reads config.json, not the kernel's config.
 */
import { erf, type Weights } from '#test/kit/referenceModel.js';

type Rows = Float64Array[];
/** A parsed config.json. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any
type Json = Record<string, any>;

/** inv_freq and the factor of cos and sin, as transformers' ROPE_INIT_FUNCTIONS give them. */
export function inverseFrequencies(
  dim: number,
  base: number,
  scaling: Json | null,
  maxPositions: number,
  length: number,
) {
  const inv = Array.from({ length: dim / 2 }, (_, i) => 1 / base ** ((2 * i) / dim));
  const type = (scaling?.rope_type ?? scaling?.type ?? 'default') as string;
  if (!scaling || type === 'default') return { inv, attention: 1 };
  const factor = scaling.factor as number;
  if (type === 'linear') return { inv: inv.map((f) => f / factor), attention: 1 };
  const original = (scaling.original_max_position_embeddings ?? maxPositions) as number;
  if (type === 'dynamic') {
    const seqLen = Math.max(length, original);
    const stretched = base * ((factor * seqLen) / original - (factor - 1)) ** (dim / (dim - 2));
    return { inv: inv.map((_, i) => 1 / stretched ** ((2 * i) / dim)), attention: 1 };
  }
  if (type === 'llama3') {
    const [lowFactor, highFactor] = [scaling.low_freq_factor as number, scaling.high_freq_factor as number];
    const [lowWavelength, highWavelength] = [original / lowFactor, original / highFactor];
    return {
      inv: inv.map((f) => {
        const wavelength = (2 * Math.PI) / f;
        const long = wavelength > lowWavelength ? f / factor : f;
        const smooth = (original / wavelength - lowFactor) / (highFactor - lowFactor);
        const isMedium = !(wavelength < highWavelength) && !(wavelength > lowWavelength);
        return isMedium ? ((1 - smooth) * long) / factor + smooth * long : long;
      }),
      attention: 1,
    };
  }
  const correction = (rotations: number): number =>
    (dim * Math.log(original / (rotations * 2 * Math.PI))) / (2 * Math.log(base));
  const low = Math.max(Math.floor(correction((scaling.beta_fast ?? 32) as number)), 0);
  let high = Math.min(Math.ceil(correction((scaling.beta_slow ?? 1) as number)), dim - 1);
  if (low === high) high += 0.001;
  return {
    inv: inv.map((f, i) => {
      const extrapolation = 1 - Math.min(1, Math.max(0, (i - low) / (high - low)));
      return (f / factor) * (1 - extrapolation) + f * extrapolation;
    }),
    attention: (scaling.attention_factor ?? 0.1 * Math.log(factor) + 1) as number,
  };
}

/** Which layers see a window, in each family's own words. */
function isSliding(c: Json, layer: number): boolean {
  if (c.layer_types) return c.layer_types[layer] === 'sliding_attention';
  switch (c.model_type) {
    case 'mistral':
      return c.sliding_window !== null && c.sliding_window !== undefined;
    case 'qwen2':
    case 'qwen3':
      return c.use_sliding_window === true && layer >= (c.max_window_layers ?? 28);
    case 'gemma2':
      return layer % 2 === 0;
    case 'gemma3_text':
      return (layer + 1) % (c.sliding_window_pattern ?? 6) !== 0;
    default:
      return false;
  }
}

/** Activations of one sequence by hook name, without the batch axis, and logits [T, vocab] as "logits". */
export function rmsReference(c: Json, weights: Weights, tokens: readonly number[]): Map<string, Float64Array> {
  const T = tokens.length;
  const type = c.model_type as string;
  const isGemma = type.startsWith('gemma');
  const sandwich = type === 'gemma2' || type === 'gemma3_text';
  const qkNorm = type === 'qwen3' || type === 'gemma3_text';
  const d = c.hidden_size as number;
  const H = c.num_attention_heads as number;
  const Hkv = (c.num_key_value_heads ?? H) as number;
  const dh = (c.head_dim ?? d / H) as number;
  const out = new Map<string, Float64Array>();
  const W = (name: string): ArrayLike<number> => {
    const weight = weights.get(name);
    if (!weight) throw new Error(`reference: no weight ${name}`);
    return weight.data;
  };
  const record = (name: string, rows: Rows): Rows => {
    const width = rows[0].length;
    const flat = new Float64Array(rows.length * width);
    rows.forEach((row, i) => flat.set(row, i * width));
    out.set(name, flat);
    return rows;
  };
  const linear = (x: Rows, module: string): Rows => {
    const [outputs, inputs] = (weights.get(`${module}.weight`) as { shape: number[] }).shape;
    const w = W(`${module}.weight`);
    const bias = weights.get(`${module}.bias`)?.data;
    return x.map((row) =>
      Float64Array.from({ length: outputs }, (_, o) => {
        let sum = bias ? bias[o] : 0;
        for (let i = 0; i < inputs; i++) sum += row[i] * w[o * inputs + i];
        return sum;
      }),
    );
  };
  const rms = (row: Float64Array): number =>
    Math.sqrt(row.reduce((a, b) => a + b * b, 0) / row.length + (c.rms_norm_eps as number));
  const gain = (module: string, i: number): number => W(`${module}.weight`)[i] + (isGemma ? 1 : 0);
  const norm = (x: Rows, module: string, at: string): Rows => {
    record(
      `${at}.hook_scale`,
      x.map((row) => Float64Array.of(rms(row))),
    );
    const plain = record(
      `${at}.hook_normalized`,
      x.map((row) => row.map((v) => v / rms(row))),
    );
    return plain.map((row) => row.map((v, i) => v * gain(module, i)));
  };
  const plus = (a: Rows, b: Rows): Rows => a.map((row, t) => row.map((v, i) => v + b[t][i]));
  const cap = (x: number, limit: unknown): number => (typeof limit === 'number' ? limit * Math.tanh(x / limit) : x);
  const act = (x: number): number => {
    const name = (isGemma ? (c.hidden_activation ?? 'gelu_pytorch_tanh') : c.hidden_act) as string;
    if (name === 'silu') return x / (1 + Math.exp(-x));
    if (name === 'gelu') return 0.5 * x * (1 + erf(x / Math.SQRT2));
    return 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3)));
  };

  const headNorm = (x: Rows, module: string): Rows =>
    x.map((row) => {
      const y = row.slice();
      for (let h = 0; h < row.length / dh; h++) {
        const scale = rms(row.slice(h * dh, (h + 1) * dh));
        for (let i = 0; i < dh; i++) y[h * dh + i] = (row[h * dh + i] / scale) * gain(module, i);
      }
      return y;
    });
  const rotate = (x: Rows, layer: number): Rows => {
    const local = type === 'gemma3_text' && isSliding(c, layer);
    const base = (local ? (c.rope_local_base_freq ?? 10000) : (c.rope_theta ?? 10000)) as number;
    const { inv, attention } = inverseFrequencies(
      dh,
      base,
      local ? null : (c.rope_scaling as Json | null),
      c.max_position_embeddings as number,
      T,
    );
    return x.map((row, t) => {
      const y = row.slice();
      for (let h = 0; h < row.length / dh; h++)
        for (let i = 0; i < dh / 2; i++) {
          const [cos, sin] = [Math.cos(t * inv[i]) * attention, Math.sin(t * inv[i]) * attention];
          const [a, b] = [row[h * dh + i], row[h * dh + i + dh / 2]];
          y[h * dh + i] = a * cos - b * sin;
          y[h * dh + i + dh / 2] = b * cos + a * sin;
        }
      return y;
    });
  };

  const attention = (x: Rows, layer: number): Rows => {
    const at = `blocks.${layer}.attn`;
    const module = `model.layers.${layer}.self_attn`;
    let q = record(`${at}.hook_q`, linear(x, `${module}.q_proj`));
    let k = record(`${at}.hook_k`, linear(x, `${module}.k_proj`));
    const v = record(`${at}.hook_v`, linear(x, `${module}.v_proj`));
    if (qkNorm) [q, k] = [headNorm(q, `${module}.q_norm`), headNorm(k, `${module}.k_norm`)];
    q = record(`${at}.hook_rot_q`, rotate(q, layer));
    k = record(`${at}.hook_rot_k`, rotate(k, layer));
    const scale = sandwich ? ((c.query_pre_attn_scalar ?? 256) as number) ** -0.5 : 1 / Math.sqrt(dh);
    const scores: Rows = [];
    for (let h = 0; h < H; h++)
      for (let i = 0; i < T; i++) {
        const row = new Float64Array(T).fill(-Infinity);
        for (let j = 0; j <= i; j++) {
          if (isSliding(c, layer) && i - j >= (c.sliding_window as number)) continue;
          const from = Math.floor(h / (H / Hkv)) * dh;
          let dot = 0;
          for (let e = 0; e < dh; e++) dot += q[i][h * dh + e] * k[j][from + e];
          row[j] = cap(dot * scale, c.attn_logit_softcapping);
        }
        scores.push(row);
      }
    record(`${at}.hook_attn_scores`, scores);
    const pattern = record(
      `${at}.hook_pattern`,
      scores.map((row) => {
        const top = Math.max(...row);
        const e = row.map((s) => Math.exp(s - top));
        const total = e.reduce((a, b) => a + b, 0);
        return e.map((s) => s / total);
      }),
    );
    const z = record(
      `${at}.hook_z`,
      Array.from({ length: T }, (_, i) =>
        Float64Array.from({ length: H * dh }, (__, at_) => {
          const h = Math.floor(at_ / dh);
          const from = Math.floor(h / (H / Hkv)) * dh + (at_ % dh);
          let sum = 0;
          for (let j = 0; j <= i; j++) sum += pattern[h * T + i][j] * v[j][from];
          return sum;
        }),
      ),
    );
    const w = W(`${module}.o_proj.weight`);
    record(
      `${at}.hook_result`,
      z.map((row) =>
        Float64Array.from({ length: H * d }, (_, at_) => {
          const [h, o] = [Math.floor(at_ / d), at_ % d];
          let sum = 0;
          for (let e = h * dh; e < (h + 1) * dh; e++) sum += row[e] * w[o * H * dh + e];
          return sum;
        }),
      ),
    );
    return linear(z, `${module}.o_proj`);
  };

  const mlp = (x: Rows, layer: number): Rows => {
    const module = `model.layers.${layer}.mlp`;
    const pre = record(`blocks.${layer}.mlp.hook_pre`, linear(x, `${module}.gate_proj`));
    const up = record(`blocks.${layer}.mlp.hook_pre_linear`, linear(x, `${module}.up_proj`));
    const post = record(
      `blocks.${layer}.mlp.hook_post`,
      pre.map((row, t) => row.map((v, i) => act(v) * up[t][i])),
    );
    return linear(post, `${module}.down_proj`);
  };

  const table = W('model.embed_tokens.weight');
  const scale = isGemma ? Math.fround(Math.sqrt(d)) : 1;
  let x = record(
    'hook_embed',
    tokens.map((id) => Float64Array.from({ length: d }, (_, i) => table[id * d + i] * scale)),
  );
  for (let layer = 0; layer < (c.num_hidden_layers as number); layer++) {
    const at = `blocks.${layer}`;
    const module = `model.layers.${layer}`;
    record(`${at}.hook_resid_pre`, x);
    let attnOut = attention(norm(x, `${module}.input_layernorm`, `${at}.ln1`), layer);
    if (sandwich) attnOut = norm(attnOut, `${module}.post_attention_layernorm`, `${at}.ln1_post`);
    record(`${at}.hook_attn_out`, attnOut);
    const mid = record(`${at}.hook_resid_mid`, plus(x, attnOut));
    record(`${at}.hook_mlp_in`, mid);
    const ln2 = sandwich ? 'pre_feedforward_layernorm' : 'post_attention_layernorm';
    let mlpOut = mlp(norm(mid, `${module}.${ln2}`, `${at}.ln2`), layer);
    if (sandwich) mlpOut = norm(mlpOut, `${module}.post_feedforward_layernorm`, `${at}.ln2_post`);
    record(`${at}.hook_mlp_out`, mlpOut);
    x = record(`${at}.hook_resid_post`, plus(mid, mlpOut));
  }
  const final = norm(x, 'model.norm', 'ln_final');
  const head = c.tie_word_embeddings ? 'model.embed_tokens' : 'lm_head';
  record(
    'logits',
    linear(final, head).map((row) => row.map((v) => cap(v, c.final_logit_softcapping))),
  );
  return out;
}
