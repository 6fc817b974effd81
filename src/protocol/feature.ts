/**
 * Feature pages: what is known of every feature of an SAE. Its meta is feature.json. Set 0 is the SAE of the page; the
 * others are the SAEs that it is mapped to, whose features appear as counterparts. Of every feature there are label and
 * columns; examples and the line `about` there are of those that the page carries.
 */
import type { BundleDescriptor, BundleManifest, ColumnSpec, ColumnsOf } from './bundle.js';
import { isRecord } from './objects.js';
import type { PromptMeta } from './prompt.js';

export interface FeatureSetMeta {
  /** Features of the SAE. */
  points: number;
  title: string;
  sae: { id: string; name: string };
  /** Features whose examples are here. */
  carried: number;
  /** Tokens that firings are counted over. */
  tokens: number;
  /** Maps of the features: x.k and y.k are their places on map k. Set 0 alone. */
  maps: Array<{ title: string; layout: string }>;
  /** SAEs mapped to: partner.k and r.k are the best counterpart in set `set`. Set 0 alone. */
  pairings: Array<{ set: number; method: string; tokens: number }>;
}

export interface FeatureMeta {
  version: 1;
  title: string;
  /** Shown first. */
  feature: number;
  model: string;
  hook: string;
  sets: FeatureSetMeta[];
  /** Model through whose unembedding promoted tokens were read; absent: none was given. */
  lens?: string;
  /** Tokens that firing together was counted over, where not over all. */
  togetherTokens?: number;
  /** Notes on features by id. */
  notes?: Record<string, string>;
  /** The session can say what ablating a feature does to the loss. */
  ablates?: true;
  /** The session that made the page answers under this name for features that it does not carry. */
  live: string;
}

/** The output of a feature page. */
export type FeatureDescriptor = BundleDescriptor<FeatureMeta> & { prompt?: PromptMeta };

/** Bins of AboutFeature.histogram. */
export const HISTOGRAM_BINS = 40;

export interface AboutToken {
  token: string;
  share: number;
  firings: number;
  occurrences: number;
  mean: number;
}

export interface AboutFeature {
  /** Firings by activation, in equal bins from 0 to the largest. */
  histogram: number[];
  /** By share of the activation mass. */
  tokens: AboutToken[];
  distinct: number;
  positions: Array<{ position: number; share: number; firings: number }>;
  /** Shares of the mass at the first position, on special tokens, on punctuation. */
  first: number;
  special: number;
  punctuation: number;
  /** Tokens whose logits the decoder row raises most, and lowers most. */
  promoted?: Array<{ token: string; logit: number }>;
  suppressed?: Array<{ token: string; logit: number }>;
  /** Features whose decoder rows point most the same way. */
  nearest?: Array<{ feature: number; cosine: number }>;
  /** Features that fire with it, by phi; `expected` by chance. */
  together: Array<{ feature: number; both: number; expected: number; phi: number }>;
  /** By pairing of the set, best first. */
  counterparts: Array<Array<{ feature: number; r: number }>>;
}

/** What ablating a feature does to the model's next-token loss, in nats; the answer of the session. */
export interface AblatedLoss {
  before: number;
  after: number;
  /** Tokens with a next token, on which the feature is set to 0, and their sequences. */
  n: number;
  sequences: number;
  /** Of the paired t test over the sequences; null where there are too few. */
  p: number | null;
}

/** Whether a value that came from outside is such an answer. */
export function isAblatedLoss(value: unknown): value is AblatedLoss {
  if (!isRecord(value)) return false;
  const { before, after, n, sequences, p } = value;
  const whole = [before, after, n, sequences].every((v) => typeof v === 'number' && Number.isFinite(v));
  return whole && (p === null || typeof p === 'number');
}

const hasLists = (v: Record<string, unknown>, names: readonly string[]): boolean =>
  names.every((name) => v[name] === undefined || Array.isArray(v[name]));

/** Whether a value is the line `about` of a feature; a feature that is not carried has none. */
export function isAbout(value: unknown): value is AboutFeature {
  if (!isRecord(value)) return false;
  const lists = ['histogram', 'tokens', 'positions', 'together', 'counterparts'];
  return (
    lists.every((name) => value[name] !== undefined) &&
    hasLists(value, [...lists, 'promoted', 'suppressed', 'nearest']) &&
    (value.counterparts as unknown[]).every((each) => Array.isArray(each))
  );
}

const perFeature = ({ points }: FeatureSetMeta): number => points;
const maps = ({ maps: all }: FeatureSetMeta): number => all.length;
const pairings = ({ pairings: all }: FeatureSetMeta): number => all.length;

/** Columns and files of a feature page. */
export const FEATURE_BUNDLE = {
  what: 'a feature page',
  meta: 'feature.json',
  texts: 'needed',
  lines: ['about'],
  columns: {
    firings: { dtype: 'I32', length: perFeature },
    /** Of the activations above 0; 0 for a dead feature. */
    max: { dtype: 'F32', length: perFeature },
    mean: { dtype: 'F32', length: perFeature },
    /** 1: its examples are here. */
    carried: { dtype: 'I32', length: perFeature },
    x: { dtype: 'F32', length: perFeature, list: maps },
    y: { dtype: 'F32', length: perFeature, list: maps },
    /** Best counterpart, -1 = none, and r of the two, NaN = none. */
    partner: { dtype: 'I32', length: perFeature, list: pairings },
    r: { dtype: 'F32', length: perFeature, list: pairings },
  },
} as const satisfies BundleManifest<FeatureSetMeta, Record<string, ColumnSpec<FeatureSetMeta>>>;

export type FeatureColumns = ColumnsOf<typeof FEATURE_BUNDLE>;
