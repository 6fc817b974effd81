/**
 * GPT-2, GPT-Neo and GPT-NeoX in float64 and plain loops, one sequence at a time: what the kernel's forward pass is
 * tested against. Written from Hugging Face's modeling_gpt2.py, modeling_gpt_neo.py and modeling_gpt_neox.py; it shares
 * no code with the kernel.
 */
export type Weights = Map<string, { shape: number[]; data: ArrayLike<number> }>;

export interface ReferenceSettings {
  family: 'gpt2' | 'gpt_neo' | 'gpt_neox';
  layers: number;
  d: number;
  heads: number;
  eps: number;
  activation: 'gelu_new' | 'gelu' | 'relu';
  /** GPT-Neo: layers with a window. */
  localLayers?: number[];
  window?: number;
  rotaryDims?: number;
  rotaryBase?: number;
  parallel?: boolean;
  /** Name of the unembedding [vocab, d]. */
  unembed: string;
}

/** Changes an activation in place: values of one sequence, row-major, without the batch axis. */
export type ReferenceEdit = (values: Float64Array) => void;

type Rows = Float64Array[];

/** Activations of one sequence by hook name, without the batch axis, and logits [T, vocab] as "logits". */
export function referenceForward(
  s: ReferenceSettings,
  weights: Weights,
  tokens: number[],
  edits: Record<string, ReferenceEdit> = {},
): Map<string, Float64Array> {
  const T = tokens.length;
  const dh = s.d / s.heads;
  const out = new Map<string, Float64Array>();
  const W = (name: string): ArrayLike<number> => {
    const weight = weights.get(name);
    if (!weight) throw new Error(`reference: no weight ${name}`);
    return weight.data;
  };
  /** Records rows at a hook after its edit, and gives them back. */
  const hook = (name: string, rows: Rows): Rows => {
    const width = rows[0].length;
    const flat = new Float64Array(rows.length * width);
    rows.forEach((row, i) => flat.set(row, i * width));
    edits[name]?.(flat);
    out.set(name, flat);
    return rows.map((_, i) => flat.slice(i * width, (i + 1) * width));
  };
  /** y = x W + b with W [in, out] (Conv1D) or W [out, in] (Linear). */
  const affine = (x: Rows, weight: string, bias: string | undefined, outputs: number, conv1d: boolean): Rows =>
    x.map((row) => {
      const y = new Float64Array(outputs);
      for (let o = 0; o < outputs; o++) {
        let sum = bias ? W(bias)[o] : 0;
        for (let i = 0; i < row.length; i++)
          sum += row[i] * (conv1d ? W(weight)[i * outputs + o] : W(weight)[o * row.length + i]);
        y[o] = sum;
      }
      return y;
    });
  const norm = (x: Rows, module: string, at: string): Rows => {
    const centred = x.map((row) => {
      const mean = row.reduce((a, b) => a + b, 0) / row.length;
      return row.map((v) => v - mean);
    });
    const scales = centred.map((row) =>
      Float64Array.of(Math.sqrt(row.reduce((a, b) => a + b * b, 0) / row.length + s.eps)),
    );
    const scale = hook(`${at}.hook_scale`, scales);
    return hook(
      `${at}.hook_normalized`,
      centred.map((row, t) => row.map((v, i) => (v / scale[t][0]) * W(`${module}.weight`)[i] + W(`${module}.bias`)[i])),
    );
  };
  const plus = (a: Rows, b: Rows): Rows => a.map((row, t) => row.map((v, i) => v + b[t][i]));

  const attention = (x: Rows, layer: number): Rows => {
    const at = `blocks.${layer}.attn`;
    let q: Rows = [];
    let k: Rows = [];
    let v: Rows = [];
    if (s.family === 'gpt2') {
      const all = affine(
        x,
        `transformer.h.${layer}.attn.c_attn.weight`,
        `transformer.h.${layer}.attn.c_attn.bias`,
        3 * s.d,
        true,
      );
      q = all.map((row) => row.slice(0, s.d));
      k = all.map((row) => row.slice(s.d, 2 * s.d));
      v = all.map((row) => row.slice(2 * s.d));
    } else if (s.family === 'gpt_neo') {
      const project = (name: string): Rows =>
        affine(x, `transformer.h.${layer}.attn.attention.${name}_proj.weight`, undefined, s.d, false);
      [q, k, v] = [project('q'), project('k'), project('v')];
    } else {
      const module = `gpt_neox.layers.${layer}.attention.query_key_value`;
      const all = affine(x, `${module}.weight`, `${module}.bias`, 3 * s.d, false);
      const take = (part: number): Rows =>
        all.map((row) =>
          Float64Array.from({ length: s.d }, (_, i) => row[Math.floor(i / dh) * 3 * dh + part * dh + (i % dh)]),
        );
      [q, k, v] = [take(0), take(1), take(2)];
    }
    q = hook(`${at}.hook_q`, q);
    k = hook(`${at}.hook_k`, k);
    v = hook(`${at}.hook_v`, v);
    if (s.family === 'gpt_neox') {
      const dims = s.rotaryDims as number;
      const turn = (rows: Rows): Rows =>
        rows.map((row, t) => {
          const y = row.slice();
          for (let h = 0; h < s.heads; h++) {
            for (let i = 0; i < dims / 2; i++) {
              const angle = t / (s.rotaryBase as number) ** ((2 * i) / dims);
              const a = row[h * dh + i];
              const b = row[h * dh + i + dims / 2];
              y[h * dh + i] = a * Math.cos(angle) - b * Math.sin(angle);
              y[h * dh + i + dims / 2] = b * Math.cos(angle) + a * Math.sin(angle);
            }
          }
          return y;
        });
      q = hook(`${at}.hook_rot_q`, turn(q));
      k = hook(`${at}.hook_rot_k`, turn(k));
    }
    const divisor = s.family === 'gpt_neo' ? 1 : Math.sqrt(dh);
    const local = s.localLayers?.includes(layer);
    const scoreRows: Rows = [];
    for (let h = 0; h < s.heads; h++) {
      for (let i = 0; i < T; i++) {
        const row = new Float64Array(T).fill(-Infinity);
        for (let j = 0; j <= i; j++) {
          if (local && j <= i - (s.window as number)) continue;
          let dot = 0;
          for (let c = 0; c < dh; c++) dot += q[i][h * dh + c] * k[j][h * dh + c];
          row[j] = dot / divisor;
        }
        scoreRows.push(row);
      }
    }
    const scores = hook(`${at}.hook_attn_scores`, scoreRows);
    const pattern = hook(
      `${at}.hook_pattern`,
      scores.map((row) => {
        const top = row.reduce((a, b) => Math.max(a, b), -Infinity);
        const e = row.map((x) => Math.exp(x - top));
        const total = e.reduce((a, b) => a + b, 0);
        return e.map((x) => x / total);
      }),
    );
    const mixed = Array.from({ length: T }, (_, i) => {
      const row = new Float64Array(s.d);
      for (let h = 0; h < s.heads; h++) {
        for (let j = 0; j < T; j++)
          for (let c = 0; c < dh; c++) row[h * dh + c] += pattern[h * T + i][j] * v[j][h * dh + c];
      }
      return row;
    });
    const z = hook(`${at}.hook_z`, mixed);
    const [module, conv1d] =
      s.family === 'gpt2'
        ? [`transformer.h.${layer}.attn.c_proj`, true]
        : s.family === 'gpt_neo'
          ? [`transformer.h.${layer}.attn.attention.out_proj`, false]
          : [`gpt_neox.layers.${layer}.attention.dense`, false];
    // Per head: the head's part of z through its part of the projection; the bias belongs to none of them.
    const results = hook(
      `${at}.hook_result`,
      z.map((row) => {
        const result = new Float64Array(s.heads * s.d);
        for (let h = 0; h < s.heads; h++) {
          for (let o = 0; o < s.d; o++) {
            for (let c = h * dh; c < (h + 1) * dh; c++) {
              result[h * s.d + o] +=
                row[c] * (conv1d ? W(`${module}.weight`)[c * s.d + o] : W(`${module}.weight`)[o * s.d + c]);
            }
          }
        }
        return result;
      }),
    );
    return results.map((row) =>
      Float64Array.from({ length: s.d }, (_, o) => {
        let sum = W(`${module}.bias`)[o];
        for (let h = 0; h < s.heads; h++) sum += row[h * s.d + o];
        return sum;
      }),
    );
  };

  const act = (x: number): number => {
    if (s.activation === 'relu') return Math.max(0, x);
    if (s.activation === 'gelu_new') return 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3)));
    return 0.5 * x * (1 + erf(x / Math.SQRT2));
  };
  const mlp = (x: Rows, layer: number): Rows => {
    const gpt = `transformer.h.${layer}.mlp`;
    const [up, down] =
      s.family === 'gpt_neox'
        ? [`gpt_neox.layers.${layer}.mlp.dense_h_to_4h`, `gpt_neox.layers.${layer}.mlp.dense_4h_to_h`]
        : [`${gpt}.c_fc`, `${gpt}.c_proj`];
    const conv1d = s.family === 'gpt2';
    const hidden = (weights.get(`${up}.bias`) as { shape: number[] }).shape[0];
    const pre = hook(`blocks.${layer}.mlp.hook_pre`, affine(x, `${up}.weight`, `${up}.bias`, hidden, conv1d));
    const post = hook(
      `blocks.${layer}.mlp.hook_post`,
      pre.map((row) => row.map(act)),
    );
    return affine(post, `${down}.weight`, `${down}.bias`, s.d, conv1d);
  };

  const neox = s.family === 'gpt_neox';
  const embedding = W(neox ? 'gpt_neox.embed_in.weight' : 'transformer.wte.weight');
  let x = hook(
    'hook_embed',
    tokens.map((id) => Float64Array.from({ length: s.d }, (_, i) => embedding[id * s.d + i])),
  );
  if (!neox) {
    const rows = tokens.map((_, t) =>
      Float64Array.from({ length: s.d }, (__, i) => W('transformer.wpe.weight')[t * s.d + i]),
    );
    x = plus(x, hook('hook_pos_embed', rows));
  }
  for (let layer = 0; layer < s.layers; layer++) {
    const at = `blocks.${layer}`;
    const [ln1, ln2] = neox
      ? [`gpt_neox.layers.${layer}.input_layernorm`, `gpt_neox.layers.${layer}.post_attention_layernorm`]
      : [`transformer.h.${layer}.ln_1`, `transformer.h.${layer}.ln_2`];
    x = hook(`${at}.hook_resid_pre`, x);
    const attnOut = hook(`${at}.hook_attn_out`, attention(norm(x, ln1, `${at}.ln1`), layer));
    let mid = plus(x, attnOut);
    if (!s.parallel) mid = hook(`${at}.hook_resid_mid`, mid);
    const mlpIn = hook(`${at}.hook_mlp_in`, s.parallel ? x : mid);
    const mlpOut = hook(`${at}.hook_mlp_out`, mlp(norm(mlpIn, ln2, `${at}.ln2`), layer));
    x = hook(`${at}.hook_resid_post`, plus(mid, mlpOut));
  }
  const final = norm(x, neox ? 'gpt_neox.final_layer_norm' : 'transformer.ln_f', 'ln_final');
  const vocab = (weights.get(s.unembed) as { shape: number[] }).shape[0];
  hook('logits', affine(final, s.unembed, undefined, vocab, false));
  return out;
}

/** erf by its Maclaurin series near 0 and by Lentz's continued fraction of erfc beyond: about 1e-15. */
export function erf(x: number): number {
  const a = Math.abs(x);
  if (a < 2.5) {
    let term = a;
    let sum = a;
    for (let n = 1; Math.abs(term) > 1e-18 * Math.abs(sum); n++) {
      term *= -(a * a) / n;
      sum += term / (2 * n + 1);
    }
    return (Math.sign(x) * 2 * sum) / Math.sqrt(Math.PI);
  }
  let fraction = 0;
  for (let n = 60; n >= 1; n--) fraction = n / 2 / (a + fraction);
  return Math.sign(x) * (1 - Math.exp(-a * a) / ((a + fraction) * Math.sqrt(Math.PI)));
}
