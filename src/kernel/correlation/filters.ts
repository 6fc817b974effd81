/** Filters on matched pairs: pure functions, with what each step left, and a map with the pairs that stay. */
import { sha256 } from '../io/hash.js';
import { choice, real, value, type Given } from '../verb/option.js';
import type { Pairs } from './match.js';
import { normalizeToken } from '../../protocol/tokens.js';
import type { PairedMap } from './types.js';

/** Whether pair i stays. */
export type PairFilter = { name: string; keep(a: number, b: number, r: number): boolean };

/** Pairs after a step, with their mean r (NaN when none are left). */
export interface FilterStep {
  readonly step: string;
  readonly pairs: number;
  readonly meanR: number;
}

/** Applies filters in the given order; the first count is of all pairs. */
export function filterPairs(
  pairs: Pairs,
  filters: readonly PairFilter[],
): { pairs: Pairs; counts: readonly FilterStep[] } {
  let kept = pairs;
  const counts = [count('matched', kept)];
  for (const { name, keep } of filters) {
    const stay = Array.from(kept.a.keys()).filter((i) => keep(kept.a[i], kept.b[i], kept.r[i]));
    const from = kept;
    kept = {
      a: Int32Array.from(stay, (i) => from.a[i]),
      b: Int32Array.from(stay, (i) => from.b[i]),
      r: Float32Array.from(stay, (i) => from.r[i]),
    };
    counts.push(count(name, kept));
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

/** Drops pairs where any token of either feature is in the list (spaces trimmed). `of`: whose tokens they are, in words. */
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
  // Of its own: one with "g" or "y" would go on from where the last token ended.
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

const isTokens = (v: unknown): boolean => Array.isArray(v) && v.every((token) => typeof token === 'string');

/** What of a map's pairs stays. */
export const FILTERS = {
  minR: real({ doc: 'Keeps pairs of at least this r.', min: -1, max: 1 }),
  dropTokens: value<true | readonly string[]>(
    'true, or an array of tokens',
    {
      doc: 'Drops pairs where any token of either feature is in the list, spaces trimmed. True: punctuation, line breaks and special tokens, as published.',
    },
    (v) => v === true || isTokens(v),
  ),
  tokens: value<RegExp>(
    'a regular expression such as /^ ?[a-z]+$/i',
    { doc: 'Keeps pairs all of whose tokens, of both features, match it; tokens begin with their space.' },
    (v) => v instanceof RegExp,
  ),
  commonToken: choice(['normalized', 'raw'], {
    doc: "Keeps pairs whose features have a token in common: 'normalized', spaces trimmed, in lower case; 'raw', as published.",
  }),
} as const;

/** A map with the pairs that its filters left. Counterparts are those of all features, as before. */
export interface FilteredMap extends PairedMap {
  /** Pairs at the start and after each filter. */
  readonly counts: readonly FilterStep[];
}

/** Filters of options, in the order of FILTERS. Labels: the tokens of each feature, best first; `of` says in words which. */
export function filterMap(
  map: PairedMap,
  labelsA: Labels,
  labelsB: Labels,
  { minR, dropTokens, tokens, commonToken }: Given<typeof FILTERS>,
  of: 'peak' | 'label' = 'peak',
): FilteredMap {
  const filters: PairFilter[] = [];
  if (minR !== undefined) filters.push(minRFilter(minR));
  if (dropTokens) filters.push(nonConceptFilter(labelsA, labelsB, dropTokens === true ? undefined : dropTokens, of));
  if (tokens) filters.push(matchingTokenFilter(labelsA, labelsB, tokens, of));
  if (commonToken) filters.push(sharedTokenFilter(labelsA, labelsB, { raw: commonToken === 'raw', of }));
  const { pairs, counts } = filterPairs(map.pairs, filters);
  const names = filters.map(({ name }) => name);
  const listed = Array.isArray(dropTokens) ? dropTokens : [];
  return {
    ...map,
    id: sha256(['filtered pairs 1', map.id, JSON.stringify([names, listed])]),
    method: [map.method, ...names].join(', '),
    pairs,
    counts,
  };
}
