/**
 * Dataset examples and labels that a session needs again and again, made once however many maps and tables ask for
 * them.
 */
import type { FeatureExample } from '../../protocol/bundle.js';
import type { FeatureLabel } from '../../protocol/tokens.js';
import type { CallOptions } from '../compute/call.js';
import { once } from '../compute/work.js';
import { requireThing } from '../verb/common.js';
import type { Environment } from '../verb/environment.js';
import { allExamples, bandedExamples, type BandedExamples } from './examples.js';
import { featureLabels } from './labels.js';
import { countedTokens } from './statistics.js';
import { massLabels } from './tokenMass.js';
import type { SparseActivations } from './types.js';

/** Examples on the card of a feature in a table. */
const CARD_EXAMPLES = 2;

/** A memo by store. A cancelled run is not remembered: the next call starts over. */
function ofStore<T>(make: (activations: SparseActivations, env: Environment) => Promise<T>) {
  const known = new WeakMap<SparseActivations, () => Promise<T>>();
  return (env: Environment, activations: SparseActivations): Promise<T> => {
    requireThing(activations, 'activations');
    const made = known.get(activations) ?? once(() => make(activations, env));
    known.set(activations, made);
    return made();
  };
}

const called = <T>(env: Environment, run: (call: CallOptions) => Promise<T>): Promise<T> => env.call(undefined, run);

/** Examples by feature id with all defaults: the five largest activations, and one of every quarter of the firings. */
const banded = ofStore<BandedExamples[]>((activations, env) =>
  called(env, (call) => bandedExamples(activations, call)),
);

/** The default examples of each feature, the largest activations alone, by feature id. */
export const defaultExamples = ofStore<FeatureExample[][]>(async (activations, env) =>
  (await banded(env, activations)).map(({ top }) => [...top]),
);

/** The default examples by feature id: the largest activations of each feature, then those of its bands. */
export const shownExamples = ofStore<FeatureExample[][]>(async (activations, env) =>
  (await banded(env, activations)).map(allExamples),
);

/** From now on tables name the features of the store's SAE by what they do in it, unless they are known from more tokens. */
export function nameFeatures(env: Environment, activations: SparseActivations): void {
  const { sae, features } = activations.meta;
  const tokens = Math.max(1, countedTokens(activations.meta));
  const { firings } = activations.statistics;
  env.features.know(sae, tokens, async () => {
    const labels = await keptLabels(env, activations);
    const examples = await defaultExamples(env, activations);
    return {
      name: sae.name,
      cell: (f, wanted) =>
        f < 0 || f >= features
          ? undefined
          : {
              label: labels[f],
              ...{ firings: firings[f], firingRate: firings[f] / tokens },
              ...(wanted && examples[f].length > 0 && { examples: examples[f].slice(0, CARD_EXAMPLES) }),
            },
    };
  });
}

/** Labels by feature id. */
export const keptLabels = ofStore<FeatureLabel[]>(async (activations, env) => {
  const examples = await defaultExamples(env, activations);
  return featureLabels(await called(env, (call) => massLabels(activations, call)), examples);
});
