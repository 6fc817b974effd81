/** Cards of features: their dataset examples, one by one or as matched pairs. */
import type { FeatureCard, FeatureCards } from '../../protocol/display.js';
import { measureOf } from '../../protocol/measure.js';
import type { FeatureExample } from '../../protocol/bundle.js';
import { labelWords, normalizeToken, type FeatureLabel, type PointLabel } from '../../protocol/tokens.js';
import { allExamples, bandedExamples } from '../activations/examples.js';
import { BANDS, bandsGiven, WINDOW } from '../activations/options.js';
import { keptLabels, shownExamples } from '../activations/kept.js';
import { countedTokens } from '../activations/statistics.js';
import type { SparseActivations } from '../activations/types.js';
import { judgementsOf } from '../correlation/judgements.js';
import { pairLabels } from '../correlation/pairLabels.js';
import type { PairedMap } from '../correlation/types.js';
import type { Environment } from '../verb/environment.js';
import {
  choice,
  featureIds,
  group,
  membersGiven,
  only,
  required,
  text,
  value,
  whole,
  type Given,
  type Option,
} from '../verb/option.js';

/** Options of the examples in cards. */
const EXAMPLES = { ...WINDOW, ...BANDS } as const;

/** One feature of a map and its counterparts. */
const ANALOGUES = {
  feature: whole({ doc: 'The feature.', min: 0 }),
  side: choice(['A', 'B'], { doc: 'The side that it is of.', usual: 'A' }),
  n: whole({ doc: 'Counterparts shown, best first; at most as many as the map keeps.', min: 1, usual: 3 }),
} as const;

/** Options of cards of matched pairs. */
export const PAIRS = {
  top: whole({ doc: 'Pairs shown, those of highest r first.', min: 1, fallback: '10, or all of `b`' }),
  b: featureIds({ doc: 'Only pairs of these features of B; those that have none are named.' }),
  analogues: group(ANALOGUES, {
    doc: 'Instead of matched pairs, one feature beside its best counterparts on the other side, with r, the words that both are called by, those of one alone, and the verdict that fg.correlation.judge kept.',
    short: 'feature',
    fallback: 'none',
  }),
  ...EXAMPLES,
  title: text({ doc: 'Over the cards.', usual: 'Matched features' }),
} as const;

const { parse: parseIds } = featureIds({ doc: '' });
const oneOrIds = ({ doc }: { doc: string }): Option<number | ArrayLike<number>> => ({
  ...value<number | ArrayLike<number>>('the id of a feature, or an array of these', { doc }),
  parse: (given, at) => (parseIds(typeof given === 'number' ? [given] : given, at), given as number | undefined),
});

/** Options of cards of the features of a store. */
export const FEATURES = {
  features: required(oneOrIds({ doc: 'Whose dataset examples are shown, in this order.' })),
  ...EXAMPLES,
  title: text({ doc: 'Over the cards.', fallback: 'none' }),
} as const;

/** Features of a store with all that a card says of them. */
interface Cards {
  activations: SparseActivations;
  labels: readonly FeatureLabel[];
  /** By feature id: the largest activations, then those of bands. */
  examples: ReadonlyArray<readonly FeatureExample[]>;
}

async function cardsOf(
  env: Environment,
  activations: SparseActivations,
  features: readonly number[],
  options: Given<typeof EXAMPLES>,
): Promise<Cards> {
  const given = { ...only(WINDOW, options), ...bandsGiven(options) };
  const labels = await keptLabels(env, activations);
  if (Object.keys(given).length === 0) return { activations, labels, examples: await shownExamples(env, activations) };
  const banded = await env.call(undefined, (call) => bandedExamples(activations, { ...given, features, ...call }));
  return { activations, labels, examples: banded.map(allExamples) };
}

function card({ activations, labels, examples }: Cards, side: string, feature: number): FeatureCard {
  const { firings } = activations.statistics;
  return {
    side,
    feature,
    label: labels[feature],
    firingRate: firings[feature] / countedTokens(activations.meta),
    firings: firings[feature],
    examples: [...examples[feature]],
  };
}

const words = (label: PointLabel): Set<string> => new Set(labelWords(label).map(normalizeToken).filter(Boolean));

/** Matched pairs with the dataset examples of both sides, those of highest r first. */
export async function pairCards(env: Environment, map: PairedMap, options: Given<typeof PAIRS>): Promise<FeatureCards> {
  // A group that was not given has members that are all undefined.
  const analogues = membersGiven(options.analogues, 'feature');
  if (Object.values(analogues).some((v) => v !== undefined)) return analogueCards(env, map, analogues, options);
  const { a, b, r } = map.pairs;
  const asked = options.b && new Set(Array.from(options.b));
  const matched = new Set(b);
  const without = [...(asked ?? [])].filter((feature) => !matched.has(feature));
  if (without.length > 0)
    env.context.print(`No pair in this map: ${without.map((f) => `B #${f}`).join(', ')} (dead, rare, or filtered out)`);
  const chosen = [...b.keys()]
    .filter((i) => !asked || asked.has(b[i]))
    .sort((i, j) => r[j] - r[i] || b[i] - b[j])
    .slice(0, options.top ?? (asked ? undefined : 10));
  if (r.length === 0) env.context.print(`No pair in this map (${map.method})`);
  const pairs = chosen.map((i) => ({ a: a[i], b: b[i], r: r[i] }));
  return { version: 1, title: options.title ?? PAIRS.title.usual, groups: await pairGroups(env, map, pairs, options) };
}

/** Pairs of features with the dataset examples of both, what they share, and what a person thinks of them. */
async function pairGroups(
  env: Environment,
  map: PairedMap,
  pairs: ReadonlyArray<{ a: number; b: number; r: number }>,
  options: Given<typeof EXAMPLES>,
): Promise<FeatureCards['groups']> {
  const [a, b] = [pairs.map((pair) => pair.a), pairs.map((pair) => pair.b)];
  const cardsA = await cardsOf(env, map.a, a, options);
  const cardsB = await cardsOf(env, map.b, b, options);
  const together = await env.call(undefined, (call) => pairLabels(map.a, map.b, { a, b }, call));
  const judged = await judgementsOf(env.store, map);
  return pairs.map((pair, k) => {
    const cards = [
      card(cardsA, `A: ${map.a.meta.sae.name}`, pair.a),
      card(cardsB, `B: ${map.b.meta.sae.name}`, pair.b),
    ];
    const [inA, inB] = cards.map(({ label }) => words(label));
    const found = judged.find((one) => one.a === pair.a && one.b === pair.b);
    return {
      heading: `A #${pair.a} ↔ B #${pair.b}`,
      r: pair.r,
      measure: measureOf(map.method),
      sharedTokens: [...inB].filter((t) => inA.has(t)),
      together: together[k],
      ...(found ? { judgement: { verdict: found.verdict, note: found.note } } : {}),
      cards: cards.map((one, i) => ({ ...one, alone: [...[inA, inB][i]].filter((t) => ![inB, inA][i].has(t)) })),
    };
  });
}

/** A feature beside its best counterparts on the other side. @throws RangeError for what the map does not have */
async function analogueCards(
  env: Environment,
  map: PairedMap,
  { feature, side = ANALOGUES.side.usual, n = Math.min(3, map.counterparts) }: Given<typeof ANALOGUES>,
  options: Given<typeof EXAMPLES> & { readonly title?: string },
): Promise<FeatureCards> {
  if (feature === undefined)
    throw new TypeError('fg.show: analogues.feature is missing; expected a whole number of at least 0');
  const [features, best, r] = side === 'A' ? [map.featuresA, map.bestBofA, map.rBofA] : [map.featuresB, map.bestAofB, map.rAofB]; // prettier-ignore
  if (feature >= features)
    throw new RangeError(
      `feature ${feature} does not exist: side ${side} of the map has features 0 to ${features - 1}`,
    );
  if (n > map.counterparts)
    throw new RangeError(
      `${n} analogues are asked for but the map keeps ${map.counterparts} counterparts a feature; make it with { counterparts: ${n} }`,
    );
  const at = feature * map.counterparts;
  const pairs = Array.from({ length: n }, (_, k) => ({ other: best[at + k], r: r[at + k] }))
    .filter(({ other }) => other >= 0)
    .map(({ other, r: likeness }) => (side === 'A' ? { a: feature, b: other, r: likeness } : { a: other, b: feature, r: likeness })); // prettier-ignore
  const title = options.title ?? `${side} #${feature} and its counterparts`;
  if (pairs.length === 0) {
    env.context.print(`${side} #${feature} has no counterpart in this map (dead or rare)`);
    return { version: 1, title, groups: [] };
  }
  const own = side === 'A' ? 0 : 1;
  const groups = await pairGroups(env, map, pairs, options);
  const { alone: _, ...subject } = groups[0].cards[own];
  return {
    ...{ version: 1, title, subject },
    groups: groups.map(({ cards, ...group }) => ({
      ...group,
      subjectAlone: cards[own].alone,
      cards: [cards[1 - own]],
    })),
  };
}

/** Features with their dataset examples. @throws RangeError for a feature outside the store */
export async function featureCards(
  env: Environment,
  activations: SparseActivations,
  options: Given<typeof FEATURES>,
): Promise<FeatureCards> {
  const { features, title } = options;
  const { sae, features: count } = activations.meta;
  const ids = typeof features === 'number' ? [features] : Array.from(features);
  for (const f of ids)
    if (!Number.isInteger(f) || f < 0 || f >= count)
      throw new RangeError(`feature ${f} does not exist: ${sae.name} has features 0 to ${count - 1}`);
  const cards = await cardsOf(env, activations, ids, options);
  const groups = ids.map((f) => ({ cards: [card(cards, sae.name, f)] }));
  return { version: 1, ...(title ? { title } : {}), groups };
}
