/** fg.synthetic, the measuring half: recovery, twin worlds, calibration, sweeps, mutual feature regularization, concepts. */
import type { SparseActivations } from '../activations/types.js';
import type { MatrixInput } from '../compute/matrixInput.js';
import type { TokenSet } from '../models/types.js';
import type { Sae } from '../sae/types.js';
import type { Calibration } from '../synthetic/calibrationPipeline.js';
import type { ScoreResponse } from '../synthetic/calibrationResponse.js';
import type { Recovery } from '../synthetic/recovery.js';
import { train } from '../synthetic/fgTrain.js';
import type { SweepRow } from '../synthetic/sweeps.js';
import { createTwins, type TwinOptions, type Twins } from '../synthetic/twins.js';
import type { World } from '../synthetic/types.js';
import { Dataset } from './datasets.js';
import type { Environment } from '../verb/environment.js';
import type { Call } from '../verb/verb.js';
import { requireGiven, requireOptions } from './given.js';
import { count, withDisplay, withSummary, type Displayed } from '../present/items.js';
import { sweepChart, type Spec } from './recoveryCharts.js';
import { comparisonTable } from './recoveryTables.js';
import {
  CALIBRATE_OPTIONS,
  CONCEPT_OPTIONS,
  MUTUAL_OPTIONS,
  RECOVERY_OPTIONS,
  RESPONSE_OPTIONS,
  SWEEP_OPTIONS,
  TWIN_ACTIVATIONS,
  TWIN_OPTIONS,
  type CalibrateCallOptions,
  type ConceptCallOptions,
  type MutualCallOptions,
  type RecoveryCallOptions,
  type ResponseCallOptions,
  type SweepCallOptions,
  type TwinActivationsOptions,
} from './recoveryOptions.js';
import {
  calibrate,
  concepts,
  mutual,
  recoveryOf,
  response,
  sweep,
  twinActivations,
  type Charted,
  type ConceptResult,
  type MutualRun,
} from './recoveryRuns.js';

/** Measuring against ground truth. */
export interface RecoveryApi {
  /** Trains an SAE on a world's samples. */
  readonly train: Call<typeof train>;
  /**
   * How much of the truth an SAE, or a dictionary [latents × dim], has found: MMCS both ways, Hungarian-matched cosine,
   * MCC, uniqueness, each beside the floor of random dictionaries; of an SAE also MCC of activations, precision, recall
   * and F1 of firing beside shuffled samples, and shrinkage, dead share, absorption and splitting. The same call again
   * loads the result.
   */
  recovery(world: World, of: Sae | MatrixInput, options?: RecoveryCallOptions): Promise<Displayed<Recovery>>;
  /** Recoveries side by side, by the names given. */
  compare(
    recoveries: Readonly<Record<string, Recovery>>,
  ): Displayed<{ recoveries: Readonly<Record<string, Recovery>> }>;
  /**
   * Two models over the events of a world: they share a known part of their features under a rotation, differ in width,
   * and know which feature is which, split or absorbed. twins.a and twins.b are worlds.
   */
  twins(world: World, options?: TwinOptions): Promise<Twins>;
  /**
   * Activations of both twins over the same events, as artifacts that fg.correlation.map, maps, Mapper and panels take:
   * the true codes, or with { saes } what SAEs make of them. A sample is one token, named after its strongest event.
   */
  twinActivations(
    twins: Twins,
    options?: TwinActivationsOptions,
  ): Promise<{ a: SparseActivations; b: SparseActivations }>;
  /**
   * The mapping pipeline on twins against truth: precision and recall of pairs by r threshold and matcher, and what an r
   * is worth. From the true codes, or with { saes } from SAEs trained on twins.a and twins.b.
   */
  calibrate(twins: Twins, options?: CalibrateCallOptions): Promise<Charted<Calibration, 'reliability' | 'thresholds'>>;
  /** Every similarity score at several shared fractions of twins over one world, beside its null. */
  scoreResponse(world: World, options?: ResponseCallOptions): Promise<Charted<ScoreResponse, 'response'>>;
  /**
   * Trains and measures every SAE × width × k × correlation, each cell an artifact: a run that was stopped goes on with
   * what is missing. { run: false } gives the table as it stands.
   */
  sweep(options: SweepCallOptions): Promise<Displayed<SweepRow[]>>;
  /** Heatmap of a score ('MCC (dictionary)') or figure ('deadShare') of a sweep, for fg.show.chart. */
  sweepChart(rows: readonly SweepRow[], name: string): Spec;
  /**
   * Mutual feature regularization: tied TopK SAEs side by side, with and without a term that pulls them together, and
   * what each recovers of the truth.
   */
  mutualRegularization(world: World, options?: MutualCallOptions): Promise<Charted<{ runs: MutualRun[] }, 'agreement'>>;
  /**
   * Features of a real SAE against the concepts of generated stories (fg.datasets.stories): best feature of every concept
   * and best concept of every feature with precision, recall and F1 beside a null; where the best features fire; and
   * whether labels by dataset examples name the right concept.
   */
  concepts(
    activations: SparseActivations,
    data: Dataset | TokenSet,
    options?: ConceptCallOptions,
  ): Promise<Charted<ConceptResult, 'confusion'>>;
}

const describeTwins = (t: Twins): string => {
  const { pairs, splits, absorptions } = t.truth;
  return `Twins over ${t.events.description}: A ${count(t.a.features)} features in ${t.a.dim} dimensions, B ${count(t.b.features)} in ${t.b.dim}; ${(100 * t.sharedFraction).toFixed(0)} % of A's are shared: ${count(pairs.a.length)} one to one, ${splits.length} split, ${absorptions.length} absorbed with their children`;
};

export function recoveryApi(env: Environment): RecoveryApi {
  return {
    train: train.bind(env, 'fg.synthetic.train') as Call<typeof train>,
    async recovery(world, of, options = {}) {
      requireGiven({ world, of });
      requireOptions('fg.synthetic.recovery', options, RECOVERY_OPTIONS);
      return recoveryOf(env, world, of, options);
    },
    compare(recoveries) {
      requireGiven({ recoveries, ...recoveries });
      return withDisplay({ recoveries }, () => comparisonTable(recoveries));
    },
    async twins(world, options = {}) {
      requireGiven({ world });
      requireOptions('fg.synthetic.twins', options, TWIN_OPTIONS);
      const twins = await createTwins(world, options);
      return withSummary(twins, () => describeTwins(twins));
    },
    async twinActivations(twins, options = {}) {
      requireGiven({ twins });
      requireOptions('fg.synthetic.twinActivations', options, TWIN_ACTIVATIONS);
      return twinActivations(env, twins, options);
    },
    async calibrate(twins, options = {}) {
      requireGiven({ twins, ...(options.saes ? { 'saes.a': options.saes.a, 'saes.b': options.saes.b } : {}) });
      requireOptions('fg.synthetic.calibrate', options, CALIBRATE_OPTIONS);
      return calibrate(env, twins, options);
    },
    async scoreResponse(world, options = {}) {
      requireGiven({ world });
      requireOptions('fg.synthetic.scoreResponse', options, RESPONSE_OPTIONS);
      const { shared: _, ...allowed } = TWIN_OPTIONS;
      requireOptions('fg.synthetic.scoreResponse: twins', options.twins, allowed);
      return response(env, world, options);
    },
    async sweep(options) {
      requireGiven({ options });
      requireOptions('fg.synthetic.sweep', options, SWEEP_OPTIONS);
      return sweep(env, options);
    },
    sweepChart: (rows, name) => sweepChart(rows, name),
    async mutualRegularization(world, options = {}) {
      requireGiven({ world });
      requireOptions('fg.synthetic.mutualRegularization', options, MUTUAL_OPTIONS);
      return mutual(env, world, options);
    },
    async concepts(activations, data, options = {}) {
      requireGiven({ activations, data });
      requireOptions('fg.synthetic.concepts', options, CONCEPT_OPTIONS);
      return concepts(env, activations, data, options);
    },
  };
}
