/**
 * Relations between words in two models: which words lie near each other in each, and whether the vectors that lead
 * from one word to another (king → queen, prince → princess) stand to each other as they do in the other model. Vectors
 * of two models are never compared with each other, only their cosines within each model: no common space is needed.
 */
import { carriers, ownFeature, type WordFeature } from '../activations/find.js';
import { occurrencesOf, type Occurrences } from '../activations/occurrences.js';
import type { SparseActivations } from '../activations/types.js';
import type { CallOptions } from '../compute/call.js';
import type { Matrix } from '../compute/matrix.js';
import { gatherRows } from '../compute/rows.js';
import { nulls } from '../verb/common.js';
import { filled } from '../verb/filled.js';
import { nullsInline } from '../verb/nulls.js';
import type { Remember } from '../verb/remember.js';
import { required, value, whole, type Given } from '../verb/option.js';
import { drawnScores, jaccard, neighbourDraws, relationDraws, relationGram, relationRunNames, type Near, type RelationSettings, type WordVectors } from './relationScores.js'; // prettier-ignore
import type { PairedMap, SimilarityScore } from './types.js';

/** The feature that carries a word best, and how well. */
export interface WordCarrier extends WordFeature {
  /** Whether it is the word's own: at least half of the occurrences, and half of its activation. */
  readonly own: boolean;
}

/** A word in both models. */
export interface RelatedWord {
  readonly word: string;
  readonly occurrences: number;
  /** Absent where nothing fires on the word. */
  readonly a?: WordCarrier;
  readonly b?: WordCarrier;
  /** r of the two features, where they are counterparts in the map; NaN otherwise. */
  readonly r: number;
  /** The nearest words by cosine of the decoder rows, nearest first; [] where the word takes no part. */
  readonly nearA: readonly string[];
  readonly nearB: readonly string[];
  /** |∩| / |∪| of the two; NaN where the word takes no part. */
  readonly jaccard: number;
}

/** Cosines among relations in both models, [relations × relations], row by row. */
export interface RelationGrams {
  /** What was compared: "decoder rows" of the words' features, or "mean activations" on the words. */
  readonly vectors: string;
  /** The relations, each as [from, to]. */
  readonly pairs: ReadonlyArray<readonly [string, string]>;
  readonly a: Float64Array;
  readonly b: Float64Array;
}

/** Words of two models and the relations between them. */
export interface Relations {
  readonly words: readonly RelatedWord[];
  /** By vectors that were compared: the relations that took part, and their cosines with each other in A and in B. */
  readonly grams: readonly RelationGrams[];
  /** Each beside its nulls. */
  readonly scores: readonly SimilarityScore[];
  /** What was left out, and why; words that share a feature. */
  readonly notes: readonly string[];
}

const isPairs = (v: unknown): boolean =>
  Array.isArray(v) &&
  v.length > 0 &&
  v.every((p) => Array.isArray(p) && p.length === 2 && p.every((w) => typeof w === 'string' && w.trim() !== '')); // prettier-ignore

export const RELATIONS = {
  pairs: required(
    value<ReadonlyArray<readonly [string, string]>>(
      "an array of pairs of words such as [['king', 'queen'], ['prince', 'princess']]",
      { doc: 'The relations, each from one word to another; they should mean the same step.' },
      isPairs,
    ),
  ),
  neighbors: whole({ doc: 'Nearest words compared for each word.', min: 1, usual: 3 }),
  sequences: whole({
    doc: 'Sequences with these words that the models run, at most.',
    min: 1,
    default: 200,
  }),
  nulls: nulls({
    doc: "Null runs: B's words, or relations, in another order, and B's relations between mismatched words.",
    runs: 999,
    draws: 'Draws the orders.',
  }),
} as const;
type Asked = Pick<Given<typeof RELATIONS>, 'neighbors' | 'nulls'>;

/** The options of a call as relations() takes them. */
export const relationSettings = ({ neighbors, nulls }: Asked) => nullsInline<Asked>({ neighbors, nulls });

const LEAST = 0.5;

/** The best carrier of each word in one store. */
async function carriersOf(
  store: SparseActivations,
  words: readonly Occurrences[],
  call: CallOptions,
): Promise<Array<WordCarrier | undefined>> {
  // prettier-ignore
  return (await carriers(store, words, call)).map((features) => {
    const [best] = features;
    return best && { ...best, own: ownFeature(features, LEAST) >= 0 };
  });
}

/** Which words share a feature, in words. */
function sharing(words: readonly string[], features: ReadonlyArray<number | undefined>, side: string): string[] {
  const of = new Map<number, string[]>();
  features.forEach((f, i) => void (f !== undefined && of.set(f, [...(of.get(f) ?? []), words[i]])));
  return [...of]
    .filter(([, shared]) => shared.length > 1)
    .map(([f, shared]) => `${shared.join(', ')} share feature #${f} of ${side}`);
}

/** r of a pair of features that the map has as counterparts; NaN where it does not. */
function rOf(map: PairedMap, a: number, b: number): number {
  const n = map.counterparts;
  for (let k = 0; k < n; k++) if (map.bestBofA[a * n + k] === b) return map.rBofA[a * n + k];
  for (let k = 0; k < n; k++) if (map.bestAofB[b * n + k] === a) return map.rAofB[b * n + k];
  return NaN;
}

export interface RelationInput {
  map: PairedMap;
  decoders: { a: Matrix; b: Matrix };
  pairs: ReadonlyArray<readonly [string, string]>;
  /** Mean activations of the models on the words' occurrences, one row a word, where there are models. */
  residual?: (words: readonly Occurrences[], wordsB: readonly Occurrences[]) => Promise<WordVectors>;
}

interface Chosen {
  words: string[];
  occurrences: number[];
  a: Array<WordCarrier | undefined>;
  b: Array<WordCarrier | undefined>;
  /** Words that have a feature in both. */
  taking: number[];
  /** Relations between these whose words have different features in both, as places in `taking`. */
  steps: Array<readonly [number, number]>;
  notes: string[];
}

function choose(
  pairs: RelationInput['pairs'],
  words: string[],
  found: Omit<Chosen, 'words' | 'taking' | 'steps' | 'notes'>,
): Chosen {
  // prettier-ignore
  const { a, b, occurrences } = found;
  const taking = Array.from(words.keys()).filter((w) => a[w] && b[w]);
  const notes = words.flatMap((word, w) => {
    if (occurrences[w] === 0) return [`“${word}” does not occur in the text and is left out`];
    const missing = [a[w] ? [] : ['A'], b[w] ? [] : ['B']].flat();
    return missing.length > 0 ? [`nothing fires on “${word}” in ${missing.join(' and ')}: it is left out`] : [];
  });
  const steps: Array<readonly [number, number]> = [];
  for (const [from, to] of pairs) {
    const [x, y] = [words.indexOf(from), words.indexOf(to)];
    if (!taking.includes(x) || !taking.includes(y)) continue;
    const same = [a, b].flatMap((side, i) => (side[x]!.feature === side[y]!.feature ? [`${'AB'[i]} #${side[x]!.feature}`] : [])); // prettier-ignore
    if (same.length > 0)
      notes.push(`${from} → ${to} has no decoder rows to compare: both words are one feature in ${same.join(' and ')}`);
    else steps.push([taking.indexOf(x), taking.indexOf(y)]);
  }
  const shared = [a, b].flatMap((side, i) => sharing(words, side.map((c) => c?.feature), 'AB'[i])); // prettier-ignore
  return { words, ...found, taking, steps, notes: [...notes, ...shared] };
}

function related(map: PairedMap, c: Chosen, near: Near | undefined): RelatedWord[] {
  return c.words.map((word, w) => {
    const at = c.taking.indexOf(w);
    const names = (lists: number[][] | undefined): string[] => (at < 0 || !lists ? [] : lists[at].map((i) => c.words[c.taking[i]])); // prettier-ignore
    const [a, b] = [c.a[w], c.b[w]];
    return {
      ...{ word, occurrences: c.occurrences[w] },
      ...(a ? { a } : {}),
      ...(b ? { b } : {}),
      r: a && b ? rOf(map, a.feature, b.feature) : NaN,
      ...{ nearA: names(near?.a), nearB: names(near?.b) },
      jaccard: at >= 0 && near ? jaccard(near.a[at], near.b[at]) : NaN,
    };
  });
}

/** Relations between words of a list, by their places in it. */
const among = (
  list: readonly number[],
  pairs: RelationInput['pairs'],
  words: readonly string[],
): Array<readonly [number, number]> =>
  // prettier-ignore
  pairs
    .map(([from, to]) => [list.indexOf(words.indexOf(from)), list.indexOf(words.indexOf(to))] as const)
    .filter(([x, y]) => x >= 0 && y >= 0);

const SETTINGS = { neighbors: RELATIONS.neighbors, ...RELATIONS.nulls.members };

/** Runs of a call. */
export const runNamesOf = (given: Partial<RelationSettings>): string[] => relationRunNames(filled(SETTINGS, given));

/**
 * Neighbours of words, and relations between them, in two models. `remember` gives null runs and intervals that are
 * made already; see runNamesOf.
 */
export async function relations(
  { map, decoders, pairs, residual }: RelationInput,
  given: Partial<RelationSettings> = {},
  call: CallOptions & { remember?: Remember } = {},
): Promise<Relations> {
  const s: RelationSettings = filled(SETTINGS, given);
  const words = [...new Set(pairs.flat())];
  const inA = await occurrencesOf(map.a, words);
  const inB = await occurrencesOf(map.b, words);
  const chosen = choose(pairs, words, {
    occurrences: inA.map(({ count }) => count),
    a: await carriersOf(map.a, inA, call),
    b: await carriersOf(map.b, inB, call),
  });
  const { taking, steps } = chosen;
  const rows = (decoder: Matrix, side: Array<WordCarrier | undefined>): Matrix => gatherRows(decoder, taking.map((w) => side[w]!.feature)); // prettier-ignore
  const of: WordVectors = { vectors: 'decoder rows', a: rows(decoders.a, chosen.a), b: rows(decoders.b, chosen.b) };
  const near = taking.length >= 3 ? neighbourDraws(of, s) : undefined;
  const compared = [{ of, steps, words: taking }];
  const present = words.map((_, w) => w).filter((w) => inA[w].count > 0 && inB[w].count > 0);
  // Words that share a feature still have different mean activations.
  if (residual && present.length > 0)
    compared.push({
      of: await residual(present.map((w) => inA[w]), present.map((w) => inB[w])), // prettier-ignore
      steps: among(present, pairs, words),
      words: present,
    });
  const few = compared.filter((one) => one.steps.length < 3);
  const enough = compared.filter((one) => !few.includes(one));
  const drawn = [...(near ? [near.draws] : []), ...enough.map((one) => relationDraws(one.of, one.steps, s.seed))];
  const scores = (await drawnScores(drawn, s, call)).flat();
  return {
    words: related(map, chosen, near),
    grams: compared.map((one) => ({
      vectors: one.of.vectors,
      pairs: one.steps.map(([x, y]) => [words[one.words[x]], words[one.words[y]]] as const),
      a: relationGram(one.of.a, one.steps),
      b: relationGram(one.of.b, one.steps),
    })),
    scores,
    notes: [
      ...chosen.notes,
      ...few.map((one) => `${one.steps.length} relations are left for ${one.of.vectors}; 3 are needed to compare how they stand to each other`), // prettier-ignore
    ],
  };
}
