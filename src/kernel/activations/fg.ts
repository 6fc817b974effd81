/** fg.activations: sparse feature activations on disk, and the dataset examples in them. */
import { tokensArg, tokenSet } from '../datasets/dataset.js';
import { interventionPairings } from '../interventions/pairings.js';
import { listOf, type Intervention } from '../models/edits.js';
import type { LanguageModel } from '../models/types.js';
import { count, withSummary } from '../present/items.js';
import { CONFORMANCE, pairs } from '../sae/pairing.js';
import type { Sae } from '../sae/types.js';
import { CALL, KEPT, thing } from '../verb/common.js';
import { namespace } from '../verb/namespace.js';
import { flag, numbers, only, text, value, whole } from '../verb/option.js';
import { verb } from '../verb/verb.js';
import { topExamples } from './examples.js';
import { from } from './fgFrom.js';
import { defaultExamples } from './kept.js';
import { featureLabels } from './labels.js';
import { saveActivations } from './save.js';
import { density, meanL0 } from './statistics.js';
import type { SparseActivations } from './types.js';

function describe({ meta }: SparseActivations): string {
  return `${meta.model.name} × ${meta.sae.name}: ${count(meta.tokens)} tokens${meta.ignored ? ` (${count(meta.ignored)} ignored)` : ''}, ${count(meta.nonZeros)} non-zeros, L0 ${meanL0(meta).toFixed(1)}, density ${(100 * density(meta)).toFixed(3)} %`;
}

const SAVE = {
  hook: text({ doc: 'Hook to encode.', fallback: 'the hook that the SAE was trained on' }),
  batchTokens: whole({ doc: 'Tokens per forward pass.', min: 1, fallback: '2,048', identity: false }),
  allowOtherModel: flag({
    doc: 'Encode with an SAE that was trained on another model, such as a fine-tuned sibling; refused otherwise.',
    fallback: 'false',
    identity: false,
  }),
  ignoreTokens: numbers({
    doc: 'Token ids (BOS, padding) whose rows stay without entries and count in no statistic. Padding that a dataset made is always left out.',
    min: 0,
    repeats: true,
    fallback: 'none',
  }),
  ...CONFORMANCE,
  interventions: value<Intervention | readonly Intervention[]>(
    'what fg.interventions made, or an array of these',
    { doc: "Changes to the model's activations while it runs, in order.", fallback: 'none' },
    (v) => typeof v === 'object' && v !== null,
  ),
} as const;

const save = verb({
  doc: "Runs the model over every token, encodes what is at the SAE's hook and stores what fires; the same call again loads it. Saving two models from one dataset gives stores that can be correlated.",
  args: [
    thing<LanguageModel>('model', 'What fg.models.load returned.'),
    thing<Sae>('sae', 'An SAE that was trained on the model, at one of its hooks.'),
    tokensArg,
  ],
  options: { ...SAVE, ...KEPT },
  errors: [
    'An SAE of another width or another model, tokens of another tokenizer and interventions that cannot act on the tokens are refused before the model runs.',
    'The first NaN or infinity stops it, with its place; nothing is kept.',
  ],
  kinds: ['activations'],
  before: pairs(({ interventions }, model, _sae, data) =>
    interventionPairings(model, listOf(interventions), tokenSet(data, model)),
  ),
  async run({ env, options, call }, model, sae, data) {
    const { fresh } = options;
    const { activations, cached, record, warnings } = await saveActivations(
      model,
      sae,
      tokenSet(data, model),
      env.store,
      { ...only(SAVE, options), fresh, ...call },
    );
    env.tellCached(`Activations of ${sae.name}`, cached, record);
    for (const warning of warnings) env.context.print(`Warning: ${warning}`);
    env.context.print(describe(activations));
    return withSummary(activations, () => describe(activations));
  },
});

const EXAMPLES = {
  features: value<ArrayLike<number>>('an array of feature ids', { doc: 'Features asked for.', fallback: 'all' }),
  top: whole({ doc: 'Examples of each feature.', min: 0, fallback: '5' }),
  before: whole({ doc: 'Tokens shown before the peak; fewer at the start of a sequence.', min: 0, fallback: '5' }),
  after: whole({ doc: 'Tokens shown after the peak; fewer at the end of a sequence.', min: 0, fallback: '4' }),
  dedupe: flag({ doc: 'Identical contexts, the same tokens around the same peak, are shown once.', fallback: 'true' }),
} as const;

const storeArg = thing<SparseActivations>('activations', 'What fg.activations.save returned.');

const examples = verb({
  doc: 'Top dataset examples by feature id: the largest activations of each feature in their context, best first, ties to the earlier token. [] for dead features and for features that were not asked for. Without options they are found once for a store.',
  args: [storeArg],
  options: { ...EXAMPLES, ...CALL },
  errors: ['Features that the SAE does not have are refused.'],
  run({ env, options, call }, activations) {
    const { top, ...rest } = only(EXAMPLES, options);
    const plain = Object.values(options).every((given) => given === undefined);
    return plain ? defaultExamples(env, activations) : topExamples(activations, { k: top, ...rest, ...call });
  },
});

const labels = verb({
  doc: 'Labels by feature id: up to 5 peak tokens, best first, repeats kept; [] for a dead feature.',
  args: [storeArg],
  options: {},
  run: async ({ env }, activations) => featureLabels(await defaultExamples(env, activations)),
});

export const activations = namespace({
  name: 'activations',
  doc: 'Feature activations over many tokens, kept sparse, and the dataset examples in them.',
  example: `const lm = await fg.models.load('models/tiny-stories-1L')
const text = fg.datasets.stories({ stories: 40, context: 32, samples: 40 })
const sae = await fg.sae.train(lm, text, { hook: 'blocks.0.hook_mlp_out', architecture: 'topk', k: 8, features: 64, steps: 20, trainBatchSizeTokens: 256 })
const store = await fg.activations.save(lm, sae, text)
const examples = await fg.activations.examples(store, { features: [0, 1], top: 3 })
const labels = await fg.activations.labels(store)`,
  verbs: { save, examples, labels, from },
});
