/** Splitting between two widths: types that its parts share. */
import type { SparseActivations } from '../activations/types.js';
import { nulls } from '../verb/common.js';
import { nullsInline, renamed, type Renamed } from '../verb/nulls.js';
import { group, real, value, whole, type Given } from '../verb/option.js';
import type { SimilarityScore } from './types.js';

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
  /** The same of baselines of both SAEs, by kind, where they were asked for. */
  readonly baselines?: Readonly<Record<string, Splitting>>;
}

const isStore = (v: unknown): boolean => typeof v === 'object' && v !== null && 'shards' in v && 'statistics' in v;

export const SPLITTING = {
  activations: value<{ readonly small: SparseActivations; readonly large: SparseActivations }>(
    '{ small, large }, what fg.activations.save returned for each',
    {
      doc: 'Activations of both over the same tokens: children are then chosen by r on the even sequences and judged on the odd ones, and absorption is looked for. Without them all is by decoder rows.',
      fallback: 'none',
    },
    (v) => typeof v === 'object' && v !== null && isStore((v as { small?: unknown }).small) && isStore((v as { large?: unknown }).large), // prettier-ignore
  ),
  least: real({
    doc: 'Least r, or cosine where there are no activations, of a child with its parent.',
    min: -1,
    max: 1,
    fallback: '0.2 by activations, 0.5 by decoder rows',
  }),
  minFirings: real({
    doc: 'Features that fire on fewer tokens of the half that chooses take no part.',
    min: 1,
    usual: 10,
  }),
  absorption: group(
    {
      minTokens: whole({
        doc: 'Least number of tokens on which parent and absorber fire and the main feature is silent.',
        min: 1,
        usual: 10,
      }),
      least: real({
        doc: "Least share of the parent's direction that is lost without the absorber: SAEBench's.",
        min: 0,
        max: 1,
        usual: 0.4,
      }),
    },
    { doc: 'What counts as absorption.' },
  ),
  nulls: nulls({
    doc: 'Null runs. By activations: as many large features that fire as often in the place of the children. By decoder rows: the large decoder turned at random and its children chosen again.',
    runs: 99,
    draws: 'Draws the runs.',
  }),
} as const;
const LOST = { least: 'leastLost' } as const;
type Lost = Renamed<NonNullable<Given<typeof SPLITTING>['absorption']>, typeof LOST>;
type Asked = Pick<Given<typeof SPLITTING>, 'least' | 'minFirings' | 'nulls'>;

/** The options of a call as splitting() takes them: what is least lost by absorption is `leastLost`. */
export const splittingSettings = ({ least, minFirings, absorption, nulls }: Given<typeof SPLITTING>) =>
  nullsInline<Asked & Lost>({ ...renamed(absorption ?? {}, LOST), least, minFirings, nulls });
export type SplittingSettings = Required<ReturnType<typeof splittingSettings>>;

/** Σ −s log2 s of shares. */
export const entropyOf = (shares: readonly number[]): number =>
  shares.reduce((sum, s) => (s > 0 ? sum - s * Math.log2(s) : sum), 0) + 0;

/** Most children first, then the lower feature. */
export const byChildren = (a: SplitParent, b: SplitParent): number =>
  b.children.length - a.children.length || a.parent - b.parent;
