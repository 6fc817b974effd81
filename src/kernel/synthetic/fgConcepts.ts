/** fg.synthetic, text worlds: features of a real SAE against the concepts of generated stories. */
import { topExamples } from '../activations/examples.js';
import type { SparseActivations } from '../activations/types.js';
import { asParameters } from '../artifacts/parameters.js';
import { requireSame } from '../artifacts/store.js';
import type { TokenSet } from '../models/types.js';
import { conceptItems } from '../present/synthetic.js';
import { KEPT, thing, type Arg } from '../verb/common.js';
import { nullsApart } from '../verb/nulls.js';
import { group, only, orFalse, type Given } from '../verb/option.js';
import { verb } from '../verb/verb.js';
import {
  CONCEPTS,
  conceptScores,
  conceptSettings,
  CONCEPTS_VERSION,
  type ConceptParameters,
  type ConceptScores,
} from './stories/concepts.js';
import { LABELS, labelScores, type LabelParameters, type LabelScores } from './stories/labels.js';

/** Concepts of features, and labels by dataset examples against them. */
export interface ConceptResult extends ConceptScores {
  /** Left out with { labels: false }. */
  labels?: LabelScores;
}

/** Texts with the token sets that were made of them: what fg.datasets gives. */
export interface TokenizedTexts {
  /** For messages. */
  readonly name: string;
  /** The token set made by the tokenizer of this identity; undefined when none was. */
  tokenizedBy(tokenizerId: string): TokenSet | undefined;
}

/** The tokens that activations are of. */
function tokensOf(activations: SparseActivations, data: TokenizedTexts | TokenSet): TokenSet {
  if (!('tokenizedBy' in data)) return data;
  const { tokenizer } = activations.meta.tokenSet;
  const tokens = data.tokenizedBy(tokenizer);
  if (tokens) return tokens;
  throw new Error(
    `${data.name} was not tokenized by the tokenizer of these activations (${tokenizer.slice(0, 8)}): give the dataset they were saved from, or its token set, data.tokens(model)`,
  );
}

const conceptParameters = (given: Given<typeof CONCEPTS>): ConceptParameters => nullsApart(only(CONCEPTS, given));
const labelParameters = ({ top, ...rest }: Given<typeof LABELS>): LabelParameters =>
  nullsApart({ ...rest, examples: top });

const dataArg: Arg<TokenizedTexts | TokenSet> = thing<TokenizedTexts | TokenSet>(
  'data',
  'The dataset that the activations were saved from, or its token set.',
);

export const concepts = verb({
  doc: "Features of a real SAE against the concepts of generated stories (fg.datasets.stories). Best feature of every concept and best concept of every feature with precision, recall and F1 beside a null; where the best features fire; and whether labels by dataset examples name the right concept. fg.show(found, { as: 'confusion' }) draws where the best features fire. The same call again loads the result.",
  args: [thing<SparseActivations>('activations', 'What fg.activations.save returned.'), dataArg],
  options: {
    ...CONCEPTS,
    labels: orFalse(group(LABELS, { doc: 'How labels by dataset examples are scored; false leaves that out.' })),
    ...KEPT,
  },
  errors: ['Tokens without concepts, and other tokens than those of the activations, are refused.'],
  check(_, activations, data) {
    requireSame(
      'concepts are held against activations of the same tokens',
      { name: `activations of ${activations.meta.sae.name}`, id: activations.meta.tokenSet.id },
      { name: 'tokens', id: tokensOf(activations, data).id },
    );
  },
  async run({ options, call }, activations, data): Promise<ConceptResult> {
    const tokens = tokensOf(activations, data);
    const scores = await conceptScores(activations, tokens, { ...conceptParameters(options), ...call });
    if (options.labels === false) return scores;
    const labels = labelParameters(options.labels);
    const examples = await topExamples(activations, { top: labels.examples ?? LABELS.top.usual, ...call });
    return { ...scores, labels: labelScores(scores, tokens, examples, labels) };
  },
  keep: {
    kind: 'concepts',
    version: CONCEPTS_VERSION,
    what: 'Concepts',
    title: ({ meta }) => `Concepts of ${meta.sae.name}`,
    inputs: (_, activations, data) => ({ activations: activations.id, tokens: tokensOf(activations, data).id }),
    parameters: ({ given }) => ({
      ...conceptSettings(conceptParameters(given)),
      labels: given.labels === false ? false : asParameters(labelParameters(given.labels ?? {})),
    }),
  },
  show: (found) => conceptItems(found, found.labels),
});
