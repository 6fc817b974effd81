/** The same map with fewer pairs: filters as data, applied in order, each with what it left. */
import { isPunctuation, isSpecialToken, normalizeToken } from '../../protocol/tokens.js';
import { positionShares } from '../activations/statistics.js';
import { massShares } from '../activations/tokenMass.js';
import type { SparseActivations } from '../activations/types.js';
import type { CallOptions } from '../compute/call.js';
import { sha256 } from '../io/hash.js';
import { byType, form, listOf } from '../verb/kinds.js';
import { choice, featureIds, flag, only, pattern, real, text, whole, word, type Given } from '../verb/option.js';
import {
  featureFilter,
  filterPairs,
  matchingTokenFilter,
  minRFilter,
  mutualFilter,
  nonConceptFilter,
  oneToOneFilter,
  sharedTokenFilter,
  wordsFilter,
  type FilterStep,
  type PairFilter,
} from './filters.js';
import type { Pairs } from './match.js';
import { tokensOf } from './options.js';
import type { PairedMap } from './types.js';

type Labels = ReadonlyArray<readonly string[]>;

/** What filters look at; each is worked out when a filter asks for it. */
export interface FilterInput extends CallOptions {
  map: PairedMap;
  /** Tokens of each feature, best first, of A and of B: those that hold its activation, or those of its peaks. */
  labels: (of: 'mass' | 'peaks') => Promise<readonly [Labels, Labels]>;
  /** Which of them the filters of tokens look at; `words` looks at those of the mass. */
  of: 'mass' | 'peaks';
}

/** Filters of a map's pairs, by name. */
export const FILTERS = {
  features: form(
    { a: featureIds({ doc: 'Features of A.' }), b: featureIds({ doc: 'Features of B.' }) },
    {
      doc: 'Keeps pairs of these features of A, of B, or of both.',
      expected: 'feature ids as { a: [...], b: [...] }, or one of these',
    },
  ),
  words: byType(
    { array: listOf(word({ doc: 'A word.' }), 1), pattern: pattern(/^(king|queen)$/i, { doc: 'A pattern.' }) },
    {
      expected: 'an array of words, or a regular expression',
      doc: 'Keeps pairs with a feature that is called by one of the words: whole label tokens by activation mass, spaces and case aside; a regular expression is tried on each token without its spaces.',
    },
  ),
  wordsIn: choice(['either', 'both', 'a', 'b'], {
    doc: "Whose label `words` looks at: 'either' feature of a pair, 'both', that of A, or that of B.",
    usual: 'either',
  }),
  minFirings: whole({
    doc: 'Keeps pairs whose features both fire on at least so many tokens; 1 leaves out dead features.',
    min: 1,
  }),
  maxShareAtOnePosition: real({
    doc: 'Leaves out pairs with a feature that has more than this share of its firings on one position, such as those of BOS.',
    above: 0,
    max: 1,
  }),
  without: byType(
    { texts: ['junk'], array: listOf(text({ doc: 'A token.' }), 1) },
    {
      expected: "'junk', or an array of tokens",
      doc: "Leaves out pairs with a feature that has more than half of its activation mass on these tokens, spaces and case aside. 'junk': special tokens, punctuation and white space.",
    },
  ),
  minR: real({ doc: 'Keeps pairs of at least this r.', min: -1, max: 1 }),
  dropTokens: byType(
    { yes: true, array: listOf(text({ doc: 'A token.' })) },
    {
      expected: 'true, or an array of tokens',
      doc: 'Drops pairs where any token of either feature is in the list, spaces trimmed. True: punctuation, line breaks and special tokens, as published.',
    },
  ),
  tokens: pattern(/^ ?[a-z]+$/i, {
    doc: 'Keeps pairs all of whose tokens, of both features, match it; tokens begin with their space.',
  }),
  commonToken: choice(['normalized', 'raw'], {
    doc: "Keeps pairs whose features have a token in common: 'normalized', spaces trimmed, in lower case; 'raw', as published.",
  }),
  mutual: flag({ doc: 'Keeps pairs of which each is the best counterpart of the other, among all features.' }),
  oneToOne: choice(['best', 'first'], {
    doc: "Keeps each feature once: 'best', pairs of highest r first; 'first', in the order of the pairs, as published.",
  }),
} as const;

/** Filters by name; those of one object are applied in the order of the documentation. */
export interface Filters extends Given<typeof FILTERS> {}

/** Filters, or the steps in which they are applied, one object after the other. */
export const RESTRICTION = {
  ...FILTERS,
  steps: {
    ...listOf<Filters>(form(FILTERS, { doc: 'Filters by name.', expected: 'filters such as { minFirings: 10 }' }), 1),
    doc: 'Filters in an order of your own, one object after the other, instead of the options themselves.',
  },
  labels: tokensOf('peaks'),
};

/** A map as fg.correlation gives it. */
export interface CorrelationMap extends PairedMap {
  /** The same map with fewer pairs: the same as fg.correlation.filter(map, options). */
  restrict(options: Restriction): Promise<FilteredMap>;
  readonly baselines?: Readonly<Record<string, CorrelationMap>>;
}

/** Filters as fg.correlation.filter and map.restrict take them. */
export interface Restriction extends Given<typeof RESTRICTION>, CallOptions {}

/** A map with the pairs that its filters left: no list of it holds another pair. */
export interface FilteredMap extends CorrelationMap {
  /** Pairs and their mean r (NaN without pairs) at the start and after each filter. */
  readonly counts: readonly FilterStep[];
  readonly baselines?: Readonly<Record<string, FilteredMap>>;
}

/** A feature is left out when more than this share of its mass lies on the tokens. */
const MOST = 0.5;

/** By feature: whether at most half of its mass lies on tokens of the kind; dead features pass. */
async function freeOf(
  activations: SparseActivations,
  isKind: (token: string) => boolean,
  call: CallOptions,
): Promise<boolean[]> {
  const shares = await massShares(activations, isKind, call);
  return Array.from(shares, (share) => !(share > MOST));
}

async function withoutFilter(without: 'junk' | readonly string[], { map, ...call }: FilterInput): Promise<PairFilter> {
  const list = new Set(without === 'junk' ? [] : without.map(normalizeToken));
  const isKind =
    without === 'junk'
      ? (token: string) => isSpecialToken(token) || isPunctuation(token)
      : (token: string) => list.has(normalizeToken(token));
  const name = without === 'junk' ? 'special and punctuation tokens' : `${list.size} tokens`;
  return featureFilter(
    `at most half of the mass on ${name}`,
    await freeOf(map.a, isKind, call),
    await freeOf(map.b, isKind, call),
  );
}

async function positionFilter(limit: number, { map, ...call }: FilterInput): Promise<PairFilter> {
  const passes = async (activations: SparseActivations): Promise<boolean[]> =>
    Array.from((await positionShares(activations, call)).share, (share) => !(share > limit));
  return featureFilter(`≤ ${limit} of firings on one position`, await passes(map.a), await passes(map.b));
}

function chosenFilter(features: NonNullable<Filters['features']>, { map }: FilterInput): PairFilter {
  const marked = (ids: ArrayLike<number> | undefined, count: number, side: string): Uint8Array | undefined => {
    if (!ids) return undefined;
    const marks = new Uint8Array(count);
    for (const f of Array.from(ids)) {
      if (f >= count) throw new RangeError(`features: ${side} has no feature ${f}; it has 0 to ${count - 1}`);
      marks[f] = 1;
    }
    return marks;
  };
  const [a, b] = [marked(features.a, map.featuresA, 'A'), marked(features.b, map.featuresB, 'B')];
  const said = [a && `${features.a!.length} of A`, b && `${features.b!.length} of B`].filter((s) => s !== undefined);
  return featureFilter(`features: ${said.join(' and ')}`, a, b);
}

const inWords = (of: FilterInput['of']): 'peak' | 'label' => (of === 'peaks' ? 'peak' : 'label');

/** The maker of each filter from the value of its option; `wordsIn` is read by `words`. */
const MAKERS: {
  readonly [K in Exclude<keyof Filters, 'wordsIn'>]: (
    value: NonNullable<Filters[K]>,
    input: FilterInput,
    all: Filters,
  ) => PairFilter | undefined | Promise<PairFilter>;
} = {
  features: chosenFilter,
  words: async (words, { labels }, { wordsIn }) => wordsFilter(...(await labels('mass')), words, wordsIn),
  minFirings: (least, { map }) =>
    featureFilter(
      `≥ ${least} firings`,
      Array.from(map.a.statistics.firings, (n) => n >= least),
      Array.from(map.b.statistics.firings, (n) => n >= least),
    ),
  maxShareAtOnePosition: positionFilter,
  without: withoutFilter,
  minR: (least) => minRFilter(least),
  dropTokens: async (drop, { labels, of }) =>
    nonConceptFilter(...(await labels(of)), drop === true ? undefined : drop, inWords(of)),
  tokens: async (pattern, { labels, of }) => matchingTokenFilter(...(await labels(of)), pattern, inWords(of)),
  commonToken: async (common, { labels, of }) =>
    sharedTokenFilter(...(await labels(of)), { raw: common === 'raw', of: inWords(of) }),
  mutual: (asked, { map: { bestAofB, bestBofA, counterparts: n } }) =>
    asked
      ? mutualFilter(
          (a) => bestBofA[a * n],
          (b) => bestAofB[b * n],
        )
      : undefined,
  oneToOne: (order) => oneToOneFilter(order),
};

/** @throws TypeError for a step that asks for no filter */
export function requireFilters(what: string, steps: readonly Filters[]): readonly Filters[] {
  return steps.map((step) => {
    const filters = only(FILTERS, step);
    if (Object.keys(filters).every((key) => key === 'wordsIn'))
      throw new TypeError(
        `${what}: ${filters.wordsIn ? 'wordsIn says where `words` are looked for, but there are none' : 'no filter is given'}; give one of ${Object.keys(MAKERS).join(', ')}`,
      );
    if (filters.wordsIn !== undefined && filters.words === undefined)
      throw new TypeError(`${what}: wordsIn says where \`words\` are looked for, but there are none`);
    if (filters.features && !filters.features.a && !filters.features.b)
      throw new TypeError(`${what}: features names no side; expected { a: [...] }, { b: [...] } or both`);
    return filters;
  });
}

/** Applies filters to a map: those of each object in the order of FILTERS, one object after the other. */
export async function restrictMap(
  input: FilterInput,
  steps: readonly Filters[],
): Promise<Omit<PairedMap, 'baselines'> & Pick<FilteredMap, 'counts'>> {
  const filters: PairFilter[] = [];
  for (const step of steps)
    for (const name of Object.keys(MAKERS) as Array<keyof typeof MAKERS>) {
      if (step[name] === undefined) continue;
      const made = await (MAKERS[name] as (v: unknown, i: FilterInput, all: Filters) => unknown)(
        step[name],
        input,
        step,
      );
      if (made) filters.push(made as PairFilter);
    }
  // Baselines are filtered by calls of their own.
  const { baselines: _, ...map } = input.map;
  const { pairs, counts } = filterPairs(map.pairs, filters);
  return {
    ...map,
    id: sha256(['filtered pairs 2', map.id, input.of, JSON.stringify(steps, plain)]),
    method: [map.method, ...filters.map(({ name }) => name)].join(', '),
    pairs,
    ...listsOf(pairs, map),
    counts,
  };
}

/** Values of filters as JSON: patterns as their text, typed arrays as numbers. */
function plain(_: string, given: unknown): unknown {
  if (given instanceof RegExp) return String(given);
  return ArrayBuffer.isView(given) ? Array.from(given as Int32Array) : given;
}

/** Counterparts of each feature among the pairs alone, best first. */
export function listsOf(
  { a, b, r }: Pairs,
  { featuresA, featuresB, counterparts: n }: Pick<PairedMap, 'featuresA' | 'featuresB' | 'counterparts'>,
): Pick<PairedMap, 'bestAofB' | 'rAofB' | 'bestBofA' | 'rBofA'> {
  const order = [...r.keys()].sort((i, j) => r[j] - r[i] || b[i] - b[j] || a[i] - a[j]);
  const side = (own: Int32Array, other: Int32Array, features: number): [Int32Array, Float32Array] => {
    const index = new Int32Array(features * n).fill(-1);
    const value = new Float32Array(features * n).fill(NaN);
    const filled = new Uint32Array(features);
    for (const i of order) {
      if (filled[own[i]] >= n) continue;
      const at = own[i] * n + filled[own[i]]++;
      index[at] = other[i];
      value[at] = r[i];
    }
    return [index, value];
  };
  const [bestAofB, rAofB] = side(b, a, featuresB);
  const [bestBofA, rBofA] = side(a, b, featuresA);
  return { bestAofB, rAofB, bestBofA, rBofA };
}
