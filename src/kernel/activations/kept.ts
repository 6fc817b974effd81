/** Dataset examples that a session needs again and again. */
import type { FeatureExample } from '../../protocol/bundle.js';
import { once } from '../compute/work.js';
import { requireThing } from '../verb/common.js';
import type { Environment } from '../verb/environment.js';
import { topExamples } from './examples.js';
import type { SparseActivations } from './types.js';

/** Default examples and labels of a store, made once however many maps and tables ask for them. */
const known = new WeakMap<SparseActivations, () => Promise<FeatureExample[][]>>();

export function defaultExamples(env: Environment, activations: SparseActivations): Promise<FeatureExample[][]> {
  requireThing(activations, 'activations');
  // A cancelled run is not remembered: the next call starts over.
  const examples = known.get(activations) ?? once(() => env.call(undefined, (call) => topExamples(activations, call)));
  known.set(activations, examples);
  return examples();
}
