/** What interventions do to the features of SAEs downstream, over many tokens, with paired tests over sequences. */
import { filled } from '../verb/filled.js';
import { pushAll } from '../../protocol/lists.js';
import { capturedWidth } from '../models/capture.js';
import { breathe } from '../compute/call.js';
import { requireMemory } from '../compute/memory.js';
import type { LanguageModel, TokenSet } from '../models/types.js';
import type { Sae } from '../sae/types.js';
import { nullsApart, renamed } from '../verb/nulls.js';
import { nulls } from '../verb/common.js';
import { choice, type Given } from '../verb/option.js';
import { requireModelOfSae } from '../sae/ofModel.js';
import type { Intervention } from './intervention.js';
import { allowOtherModel, hook, samples, SEQUENCES, top, untouched, type AtHook, type RunOptions } from './options.js';
import { pairedRuns, requireRowHook, sequencesOf, touchedRows } from './runs.js';
import { benjaminiHochberg, pairedT, SignFlips, wilcoxon } from './statistics.js';

/** Raised when the same call gives other effects on features. */
export const EFFECTS_VERSION = 3;
/** Raised when the same call gives other firing densities. */
export const DENSITIES_VERSION = 3;

export interface FeatureEffect {
  feature: number;
  /** SAE and hook that it was measured with. */
  sae: string;
  hook: string;
  /** Mean activation over all n tokens, silent ones included. */
  before: number;
  after: number;
  /** after − before. */
  delta: number;
  /** Share of the n tokens on which it fires. */
  firingBefore: number;
  firingAfter: number;
  /** Tokens looked at: those that the interventions can have touched, unless { untouched: true }. */
  n: number;
  /** Tokens left out: before the first edited position, or with a row at the hook that is equal to the last bit. */
  untouched: number;
  /** Sequences with such tokens: the units of the tests, each with its mean difference. */
  sequences: number;
  /** Mean / standard deviation of the sequences' differences (Cohen's d_z). */
  effectSize: number;
  /** Paired t over sequences. */
  t: number;
  /** Two-sided p of the t-test, and adjusted (Benjamini-Hochberg) over the features of this SAE that fire at all. */
  pT: number;
  pTAdjusted: number;
  /** Two-sided p of the signed-rank or sign-flip test, and adjusted in the same way. */
  p: number;
  pAdjusted: number;
  /** Features that the adjustment is over. */
  tested: number;
}

export const EFFECTS = {
  hook: hook('Hook to encode; with one SAE alone.'),
  top: top('Features listed per SAE.'),
  allowOtherModel,
  untouched,
  test: choice(['wilcoxon', 'signFlip'], {
    doc: "Test behind `p`: signed ranks, or the permutation of signs ('signFlip').",
    usual: 'wilcoxon',
  }),
  nulls: nulls({
    doc: "Random sign patterns of test 'signFlip'; up to 12 sequences all patterns are taken.",
    runs: 999,
    min: 1,
  }),
  samples: samples(),
};
/** What members are called in this room. */
const NAMES = { ...SEQUENCES, nulls: 'permutations' } as const;

/** The options of a call as featureEffects() takes them. */
export const effectOptions = (given: Given<typeof EFFECTS>) => renamed(nullsApart(given), NAMES);
export interface FeatureEffectOptions extends ReturnType<typeof effectOptions>, RunOptions {}

/** An SAE and the hook that it encodes. */
export interface SaeAt {
  sae: Sae;
  hook: string;
}

/**
 * SAEs with their hooks, checked before anything runs.
 * @throws Error when a hook is unknown, of another width, or not said; MismatchError for an SAE of another model.
 */
export function saesAt(model: LanguageModel, saes: Sae | readonly Sae[], options: AtHook): SaeAt[] {
  const list = Array.isArray(saes) ? (saes as readonly Sae[]) : [saes as Sae];
  if (list.length === 0) throw new Error('give at least one SAE');
  if (options.hook !== undefined && list.length > 1)
    throw new Error('{ hook } goes with one SAE; several are measured at their own hooks');
  return list.map((sae) => {
    const hook = options.hook ?? sae.config.hookName;
    if (!hook) throw new Error(`SAE ${sae.name} does not say its hook; give { hook }`);
    requireModelOfSae(sae, model, options.allowOtherModel);
    requireRowHook(model, hook);
    const width = capturedWidth(model, hook);
    if (width !== sae.config.dIn)
      throw new RangeError(
        `SAE ${sae.name} expects activations of width ${sae.config.dIn} but ${hook} of ${model.name} has ${width}; take the SAE of this hook or change { hook }`,
      );
    return { sae, hook };
  });
}

/** Sums over the tokens of an SAE's features, and the difference of each sequence. */
class Sums {
  readonly before: Float64Array;
  readonly after: Float64Array;
  readonly firingBefore: Float64Array;
  readonly firingAfter: Float64Array;
  /** [sequences, features]: sums of after − before, then means. */
  readonly differences: Float64Array;
  /** Tokens of each sequence. */
  readonly tokens: Float64Array;
  untouched = 0;

  constructor(
    readonly features: number,
    sequences: number,
  ) {
    this.before = new Float64Array(features);
    this.after = new Float64Array(features);
    this.firingBefore = new Float64Array(features);
    this.firingAfter = new Float64Array(features);
    this.differences = new Float64Array(sequences * features);
    this.tokens = new Float64Array(sequences);
  }

  /** Adds the features of one row; sign −1 is before. */
  add(sequence: number, feature: number, value: number, sign: 1 | -1): void {
    const [sum, firing] = sign < 0 ? [this.before, this.firingBefore] : [this.after, this.firingAfter];
    sum[feature] += value;
    firing[feature]++;
    this.differences[sequence * this.features + feature] += sign * value;
  }
}

async function measure(
  model: LanguageModel,
  interventions: readonly Intervention[],
  at: readonly SaeAt[],
  tokens: TokenSet,
  options: FeatureEffectOptions,
): Promise<Sums[]> {
  const sequences = sequencesOf(tokens, options.sequences);
  const features = at.reduce((sum, { sae }) => sum + sae.config.dSae, 0);
  requireMemory(`effects on ${features} features over ${sequences} sequences`, 8 * features * (sequences + 4));
  const sums = at.map(({ sae }) => new Sums(sae.config.dSae, sequences));
  const { context } = tokens;
  const hooks = at.map(({ hook }) => hook);
  for await (const block of pairedRuns(model, interventions, tokens, hooks, options)) {
    at.forEach(({ sae }, k) => {
      const [before, after, sum] = [block.before[k], block.after[k], sums[k]];
      const touched = touchedRows(before, after, block);
      if (options.untouched) touched.fill(1);
      for (const [x, sign] of [
        [before, -1],
        [after, 1],
      ] as const) {
        const { indptr, indices, values } = sae.encode(x);
        for (let i = 0; i < x.rows; i++) {
          if (touched[i] === 0) continue;
          const sequence = block.first + Math.floor(i / context);
          for (let e = indptr[i]; e < indptr[i + 1]; e++) sum.add(sequence, indices[e], values[e], sign);
        }
      }
      touched.forEach((is, i) => {
        if (is === 1) sum.tokens[block.first + Math.floor(i / context)]++;
        else sum.untouched++;
      });
    });
  }
  return sums;
}

/** The effects on one SAE's features, largest first. */
async function effectsOf(sums: Sums, { sae, hook }: SaeAt, options: FeatureEffectOptions): Promise<FeatureEffect[]> {
  const { features, differences } = sums;
  const units = [...sums.tokens.keys()].filter((s) => sums.tokens[s] > 0);
  const n = units.reduce((sum, s) => sum + sums.tokens[s], 0);
  if (n === 0) return [];
  const { runs, seed } = EFFECTS.nulls.members;
  const { test, permutations, seed: from } = filled({ test: EFFECTS.test, permutations: runs, seed }, options);
  const flips = test === 'signFlip' ? new SignFlips(units.length, permutations, from) : undefined;
  const p = new Float64Array(features).fill(NaN);
  const pT = new Float64Array(features).fill(NaN);
  const [t, size] = [new Float64Array(features), new Float64Array(features)];
  const d = new Float64Array(units.length);
  let tested = 0;
  for (let f = 0; f < features; f++) {
    if (f % 256 === 255) await breathe();
    if (sums.firingBefore[f] + sums.firingAfter[f] === 0) continue;
    tested++;
    units.forEach((s, i) => (d[i] = differences[s * features + f] / sums.tokens[s]));
    const student = pairedT(d);
    [t[f], size[f], pT[f]] = [student.t, student.effectSize, student.p];
    p[f] = units.length < 2 ? NaN : flips ? flips.p(d) : wilcoxon(d).p;
  }
  const [q, qT] = [benjaminiHochberg(p), benjaminiHochberg(pT)];
  return Array.from(sums.before, (before, feature) => ({
    feature,
    sae: sae.name,
    hook,
    before: before / n,
    after: sums.after[feature] / n,
    delta: (sums.after[feature] - before) / n,
    firingBefore: sums.firingBefore[feature] / n,
    firingAfter: sums.firingAfter[feature] / n,
    n,
    untouched: sums.untouched,
    sequences: units.length,
    effectSize: size[feature],
    t: t[feature],
    pT: pT[feature],
    pTAdjusted: qT[feature],
    p: p[feature],
    pAdjusted: q[feature],
    tested,
  }))
    .filter((effect) => effect.delta !== 0)
    .sort((a, b) => Math.abs(b.delta) - Math.abs(a.delta) || a.feature - b.feature)
    .slice(0, options.top ?? EFFECTS.top.usual);
}

/**
 * Features of one or several SAEs by |Δ mean activation|, ties to the lower id, one SAE after the other; features that
 * did not move are left out. Sums are float64. Tokens of a sequence depend on each other, so the tests are over
 * sequences: each gives its mean difference. Where no token was touched the list is empty.
 * @throws Error when an SAE does not fit its hook or is another model's, and when an activation is not finite.
 */
export async function featureEffects(
  model: LanguageModel,
  interventions: readonly Intervention[],
  saes: Sae | readonly Sae[],
  tokens: TokenSet,
  options: FeatureEffectOptions = {},
): Promise<FeatureEffect[]> {
  const at = saesAt(model, saes, options);
  const sums = await measure(model, interventions, at, tokens, options);
  const effects: FeatureEffect[] = [];
  for (const [k, sum] of sums.entries()) pushAll(effects, await effectsOf(sum, at[k], options));
  return effects;
}

/** How densely an SAE's features fire before and after. */
export interface DensityEffect {
  sae: string;
  hook: string;
  /** Share of all activations (tokens × features) that are above 0. */
  densityBefore: number;
  densityAfter: number;
  /** Features per token. */
  l0Before: number;
  l0After: number;
  /** l0After − l0Before. */
  delta: number;
  n: number;
  untouched: number;
  sequences: number;
  effectSize: number;
  t: number;
  /** Two-sided p of the paired t-test over sequences, and of Wilcoxon's signed ranks. */
  pT: number;
  p: number;
}

export const DENSITIES = { allowOtherModel, untouched, samples: samples() };
interface DensityOptions extends Omit<Given<typeof DENSITIES>, 'samples'>, RunOptions {}

/** Firing density of each SAE before and after, one row per SAE (layer), with paired tests over sequences. */
export async function densityEffects(
  model: LanguageModel,
  interventions: readonly Intervention[],
  saes: Sae | readonly Sae[],
  tokens: TokenSet,
  options: DensityOptions = {},
): Promise<DensityEffect[]> {
  const at = saesAt(model, saes, options);
  const sequences = sequencesOf(tokens, options.sequences);
  const { context } = tokens;
  const all = at.map(() => ({
    before: new Float64Array(sequences),
    after: new Float64Array(sequences),
    tokens: new Float64Array(sequences),
  }));
  const hooks = at.map(({ hook }) => hook);
  for await (const block of pairedRuns(model, interventions, tokens, hooks, options))
    at.forEach(({ sae }, k) => {
      const touched = touchedRows(block.before[k], block.after[k], block);
      if (options.untouched) touched.fill(1);
      const [before, after] = [sae.encode(block.before[k]).indptr, sae.encode(block.after[k]).indptr];
      for (let i = 0; i < touched.length; i++) {
        if (touched[i] === 0) continue;
        const s = block.first + Math.floor(i / context);
        all[k].tokens[s]++;
        all[k].before[s] += before[i + 1] - before[i];
        all[k].after[s] += after[i + 1] - after[i];
      }
    });
  return at.map(({ sae, hook }, k) => {
    const sum = all[k];
    const units = [...sum.tokens.keys()].filter((s) => sum.tokens[s] > 0);
    const total = (of: Float64Array): number => units.reduce((a, s) => a + of[s], 0);
    const n = total(sum.tokens);
    const d = units.map((s) => (sum.after[s] - sum.before[s]) / sum.tokens[s]);
    const { t, p: pT, effectSize } = pairedT(d);
    const [l0Before, l0After] = [total(sum.before) / n, total(sum.after) / n];
    return {
      sae: sae.name,
      hook,
      densityBefore: l0Before / sae.config.dSae,
      densityAfter: l0After / sae.config.dSae,
      l0Before,
      l0After,
      delta: l0After - l0Before,
      n,
      untouched: sequences * context - n,
      sequences: units.length,
      effectSize,
      t,
      pT,
      p: units.length < 2 ? NaN : wilcoxon(d).p,
    };
  });
}
