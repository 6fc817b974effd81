/** Descriptors of outputs that cells show. All strings are data: a renderer sets them as text, never as HTML. */
import type { JsonObject } from './notebook.js';
import type { FeatureExample } from './bundle.js';
import type { PointLabel, TokenShare } from './tokens.js';

export interface TableColumn {
  key: string;
  title: string;
  /**
   * How cells are formatted: numbers right-aligned with `digits` significant digits (default 4), numbers of features with
   * the feature's label, a card, and the way to its page.
   */
  type: 'number' | 'text' | 'feature';
  digits?: number;
  /** Of features: identity of their SAE, or the key under which each row has it. */
  sae?: string | { key: string };
}

/** A feature as a cell of a table names it. */
export interface CellFeature {
  label: PointLabel;
  firings: number;
  /** Share of tokens on which it fires. */
  firingRate: number;
  examples?: FeatureExample[];
}

export interface TableDescriptor {
  version: 1;
  title?: string;
  columns: TableColumn[];
  rows: Array<Record<string, string | number | null>>;
  /** Rows in the full result when `rows` was cut. */
  totalRows?: number;
  note?: string;
  /** By identity of the SAE: its name, and those of the features in the cells, as far as the session knew them. */
  saes?: Record<string, { name: string; features: Record<string, CellFeature> }>;
}

/** A number with `digits` significant digits, whole numbers whole. */
export function formatNumber(value: number, digits = 4): string {
  if (Number.isInteger(value) || !Number.isFinite(value)) return String(value);
  return String(Number(value.toPrecision(digits)));
}

/** The mean of a null with the three places of the score beside it: −0.00008 is "0.000", without a sign. */
export const nullMeanText = (mean: number): string => mean.toFixed(3).replace('-0.000', '0.000').replace('-', '−');

export interface ChartDescriptor {
  version: 1;
  title?: string;
  /** A Vega (not Vega-Lite) spec with its data inside; drawn with vega-interpreter, no URL is ever loaded. */
  spec: JsonObject;
  /** The Vega-Lite source, for those who want to edit it. */
  vegaLite?: JsonObject;
}

/** A feature with its dataset examples. */
export interface FeatureCard {
  /** Which SAE, such as "A: tiny-1L topk". */
  side: string;
  feature: number;
  /** Words alone in notebooks of versions up to 0.3: the peak tokens. */
  label: PointLabel;
  /** Share of tokens on which the feature is non-zero. */
  firingRate: number;
  firings: number;
  /** Words of its label that the other feature of the pair is not called by. */
  alone?: string[];
  examples: FeatureExample[];
}

/** Cards, grouped: one group per feature or per matched pair. */
export interface FeatureCards {
  version: 1;
  title?: string;
  /** The feature that all groups are about: it is shown once, and each group has the card of its counterpart alone. */
  subject?: FeatureCard;
  groups: Array<{
    heading?: string;
    r?: number;
    /** What `r` is called, by protocol/measure; "r" where a notebook of an earlier version says nothing. */
    measure?: string;
    sharedTokens?: string[];
    /** Of a pair: tokens by share of Σ a·b; [] when the two never fire together. */
    together?: TokenShare[];
    /** What its reader thinks of the pair. */
    judgement?: { verdict: string; note: string };
    /** Words of the subject's label that this counterpart is not called by. */
    subjectAlone?: string[];
    cards: FeatureCard[];
  }>;
}

/** Texts before and after an intervention on the same prompt and seed. */
export interface ComparisonDescriptor {
  version: 1;
  title?: string;
  /** What was done, as the intervention prints itself. */
  intervention: string;
  rows: Array<{ prompt: string; before: string; after: string }>;
  /** Next-token probabilities that moved, sorted by |after − before|, and their logits where they are known. */
  tokens?: Array<{
    token: string;
    before: number;
    after: number;
    logit?: { before: number; after: number; delta: number };
  }>;
  note?: string;
}
