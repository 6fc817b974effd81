/** Feature labels: the tokens that hold a feature's activation, and those that it peaks on. */
import type { FeatureExample } from '../../protocol/bundle.js';
import type { FeatureLabel, TokenShare } from '../../protocol/tokens.js';

/**
 * The published rule: peak tokens of each feature's first `count` examples (default 5), best first, as the tokenizer
 * wrote them: spaces and case kept, repeats kept; examples drawn from bands are no peaks. [] for a dead feature.
 */
export function peakTokens(examples: ReadonlyArray<readonly FeatureExample[]>, count = 5): string[][] {
  return examples.map((list) =>
    list
      .filter(({ band }) => !band)
      .slice(0, count)
      .map((example) => example.tokens[example.peak]),
  );
}

/** Labels by feature id, of the mass (massLabels) and the examples (topExamples) of the same store. */
export function featureLabels(
  mass: ReadonlyArray<readonly TokenShare[]>,
  examples: ReadonlyArray<readonly FeatureExample[]>,
): FeatureLabel[] {
  const peaks = peakTokens(examples);
  return mass.map((tokens, f) => ({ tokens: [...tokens], peaks: peaks[f] }));
}
