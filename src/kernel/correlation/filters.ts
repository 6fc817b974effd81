/** Filters on matched pairs: pure functions, with what each step left. */
import { normalizeToken } from '../../protocol/tokens.js';
import { takePairs, type Pairs } from './match.js';

/**
 * Which pairs stay: each by itself (`keep`), or by what the others are (`choose`: their numbers, ascending). `warning`:
 * what of the filter itself can match nothing.
 */
export type PairFilter = { name: string; warning?: string } & (
  { keep(a: number, b: number, r: number): boolean } | { choose(pairs: Pairs): readonly number[] }
);

/** Pairs after a step, with their mean r (NaN when none are left). */
export interface FilterStep {
  readonly step: string;
  readonly pairs: number;
  readonly meanR: number;
  /** What of the filter found nothing, such as a word that is in no label. */
  readonly warning?: string;
}

/** Applies filters in the given order; the first count is of all pairs. */
export function filterPairs(
  pairs: Pairs,
  filters: readonly PairFilter[],
): { pairs: Pairs; counts: readonly FilterStep[] } {
  let kept = pairs;
  const counts = [count('matched', kept)];
  for (const filter of filters) {
    const { a, b, r } = kept;
    const stay = 'choose' in filter ? filter.choose(kept) : [...a.keys()].filter((i) => filter.keep(a[i], b[i], r[i]));
    kept = takePairs(kept, stay);
    counts.push({ ...count(filter.name, kept), ...(filter.warning ? { warning: filter.warning } : {}) });
  }
  return { pairs: kept, counts };
}

function count(step: string, { r }: Pairs): FilterStep {
  return { step, pairs: r.length, meanR: r.reduce((s, v) => s + v, 0) / r.length };
}

/** Keeps pairs of at least this r. */
export function minRFilter(minR: number): PairFilter {
  return { name: `r ≥ ${minR}`, keep: (_a, _b, r) => r >= minR };
}

/**
 * Tokens that carry no concept. Compared after trimming spaces, so that " ." counts with "."; the published list
 * compared raw strings and let those through.
 */
export const NON_CONCEPT_TOKENS: readonly string[] = [
  '.',
  ',',
  '-',
  '!',
  '?',
  '\\n',
  '',
  '<|endoftext|>',
  '<bos>',
  '|bos|',
  '<pad>',
];

type Labels = ReadonlyArray<readonly string[]>;

/** Keeps pairs all of whose tokens, of both features, pass. */
function everyToken(name: string, labelsA: Labels, labelsB: Labels, passes: (token: string) => boolean): PairFilter {
  return { name, keep: (a, b) => labelsA[a].every(passes) && labelsB[b].every(passes) };
}

/**
 * Drops pairs where any token of either feature is in the list (spaces trimmed). `of`: whose tokens they are, in words.
 */
export function nonConceptFilter(
  labelsA: Labels,
  labelsB: Labels,
  tokens: readonly string[] = NON_CONCEPT_TOKENS,
  of = 'peak',
): PairFilter {
  const list = new Set(tokens);
  const name = tokens === NON_CONCEPT_TOKENS ? 'no non-concept token' : `none of ${list.size} tokens`;
  return everyToken(of === 'peak' ? name : `${name} (${of})`, labelsA, labelsB, (token) => !list.has(token.trim()));
}

/** Keeps pairs all of whose tokens match, as the tokenizer wrote them: " king". */
export function matchingTokenFilter(
  labelsA: Labels,
  labelsB: Labels,
  { source, flags }: RegExp,
  of = 'peak',
): PairFilter {
  // A copy without "g" and "y": with these a match would begin where the one in the last token ended.
  const own = new RegExp(source, flags.replace(/[gy]/g, ''));
  return everyToken(`all ${of} tokens match ${String(own)}`, labelsA, labelsB, (token) => own.test(token));
}

/** Keeps pairs whose tokens have one in common: normalised (trimmed, lower case), or raw as published. */
export function sharedTokenFilter(
  labelsA: Labels,
  labelsB: Labels,
  options: { raw?: boolean; of?: string } = {},
): PairFilter {
  const { of = 'peak' } = options;
  const read = options.raw ? (token: string) => token : normalizeToken;
  return {
    name: options.raw ? `a common ${of} token (raw)` : `a common ${of} token`,
    keep(a, b) {
      const tokens = new Set(labelsA[a].map(read));
      return labelsB[b].some((token) => tokens.has(read(token)));
    },
  };
}

/** Keeps pairs of which both features pass; an absent side passes. */
export function featureFilter(
  name: string,
  passesA: ArrayLike<unknown> | undefined,
  passesB: ArrayLike<unknown> | undefined,
): PairFilter {
  return { name, keep: (a, b) => (!passesA || Boolean(passesA[a])) && (!passesB || Boolean(passesB[b])) };
}

/** Whose label has a word: of either feature of a pair, of both, of A's, of B's. */
export type WordsIn = 'either' | 'both' | 'a' | 'b';

/** Keeps pairs whose features are called by one of the words (normalised, whole tokens) or by a token that matches. */
export function wordsFilter(
  labelsA: Labels,
  labelsB: Labels,
  words: readonly string[] | RegExp,
  where: WordsIn = 'either',
): PairFilter {
  const list = words instanceof RegExp ? undefined : new Set(words.map(normalizeToken));
  // A copy without "g" and "y": with these a match would begin where the one in the last token ended.
  const own = words instanceof RegExp ? new RegExp(words.source, words.flags.replace(/[gy]/g, '')) : undefined;
  const called = (label: readonly string[]): boolean =>
    label.some((token) => (list ? list.has(normalizeToken(token)) : own!.test(token.trim())));
  const keeps: Record<WordsIn, (a: number, b: number) => boolean> = {
    either: (a, b) => called(labelsA[a]) || called(labelsB[b]),
    both: (a, b) => called(labelsA[a]) && called(labelsB[b]),
    a: (a) => called(labelsA[a]),
    b: (_, b) => called(labelsB[b]),
  };
  const of = { either: 'of A or B', both: 'of A and B', a: 'of A', b: 'of B' }[where];
  const what = list
    ? [...list].slice(0, 4).join(', ') + (list.size > 4 ? `, … (${list.size} words)` : '')
    : String(own);
  const sides = { either: [labelsA, labelsB], both: [labelsA, labelsB], a: [labelsA], b: [labelsB] }[where];
  const missing = list && wordsInNone(list, sides);
  return {
    name: `label ${of} has ${what}`,
    keep: keeps[where],
    ...(missing?.length ? { warning: `no feature ${of} is called ${missing.join(', ')}` } : {}),
  };
}

/** Words that no label has. */
function wordsInNone(words: ReadonlySet<string>, sides: readonly Labels[]): string[] {
  const missing = new Set(words);
  for (const labels of sides)
    for (const label of labels) for (const token of label) missing.delete(normalizeToken(token));
  return [...missing];
}

/**
 * Keeps each feature once: 'best', pairs of highest r first (ties to the lower b, then the lower a); 'first', in the
 * order of the pairs, as published.
 */
export function oneToOneFilter(order: 'best' | 'first'): PairFilter {
  return {
    name: order === 'best' ? 'each feature once, best r first' : 'each feature once, first pair first',
    choose({ a, b, r }) {
      const all = [...a.keys()];
      if (order === 'best') all.sort((i, j) => r[j] - r[i] || b[i] - b[j] || a[i] - a[j]);
      const [usedA, usedB] = [new Set<number>(), new Set<number>()];
      const stay = all.filter((i) => !usedA.has(a[i]) && !usedB.has(b[i]) && usedA.add(a[i]) && usedB.add(b[i]));
      return stay.sort((i, j) => i - j);
    },
  };
}

/** Keeps pairs of which each is the best counterpart of the other, of all features. */
export function mutualFilter(bestBofA: (a: number) => number, bestAofB: (b: number) => number): PairFilter {
  return { name: "each other's best", keep: (a, b) => bestBofA(a) === b && bestAofB(b) === a };
}
