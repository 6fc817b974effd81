/**
 * How worlds, recovery, twins, calibration, sweeps, mutual feature regularization and concepts are shown: tables and
 * lines of text.
 */
import type { OutputItem } from '../../protocol/notebook.js';
import type { Calibration } from '../synthetic/calibration/pipeline.js';
import type { ScoreResponse } from '../synthetic/calibration/response.js';
import type { Recovery, RecoveryFigures } from '../synthetic/recovery/recovery.js';
import type { MutualRun } from '../synthetic/recovery/mutual.js';
import type { PresetEntry } from '../synthetic/presets/list.js';
import type { SweepRow } from '../synthetic/recovery/sweeps.js';
import type { ConceptScores } from '../synthetic/stories/concepts.js';
import type { LabelScores } from '../synthetic/stories/labels.js';
import type { Twins } from '../synthetic/twins/twins.js';
import type { GeneratedWorld } from '../synthetic/world/world.js';
import { count, tableItems, tableOf, textItem } from './items.js';

const P_NOTE = 'p = (k + 1)/(R + 1), k = null runs at or above the value';

/** What every figure is, in words. */
const FIGURES: Readonly<Record<keyof RecoveryFigures, string>> = {
  trueL0: 'true features per sample',
  saeL0: 'latents per sample',
  explainedVariance: 'explained variance, 1 − SSE/SST',
  shrinkage: 'mean ‖x̂‖/‖x‖; 1 = no shrinkage',
  activationShrinkage: 'latent against true activation where both fire, median over features; 1 = none',
  deadShare: 'latents that never fire / latents',
  recoveredShare: 'features whose latent has a |cosine| of recoveredAt or more / features',
  absorbedFeatures: 'features of which a share absorbedAt or more of the firings is absorbed',
  absorbedByDescendants: 'of these, absorbed mostly by latents of descendants in the hierarchy',
  absorptionRate: 'absorbed firings / firings, over features with a main latent',
  absorptionRateOfParents: 'the same, features with children',
  absorptionRateOfOthers: 'the same, features without: what happens without a hierarchy',
  featuresWithMain: 'features with a main latent',
  splitFeatures: 'features that two or more latents share',
};

/** A score of a recovery by its name, or a figure by its key; undefined where there is none. */
export function valueOf(recovery: Recovery | undefined, name: string): { value: number; floor?: number } | undefined {
  const score = recovery?.scores.find((s) => s.metric === name);
  if (score) return { value: score.value, floor: score.null.mean };
  const value = (recovery?.figures as Record<string, number> | undefined)?.[name];
  return value === undefined ? undefined : { value };
}

export function recoveryItems(r: Recovery): OutputItem[] {
  const scores = r.scores.map((s) => ({
    score: s.metric,
    value: s.value,
    'floor or null': s.null.mean,
    'its std': s.null.std,
    'its max': s.null.max,
    p: s.p,
    n: s.n,
    'what it is': `${s.variant}; null: ${s.null.kind}`,
  }));
  const figures = Object.entries(r.figures ?? {}).map(([name, value]) => ({
    score: name,
    value: value as number,
    'what it is': FIGURES[name as keyof RecoveryFigures],
  }));
  const over = r.samples > 0 ? `, ${count(r.samples)} samples` : ', directions alone';
  const table = tableOf(
    [...scores, ...figures],
    `Recovery: ${count(r.latents)} latents of ${r.of.name} against ${count(r.features)} true features${over}`,
  );
  const runs = [...new Set(r.scores.map((s) => `${s.null.runs} runs of ${s.null.kind}, seed ${s.seed}`))].join('; ');
  return tableItems({ ...table, note: `${r.world.description}. ${runs}. ${P_NOTE}` });
}

/** Recoveries side by side: one row per score, one column per name, and the floor that goes with each. */
export function comparisonTable(recoveries: Readonly<Record<string, Recovery>>): OutputItem[] {
  const list = Object.entries(recoveries);
  const names = [
    ...new Set(list.flatMap(([, r]) => [...r.scores.map((s) => s.metric), ...Object.keys(r.figures ?? {})])),
  ];
  const rows = names.map((name) => ({
    score: name,
    ...Object.fromEntries(
      list.flatMap(([column, r]) => {
        const found = valueOf(r, name);
        const floor = found?.floor === undefined ? [] : [[`floor of ${column}`, found.floor]];
        return [[column, found?.value], ...floor];
      }),
    ),
  }));
  const seeds = list.map(([name, r]) => `${name}: ${r.of.name}, ${r.world.description}`).join('; ');
  return tableItems({ ...tableOf(rows, 'Recovery, side by side'), note: seeds });
}

export function calibrationItems(c: Calibration): OutputItem[] {
  const at = (method: string, threshold: number) =>
    c.thresholds.find((row) => row.method === method && Math.abs(row.threshold - threshold) < 1e-9);
  const rows = c.summaries.map((s) => ({
    matcher: s.method,
    pairs: s.pairs,
    'average precision': s.averagePrecision,
    'best r ≥': s.bestThreshold,
    precision: s.precision,
    recall: s.recall,
    F1: s.f1,
    'precision at r ≥ 0.5': at(s.method, 0.5)?.precision,
    'recall at r ≥ 0.5': at(s.method, 0.5)?.recall,
    'precision of shuffled pairs': at(s.method, 0.5)?.nullPrecision,
    p: at(s.method, 0.5)?.p,
    ...Object.fromEntries(s.found.map(({ kind, found, of }) => [`${kind} found`, `${found} of ${of}`])),
  }));
  return tableItems({
    ...tableOf(rows, `Pairs against truth, ${c.from}: ${count(c.featuresA)} features of A, ${count(c.featuresB)} of B`),
    note: `${count(c.findable)} features of B have a counterpart; recall is over these. ${count(c.samples)} events. Shuffled pairs: ${c.nulls} runs, seed ${c.seed}, at r ≥ 0.5. ${P_NOTE}`,
  });
}

export function responseItems({ rows, pairing }: ScoreResponse): OutputItem[] {
  const table = tableOf(
    rows.map((r) => ({
      score: r.metric,
      'shared fraction': r.shared,
      'true pairs': r.truePairs,
      value: r.value,
      'null mean': r.null.mean,
      'null max': r.null.max,
      p: r.p,
      n: r.n,
      variant: r.variant,
    })),
    `Similarity scores by shared fraction, pairs: ${pairing}`,
  );
  const first = rows[0];
  const runs = first ? `Null: ${first.null.kind}, ${first.null.runs} runs, seed ${first.seed}. ` : '';
  return tableItems({ ...table, note: `${runs}${P_NOTE}` });
}

/** Scores a sweep's table shows. */
const SWEPT = ['MMCS true → learned', 'MCC (dictionary)', 'F1 of features', 'uniqueness'] as const;
const SWEPT_FIGURES = ['explainedVariance', 'deadShare', 'recoveredShare', 'absorptionRate', 'splitFeatures'] as const;

export function sweepItems(rows: readonly SweepRow[]): OutputItem[] {
  const left = rows.filter((row) => row.status !== 'done').length;
  const table = tableOf(
    rows.map((row) => ({
      SAE: row.sae,
      latents: row.features,
      k: row.k,
      correlation: row.correlation,
      seed: row.seed,
      status: row.status === 'done' && row.cached ? 'done before' : row.status,
      ...Object.fromEntries(
        SWEPT.flatMap((name) => {
          const found = valueOf(row.recovery, name);
          return [[name, found?.value] as const, [`floor of ${name}`, found?.floor] as const];
        }),
      ),
      ...Object.fromEntries(SWEPT_FIGURES.map((name) => [name, valueOf(row.recovery, name)?.value])),
      ...(rows.some((r) => r.error) ? { error: row.error } : {}),
    })),
    `Sweep: ${rows.length - left} of ${rows.length} cells done${left > 0 ? `, ${left} missing or failed` : ''}`,
  );
  return tableItems(table);
}

export function mutualItems(runs: readonly MutualRun[]): OutputItem[] {
  const rows = runs.flatMap(({ coupling, recoveries, history }) =>
    recoveries.map((recovery, i) => {
      const last = history[history.length - 1];
      const score = (name: string) => recovery.scores.find((s) => s.metric === name);
      const mmcs = score('MMCS true → learned');
      return {
        coupling,
        SAE: i + 1,
        MSE: last.mse[i],
        'MMCS between SAEs': last.mmcs,
        'MMCS true → learned': mmcs?.value,
        'its floor': mmcs?.null.mean,
        p: mmcs?.p,
        'matched cosine': score('matched cosine')?.value,
        'MCC (activations)': score('MCC (activations)')?.value,
        'F1 of features': score('F1 of features')?.value,
        'recovered share': recovery.figures?.recoveredShare,
        'dead share': recovery.figures?.deadShare,
        'explained variance': recovery.figures?.explainedVariance,
      };
    }),
  );
  const [{ recoveries }] = runs;
  const [{ null: floor, seed }] = recoveries[0].scores;
  return tableItems({
    ...tableOf(rows, 'Mutual feature regularization: the runs differ by the coupling alone'),
    note: `Floor: ${floor.kind}, ${floor.runs} runs, seed ${seed}. ${recoveries[0].world.description}`,
  });
}

export function conceptItems(s: ConceptScores, labels?: LabelScores): OutputItem[] {
  const rows = [
    ...s.scores.map((x) => ({
      concept: x.metric === 'best F1 of concepts' ? '(mean over concepts)' : '(mean over features)',
      F1: x.value,
      'null F1': x.null.mean,
      'null max': x.null.max,
      p: x.p,
    })),
    ...s.concepts.map((row) => ({
      concept: row.concept,
      tokens: row.tokens,
      feature: row.feature < 0 ? null : row.feature,
      firings: row.firings,
      precision: row.precision,
      recall: row.recall,
      F1: row.f1,
      'null F1': row.nullMean,
      'null max': row.nullMax,
      p: row.p,
    })),
  ];
  const { null: kind, nulls, seed, threshold, minFirings } = s.parameters;
  const fires = threshold > 0 ? `above ${threshold} of its maximum` : 'at all';
  const table = tableOf(rows, `Best feature of each concept, ${count(s.tokens)} tokens`);
  const told = labels
    ? ` Labels by dataset examples name the concept of ${percent(labels.score.value)} of ${count(labels.withConcept)} features that have one (shuffled labels ${percent(labels.score.null.mean)}, p ${labels.score.p.toFixed(3)}), and claim one for ${percent(labels.falseNames)} of ${count(labels.without)} that have none; what they name makes up ${percent(labels.peakPurity)} of the peaks and ${percent(labels.firingPurity)} of all firings.`
    : '';
  return tableItems({
    ...table,
    columns: ['concept', 'tokens', 'feature', 'firings', 'precision', 'recall', 'F1', 'null F1', 'null max', 'p'].map(
      (key) => ({ key, title: key, type: key === 'concept' ? 'text' : 'number' }),
    ),
    note: `A feature fires where it is active ${fires}; ${count(s.usable)} features fire ${minFirings} times or more. Null: ${kind === 'rotate' ? 'concepts moved along the text' : 'concepts dealt out anew among token types'}, ${nulls} runs, seed ${seed}. ${P_NOTE}.${told}`,
  });
}

const percent = (x: number): string => (Number.isFinite(x) ? `${(100 * x).toFixed(0)} %` : 'none');

/** A world by its description, and a published generator by what is known to be wrong with it. */
export const worldItems = ({ description, faults }: GeneratedWorld): OutputItem[] => [
  textItem([description, ...faults.map((f) => `  known fault: ${f}`)].join('\n')),
];

export function twinItems({ events, a, b, truth, sharedFraction }: Twins): OutputItem[] {
  const { pairs, splits, absorptions } = truth;
  return [
    textItem(
      `Twins over ${events.description}: A ${count(a.features)} features in ${a.dim} dimensions, B ${count(b.features)} in ${b.dim}; ${(100 * sharedFraction).toFixed(0)} % of A's are shared: ${count(pairs.a.length)} one to one, ${splits.length} split, ${absorptions.length} absorbed with their children`,
    ),
  ];
}

export function presetItems(presets: readonly PresetEntry[]): OutputItem[] {
  // What is wrong comes before the rest, in view also where the table is wider than its place.
  const rows = presets.map(({ name, source, draws, faults }) => ({
    name,
    'what is wrong': faults.join('; ') || 'nothing known',
    draws,
    source,
  }));
  return tableItems(tableOf(rows, 'Presets of fg.synthetic.preset(name)'));
}
