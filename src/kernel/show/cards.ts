/** Cards of features: their dataset examples, one by one or as matched pairs. */
import type { FeatureCard, FeatureCards } from '../../protocol/display.js';
import type { FeatureExample } from '../../protocol/bundle.js';
import { defaultExamples } from '../activations/kept.js';
import { featureLabels } from '../activations/labels.js';
import { countedTokens } from '../activations/statistics.js';
import type { SparseActivations } from '../activations/types.js';
import type { PairedMap } from '../correlation/types.js';
import type { Environment } from '../verb/environment.js';
import { required, text, value, whole, type Given } from '../verb/option.js';

const isIds = (v: unknown): boolean => Array.isArray(v) || ArrayBuffer.isView(v);

/** Of matched pairs. */
export const PAIRS = {
  top: whole({ doc: 'Pairs shown, those of highest r first.', min: 1, fallback: '10, or all of `b`' }),
  b: value<ArrayLike<number>>(
    'an array of features of B',
    { doc: 'Only pairs of these features of B; those that have none are named.' },
    isIds,
  ),
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
  title: text({ doc: 'Over the cards.', fallback: 'none' }),
} as const;

function card(
  activations: SparseActivations,
  side: string,
  feature: number,
  examples: readonly FeatureExample[][],
): FeatureCard {
  const { firings } = activations.statistics;
  return {
    side,
    feature,
    label: featureLabels([examples[feature]])[0],
    firingRate: firings[feature] / countedTokens(activations.meta),
    firings: firings[feature],
    examples: [...examples[feature]],
  };
}

const words = (label: readonly string[]): Set<string> =>
  new Set(label.map((t) => t.trim().toLowerCase()).filter(Boolean));

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
  const [examplesA, examplesB] = [await defaultExamples(env, map.a), await defaultExamples(env, map.b)];
  return {
    version: 1,
    title: options.title ?? 'Matched features',
    groups: chosen.map((i) => {
      const cards = [
        card(map.a, `A: ${map.a.meta.sae.name}`, a[i], examplesA),
        card(map.b, `B: ${map.b.meta.sae.name}`, b[i], examplesB),
      ];
      const inA = words(cards[0].label);
      return {
        heading: `A #${a[i]} ↔ B #${b[i]}`,
        r: r[i],
        sharedTokens: [...words(cards[1].label)].filter((t) => inA.has(t)),
        cards,
      };
    }),
  };
}

/** Features with their dataset examples. @throws RangeError for a feature that there is not */
export async function featureCards(
  env: Environment,
  activations: SparseActivations,
  { features, title }: Given<typeof FEATURES>,
): Promise<FeatureCards> {
  const examples = await defaultExamples(env, activations);
  const { name } = activations.meta.sae;
  const ids = typeof features === 'number' ? [features] : Array.from(features);
  const groups = ids.map((f) => {
    if (!examples[f])
      throw new RangeError(`feature ${f} does not exist: ${name} has features 0 to ${examples.length - 1}`);
    return { cards: [card(activations, name, f, examples)] };
  });
  return { version: 1, ...(title ? { title } : {}), groups };
}
