/** fg.synthetic, text worlds: features of a real SAE against the concepts of generated stories. */
import { topExamples } from '../activations/examples.js';
import type { SparseActivations } from '../activations/types.js';
import { asParameters } from '../artifacts/parameters.js';
import { requireSame } from '../artifacts/store.js';
import type { TokenSet } from '../models/types.js';
import { conceptItems } from '../present/synthetic.js';
import { KEPT, nulls as nullRuns, nullsOf, thing, type Arg } from '../verb/common.js';
import { group, membersGiven, only, orFalse, real, whole, type Given } from '../verb/option.js';
import { verb } from '../verb/verb.js';
import { conceptScores, conceptSettings, CONCEPTS_VERSION, type ConceptScores } from './stories/concepts.js';
import { labelScores, type LabelScores } from './stories/labels.js';

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

const CONCEPTS = {
  threshold: real({
    doc: 'A feature fires where it exceeds this share of its largest activation; 0: wherever it is active.',
    min: 0,
    below: 1,
    fallback: '0',
  }),
  minFirings: whole({ doc: "Features that fire more rarely are nobody's best.", min: 1, fallback: '10' }),
  minTokens: whole({ doc: 'Concepts of fewer tokens are left out.', min: 1, fallback: '10' }),
  nulls: nullsOf(['rotate', 'types'], {
    doc: "Concepts off their tokens. 'rotate': the concepts of all tokens, moved along the text by a random distance of at least one sequence. 'types': the concepts of the vocabulary's tokens, dealt out anew among the tokens that occur; harder, since a feature of one word stays one.",
    runs: 50,
  }),
};
const LABELS = {
  minF1: real({ doc: 'A feature has a concept when its best F1 is at least this.', above: 0, max: 1, fallback: '0.3' }),
  top: whole({ doc: 'Top examples that vote.', min: 1, fallback: '5' }),
  nulls: nullRuns({ doc: 'Labels shuffled among features.', runs: 100 }),
};
function conceptParameters(given: Given<typeof CONCEPTS>) {
  const { nulls, ...rest } = only(CONCEPTS, given);
  const { kind, runs, seed } = membersGiven(nulls, 'runs');
  return { ...rest, null: kind, nulls: runs, seed };
}
function labelParameters({ minF1, top, nulls }: Given<typeof LABELS>) {
  const { runs, seed } = membersGiven(nulls, 'runs');
  return { minF1, examples: top, nulls: runs, seed };
}

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
    const examples = await topExamples(activations, { k: labels.examples ?? 5, ...call });
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
