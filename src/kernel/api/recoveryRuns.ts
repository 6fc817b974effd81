/** What fg.synthetic measures, kept as artifacts, with tables and charts. */
import path from 'node:path';
import { topExamples } from '../activations/examples.js';
import { isShard, openActivations } from '../activations/store.js';
import type { SparseActivations } from '../activations/types.js';
import { loadResult, saveResult } from '../artifacts/result.js';
import { requireSame } from '../artifacts/store.js';
import type { CallOptions } from '../compute/call.js';
import { asMatrix, type MatrixInput } from '../compute/matrixInput.js';
import { matrixId } from '../io/hash.js';
import type { TokenSet } from '../models/types.js';
import { loadSae } from '../sae/load.js';
import { saveSae } from '../sae/save.js';
import type { Sae } from '../sae/types.js';
import {
  calibrateTwins,
  CALIBRATION_VERSION,
  type Calibration,
  type CalibrationParameters,
} from '../synthetic/calibrationPipeline.js';
import { RESPONSE_VERSION, scoreResponse, type ScoreResponse } from '../synthetic/calibrationResponse.js';
import { MFR_VERSION, mfrSettings, trainMutual, type MfrHistoryRow, type MfrParameters } from '../synthetic/mfr.js';
import {
  dictionaryRecovery,
  recoverySettings,
  RECOVERY_VERSION,
  saeRecovery,
  type Recovery,
} from '../synthetic/recovery.js';
import { bestOfRows, cosines } from '../synthetic/recoveryCosines.js';
import { runSweep, sweepTable, type SweepRow } from '../synthetic/sweeps.js';
import { conceptScores, conceptSettings, CONCEPTS_VERSION, type ConceptScores } from '../synthetic/textWorlds.js';
import { labelScores, type LabelScores } from '../synthetic/textWorldsLabels.js';
import type { Twins } from '../synthetic/twins.js';
import { TWIN_ACTIVATIONS_VERSION, writeTwinActivations } from '../synthetic/twinsActivations.js';
import type { World } from '../synthetic/types.js';
import { Dataset } from './datasets.js';
import { parametersOf, type Environment } from '../verb/environment.js';
import { requireOptions } from './given.js';
import { kept } from './kept.js';
import { tableItems, tableOf, withDisplay, type Displayed } from '../present/items.js';
import {
  confusionChart,
  mutualChart,
  reliabilityChart,
  responseChart,
  thresholdChart,
  type MfrPoint,
  type Spec,
} from './recoveryCharts.js';
import { calibrationItems, conceptItems, recoveryItems, responseItems, sweepItems } from './recoveryTables.js';
import {
  LABEL_OPTIONS,
  RECOVERY_PARAMETERS,
  type CalibrateCallOptions,
  type ConceptCallOptions,
  type MutualCallOptions,
  type RecoveryCallOptions,
  type ResponseCallOptions,
  type SweepCallOptions,
  type TwinActivationsOptions,
} from './recoveryOptions.js';

/** A result with Vega-Lite charts of itself: fg.show.chart(result.charts.reliability). */
export type Charted<T, K extends string> = Displayed<T> & {
  /** Vega-Lite specs by name. */
  readonly charts: Readonly<Record<K, Spec>>;
};

/** Gives a value its table and its charts, which are made when asked for. */
function charted<T extends object, K extends string>(
  value: T,
  items: () => ReturnType<typeof tableItems>,
  charts: Record<K, () => Spec>,
): Charted<T, K> {
  const specs = {} as Record<K, Spec>;
  for (const name of Object.keys(charts) as K[])
    Object.defineProperty(specs, name, { get: charts[name], enumerable: true });
  Object.defineProperty(value, 'charts', { value: specs, enumerable: false, configurable: true });
  return withDisplay(value, items) as Charted<T, K>;
}

/** One coupling: the SAEs trained with it, and what they recovered. */
export interface MutualRun {
  coupling: number;
  saes: Sae[];
  recoveries: Recovery[];
  history: MfrHistoryRow[];
  /** Per latent of the first SAE: largest cosine with a true feature and with a latent of the second. */
  agreement: { toTrue: Float32Array; toOther: Float32Array };
}

/** Concepts of features, and labels by dataset examples against them. */
export interface ConceptResult extends ConceptScores {
  /** Left out with { labels: false }. */
  labels?: LabelScores;
}

const isSae = (of: Sae | MatrixInput): of is Sae =>
  typeof of === 'object' && of !== null && 'encode' in of && 'decoder' in of;

export async function recoveryOf(
  env: Environment,
  world: World,
  given: Sae | MatrixInput,
  options: RecoveryCallOptions = {},
): Promise<Displayed<Recovery>> {
  const of = isSae(given) ? given : await asMatrix(given, 'the dictionary');
  const name = isSae(of) ? of.name : `a dictionary of ${of.rows} × ${of.cols}`;
  const id = isSae(of) ? of.id : matrixId(of);
  const key = {
    kind: 'recovery',
    parameters: { ...recoverySettings(options) },
    inputs: { world: world.id, of: id },
    codeVersion: RECOVERY_VERSION,
  };
  const result = await env.call(options, (call) =>
    kept(env, `Recovery by ${name}`, key, options, () =>
      isSae(of)
        ? saeRecovery(world, of, { ...options, ...call })
        : dictionaryRecovery(world, of, { name, id }, { ...options, ...call }),
    ),
  );
  return withDisplay(result, () => recoveryItems(result));
}

export async function twinActivations(
  env: Environment,
  twins: Twins,
  options: TwinActivationsOptions,
): Promise<{ a: SparseActivations; b: SparseActivations }> {
  const { samples = 20_000, seed = 1_000_003, saes, fresh } = options;
  if (!Number.isInteger(samples) || samples < 1)
    throw new RangeError(`samples must be a whole number ≥ 1 but is ${samples}`);
  const store = async (side: 'a' | 'b'): Promise<SparseActivations> => {
    const sae = saes?.[side];
    const key = {
      kind: 'activations',
      parameters: { samples, seed, side },
      inputs: { twins: twins.id, ...(sae ? { sae: sae.id } : {}) },
      codeVersion: TWIN_ACTIVATIONS_VERSION,
    };
    const title = `Activations of twin ${side.toUpperCase()}`;
    const { value, cached, record } = await env.call(options, (call) =>
      env.store.compute<SparseActivations>(key, {
        fresh,
        title,
        make: async (folder) =>
          void (await writeTwinActivations(folder, twins, side, sae, {
            samples,
            seed,
            ...call,
            id: env.store.idOf(key),
          })),
        lazy: isShard,
        load: (folder, record) => openActivations(folder, undefined, record.files),
      }),
    );
    env.tellCached(title, cached, record);
    return value;
  };
  return { a: await store('a'), b: await store('b') };
}

export async function calibrate(
  env: Environment,
  twins: Twins,
  options: CalibrateCallOptions,
): Promise<Charted<Calibration, 'reliability' | 'thresholds'>> {
  const { saes, fresh: _, ...rest } = options;
  const key = {
    kind: 'calibration',
    parameters: parametersOf(rest satisfies CalibrationParameters & CallOptions),
    inputs: { twins: twins.id, ...(saes ? { a: saes.a.id, b: saes.b.id } : {}) },
    codeVersion: CALIBRATION_VERSION,
  };
  const result = await env.call(options, (call) =>
    kept(env, 'Calibration of twins', key, options, () => calibrateTwins(twins, { ...options, ...call })),
  );
  return charted(result, () => calibrationItems(result), {
    reliability: () => reliabilityChart(result),
    thresholds: () => thresholdChart(result),
  });
}

export async function response(
  env: Environment,
  world: World,
  options: ResponseCallOptions,
): Promise<Charted<ScoreResponse, 'response'>> {
  const key = {
    kind: 'score-response',
    parameters: parametersOf(options),
    inputs: { world: world.id },
    codeVersion: RESPONSE_VERSION,
  };
  const result = await env.call(options, (call) =>
    kept(env, 'Response of scores', key, options, () => scoreResponse(world, { ...options, ...call })),
  );
  return charted(result, () => responseItems(result), { response: () => responseChart(result) });
}

export async function sweep(env: Environment, options: SweepCallOptions): Promise<Displayed<SweepRow[]>> {
  const { world, correlations = [0], run = true, fresh, signal: _signal, onProgress: _progress, ...plan } = options;
  if (typeof world !== 'function')
    throw new TypeError(
      `fg.synthetic.sweep: world is ${typeof world}; give a function of the correlation, such as (correlation) => fg.synthetic.world({ … })`,
    );
  const worlds: Array<{ correlation: number; world: World }> = [];
  for (const correlation of correlations) worlds.push({ correlation, world: await world(correlation) });
  if (plan.recovery) requireOptions('fg.synthetic.sweep: recovery', plan.recovery, RECOVERY_PARAMETERS);
  const rows = run
    ? await env.call(options, (call) => runSweep({ ...plan, worlds }, env.store, { fresh, ...call }))
    : await sweepTable({ ...plan, worlds }, env.store);
  return withDisplay(rows, () => sweepItems(rows));
}

/** The SAEs of one coupling, from the artifact folder when they were trained before. */
async function mutualSaes(
  env: Environment,
  world: World,
  parameters: Required<MfrParameters>,
  options: MutualCallOptions,
): Promise<{ saes: Sae[]; history: MfrHistoryRow[] }> {
  const key = {
    kind: 'mfr',
    parameters: { ...parameters },
    inputs: { world: world.id },
    codeVersion: MFR_VERSION,
  };
  const part = (folder: string, i: number): string => path.join(folder, `sae-${i}`);
  const title = `Mutual feature regularization, coupling ${parameters.coupling}`;
  const { value, cached, record } = await env.call(options, (call) =>
    env.store.compute(key, {
      fresh: options.fresh,
      title,
      async make(folder) {
        const { saes, history } = await trainMutual(world, { ...parameters, ...call });
        for (const [i, sae] of saes.entries()) await saveSae(sae, part(folder, i));
        await saveResult(folder, { history });
      },
      async load(folder) {
        const saes: Sae[] = [];
        for (let i = 0; i < parameters.saes; i++) saes.push(await loadSae(part(folder, i)));
        return { saes, ...(await loadResult<{ history: MfrHistoryRow[] }>(folder)) };
      },
    }),
  );
  env.tellCached(title, cached, record);
  return value;
}

export async function mutual(
  env: Environment,
  world: World,
  options: MutualCallOptions,
): Promise<Charted<{ runs: MutualRun[] }, 'agreement'>> {
  const { couplings = [0, 0.01], recovery = {}, fresh, signal, onProgress, ...rest } = options;
  requireOptions('fg.synthetic.mutualRegularization: recovery', recovery, RECOVERY_PARAMETERS);
  const runs: MutualRun[] = [];
  for (const coupling of couplings) {
    const parameters = mfrSettings(world, { ...rest, coupling });
    const { saes, history } = await mutualSaes(env, world, parameters, options);
    const recoveries: Recovery[] = [];
    for (const sae of saes)
      recoveries.push(await recoveryOf(env, world, sae, { ...recovery, fresh, signal, onProgress }));
    const [first, second = first] = saes;
    const toTrue = bestOfRows(await cosines(first.W_dec, world.dictionary), false).cosine;
    const toOther = bestOfRows(await cosines(first.W_dec, second.W_dec), false).cosine;
    runs.push({ coupling, saes, history, recoveries, agreement: { toTrue, toOther } });
  }
  return charted({ runs }, () => mutualItems(runs), { agreement: () => mutualChart(mutualPoints(runs)) });
}

function mutualPoints(runs: readonly MutualRun[]): MfrPoint[] {
  return runs.flatMap(({ coupling, recoveries, agreement }) =>
    Array.from(agreement.toTrue, (toTrue, l) => ({
      coupling,
      toTrue,
      toOther: agreement.toOther[l],
      firing: (recoveries[0].firing?.latents.firings[l] ?? 0) / recoveries[0].samples,
    })),
  );
}

function mutualItems(runs: readonly MutualRun[]): ReturnType<typeof tableItems> {
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

/** The tokens that activations are of. */
function tokensOf(activations: SparseActivations, data: Dataset | TokenSet): TokenSet {
  if (!(data instanceof Dataset)) return data;
  const { tokenizer } = activations.meta.tokenSet;
  const tokens = data.tokenizedBy(tokenizer);
  if (tokens) return tokens;
  throw new Error(
    `${data.name} was not tokenized by the tokenizer of these activations (${tokenizer.slice(0, 8)}): give the dataset they were saved from, or its token set, data.tokens(model)`,
  );
}

export async function concepts(
  env: Environment,
  activations: SparseActivations,
  data: Dataset | TokenSet,
  options: ConceptCallOptions,
): Promise<Charted<ConceptResult, 'confusion'>> {
  const tokens = tokensOf(activations, data);
  const { labels = {}, ...rest } = options;
  if (labels) requireOptions('fg.synthetic.concepts: labels', labels, LABEL_OPTIONS);
  requireSame(
    'concepts are held against activations of the same tokens',
    { name: `activations of ${activations.meta.sae.name}`, id: activations.meta.tokenSet.id },
    { name: 'tokens', id: tokens.id },
  );
  const key = {
    kind: 'concepts',
    parameters: { ...conceptSettings(rest), labels: labels ? parametersOf(labels) : false },
    inputs: { activations: activations.id, tokens: tokens.id },
    codeVersion: CONCEPTS_VERSION,
  };
  const result = await env.call(options, (call) =>
    kept<ConceptResult>(env, `Concepts of ${activations.meta.sae.name}`, key, options, async () => {
      const scores = await conceptScores(activations, tokens, { ...rest, ...call });
      if (!labels) return scores;
      const examples = await topExamples(activations, { k: labels.examples ?? 5, ...call });
      return { ...scores, labels: labelScores(scores, tokens, examples, labels) };
    }),
  );
  return charted(result, () => conceptItems(result, result.labels), { confusion: () => confusionChart(result) });
}
