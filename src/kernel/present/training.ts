/** What a cell keeps of a training: curves, end figures, settings. */
import type { OutputItem } from '../../protocol/notebook.js';
import type { HistoryRow } from '../sae/train.js';
import type { Sae } from '../sae/types.js';
import { axisOf, sideBySide } from './charts.js';
import { chartItems, count, formatNumber, tableItems, tableOf } from './items.js';

/** Points of a curve: more are not told apart at its size, and the notebook keeps them all. */
const POINTS = 200;

const CURVES = [
  { field: 'loss', title: 'loss' },
  { field: 'explainedVariance', title: 'explained variance' },
  { field: 'l0', title: 'L0' },
  { field: 'dead', title: 'dead features' },
  { field: 'lr', title: 'learning rate' },
] as const;

/** Curves that say nothing where they do not change. */
const FLAT = new Set(['l0', 'dead', 'lr']);

/** Every row of a short history; of a long one evenly spaced rows, first and last among them. */
function thinned(history: readonly HistoryRow[]): HistoryRow[] {
  if (history.length <= POINTS) return [...history];
  const step = (history.length - 1) / (POINTS - 1);
  return Array.from({ length: POINTS }, (_, i) => history[Math.round(i * step)]);
}

/**
 * Loss, explained variance, L0, dead features and learning rate by step; the last three where they change. A colour tells
 * trainings apart.
 */
function curvesOf(rows: ReadonlyArray<HistoryRow & { sae?: string }>, color?: object): object {
  const shown = CURVES.filter(({ field }) => !FLAT.has(field) || rows.some((row) => row[field] !== rows[0][field]));
  const charts = shown.map(({ field, title }) => ({
    width: 190,
    height: 120,
    data: {
      values: rows.flatMap(({ step, sae, [field]: v }) =>
        Number.isFinite(v) ? [{ step, v, ...(sae === undefined ? {} : { sae }) }] : [],
      ),
    },
    mark: { type: 'line', tooltip: true },
    encoding: {
      x: axisOf({ field: 'step', title: 'step' }),
      y: { ...axisOf({ field: 'v', title }), scale: { zero: false } },
      ...(color === undefined ? {} : { color }),
    },
  }));
  return sideBySide(charts, 256, 3);
}

/** The settings as they were given, by name; the architecture and sizes as they came out. */
function settingsText(sae: Sae, given: Readonly<Record<string, unknown>>): string {
  const { architecture, dIn, dSae, k } = sae.config;
  const settings = { architecture, k, features: dSae, dIn, ...given, seed: given.seed ?? 0 };
  return Object.entries(settings)
    .filter(([, value]) => ['number', 'string', 'boolean'].includes(typeof value))
    .map(([name, value]) => `${name} ${typeof value === 'number' ? formatNumber(value) : String(value)}`)
    .join(' · ');
}

/** One of several trainings, with its settings as they were given. */
export interface TrainingRow {
  sae: Sae;
  history: readonly HistoryRow[];
  given: Readonly<Record<string, unknown>>;
}

/**
 * What tells trainings apart, by their settings: those in which they differ, with the place of each; the place alone
 * where none does.
 */
export function trainingNames(all: ReadonlyArray<Readonly<Record<string, unknown>>>): string[] {
  const names = [...new Set(all.flatMap((one) => Object.keys(one)))];
  // What only some architectures have does not tell those apart that have it; a baseline is told from an SAE by having one.
  const valuesOf = (name: string): unknown[] => {
    const values = all.map((one) => one[name]);
    return ['baseline', 'from'].includes(name) ? values : values.filter((v) => v !== undefined);
  };
  const differ = names.filter((name) => new Set(valuesOf(name).map((v) => JSON.stringify(v))).size > 1);
  return all.map((one, i) => {
    const said = differ.flatMap((name) => {
      const value = one[name];
      if (value === undefined) return [];
      return ['hook', 'architecture', 'baseline'].includes(name)
        ? [String(value as string)]
        : [`${name} ${JSON.stringify(value)}`];
    });
    return [`${i + 1}`, ...said].join(' · ');
  });
}

const namesOf = (rows: readonly TrainingRow[]): string[] =>
  trainingNames(
    rows.map(({ sae: { config }, given }) => {
      const { architecture, k, dSae } = config;
      // A BatchTopK SAE comes out as a JumpReLU one, without its k.
      return { architecture, k, ...given, features: dSae };
    }),
  );

/** Names of trainings stand below the curves, one a line and whole: beside them a narrow pane would cut them. */
const colorOf = (names: readonly string[]): object => ({
  field: 'sae',
  type: 'nominal',
  title: 'SAE',
  sort: names,
  legend: { orient: 'bottom', columns: 1, labelLimit: 600 },
});

/** Curves of runs that are under way, by their place in the call; undefined while none has logged two steps. */
export function liveItems(histories: ReadonlyArray<readonly HistoryRow[]>): OutputItem[] | undefined {
  if (histories.every((history) => history.length < 2)) return undefined;
  const one = histories.length === 1;
  const rows = histories.flatMap((history, i) =>
    thinned(history).map((row) => (one ? row : { ...row, sae: `${i + 1}` })),
  );
  const color = one ? undefined : colorOf(histories.map((_, i) => `${i + 1}`));
  return chartItems(curvesOf(rows, color), `Training${one ? '' : ` of ${histories.length} SAEs`}, under way`);
}

/** The outputs of trainings side by side: their curves in one chart, their last logged steps in one table. */
export function trainingsItems(rows: readonly TrainingRow[], how = ' on one pass'): OutputItem[][] {
  const names = namesOf(rows);
  const logged = rows.flatMap(({ history }, i) => thinned(history).map((row) => ({ ...row, sae: names[i] })));
  const table = tableItems(
    tableOf(
      rows.map(({ sae: { config }, history }, i) => {
        const last = history.at(-1);
        return {
          SAE: names[i],
          hook: config.hookName,
          features: config.dSae,
          loss: last?.loss ?? null,
          'explained variance': last && Number.isFinite(last.explainedVariance) ? last.explainedVariance : null,
          L0: last?.l0 ?? null,
          'dead features': last?.dead ?? null,
          steps: last ? last.step + 1 : 0,
        };
      }),
      `Training of ${rows.length} SAEs${how}, at their last steps`,
    ),
  );
  if (rows.every(({ history }) => history.length < 2)) return [table];
  return [chartItems(curvesOf(logged, colorOf(names)), `Training of ${rows.length} SAEs`), table];
}

/**
 * The outputs of a training: curves, and a table of the last logged step with the settings below it; the table alone
 * when fewer than two steps were logged.
 */
export function trainingItems(
  sae: Sae,
  history: readonly HistoryRow[],
  given: Readonly<Record<string, unknown>>,
): OutputItem[][] {
  const last = history.at(-1);
  if (!last) return [];
  const figures: Array<[figure: string, value: number | null]> = [
    ['loss', last.loss],
    ['squared error per token, scaled', last.mse],
    ['explained variance', Number.isFinite(last.explainedVariance) ? last.explainedVariance : null],
    ['L0', last.l0],
    ['dead features', last.dead],
  ];
  const table = tableItems({
    ...tableOf(
      figures.map(([figure, value]) => ({ figure, value })),
      `Training of ${sae.name}, at step ${count(last.step + 1)}`,
    ),
    note: settingsText(sae, given),
  });
  return history.length < 2 ? [table] : [chartItems(curvesOf(thinned(history)), `Training of ${sae.name}`), table];
}
