/**
 * Hook points of a model: TransformerLens names, in the order they run.
 *
 * Activations are those of the unprocessed weights (TransformerLens' `from_pretrained_no_processing`): nothing is
 * folded or centred unless the model was loaded with `process: 'center'`. As there, `hook_normalized` of a LayerNorm is
 * its output, after weight and bias, and that of an RMSNorm is x / scale, before the weight. In a gated MLP `hook_pre` is
 * what the activation is taken of, `hook_pre_linear` what it is multiplied with. Grouped queries: k and v keep the heads
 * that they have. Norms behind attention and MLP (`ln1_post`, `ln2_post`) come before `hook_attn_out` and `hook_mlp_out`.
 */
import { pushAll } from '../../protocol/lists.js';
import { tf } from '../compute/tf.js';
import { editDistance } from '../compute/words.js';
import type { EditContext, EditedText, ForwardOptions, ModelConfig } from './types.js';

/** Every hook point of a model of this config, in the order they run. */
export function hookNames(config: ModelConfig): string[] {
  const names = ['hook_embed'];
  if (!config.rotary) names.push('hook_pos_embed');
  for (let layer = 0; layer < config.layers; layer++) {
    pushAll(
      names,
      blockHooks(config).map((name) => `blocks.${layer}.${name}`),
    );
  }
  names.push('ln_final.hook_scale', 'ln_final.hook_normalized');
  return names;
}

function blockHooks(config: ModelConfig): string[] {
  const norm = (name: string): string[] => [`${name}.hook_scale`, `${name}.hook_normalized`];
  return [
    'hook_resid_pre',
    ...norm('ln1'),
    'attn.hook_q',
    'attn.hook_k',
    'attn.hook_v',
    ...(config.rotary ? ['attn.hook_rot_q', 'attn.hook_rot_k'] : []),
    'attn.hook_attn_scores',
    'attn.hook_pattern',
    'attn.hook_z',
    'attn.hook_result',
    ...(config.postNorms ? norm('ln1_post') : []),
    'hook_attn_out',
    ...(config.parallelResidual ? [] : ['hook_resid_mid']),
    'hook_mlp_in',
    ...norm('ln2'),
    'mlp.hook_pre',
    ...(config.gatedMlp ? ['mlp.hook_pre_linear'] : []),
    'mlp.hook_post',
    ...(config.postNorms ? norm('ln2_post') : []),
    'hook_mlp_out',
    'hook_resid_post',
  ];
}

/** Length of the last axis at a hook; for attention scores and patterns, its greatest value: the context. */
export function hookWidth(config: ModelConfig, hook: string): number {
  requireHook(hookNames(config), hook);
  if (hook.endsWith('hook_scale')) return 1;
  if (/attn\.hook_(attn_scores|pattern)$/.test(hook)) return config.context;
  if (/attn\.hook_(q|k|v|z|rot_q|rot_k)$/.test(hook)) return config.dHead;
  if (/mlp\.hook_(pre|pre_linear|post)$/.test(hook)) return config.dMlp;
  return config.dModel;
}

/** Heads that a hook's activation has, [B, T, heads, width]; 1 where there is no such axis. */
export function hookHeads(config: ModelConfig, hook: string): number {
  if (/attn\.hook_(q|z|rot_q|result)$/.test(hook)) return config.heads;
  if (/attn\.hook_(k|v|rot_k)$/.test(hook)) return config.kvHeads ?? config.heads;
  return 1;
}

/** Throws, naming the nearest hooks, unless the hook exists; without one, what to give. */
export function requireHook(hooks: readonly string[], hook: string): void {
  if (hooks.includes(hook)) return;
  if (typeof hook !== 'string' || hook === '')
    throw new Error(
      `no hook is given${typeof hook === 'string' ? '' : ` but ${String(hook)}`}: give { hook }, such as "${hooks.find((name) => name.endsWith('hook_mlp_out')) ?? hooks[0]}"; model.hooks lists all`,
    );
  const near = hooks
    .map((name) => ({ name, distance: editDistance(hook, name) }))
    .sort((a, b) => a.distance - b.distance)
    .slice(0, 4);
  throw new Error(`unknown hook "${hook}"; did you mean ${near.map((n) => n.name).join(', ')}? model.hooks lists all`);
}

/**
 * Has every edit look at the text that it is about to run on, before anything runs.
 * @throws Error of the first edit that cannot act on it as meant: a position beyond the end, a token that does not occur.
 */
export function checkEdits(edits: ForwardOptions['edits'], text: EditedText): void {
  for (const list of edits?.values() ?? []) for (const edit of list) edit.check?.(text);
}

/** Unwinds a forward pass once its last wanted hook has run. */
export const STOP = Symbol('stopped at a hook');

/** A second tensor on the same data, without a copy: on the cpu device clone() copies, reshape() does not. */
export function share<T extends tf.Tensor>(x: T): T {
  return x.reshape<T>(x.shape);
}

/** One forward pass's view of its hooks: applies edits, keeps captures, stops. */
export class HookRun {
  readonly captured = new Map<string, tf.Tensor>();
  private readonly capture: ReadonlySet<string>;
  private readonly knownBy: NonNullable<ForwardOptions['known']>;
  private readonly edits: NonNullable<ForwardOptions['edits']>;
  private readonly stopAt: string | undefined;
  private readonly context: EditContext;

  /** Throws for unknown hooks and for captures that lie behind `stopAt`. */
  constructor(hooks: readonly string[], options: ForwardOptions, tokens: Int32Array, batch: number) {
    const { offset = 0, sequence = 0 } = options;
    this.context = { tokens, batch, time: tokens.length / batch, offset, sequence };
    this.capture = new Set(options.capture ?? []);
    this.edits = options.edits ?? new Map();
    this.knownBy = options.known ?? new Map();
    this.stopAt = options.stopAt;
    for (const hook of [...this.capture, ...this.edits.keys()]) requireHook(hooks, hook);
    if (this.stopAt === undefined) return;
    requireHook(hooks, this.stopAt);
    const last = hooks.indexOf(this.stopAt);
    const late = [...this.capture].filter((hook) => hooks.indexOf(hook) > last);
    if (late.length > 0) {
      throw new Error(`cannot capture ${late.join(', ')} when the forward stops at ${this.stopAt}, which runs before`);
    }
  }

  /** Whether anything happens at this hook: some activations are computed only when asked for. */
  wants(hook: string): boolean {
    return this.capture.has(hook) || this.edits.has(hook) || this.stopAt === hook;
  }

  /** What a pass without edits left at a hook, where the caller gives it. */
  known<T extends tf.Tensor>(hook: string): T | undefined {
    return this.knownBy.get(hook) as T | undefined;
  }

  /** Passes an activation through its hook. */
  at<T extends tf.Tensor>(hook: string, activation: T): T {
    let x = activation;
    for (const edit of this.edits.get(hook) ?? []) x = requireSameShape(hook, x, edit(x, hook, this.context));
    if (this.capture.has(hook)) this.captured.set(hook, tf.keep(share(x)));
    if (this.stopAt === hook) throw STOP;
    return x;
  }
}

function requireSameShape<T extends tf.Tensor>(hook: string, before: T, after: tf.Tensor): T {
  if (!(after instanceof tf.Tensor)) {
    throw new Error(
      `the edit at ${hook} returned ${String(after)}; it must return a tensor of shape [${before.shape}]`,
    );
  }
  if (after.dtype !== 'float32' || !tf.util.arraysEqual(before.shape, after.shape)) {
    throw new Error(
      `the edit at ${hook} returned ${after.dtype} [${after.shape}], expected float32 [${before.shape}]: an edit keeps the shape`,
    );
  }
  return after as T;
}
