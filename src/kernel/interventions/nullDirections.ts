/**
 * The nulls of an intervention: as large a change in a direction that means nothing. Isotropic directions are a low
 * bar: activations fill few directions, and nearly anything along those moves a model more than a direction out of all
 * of them. So every effect stands beside differences of two tokens' activations at the same hook as well, and, where an
 * SAE's features are changed, beside its other decoder rows.
 */
import { minOf } from '../../protocol/lists.js';
import { captureActivations, capturedWidth } from '../models/capture.js';
import type { CallOptions } from '../compute/call.js';
import { row, type Matrix } from '../compute/matrix.js';
import { Random } from '../compute/random.js';
import { tf, valuesOf } from '../compute/tf.js';
import { meanAndStd } from '../compute/statistics.js';
import type { HookEdit, LanguageModel, TokenSet } from '../models/types.js';
import { nullName } from '../present/interventions.js';
import { NULL_RUNS, NULL_SEED, type NullKind, type NullOptions, type RunOptions } from './options.js';
import { describeAll, type Intervention } from './intervention.js';
import { batchTokensOf, requireRowHook, sequencesOf } from './runs.js';

/** Norms of what an intervention changes, [B, T, 1, …], of the block of sequences that ran last. */
interface Sizes {
  sequence: number;
  shape: number[];
  data: Float32Array;
}

/** Norm of the change of each row, over the last axes. */
function changeNorms(change: tf.Tensor): tf.Tensor {
  const axes = change.shape.slice(2).map((_, i) => i + 2);
  return change.square().sum(axes, true).sqrt();
}

/** Peers of several interventions at one hook: those of their common set of rows, without the rows of any of them. */
function peersOf(list: readonly Intervention[]): Intervention['peers'] {
  const [first] = list;
  if (!first?.peers || list.some(({ peers }) => peers?.rows !== first.peers!.rows)) return undefined;
  return { ...first.peers, own: new Set(list.flatMap(({ peers }) => [...peers!.own])) };
}

/** All that a set of interventions does at one hook, as one change that notes how far it moves each row. */
function measured(list: readonly Intervention[], note: (sizes: Sizes) => void): Intervention {
  const run: HookEdit = (x, hook, context) => {
    const changed = list.reduce((at, { edit }) => edit(at, hook, context), x);
    const shape = x.shape.map((length, axis) => (axis < 2 ? length : 1));
    note({ sequence: context.sequence, shape, data: valuesOf(() => changeNorms(changed.sub(x))) });
    return changed;
  };
  const peers = peersOf(list);
  const check: HookEdit['check'] = (text) => list.forEach(({ edit }) => edit.check?.(text));
  return {
    hook: list[0].hook,
    description: describeAll(list),
    parameters: { kind: 'several', of: list.map((i) => i.parameters) },
    ...(peers ? { peers } : {}),
    edit: Object.assign(run, { check }),
  };
}

/** One kind of null: its runs, each the interventions of one run, and how many directions it draws from. */
export interface NullSet {
  kind: NullKind;
  /** Width of the hook for isotropic ones, rows of activations or decoder rows else; the least over several hooks. */
  from: number;
  runs: Intervention[][];
}

/** Draws directions at a hook, of any length but 0. */
interface Pool {
  from: number;
  draw(random: Random): ArrayLike<number>;
}

function isotropic(width: number): Pool {
  return { from: width, draw: (random) => random.normals(new Float32Array(width)) };
}

/** Rows of activations kept to take differences of. */
const ROWS = 4096;

/** Differences of the activations of two tokens that are not the same; undefined where all rows are equal. */
async function differences(
  model: LanguageModel,
  hook: string,
  sets: readonly TokenSet[],
  options: RunOptions,
): Promise<Pool | undefined> {
  const rows: Float32Array[] = [];
  for (const set of sets) {
    const wanted = Math.min(sequencesOf(set, options.sequences), Math.ceil((ROWS - rows.length) / set.context));
    if (wanted < 1) break;
    const { signal } = options;
    const batchTokens = batchTokensOf(options);
    for await (const { x } of captureActivations(model, set, hook, { sequences: wanted, batchTokens, signal }))
      for (let i = 0; i < x.rows; i++) rows.push(row(x, i).slice());
  }
  const differ = (a: Float32Array, b: Float32Array): boolean => a.some((v, j) => v !== b[j]);
  const other = rows.find((x) => differ(x, rows[0]));
  if (!other) return undefined;
  return {
    from: rows.length,
    draw(random) {
      let [a, b] = [rows[0], other];
      // Most pairs differ; where nearly all rows are equal the pair that is known to differ stands in.
      for (let turn = 0; turn < 64; turn++) {
        const [p, q] = [rows[random.int(rows.length)], rows[random.int(rows.length)]];
        if (!differ(p, q)) continue;
        [a, b] = [p, q];
        break;
      }
      return a.map((v, j) => v - b[j]);
    },
  };
}

/** Other directions of the same kind, without those of length 0; undefined where there is none. */
function decoderRows({ peers }: Intervention): Pool | undefined {
  if (!peers) return undefined;
  const { rows, own } = peers as { rows: Matrix; own: ReadonlySet<number> };
  const ids = Array.from({ length: rows.rows }, (_, f) => f).filter(
    (f) => !own.has(f) && row(rows, f).some((v) => v !== 0),
  );
  return ids.length === 0 ? undefined : { from: ids.length, draw: (random) => row(rows, ids[random.int(ids.length)]) };
}

/** Moves rows as far as was noted, all along one direction, at length 1. */
function along(
  of: Intervention,
  sizes: () => Sizes,
  direction: ArrayLike<number>,
  kind: NullKind,
  seed: number,
): Intervention {
  const { hook, description, parameters } = of;
  const norm = Math.hypot(...Array.from(direction));
  const unit = Float32Array.from(direction, (v) => v / norm);
  const moved: HookEdit = (x, _hook, { sequence }) => {
    const known = sizes();
    if (known.sequence !== sequence || known.shape[0] !== x.shape[0] || known.shape[1] !== x.shape[1])
      throw new Error(`a null direction at ${hook} runs on other sequences than the intervention did last`);
    return tf.tidy(() => {
      const size = tf.tensor(known.data, known.shape);
      const step = tf.tensor(unit, x.shape.slice(2));
      return tf.where(size.greater(0).broadcastTo(x.shape), x.add(size.mul(step)), x);
    });
  };
  return {
    hook,
    description: `one of the ${nullName({ kind })} (seed ${seed}) as large as: ${description}`,
    parameters: { kind: 'nullDirection', null: kind, seed, hook, of: parameters },
    edit: moved,
  };
}

function settings({ nulls: runs = NULL_RUNS.usual, nullKinds, seed = NULL_SEED.usual }: NullOptions) {
  const all = Object.keys(FORKS) as NullKind[];
  const asked = nullKinds === undefined ? undefined : [nullKinds].flat();
  return { runs, asked, kinds: all.filter((kind) => asked?.includes(kind) ?? true), seed };
}

/** Names of the random streams; the one of isotropic directions keeps its name, so that earlier results stay. */
const FORKS: Readonly<Record<NullKind, string>> = {
  isotropic: 'random directions',
  differences: 'differences of activations',
  decoder: 'other decoder rows',
};

/**
 * Interventions, and the nulls of them, in sets of `nulls` runs each: at every hook each row that they move is moved by
 * the same norm, along one direction of that run and hook. What several do at one hook counts as one change, since two
 * that point the same way move rows further than two others would. Rows that they leave alone stay as they are, bit for
 * bit. The nulls run after `own` on the same block of sequences, whose norms they take: also at a later hook, where the
 * interventions may find another activation than the null does. `data` are the texts that are looked at: differences
 * are of the activations of two of their tokens (up to 4,096), without any intervention.
 * @throws RangeError for interventions on attention scores and patterns, which have no direction, and for a kind that
 *   is asked for and cannot be drawn.
 */
export async function nullDirections(
  model: LanguageModel,
  interventions: readonly Intervention[],
  data: readonly TokenSet[],
  options: NullOptions & RunOptions & CallOptions,
): Promise<{ own: Intervention[]; nulls: NullSet[] }> {
  const { runs, asked, kinds, seed } = settings(options);
  if (runs === 0 || interventions.length === 0) return { own: [...interventions], nulls: [] };
  const noted = new Map<string, Sizes>();
  const own = [...new Set(interventions.map((i) => i.hook))].map((hook) => {
    requireRowHook(model, hook);
    return measured(
      interventions.filter((i) => i.hook === hook),
      (sizes) => void noted.set(hook, sizes),
    );
  });
  const nulls: NullSet[] = [];
  for (const kind of kinds) {
    const pools = await Promise.all(own.map((one) => poolOf(model, one, kind, data, options)));
    const drawable = pools.filter((pool) => pool !== undefined);
    if (drawable.length < own.length) {
      if (asked) throw new RangeError(whyNot(kind, own[pools.indexOf(undefined)].hook));
      continue;
    }
    const random = new Random(seed).fork(FORKS[kind]);
    const drawn = Array.from({ length: runs }, () =>
      own.map((one, h) => {
        const its = random.int(2 ** 31);
        const direction = drawable[h].draw(new Random(its).fork(`random direction ${one.hook}`));
        return along(one, () => noted.get(one.hook)!, direction, kind, its);
      }),
    );
    nulls.push({ kind, from: minOf(drawable.map(({ from }) => from)), runs: drawn });
  }
  return { own, nulls };
}

function poolOf(
  model: LanguageModel,
  one: Intervention,
  kind: NullKind,
  data: readonly TokenSet[],
  options: RunOptions,
): Pool | undefined | Promise<Pool | undefined> {
  if (kind === 'isotropic') return isotropic(capturedWidth(model, one.hook));
  return kind === 'decoder' ? decoderRows(one) : differences(model, one.hook, data, options);
}

function whyNot(kind: NullKind, hook: string): string {
  return kind === 'decoder'
    ? `nullKinds 'decoder' needs interventions that change features of one SAE at ${hook}; leave it out, or give 'differences'`
    : `nullKinds 'differences' needs two tokens with different activations at ${hook}; give longer or more texts`;
}

/** A figure beside the same figure of one kind of null. */
export interface NullFigure {
  kind: NullKind;
  /** Directions it draws from. */
  from: number;
  /** Of the null runs: mean, standard deviation, and the largest in size. */
  mean: number;
  std: number;
  max: number;
  /** (k + 1)/(R + 1), k = runs whose figure is as large in size. */
  p: number;
  runs: number;
  seed: number;
}

/** A figure beside the same figure of each kind of null; none without runs. */
export interface BesideNulls {
  /** The figure of the intervention. */
  value: number;
  nulls: NullFigure[];
}

/** Two-sided: sizes are compared. `figures` are those of the runs of all sets, one set after the other. */
export function besideNulls(
  value: number,
  figures: readonly number[],
  sets: ReadonlyArray<Pick<NullSet, 'kind' | 'from'> & { runs: { length: number } }>,
  seed: number,
): BesideNulls {
  let at = 0;
  const nulls = sets.map(({ kind, from, runs: { length: runs } }): NullFigure => {
    const values = figures.slice(at, (at += runs));
    const max = values.reduce((m, v) => (Math.abs(v) > Math.abs(m) ? v : m), 0);
    const reached = values.filter((v) => !(Math.abs(v) < Math.abs(value))).length;
    return { kind, from, ...meanAndStd(values), max, p: (reached + 1) / (runs + 1), runs, seed };
  });
  return { value, nulls };
}
