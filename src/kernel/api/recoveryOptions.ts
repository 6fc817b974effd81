/** Options of the measuring half of fg.synthetic, and their names. */
import type { CallOptions } from '../compute/call.js';
import type { CalibrateOptions } from '../synthetic/calibrationPipeline.js';
import type { ResponseParameters } from '../synthetic/calibrationResponse.js';
import type { MfrParameters } from '../synthetic/mfr.js';
import type { RecoveryParameters } from '../synthetic/recovery.js';
import type { SweepPlan } from '../synthetic/sweeps.js';
import type { ConceptParameters } from '../synthetic/textWorlds.js';
import type { LabelParameters } from '../synthetic/textWorldsLabels.js';
import type { TwinOptions } from '../synthetic/twins.js';
import type { World } from '../synthetic/types.js';
import type { Sae } from '../sae/types.js';
import { CALL, type OptionNames } from './given.js';
import type { KeepOptions } from './kept.js';

export interface RecoveryCallOptions extends RecoveryParameters, KeepOptions, CallOptions {}

export interface TwinActivationsOptions extends KeepOptions, CallOptions {
  /** Events; default 20,000. */
  samples?: number;
  /** Seed of the events; default 1,000,003, as fg.synthetic.calibrate has it. */
  seed?: number;
  /** SAEs trained on twins.a and twins.b; default the true codes. */
  saes?: { a: Sae; b: Sae };
}

export interface CalibrateCallOptions extends CalibrateOptions, KeepOptions {}

export interface ResponseCallOptions extends ResponseParameters, KeepOptions, CallOptions {}

export interface SweepCallOptions extends Omit<SweepPlan, 'worlds'>, KeepOptions, CallOptions {
  /** The world of each correlation, such as (correlation) => fg.synthetic.world({ …, correlations: … }). */
  world: (correlation: number) => World | Promise<World>;
  /** What `world` is called with; default 0 alone. */
  correlations?: readonly number[];
  /** false gives the table as it stands, with what is missing, and trains nothing. Default true. */
  run?: boolean;
}

export interface MutualCallOptions extends Omit<MfrParameters, 'coupling'>, KeepOptions, CallOptions {
  /** Weights of the coupling term; the runs differ by it alone. Default 0 (without coupling) and 0.01. */
  couplings?: readonly number[];
  /** How recovery is measured. */
  recovery?: RecoveryParameters;
}

export interface ConceptCallOptions extends ConceptParameters, KeepOptions, CallOptions {
  /** How labels by dataset examples are scored; false leaves that out. */
  labels?: LabelParameters | false;
}

export const RECOVERY_PARAMETERS: OptionNames<RecoveryParameters> = {
  samples: true,
  sampleSeed: true,
  floors: true,
  nulls: true,
  seed: true,
  recoveredAt: true,
  absorbedAt: true,
  mainCosine: true,
  absorberCosine: true,
  projectionShare: true,
};
export const RECOVERY_OPTIONS: OptionNames<RecoveryCallOptions> = { ...RECOVERY_PARAMETERS, fresh: true, ...CALL };
export const TWIN_OPTIONS: OptionNames<TwinOptions> = {
  features: true,
  shared: true,
  dimA: true,
  dimB: true,
  splits: true,
  splitCosine: true,
  absorptions: true,
  childShare: true,
  noise: true,
  seed: true,
};
export const TWIN_ACTIVATIONS: OptionNames<TwinActivationsOptions> = {
  samples: true,
  seed: true,
  saes: true,
  fresh: true,
  ...CALL,
};
export const CALIBRATE_OPTIONS: OptionNames<CalibrateCallOptions> = {
  samples: true,
  sampleSeed: true,
  methods: true,
  minFirings: true,
  minCosine: true,
  thresholds: true,
  bin: true,
  nulls: true,
  seed: true,
  saes: true,
  fresh: true,
  ...CALL,
};
export const RESPONSE_OPTIONS: OptionNames<ResponseCallOptions> = {
  fractions: true,
  metrics: true,
  pairing: true,
  samples: true,
  nulls: true,
  seed: true,
  twins: true,
  fresh: true,
  ...CALL,
};
export const SWEEP_OPTIONS: OptionNames<SweepCallOptions> = {
  world: true,
  correlations: true,
  saes: true,
  widths: true,
  ks: true,
  seeds: true,
  samples: true,
  recovery: true,
  run: true,
  fresh: true,
  ...CALL,
};
export const MUTUAL_OPTIONS: OptionNames<MutualCallOptions> = {
  saes: true,
  features: true,
  k: true,
  couplings: true,
  mmcs: true,
  warmUpSteps: true,
  steps: true,
  batchSize: true,
  lr: true,
  samples: true,
  seed: true,
  recovery: true,
  fresh: true,
  ...CALL,
};
export const CONCEPT_OPTIONS: OptionNames<ConceptCallOptions> = {
  threshold: true,
  minFirings: true,
  minTokens: true,
  null: true,
  nulls: true,
  seed: true,
  labels: true,
  fresh: true,
  ...CALL,
};
export const LABEL_OPTIONS: OptionNames<LabelParameters> = { minF1: true, examples: true, nulls: true, seed: true };
