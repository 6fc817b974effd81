/** Splitting between two widths: types that its parts share. */
import type { SimilarityScore } from './types.js';

/** A null run of splitting, as it is remembered. */
export const splittingRun = (run: number): string => `null ${run}`;

/** A feature of the large SAE that belongs to one of the small. */
export interface SplitChild {
  readonly child: number;
  /** Cosine of the two decoder rows; NaN where the widths of the activations differ. */
  readonly cosine: number;
  /** Pearson r with the parent on the tokens that judge; NaN by decoders alone. */
  readonly r: number;
  /** Its share of what the children hold of the parent; all of a parent's add up to 1. */
  readonly share: number;
  /** Share of its firings on which the parent is silent; NaN by decoders alone. */
  readonly outside: number;
}

/** A feature of the small SAE and what became of it. */
export interface SplitParent {
  readonly parent: number;
  /** Largest share first. */
  readonly children: readonly SplitChild[];
  /**
   * By activations: share of the parent's firings on which a child fires. By decoders: share of its decoder row
   * (squared length) that lies in the span of the children's rows.
   */
  readonly coverage: number;
  /** Mean coverage of the null runs. */
  readonly nullCoverage: number;
  /** (k + 1)/(R + 1), k = null runs that cover it as much. */
  readonly p: number;
  /** Entropy of the children's shares, in bits: 0 = one child, log2 n = n equal ones. */
  readonly entropy: number;
}

/**
 * A feature of the large SAE that may have taken over a part of a parent: another one fires where the main one is
 * silent.
 */
export interface AbsorptionCandidate {
  readonly parent: number;
  /** The feature of the large SAE that correlates best with the parent. */
  readonly main: number;
  readonly absorber: number;
  /** Tokens on which the parent and the absorber fire and the main one is silent. */
  readonly tokens: number;
  /** These, as a share of the tokens on which the parent fires and the main one is silent. */
  readonly ofSilent: number;
  readonly cosine: number;
  /**
   * The functional test: share of the parent's direction in the large SAE's reconstruction of these tokens that is lost
   * when the absorber is taken out. NaN where decoders cannot be compared.
   */
  readonly lost: number;
  /** The same with another feature that fires on each token in its place: mean of the runs, and (k + 1)/(R + 1). */
  readonly nullLost: number;
  readonly p: number;
  /** `lost` reaches the least share, and p is at most 0.05. */
  readonly absorbs: boolean;
}

/** Features of a small SAE in a large one of the same activations. */
export interface Splitting {
  readonly by: 'activations' | 'decoder';
  readonly small: number;
  readonly large: number;
  /** Parents that took part: those that fire on the tokens that judge, or all. Most children first. */
  readonly parents: readonly SplitParent[];
  /** [large]: the parent of each feature; -1 = none at the least r or cosine. */
  readonly parentOf: Int32Array;
  /** Least r or cosine of a child with its parent. */
  readonly least: number;
  /** Tokens that chose the children, and tokens that judged them; 0 by decoders alone. */
  readonly tokens: { readonly chose: number; readonly judged: number };
  /** Each beside its null, with an interval over the parents, or over the large rows where these are scored. */
  readonly scores: readonly SimilarityScore[];
  /** Most tokens first. [] by decoders alone. */
  readonly absorption: readonly AbsorptionCandidate[];
  /** What could not be done, and why. */
  readonly notes: readonly string[];
}

/** Numbers that splitting is done by; see the options of fg.correlation.splitting. */
export interface SplittingSettings {
  readonly least: number;
  readonly minFirings: number;
  readonly minTokens: number;
  readonly leastLost: number;
  readonly runs: number;
  readonly seed: number;
}

/** Σ −s log2 s of shares. */
export const entropyOf = (shares: readonly number[]): number =>
  shares.reduce((sum, s) => (s > 0 ? sum - s * Math.log2(s) : sum), 0) + 0;

/** Most children first, then the lower feature. */
export const byChildren = (a: SplitParent, b: SplitParent): number =>
  b.children.length - a.children.length || a.parent - b.parent;
