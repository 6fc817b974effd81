/** Cards of features: their dataset examples, one by one or as matched pairs. */
import type { FeatureCard, FeatureCards } from '../../protocol/display.js';
import type { FeatureExample } from '../../protocol/bundle.js';
import { labelWords, normalizeToken, type FeatureLabel, type PointLabel } from '../../protocol/tokens.js';
import { allExamples, bandedExamples } from '../activations/examples.js';
import { BANDS, bandsGiven, WINDOW } from '../activations/options.js';
import { keptLabels, shownExamples } from '../activations/kept.js';
import { countedTokens } from '../activations/statistics.js';
import type { SparseActivations } from '../activations/types.js';
import { pairLabels } from '../correlation/pairLabels.js';
import type { PairedMap } from '../correlation/types.js';
import type { Environment } from '../verb/environment.js';
import { only, required, text, value, whole, type Given } from '../verb/option.js';

const isIds = (v: unknown): boolean => Array.isArray(v) || ArrayBuffer.isView(v);

/** Of examples in cards. */
const EXAMPLES = { ...WINDOW, ...BANDS } as const;

/** Of matched pairs. */
export const PAIRS = {
  top: whole({ doc: 'Pairs shown, those of highest r first.', min: 1, fallback: '10, or all of `b`' }),
  b: value<ArrayLike<number>>(
    'an array of features of B',
    { doc: 'Only pairs of these features of B; those that have none are named.' },
    isIds,
  ),
  ...EXAMPLES,
  title: text({ doc: 'Over the cards.', fallback: '"Matched features"' }),
} as const;

/** Of the features of a store. */
export const FEATURES = {
  features: required(
    value<number | ArrayLike<number>>(
      'a feature or an array of these',
      { doc: 'Whose dataset examples are shown, in this order.' },
      (v) => typeof v === 'number' || isIds(v),
    ),
  ),
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
  const pairs = { a: chosen.map((i) => a[i]), b: chosen.map((i) => b[i]) };
  const cardsA = await cardsOf(env, map.a, pairs.a, options);
  const cardsB = await cardsOf(env, map.b, pairs.b, options);
  const together = await env.call(undefined, (call) => pairLabels(map.a, map.b, pairs, call));
  return {
    version: 1,
    title: options.title ?? 'Matched features',
    groups: chosen.map((i, k) => {
      const cards = [card(cardsA, `A: ${map.a.meta.sae.name}`, a[i]), card(cardsB, `B: ${map.b.meta.sae.name}`, b[i])];
      const inA = words(cards[0].label);
      return {
        heading: `A #${a[i]} ↔ B #${b[i]}`,
        r: r[i],
        sharedTokens: [...words(cards[1].label)].filter((t) => inA.has(t)),
        together: together[k],
        cards,
      };
    }),
  };
}

/** Features with their dataset examples. @throws RangeError for a feature that there is not */
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
