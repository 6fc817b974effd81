/**
 * SAEs side by side: evaluations of one text, those that differ in their seed alone taken together, and what differences
 * their seeds let one see.
 */
import { isJsonObject } from '../../protocol/objects.js';
import type { CallOptions } from '../compute/call.js';
import { moments } from '../compute/statistics.js';
import { studentQuantile } from '../compute/student.js';
import { canonicalJson } from '../io/hash.js';
import { ignoringParameters } from '../models/ignored.js';
import type { LanguageModel, TokenSet } from '../models/types.js';
import { numbers, type Given } from '../verb/option.js';
import { EVALUATE, evaluateSaes } from './evaluate.js';
import type { SaeEvaluation } from './evaluationSums.js';
import { leftOut } from './trainedOn.js';
import type { Sae } from './types.js';

/** Figures that are compared. */
export const COMPARED = [
  'l0',
  'explainedVariance',
  'ceLossRecovered',
  'ceLossRecoveredMean',
  'klScore',
  'dead',
] as const;
export type ComparedFigure = (typeof COMPARED)[number];

export interface ComparedSae {
  /** Identity of the SAE. */
  id: string;
  /** What tells its group from others: the settings in which they differ. */
  group: string;
  seed: number | null;
  /** Kind of baseline; null for an SAE. */
  baseline: string | null;
  evaluation: SaeEvaluation;
}

/** SAEs that differ in their seed alone. */
export interface SeedGroup {
  group: string;
  baseline: string | null;
  seeds: number;
  /** By figure: mean over seeds, and their standard deviation (n − 1); NaN of one seed. */
  figures: Record<ComparedFigure, { mean: number; std: number }>;
}

/** One figure of two groups, paired by seed. */
export interface SeedDifference {
  a: string;
  b: string;
  figure: ComparedFigure;
  /** Mean of a − b over the seeds that both have. */
  difference: number;
  /** Standard deviation of the paired differences. */
  std: number;
  seeds: number;
  /**
   * The least true difference that n such pairs find with a power of .8 at a two-sided .05:
   * (t(.975, n − 1) + t(.8, n − 1)) · std / √n.
   */
  leastDetectable: number;
}

export interface SaeComparison {
  saes: ComparedSae[];
  groups: SeedGroup[];
  differences: SeedDifference[];
  tokens: number;
}

/** Settings that say nothing of how runs differ, or that the run itself found. */
const FOUND = new Set(['seed', 'finalL0', 'finalExplainedVariance', 'activationOffset', 'normScalingFactor', 'tokens', 'ignoreBegins']); // prettier-ignore

/** What tells SAEs apart. */
export interface Described {
  settings: Record<string, unknown>;
  seed: number | null;
  baseline: string | null;
}

/** Settings of an SAE's training without what the run found, its seed, and what baseline it is. */
export function describe({ config }: Sae): Described {
  const training = isJsonObject(config.metadata.training) ? config.metadata.training : {};
  const own = Object.fromEntries(Object.entries(training).filter(([name]) => !FOUND.has(name)));
  const { hookName, architecture, k, dSae } = config;
  return {
    settings: { hook: hookName, architecture, ...(k === undefined ? {} : { k }), ...own, dSae },
    seed: typeof training.seed === 'number' ? training.seed : null,
    baseline: typeof training.baseline === 'string' ? training.baseline : null,
  };
}

/** A name for each SAE, by the settings in which they differ but for the seed; `SAE` where none does. */
export function groupNames(saes: readonly Sae[]): string[] {
  const all = saes.map((sae) => describe(sae).settings);
  const names = [...new Set(all.flatMap((one) => Object.keys(one)))];
  // What only some architectures have does not tell those apart that have it.
  const valuesOf = (name: string): unknown[] =>
    ['baseline', 'startedFrom'].includes(name)
      ? all.map((one) => one[name])
      : all.map((one) => one[name]).filter((v) => v !== undefined && v !== null);
  const differ = names.filter((name) => new Set(valuesOf(name).map((value) => JSON.stringify(value))).size > 1);
  return all.map((one) => {
    const said = differ.flatMap((name) => {
      const value = one[name];
      if (value === undefined || value === null) return [];
      if (['hook', 'architecture', 'baseline'].includes(name)) return [String(value as string)];
      return [`${name === 'dSae' ? 'features' : name} ${JSON.stringify(value)}`];
    });
    return said.join(' · ') || 'SAE';
  });
}

export const COMPARE = {
  samples: EVALUATE.samples,
  batchTokens: EVALUATE.batchTokens,
  ignoreTokens: numbers({
    doc: 'Token ids that count in no figure, as padding never does; [] for none.',
    ...{ min: 0, repeats: true, empty: true },
    fallback: 'as fg.sae.evaluate has it, for each SAE',
  }),
} as const;

/** @throws as evaluateSaes does */
export async function compareSaes(
  model: LanguageModel,
  saes: readonly Sae[],
  tokens: TokenSet,
  options: Given<typeof COMPARE> & CallOptions,
): Promise<SaeComparison> {
  // SAEs of one hook that leave out the same tokens share their runs.
  const together = new Map<string, number[]>();
  saes.forEach((sae, i) => {
    const key = canonicalJson([sae.config.hookName, ignoringParameters(leftOut(tokens, sae, options))]);
    together.set(key, [...(together.get(key) ?? []), i]);
  });
  const evaluations: SaeEvaluation[] = [];
  for (const at of together.values()) {
    const found = await evaluateSaes(model, at.map((i) => saes[i]), tokens, options); // prettier-ignore
    at.forEach((i, n) => (evaluations[i] = found[n]));
  }
  const names = groupNames(saes);
  const compared = saes.map((sae, i): ComparedSae => {
    const { seed, baseline } = describe(sae);
    return { id: sae.id, group: names[i], seed, baseline, evaluation: evaluations[i] };
  });
  const groups = seedGroups(compared);
  return { saes: compared, groups, differences: differencesOf(compared, groups), tokens: evaluations[0].tokens };
}

/** Mean, and standard deviation with n − 1 in the divisor: NaN of one value. */
function spreadOf(values: readonly number[]): { mean: number; std: number } {
  const { n, mean, squares } = moments(values);
  return { mean, std: n > 1 ? Math.sqrt(squares / (n - 1)) : NaN };
}

export function seedGroups(saes: readonly ComparedSae[]): SeedGroup[] {
  return [...new Set(saes.map(({ group }) => group))].map((group) => {
    const of = saes.filter((one) => one.group === group);
    const figures = Object.fromEntries(
      COMPARED.map((figure) => {
        const values = of.map(({ evaluation }) => evaluation[figure]);
        return [figure, spreadOf(values)];
      }),
    ) as SeedGroup['figures'];
    return { group, baseline: of[0].baseline, seeds: of.length, figures };
  });
}

/** Most groups of which every pair is compared; of more, each with the first. */
const ALL_PAIRS = 6;

/** Every figure of pairs of groups that have two or more seeds in common. */
export function differencesOf(saes: readonly ComparedSae[], groups: readonly SeedGroup[]): SeedDifference[] {
  const bySeed = new Map(
    groups.map(({ group }) => [
      group,
      new Map(saes.flatMap((one) => (one.group === group && one.seed !== null ? [[one.seed, one.evaluation] as const] : []))), // prettier-ignore
    ]),
  );
  const found: SeedDifference[] = [];
  groups.forEach(({ group: a }, i) => {
    if (groups.length > ALL_PAIRS && i > 0) return;
    for (const { group: b } of groups.slice(i + 1)) {
      const [of, others] = [bySeed.get(a)!, bySeed.get(b)!];
      const seeds = [...of.keys()].filter((seed) => others.has(seed));
      if (seeds.length < 2) continue;
      for (const figure of COMPARED) {
        const values = seeds.map((seed) => of.get(seed)![figure] - others.get(seed)![figure]);
        found.push({ a, b, figure, ...paired(values) });
      }
    }
  });
  return found;
}

/** Mean, standard deviation and least detectable difference of paired differences. */
export function paired(values: readonly number[]): Omit<SeedDifference, 'a' | 'b' | 'figure'> {
  const n = values.length;
  const { mean: difference, std } = spreadOf(values);
  const t = studentQuantile(0.975, n - 1) + studentQuantile(0.8, n - 1);
  return { difference, std, seeds: n, leastDetectable: (t * std) / Math.sqrt(n) };
}
