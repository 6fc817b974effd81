/** fg.activations: sparse feature activations on disk, and the dataset examples in them. */
import { tokensArg, tokenSet } from '../datasets/dataset.js';
import { interventionPairings } from '../interventions/pairings.js';
import { listOf } from '../models/edits.js';
import type { SparseRows } from '../compute/sparse.js';
import type { LanguageModel, TokenSet } from '../models/types.js';
import { foundItems, tokenItems } from '../present/activations.js';
import { count, withSummary } from '../present/items.js';
import { baselinesFor } from '../sae/baselines.js';
import { withBaselines } from '../sae/fgBaselines.js';
import { requireModelOfSae } from '../sae/ofModel.js';
import { pairs } from '../sae/pairing.js';
import { overridden } from '../sae/trainedOn.js';
import type { Sae } from '../sae/types.js';
import { argOf, CALL, KEPT, thing } from '../verb/common.js';
import { forEach } from '../verb/beside.js';
import { namespace } from '../verb/namespace.js';
import { only, value } from '../verb/option.js';
import { CLUSTER } from '../verb/split.js';
import { verb, type Work } from '../verb/verb.js';
import { align } from './fgAlign.js';
import { bandedExamples, topExamples } from './examples.js';
import { from } from './fgFrom.js';
import { FIND, findFeatures } from './find.js';
import { defaultExamples, keptLabels, nameFeatures } from './kept.js';
import { isWordQuery, type WordQuery } from './occurrences.js';
import { BANDS, bandsGiven, EXAMPLES } from './options.js';
import { activationsKey, SAVE, saveActivations } from './save.js';
import { rowsOfShards, savePieces, saveShard } from './split.js';
import { density, meanL0 } from './statistics.js';
import { TOKENS, tokenStatistics } from './tokenStatistics.js';
import type { SparseActivations } from './types.js';

function describe({ meta }: SparseActivations): string {
  return `${meta.model.name} × ${meta.sae.name}: ${count(meta.tokens)} tokens${meta.ignored ? ` (${count(meta.ignored)} ignored)` : ''}, ${count(meta.nonZeros)} non-zeros, L0 ${meanL0(meta).toFixed(1)}, density ${(100 * density(meta)).toFixed(3)} %`;
}

const save = verb({
  doc: "Runs the model over every token, encodes what is at the SAE's hook and stores what fires; the same call again loads it. Saving two models from one dataset gives stores that can be correlated.",
  args: [
    thing<LanguageModel>('model', 'What fg.models.load returned.'),
    thing<Sae>('sae', 'An SAE that was trained on the model, at one of its hooks.'),
    tokensArg,
  ],
  options: { ...SAVE, baselines: withBaselines('activations', { identity: false }), ...CLUSTER, ...KEPT },
  errors: [
    'An SAE of another width or another model, tokens of another tokenizer and interventions that cannot act on the tokens are refused before the model runs.',
    'The first NaN or infinity stops it, with its place; nothing is kept.',
  ],
  kinds: ['activations', 'conformance'],
  before: pairs(({ interventions }, model, _sae, data) =>
    interventionPairings(model, listOf(interventions), tokenSet(data, model)),
  ),
  run: (work, model, sae, data) => saved(work, [model, sae, tokenSet(data, model)]),
  beside: ({ env, options }, model, sae, data) =>
    forEach(baselinesFor(env, sae, options.baselines), (other) => ({ args: [model, other, data] })),
  split: {
    unit: 'forward passes',
    version: 1,
    pieces: (options, model, sae, data) => savePieces([model, sae, tokenSet(data, model)], only(SAVE, options)),
    key: (options, model, sae, data) => activationsKey(model, sae, tokenSet(data, model), only(SAVE, options)),
    make({ options, call, ...at }, model, sae, data) {
      const things = [model, sae, tokenSet(data, model)] as const;
      requireModelOfSae(sae, model, options.allowOtherModel);
      return saveShard(things, only(SAVE, options), { ...at, ...call });
    },
    merge({ shards, ...work }, model, sae, data) {
      const tokens = tokenSet(data, model);
      return saved(work, [model, sae, tokens], () =>
        rowsOfShards(shards, { tokens, batchTokens: work.options.batchTokens }),
      );
    },
  },
});

/** The store; `made` gives its rows where shards hold them. */
async function saved(
  { env, options, call }: Pick<Work<typeof SAVE & typeof KEPT>, 'env' | 'options' | 'call'>,
  [model, sae, tokens]: readonly [LanguageModel, Sae, TokenSet],
  made?: () => AsyncIterable<SparseRows>,
): Promise<SparseActivations> {
  const counted = overridden(tokens, sae, options);
  if (counted) env.context.print(`Note: ${counted}`);
  const how = { ...only(SAVE, options), fresh: options.fresh && !made, ...call };
  const { activations, cached, record, warnings } = await saveActivations(model, sae, tokens, env.store, how, made);
  env.tellCached(`Activations of ${sae.name}`, cached, record);
  nameFeatures(env, activations);
  for (const warning of warnings) env.context.print(`Warning: ${warning}`);
  env.context.print(describe(activations));
  return withSummary(activations, () => describe(activations));
}

const storeArg = thing<SparseActivations>('activations', 'What fg.activations.save returned.');

const examples = verb({
  doc: 'Top dataset examples by feature id: the largest activations of each feature in their context, best first, ties to the earlier token. [] for dead features and for features that were not asked for. Without options they are found once for a store.',
  args: [storeArg],
  options: { ...EXAMPLES, ...CALL },
  errors: ['Features that the SAE does not have are refused.'],
  run({ env, options, call }, activations) {
    const plain = Object.values(options).every((given) => given === undefined);
    return plain
      ? defaultExamples(env, activations)
      : topExamples(activations, { ...only(EXAMPLES, options), ...call });
  },
});

const bands = verb({
  doc: 'Examples of all that features do, by feature id: the largest activations, and contexts drawn from each band of the activations, which is counted. A band holds the activations above `from` and up to `to`. For dead features and those that were not asked for there is nothing.',
  args: [storeArg],
  options: { ...EXAMPLES, ...BANDS, ...CALL },
  errors: ['Features that the SAE does not have are refused.'],
  run({ options, call }, activations) {
    return bandedExamples(activations, { ...only(EXAMPLES, options), ...bandsGiven(options), ...call });
  },
});

const labels = verb({
  doc: "Labels by feature id: `tokens`, up to 5 words with their share of the feature's activation mass Σ a, largest first, down to a tenth of the first, spellings of one word together; and `peaks`, the published rule: the tokens of its 5 largest activations, best first, repeats kept. Both are [] for a dead feature. A feature is called by what holds its activation: it can peak on words that it hardly fires on.",
  args: [storeArg],
  options: {},
  run: ({ env }, activations) => keptLabels(env, activations),
});

const tokens = verb({
  doc: 'Where the activation of features lies: their tokens, as the tokenizer writes them, with share of mass, firings, occurrences in the text and mean activation; their positions; and the shares at the first position of sequences, on special tokens, and on punctuation and white space. In the order of `features`.',
  args: [storeArg],
  options: { ...TOKENS, ...CALL },
  errors: ['Features that the SAE does not have are refused.'],
  run: ({ options, call }, activations) => tokenStatistics(activations, { ...only(TOKENS, options), ...call }),
  show: (found, _, { meta }) => tokenItems(found, meta.sae),
});

const find = verb({
  doc: "The features that carry a word: the share of the word's occurrences that each fires on, and the share of its activation mass that lies on them, by the harmonic mean of the two. `own` is the word's own feature, -1 where it has none, which is said with the best there is. Words match as whole words of the text, whatever their case and however many tokens they take: 'king' is not in 'looking'.",
  args: [
    storeArg,
    argOf(
      'word',
      value<WordQuery>(
        'a word, an array of words or a regular expression',
        {
          doc: "A word or phrase, an array of words that count as one, or a regular expression that is matched with the text: 'years', ['king', 'queen'], /\\d+/.",
        },
        isWordQuery,
      ),
    ),
  ],
  options: { ...FIND, ...CALL },
  errors: ['An empty word, and what is neither text, nor an array of texts, nor a regular expression, is refused.'],
  run: ({ options, call }, activations, word) => findFeatures(activations, word, { ...only(FIND, options), ...call }),
  show: async (found, { env }, activations) =>
    foundItems(found, await keptLabels(env, activations), activations.meta.sae),
});

export const activations = namespace({
  name: 'activations',
  doc: 'Feature activations over many tokens, kept sparse, and the dataset examples in them.',
  example: `const lm = await fg.models.load('models/tiny-stories-1L')
const text = fg.datasets.stories({ stories: 40, context: 32, samples: 40 })
const sae = await fg.sae.train(lm, text, { hook: 'blocks.0.hook_mlp_out', architecture: 'topk', k: 8, features: 64, steps: 20, trainBatchSizeTokens: 256 })
const store = await fg.activations.save(lm, sae, text)
const examples = await fg.activations.examples(store, { features: [0, 1], top: 3 })
const labels = await fg.activations.labels(store)
await fg.activations.tokens(store, { features: [0, 1], top: 3 })
await fg.activations.find(store, 'the')
// The same words in other tokens, as models with different tokenizers have them
const words = (...list) => ({ id: list.join('|'), piece: (id) => list[id] })
const long = await fg.activations.from([[1], [2]], { name: 'long', tokens: [0, 1], tokenizer: words(' kings', ' rule') })
const short = await fg.activations.from([[1], [3], [2]], { name: 'short', tokens: [0, 1, 2], tokenizer: words(' king', 's', ' rule') })
const aligned = await fg.activations.align(long, short)
await fg.correlation.map(aligned.a, aligned.b, { minFirings: 1 })`,
  verbs: { save, examples, bands, labels, tokens, align, find, from },
});
