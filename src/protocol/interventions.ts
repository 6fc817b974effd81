/**
 * The interventions panel: its descriptor in a cell's output, and the calls of its view to the kernel (methods of live calls).
 * Activations are in the SAE's own units; probabilities and divergences are of the token after the prompt.
 */
import type { FeatureExample } from './bundle.js';
import type { PointLabel } from './tokens.js';

/** steer adds value × decoder row; clamp sets the activation to value; scale multiplies it by value; ablate makes it 0. */
export type InterventionKind = 'steer' | 'clamp' | 'scale' | 'ablate';
export const INTERVENTION_KINDS: readonly InterventionKind[] = ['steer', 'clamp', 'scale', 'ablate'];

/** Tokens of the prompt by index, or every token, or only the newest at each step. */
export type InterventionPositions = 'all' | 'last' | number[];

export interface InterventionSpec {
  feature: number;
  kind: InterventionKind;
  /** α of steer, c of clamp, factor of scale; no meaning for ablate. */
  value: number;
  positions: InterventionPositions;
}

/** Interventions that may stand beside the current one. */
export const MAX_PINS = 4;
/** Longest generation that a view may ask for. */
export const MAX_GENERATED_TOKENS = 200;

export interface InterventionsSae {
  id: string;
  name: string;
  features: number;
  hook: string;
}

export interface InterventionsMeta {
  title: string;
  model: { id: string; name: string; context: number };
  sae: InterventionsSae;
  /** SAEs whose features are listed too, at their own hooks. */
  downstream: InterventionsSae[];
  /** There are activations over a text: features have labels, rates and dataset examples. */
  examples: boolean;
  /** Model B, in which the counterpart of the feature is changed in the same way. */
  second?: { model: { id: string; name: string }; sae: InterventionsSae };
}

/** A feature in the list of search results. */
export interface InterventionsHit {
  feature: number;
  /** Words alone in notebooks of versions up to 0.3: the peak tokens; [] without activations. */
  label: PointLabel;
  /** Share of tokens of the store on which it fires; null without activations. */
  firingRate: number | null;
  /** Largest activation on the prompt. */
  here: number;
}

export interface InterventionsCard extends InterventionsHit {
  /** Largest activation in the store, else on the prompt; null when it is 0 in both. */
  max: number | null;
  examples: FeatureExample[];
  /** Tokens that the decoder row promotes (W_dec · W_U); [] when the SAE does not read the residual stream. */
  promotes: string[];
  /** Counterpart in model B by correlation. */
  counterpart?: { feature: number; r: number } | null;
}

export interface InterventionsFeatureDelta {
  /** 0: the panel's own SAE; 1, 2, …: downstream ones. */
  sae: number;
  feature: number;
  label: PointLabel;
  /** Mean activation over the tokens from the first changed one to the end. */
  before: number;
  after: number;
}

export interface InterventionsTokenDelta {
  id: number;
  token: string;
  before: number;
  after: number;
}

/** One intervention in one model. */
export interface InterventionsEffect {
  feature: number;
  description: string;
  /** Activation of `feature` on each token, as the SAE reads it before and after. */
  before: number[];
  after: number[];
  /** Features that moved most. */
  features: InterventionsFeatureDelta[];
  /** Tokens that `features` is a mean over: first changed token to the end. */
  n: number;
  /** Next tokens whose probability moved most. */
  next: InterventionsTokenDelta[];
  /** KL(before ‖ after) of the next token, in nats. */
  kl: number;
}

export interface InterventionsRun extends InterventionsEffect {
  intervention: InterventionSpec;
  /** The same in model B; or why not. */
  second?: { effect: InterventionsEffect; tokens: string[]; r: number } | { missing: string };
}

/** Answer of 'run'. */
export interface InterventionsResult {
  prompt: string;
  /** Tokens of the prompt. */
  tokens: string[];
  runs: InterventionsRun[];
  /** Time of this answer in the kernel. */
  ms: number;
}

export interface InterventionsSampling {
  tokens: number;
  /** 0: greedy. */
  temperature: number;
  seed: number;
}

/** Answer of 'generate'. */
export interface InterventionsGeneration {
  prompt: string;
  sampling: InterventionsSampling;
  before: string;
  /** One continuation per intervention asked, in its order. */
  after: string[];
  ms: number;
}

/** Everything that the panel's view holds of the experiment: kept as its state, and exported. */
export interface InterventionsSetting {
  prompt: string;
  current: InterventionSpec;
  pins: Array<InterventionSpec & { name: string }>;
  sampling: InterventionsSampling;
}

export interface InterventionsSnapshot {
  setting: InterventionsSetting;
  card: InterventionsCard;
  hits: InterventionsHit[];
  /** Runs of the pinned interventions and, last, of the current one. No times: a saved panel is the same from run to run. */
  result: Omit<InterventionsResult, 'ms'>;
  /** Continuations in the same order. */
  generation: Omit<InterventionsGeneration, 'ms'>;
}

export interface InterventionsDescriptor {
  version: 1;
  id: string;
  /** Under which the kernel's session answers. */
  view: string;
  meta: InterventionsMeta;
  snapshot: InterventionsSnapshot;
}

/** Methods of live calls, what they take and what they give. */
export interface InterventionsMethods {
  hello: { params: null; value: { id: string } };
  search: { params: { text: string; prompt: string }; value: InterventionsHit[] };
  card: { params: { feature: number; prompt: string }; value: InterventionsCard };
  run: { params: { prompt: string; interventions: InterventionSpec[] }; value: InterventionsResult };
  generate: {
    params: { prompt: string; interventions: InterventionSpec[]; sampling: InterventionsSampling };
    value: InterventionsGeneration;
  };
}
export type InterventionsMethod = keyof InterventionsMethods;
