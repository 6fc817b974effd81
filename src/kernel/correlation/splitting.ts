/** Feature splitting: which features of a large SAE a feature of a small one became. */
import { filled } from '../verb/filled.js';
import type { SparseActivations } from '../activations/types.js';
import type { CallOptions } from '../compute/call.js';
import { row, type Matrix } from '../compute/matrix.js';
import { cosine } from '../compute/statistics.js';
import { absorptionCandidates } from './absorption.js';
import { requireSameTokens } from './map.js';
import { nullRunNames } from './nullRuns.js';
import { bestOf, splittingByActivations, type Halves } from './splittingActivations.js';
import { splittingByDecoder } from './splittingDecoder.js';
import type { Remember } from '../verb/remember.js';
import { SPLITTING, type SplitParent, type Splitting, type SplittingSettings } from './splittingTypes.js';
import { Firings, tokenHalves } from './tokenHalves.js';

/** Raised when the same call gives another result. */
export const SPLITTING_VERSION = 3;

export interface SplittingInput {
  /** Decoder rows, features × d. */
  small: Matrix;
  large: Matrix;
  activations?: { small: SparseActivations; large: SparseActivations };
}

/** Least r or cosine of a child with its parent. */
export const LEAST = { activations: 0.2, decoder: 0.5 } as const;

const { minTokens, least: leastLost } = SPLITTING.absorption.members;
const SETTINGS = { minFirings: SPLITTING.minFirings, minTokens, leastLost, ...SPLITTING.nulls.members };

/** Runs that splitting() asks `remember` for. */
export const splittingRunNames = ({ runs }: Partial<SplittingSettings>): string[] =>
  nullRunNames(runs ?? SETTINGS.runs.usual);

async function halvesOf(
  { small, large }: { small: SparseActivations; large: SparseActivations },
  call: CallOptions,
): Promise<Halves> {
  // prettier-ignore
  requireSameTokens(small, large);
  const [chose, judged] = await tokenHalves(small, large, call);
  return { chose, judged: [await Firings.of(judged[0]), await Firings.of(judged[1])] };
}

const withCosines = (parents: readonly SplitParent[], { small, large }: SplittingInput): SplitParent[] =>
  parents.map((p) => ({
    ...p,
    children: p.children.map((c) => ({ ...c, cosine: cosine(row(large, c.child), row(small, p.parent)) })),
  }));

/**
 * Children, coverage, absorption and their nulls: by activations where these are given, otherwise by decoder rows
 * alone.
 * @throws on stores of other tokens, decoders of other sizes than the stores, NaN
 */
export async function splitting(
  input: SplittingInput,
  given: Partial<SplittingSettings> = {},
  { remember, ...call }: CallOptions & { remember?: Remember } = {},
): Promise<Splitting> {
  const { activations, small, large } = input;
  const least = given.least ?? LEAST[activations ? 'activations' : 'decoder'];
  const settings: SplittingSettings = { ...filled(SETTINGS, given), least };
  if (!activations) return splittingByDecoder(small, large, settings, { ...call, remember });
  for (const side of ['small', 'large'] as const)
    if (input[side].rows !== activations[side].meta.features)
      throw new RangeError(
        `the ${side} decoder has ${input[side].rows} rows but its activations have ${activations[side].meta.features} features`,
      );
  const halves = await halvesOf(activations, call);
  const found = await splittingByActivations(halves, settings, { ...call, remember });
  const mains = await bestOf(halves.chose[0], halves.chose[1], settings.minFirings, call);
  const sameWidth = small.cols === large.cols;
  const decoders = sameWidth ? { small, large } : undefined;
  return {
    ...found,
    parents: decoders ? withCosines(found.parents, input) : found.parents,
    absorption: await absorptionCandidates(halves.judged, mains, decoders, settings, call),
    notes: sameWidth
      ? []
      : [`The decoders are of widths ${small.cols} and ${large.cols}: no cosines, and absorption is not tested.`],
  };
}
