/**
 * Which features carry a word: how many of its occurrences each fires on, and how much of its activation lies there.
 */
import type { CallOptions } from '../compute/call.js';
import { real, whole, type Given } from '../verb/option.js';
import { everyFiring } from './firings.js';
import { occurrencesOf, type Occurrences, type WordQuery } from './occurrences.js';
import type { SparseActivations } from './types.js';

/** What a feature does on a word. */
export interface WordFeature {
  readonly feature: number;
  /** Share of the word's occurrences on which it fires, 0 to 1. */
  readonly ofOccurrences: number;
  /** Share of its activation mass Σ a that lies on them, 0 to 1. */
  readonly ofMass: number;
  /** Its firings, on all tokens. */
  readonly firings: number;
}

/** The features of a word. */
export interface FoundFeatures {
  /** What was looked for, as shown. */
  readonly query: string;
  /** How often it occurs in the text of the store. */
  readonly occurrences: number;
  /** Features that fire on it, by the harmonic mean of both shares, largest first; ties to the lower feature. */
  readonly features: readonly WordFeature[];
  /** The word's own feature: the first, if both shares reach `least`; -1 = the word has none. */
  readonly own: number;
  /** Least value of both shares for a feature of its own. */
  readonly least: number;
}

/** Harmonic mean of the two shares: large only where both are. */
const both = ({ ofOccurrences: x, ofMass: y }: WordFeature): number => (x + y > 0 ? (2 * x * y) / (x + y) : 0);

/** All features that fire on each of some words, best first; one pass over the shards. */
export async function carriers(
  activations: SparseActivations,
  words: readonly Occurrences[],
  call: CallOptions = {},
): Promise<WordFeature[][]> {
  const { features } = activations.meta;
  const { firings, sum } = activations.statistics;
  const counts = words.map(() => new Uint32Array(features));
  const mass = words.map(() => new Float64Array(features));
  const last = words.map(() => new Int32Array(features).fill(-1));
  await everyFiring(activations, 'features of words', call, (f, t, value) => {
    for (let w = 0; w < words.length; w++) {
      const occurrence = words[w].at[t];
      if (occurrence < 0) continue;
      mass[w][f] += value;
      if (last[w][f] === occurrence) continue;
      last[w][f] = occurrence;
      counts[w][f]++;
    }
  });
  return words.map((word, w) =>
    Array.from(counts[w].keys())
      .filter((f) => counts[w][f] > 0)
      .map((f) => ({
        feature: f,
        ofOccurrences: counts[w][f] / word.count,
        ofMass: mass[w][f] / sum[f],
        firings: firings[f],
      }))
      .sort((x, y) => both(y) - both(x) || x.feature - y.feature),
  );
}

export const FIND = {
  top: whole({ doc: 'Features listed.', min: 1, usual: 10 }),
  least: real({
    doc: 'A feature is the own one of a word when it fires on at least this share of its occurrences, and at least this share of its activation lies on them.',
    above: 0,
    max: 1,
    usual: 0.5,
  }),
} as const;

export type FindOptions = Given<typeof FIND> & CallOptions;

/** The feature of carriers that is a word's own, -1 = none. */
export function ownFeature([best]: readonly WordFeature[], least: number): number {
  return best !== undefined && Math.min(best.ofOccurrences, best.ofMass) >= least ? best.feature : -1;
}

/** The features that fire on a word, with how much of the word and of themselves that is. */
export async function findFeatures(
  activations: SparseActivations,
  query: WordQuery,
  { top = FIND.top.usual, least = FIND.least.usual, ...call }: FindOptions = {},
): Promise<FoundFeatures> {
  const [word] = await occurrencesOf(activations, [query]);
  const [features] = await carriers(activations, [word], call);
  return {
    query: word.query,
    occurrences: word.count,
    features: features.slice(0, top),
    own: ownFeature(features, least),
    least,
  };
}
