/** fg.sae.train: one SAE, or several on one pass of the model. */
import type { ArtifactKey } from '../artifacts/types.js';
import { tokensArg, tokenSet } from '../datasets/dataset.js';
import { kindOfPath } from '../io/files.js';
import { capturedWidth } from '../models/capture.js';
import { ignoringOf, ignoringParameters } from '../models/ignored.js';
import { unlikelyText } from '../models/tokenLoss.js';
import type { LanguageModel, TokenSet } from '../models/types.js';
import { KEPT, thing } from '../verb/common.js';
import type { Environment } from '../verb/environment.js';
import { choice, numbers, only, required, text } from '../verb/option.js';
import { listedVerb } from '../verb/listed.js';
import type { Work } from '../verb/verb.js';
import { CACHE_KIND, CACHE_TYPES, CachedSources } from './activationCache.js';
import { keyOf, trainKept, type KeptTraining, type TrainingData } from './keptTraining.js';
import { modelSource, sharedSources } from './source.js';
import { LOGS } from './logs.js';
import { MARKS } from './trainedOn.js';
import { TRAIN, withFeatures } from './trainOptions.js';
import { trainTogether, type Run } from './trainTogether.js';

const TRAINED = {
  hook: required(
    text({ doc: "TransformerLens hook name, such as 'blocks.0.hook_mlp_out'; `model.hooks` lists them." }),
  ),
  hookOut: text({
    doc: "Of a transcoder: the hook that it predicts from the activations at `hook`, such as 'blocks.0.hook_mlp_out' from 'blocks.0.ln2.hook_normalized'.",
    fallback: 'none; transcoders need one',
  }),
  ignoreTokens: numbers({
    doc: 'Token ids whose activations are left out of training, as padding always is; [] for none.',
    min: 0,
    whole: true,
    repeats: true,
    empty: true,
    fallback: MARKS,
  }),
  ...TRAIN,
  cache: choice(CACHE_TYPES, {
    doc: "Keeps the activations of the hook on the disk, in the artifacts folder, and reads them there: later trainings on the same model, hook and text run no model, whatever their other options. 'f32' gives the SAE of a training without it, to the bit; 'bf16' takes half the space and rounds activations to 8 significant bits. The cell says the size before anything is written.",
    fallback: 'none; activations of at most 1 GiB are kept in memory while the call runs',
  }),
  ...LOGS,
  ...KEPT,
} as const;

/** The runs of a call on one model and text: each hook and choice of tokens is a source of its own. */
function runOf(
  { options, call }: Pick<Work<typeof TRAINED>, 'options' | 'call'>,
  model: LanguageModel,
  tokens: TokenSet,
  cached: CachedSources,
): Run {
  const { hook, hookOut, fresh, ignoreTokens, logs, cache } = options;
  const ignoring = ignoringParameters(ignoringOf(tokens, ignoreTokens));
  return {
    data: {
      title:
        hookOut === undefined ? `SAE of ${model.name} ${hook}` : `Transcoder of ${model.name} ${hook} → ${hookOut}`,
      inputs: { model: model.id, tokens: tokens.id },
      source: () => (cache ? cached.of(options) : modelSource(model, tokens, { hook, hookOut }, { ignoreTokens })),
      // Of activations that are on the disk it was said when they were made.
      warning: async () => (cache && (await cached.there(options)) ? undefined : unlikelyText(model, tokens, call)),
    },
    options: {
      hook,
      ...(cache === 'bf16' ? { cache } : {}),
      ...(hookOut === undefined ? {} : { hookOut }),
      ignoring,
      ...withFeatures(only(TRAIN, options), capturedWidth(model, hook)),
      fresh,
      logs,
    },
  };
}

export const train = listedVerb({
  doc: "Trains an SAE on activations of a model, or loads the one that the same call trained before (`sae.history` holds its logged steps). A run that was stopped or killed goes on from its last checkpoint when called again, to the same SAE. Curves, end figures and settings are left in the cell. Options are SAELens's, in camelCase, with SAELens's defaults. A list of options, of one hook or several, trains one SAE of each on one pass of the model: `fg.sae.train(model, text, [{ hook, k: 16 }, { hook, k: 32 }])` gives two, each the same as alone to the bit, kept each for itself; with { cluster } behind the list each is a piece of its own, trained on a pass of its own.",
  args: [thing<LanguageModel>('model', 'What fg.models.load returned.'), tokensArg],
  options: TRAINED,
  errors: [
    'A hook that the model lacks, tokens of another tokenizer and options that do not fit together are refused.',
    'Of a list, an SAE that cannot be trained is said when the others are done and kept.',
  ],
  kinds: ['sae', CACHE_KIND],
  memory(options, model, data) {
    const width = capturedWidth(model, options.hook);
    const { features = 16 * width, trainBatchSizeTokens: batch = TRAIN.trainBatchSizeTokens.usual } = withFeatures(
      only(TRAIN, options),
      width,
    );
    const { layers, dModel, dMlp, vocab } = model.config;
    const { sequences, context } = tokenSet(data, model);
    // Both matrices, their gradients and Adam's two moments; what a batch fires; the shuffle buffer and the kept pass.
    const rows = 2 * Math.min(2 ** 30, 4 * sequences * context * width);
    const weights = 4 * (vocab * dModel + layers * dModel * (4 * dModel + 3 * dMlp));
    return 32 * features * width + 12 * batch * features + rows + weights;
  },
  async run(work, model, data) {
    const tokens = tokenSet(data, model);
    const cached = new CachedSources(work.env, model, tokens, [work.options], work.call);
    const { data: from, options } = runOf(work, model, tokens, cached);
    return trainKept(work.env, from, options, work.call);
  },
  async each(works, model, data) {
    const [{ env, call }] = works;
    const tokens = tokenSet(data, model);
    const wanted = works.flatMap(({ options }) => (options.cache ? [options] : []));
    const cached = new CachedSources(env, model, tokens, wanted, call);
    const runs = works.map((work) => runOf(work, model, tokens, cached));
    // Hooks of SAEs that are there already are not captured.
    const there = await Promise.all(runs.map(({ data: of, options }) => isThere(env, keyOf(of, options), options)));
    const sources = sharedSources(
      model,
      tokens,
      works.flatMap(({ options }, i) => (there[i] || options.cache ? [] : [options])),
    );
    const told = once();
    return trainTogether(
      env,
      runs.map(({ data: of, options }, i) => ({
        data: {
          ...of,
          warning: () => told(of.warning),
          source: works[i].options.cache ? of.source : () => sources(works[i].options),
        },
        options,
      })),
      call,
    );
  },
});

const isThere = async (env: Environment, key: ArtifactKey, { fresh }: KeptTraining): Promise<boolean> =>
  !fresh && (await kindOfPath(env.store.folderOf(key))) !== undefined;

/** Asks until something was said, so that a warning is printed once; while one is asked, the others get undefined. */
function once(): (tell: TrainingData['warning']) => Promise<string | undefined> {
  let asked = false;
  return async (tell) => {
    if (asked) return undefined;
    asked = true;
    return tell?.();
  };
}
