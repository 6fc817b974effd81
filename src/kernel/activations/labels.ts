/** Feature labels: the tokens a feature peaks on. */
import type { FeatureExample } from '../../protocol/bundle.js';
import { labelTokens } from '../../protocol/tokens.js';

/**
 * Peak tokens of each feature's first `count` examples (default 5), best first, as the tokenizer wrote them: spaces
 * and case kept, repeats kept. [] for a dead feature.
 */
export function featureLabels(examples: ReadonlyArray<readonly FeatureExample[]>, count = 5): string[][] {
  return examples.map((list) => list.slice(0, count).map((example) => example.tokens[example.peak]));
}

/** A label for people: tokens as labelTokens lists them, joined by ", "; "(dead)" when empty. */
export function labelText(label: readonly string[]): string {
  if (label.length === 0) return '(dead)';
  return labelTokens(label).join(', ');
}
