/** fg.crosscoder: one dictionary of several models or layers, and what is truly exclusive to one of them. */
import { filled } from '../verb/filled.js';
import { types } from 'node:util';
import type { JsonObject } from '../../protocol/notebook.js';
import { nameFeatures } from '../activations/kept.js';
import type { SparseActivations } from '../activations/types.js';
import { requireWhole } from '../compute/require.js';
import { kindOfPath } from '../io/files.js';
import { tokenSet, type Tokens } from '../datasets/dataset.js';
import { unlikelyText } from '../models/tokenLoss.js';
import type { LanguageModel } from '../models/types.js';
import { crosscoderItems, evaluationItems, recoveryItems } from '../present/crosscoder.js';
import { LOGS } from '../sae/logs.js';
import { MARKS } from '../sae/trainedOn.js';
import { TRAIN } from '../sae/trainOptions.js';
import { isTwins, twinsArg } from '../synthetic/args.js';
import type { Twins } from '../synthetic/twins/twins.js';
import { anything, CALL, KEPT, requireThing, thing, words, type Arg } from '../verb/common.js';
import { byType, listOf } from '../verb/kinds.js';
import { namespace } from '../verb/namespace.js';
import { nullsInline } from '../verb/nulls.js';
import { choice, numbers, only, text, whole, type Given } from '../verb/option.js';
import { verb } from '../verb/verb.js';
import { crosscoderActivations } from './activations.js';
import { joinedFolder, loadCrosscoder } from './crosscoder.js';
import { EVALUATED, EVALUATION_VERSION, evaluateCrosscoder, type CrosscoderEvaluation } from './evaluate.js';
import { crosscoderRecovery, RECOVERY, RECOVERY_VERSION } from './recovery.js';
import { ignoringOfTokens, modelSides, twinSides, type Sources } from './source.js';
import { trainCrosscoder, type CrosscoderData, type CrosscoderTraining } from './train.js';
import type { Crosscoder } from './types.js';

/** Sides: several hooks of one model, or one hook of each of several. */
export type Models = LanguageModel | readonly LanguageModel[];

const fromArg: Arg<Models | Twins> = {
  name: 'from',
  doc: 'A model, several models that read the same tokens, or what fg.synthetic.twins returned.',
  parse(value, at) {
    const from = requireThing(value, at);
    const models = Array.isArray(from) ? (from as unknown[]) : [from];
    if (isTwins(from)) return from;
    models.forEach((model, i) => {
      const place = Array.isArray(from) ? `${at}[${i}]` : at;
      if (types.isPromise(model))
        throw new TypeError(`${place} is a promise: write "await" before the call that made it`);
      if (typeof model !== 'object' || model === null || !('forward' in model && 'hooks' in model))
        throw new TypeError(
          `${place} is no model and no twins: pass what fg.models.load or fg.synthetic.twins returned`,
        );
    });
    if (models.length === 0) throw new TypeError(`${at} is an empty array; give a model and two hooks, or two models`);
    return from as Models;
  },
};

const dataArg: Arg<Tokens | number> = anything(
  'data',
  'Texts or tokens for models (what fg.datasets returned); for twins how many events.',
);

const HOOKS = {
  hooks: byType(
    { texts: 'any', array: listOf(text({ doc: 'A hook.' })) },
    {
      doc: 'Of models: hooks of one model, or one hook for each of several models; a text is the hook of all.',
      expected: "a hook such as 'blocks.0.hook_resid_post', or an array of hooks, one for each side",
    },
  ),
  ignoreTokens: numbers({
    doc: 'Of models: token ids whose activations are left out, as padding always is; [] for none.',
    min: 0,
    repeats: true,
    empty: true,
    fallback: MARKS,
  }),
};

type Reading = Given<typeof HOOKS> & { readonly seed?: number };

/** What a call reads: its identity, and its sources. */
type Read = Pick<CrosscoderData, 'inputs' | 'sources' | 'parameters'> & {
  title: string;
  tokens?: ReturnType<typeof tokenSet>;
  models: LanguageModel[];
};

function readTwins(twins: Twins, data: Tokens | number, { hooks, ignoreTokens, seed }: Reading): Read {
  if (hooks !== undefined || ignoreTokens !== undefined)
    throw new TypeError('twins have no hooks and no tokens; leave { hooks, ignoreTokens } out');
  if (typeof data !== 'number')
    throw new TypeError('data of twins is a number of events, such as 100_000; texts are for models');
  requireWhole('data, the number of events,', data, 1);
  return {
    title: 'twins',
    inputs: { twins: twins.id },
    parameters: { samples: data, ...(seed === undefined ? {} : { sampleSeed: seed }) },
    sources: () => twinSides(twins, data, seed),
    models: [],
  };
}

function readModels(from: Models, data: Tokens | number, { hooks, ignoreTokens }: Reading): Read {
  if (typeof data === 'number')
    throw new TypeError('data of models is what fg.datasets returned, not a number of tokens');
  const given: readonly LanguageModel[] = Array.isArray(from) ? (from as LanguageModel[]) : [from as LanguageModel];
  if (hooks === undefined)
    throw new TypeError(`hooks is missing; give the hook of each side, such as { hooks: '${given[0].hooks[0]}' }`);
  const list = typeof hooks === 'string' ? given.map(() => hooks) : hooks;
  const models = given.length === 1 ? list.map(() => given[0]) : given;
  if (list.length !== models.length || list.length < 2)
    throw new RangeError(
      `${list.length} ${list.length === 1 ? 'hook' : 'hooks'} of ${given.length} ${given.length === 1 ? 'model' : 'models'} do not make sides; give several hooks of one model, or one hook for each of several models`,
    );
  const tokens = tokenSet(data, models[0]);
  const other = models.find(({ tokenizer }) => tokenizer.id !== models[0].tokenizer.id);
  if (other)
    throw new Error(
      `${models[0].name} and ${other.name} have different tokenizers: a crosscoder reads the same tokens in every model. fg.correlation maps such models by character spans`,
    );
  return {
    title: `${[...new Set(models.map(({ name }) => name))].join(' and ')} at ${[...new Set(list)].join(', ')}`,
    inputs: { ...Object.fromEntries(models.map(({ id }, m) => [`model ${m + 1}`, id])), tokens: tokens.id },
    parameters: { hooks: [...list], ...ignoringOfTokens(tokens, ignoreTokens) },
    sources: () => modelSides(models, tokens, list, ignoreTokens),
    tokens,
    models: [...models],
  };
}

const read = (from: Models | Twins, data: Tokens | number, how: Reading): Read =>
  isTwins(from as object) ? readTwins(from as Twins, data, how) : readModels(from as Models, data, how);

/** Options of training that say nothing here: of other architectures, of a single decoder, of scales that sides have. */
const OTHERS = [
  ...['architecture', 'expansion', 'normalizeActivations', 'nBatchesForNormEstimate', 'from', 'baseline'],
  ...[
    'sparsityPenalty',
    'lpNorm',
    'tanhScale',
    'tied',
    'matryoshkaWidths',
    'l0Coefficient',
    'l0WarmUpSteps',
    'l0Target',
  ],
  ...['jumpreluSparsityLossMode', 'jumpreluTanhScale', 'jumpreluInitThreshold', 'jumpreluBandwidth'],
  ...['jumpreluThreshold', 'preActLossCoefficient'],
] as const;
const OWN = Object.fromEntries(
  Object.entries(TRAIN).filter(([name]) => !OTHERS.some((other) => other === name)),
) as Omit<typeof TRAIN, (typeof OTHERS)[number]>;
const TRAINED = {
  ...HOOKS,
  architecture: choice(['topk', 'batchtopk', 'standard'], {
    doc: "'standard' adds λ Σ f · Σ_m ‖W_dec,m‖, which makes features exclusive that need not be; the others do not.",
    default: 'topk',
  }),
  dedicated: numbers({
    doc: 'Share of the features, for each side, that reads and writes this side alone (arXiv 2602.11729); the first features are those of the first side.',
    min: 0,
    max: 1,
    repeats: true,
    fallback: 'none',
  }),
  ...OWN,
  ...LOGS,
  ...KEPT,
} as const;

const train = verb({
  doc: 'Trains a crosscoder, or loads the one that the same call trained before: one dictionary whose features read and write the activations of several models over the same tokens, of several hooks of one model, or of twins over the same events. Every side is scaled to a mean norm of √d first. A run that was stopped or killed goes on from its last checkpoint to the same weights; stopped, the crosscoder so far is kept, for fg.crosscoder.load. Curves are drawn in the cell while it runs. `decoders` are matrices that maps, Mapper and cosines take; `shares` say how the decoder norm of a feature is spread over the sides.',
  args: [fromArg, dataArg],
  options: TRAINED,
  errors: [
    'Hooks that a model lacks, models with different tokenizers, fewer than two sides, and options that do not fit together are refused.',
  ],
  kinds: ['crosscoder'],
  async run({ env, options, call }, from, data): Promise<Crosscoder> {
    const { hooks, ignoreTokens, dedicated, fresh, logs } = options;
    const of = read(from, data, { hooks, ignoreTokens });
    const [model] = of.models;
    const warning = model && of.tokens && (await unlikelyText(model, of.tokens, call));
    if (warning) env.context.print(`Warning: ${warning}`);
    const settings = {
      ...only(OWN, options),
      architecture: options.architecture,
      ...{ dedicated, fresh, logs },
    } as CrosscoderTraining;
    return trainCrosscoder(env, { ...of, title: `Crosscoder of ${of.title}` }, settings, call);
  },
  show: (made) => crosscoderItems(made),
});

const load = verb({
  doc: 'Loads a crosscoder from a folder: what a training that was stopped left, whose line in the cell names it, or the folder of a kept one.',
  args: [words('folder', "Path against the notebook's folder.")],
  options: CALL,
  errors: ['A folder that holds no crosscoder is refused.'],
  async run({ env }, folder): Promise<Crosscoder> {
    const at = env.resolve(folder);
    if ((await kindOfPath(joinedFolder(at))) !== 'folder')
      throw new Error(`${folder} holds no crosscoder; expected a folder that a training kept, with its joined weights inside`); // prettier-ignore
    return loadCrosscoder(at);
  },
  show: (loaded) => crosscoderItems(loaded),
});

const crosscoderArg: Arg<Crosscoder> = thing<Crosscoder>(
  'crosscoder',
  'What fg.crosscoder.train returned.',
  (value, at) => {
    if (!('joined' in value && 'shares' in value))
      throw new TypeError(`${at} is no crosscoder: pass what fg.crosscoder.train returned`);
    return value;
  },
);

const SAMPLED = {
  sampleSeed: whole({ doc: 'Of twins: of the events; others than those of training.', usual: 1_000_003 }),
};

const evaluate = verb({
  doc: 'How well a crosscoder reconstructs each side, and which of the features that look exclusive by their decoder norms are not, by latent scaling: what the other side still says with the feature, in its error (νε) or by other features (νr). Held-out text is best. docs/crosscoders.md has the formulas. The same call again loads the result.',
  args: [crosscoderArg, fromArg, dataArg],
  options: {
    ...HOOKS,
    ...EVALUATED,
    ...SAMPLED,
    ...KEPT,
  },
  errors: ['Models or hooks of other widths than the sides of the crosscoder are refused.'],
  run({ options, call }, crosscoder, from, data): Promise<CrosscoderEvaluation> {
    const sources = evaluated(crosscoder, from, data, options).sources();
    requireWidths(crosscoder, sources);
    return evaluateCrosscoder(crosscoder, sources, { ...nullsInline(only(EVALUATED, options)), ...call });
  },
  keep: {
    kind: 'crosscoder-evaluation',
    version: EVALUATION_VERSION,
    what: 'Evaluation of a crosscoder',
    inputs: (options, crosscoder, from, data) => ({
      crosscoder: crosscoder.id,
      ...evaluated(crosscoder, from, data, options).inputs,
    }),
    parameters: ({ given, parsed }, crosscoder, from, data): JsonObject => ({
      ...(nullsInline(only(EVALUATED, given)) as JsonObject),
      ...evaluated(crosscoder, from, data, parsed).parameters,
    }),
  },
  show: (found, { env }) => env.displayButLast(evaluationItems(found)),
});

/** What an evaluation reads: of twins, other events than those of training. */
function evaluated(
  { sides }: Crosscoder,
  from: Models | Twins,
  data: Tokens | number,
  { hooks, ignoreTokens, sampleSeed }: Given<typeof HOOKS & typeof SAMPLED>,
): Read {
  if (isTwins(from as object))
    return read(from, data, { hooks, ignoreTokens, seed: sampleSeed ?? SAMPLED.sampleSeed.usual });
  return read(from, data, { hooks: hooks ?? sides.map(({ hook }) => hook), ignoreTokens });
}

function requireWidths({ sides }: Crosscoder, sources: Sources): void {
  const given = sources.map(({ width }) => width);
  const own = sides.map(({ width }) => width);
  if (given.join() !== own.join())
    throw new RangeError(
      `this crosscoder reads sides of width ${own.join(' and ')} but was given ${given.join(' and ')}`,
    );
}

const activations = verb({
  doc: "Activations of a crosscoder's features on every token of a text, as a store that labels, bands, pages, maps and fg.correlation take. It names the decoder of one side, so that a map of `crosscoder.decoders[0]` is linked to it. The same call again loads it.",
  args: [crosscoderArg, fromArg, dataArg],
  options: {
    ...HOOKS,
    side: text({ doc: 'Name of the side whose decoder, model and hook the store has.', usual: 'A' }),
    ...KEPT,
  },
  errors: ['Twins, whose activations fg.synthetic.twinActivations writes, and models of other widths are refused.'],
  kinds: ['activations'],
  async run({ env, options, call }, crosscoder, from, data): Promise<SparseActivations> {
    const { side: name, ignoreTokens, fresh } = filled(activations.options, options);
    const of = evaluated(crosscoder, from, data, options);
    if (!of.tokens)
      throw new TypeError('from is a pair of twins, which have no text; fg.synthetic.twinActivations writes theirs');
    requireWidths(crosscoder, of.sources());
    const side = crosscoder.sides.findIndex((each) => each.name === name);
    if (side < 0)
      throw new RangeError(
        `side is '${name}'; expected ${crosscoder.sides.map((each) => `'${each.name}'`).join(' or ')}`,
      );
    const made = await crosscoderActivations(
      env,
      crosscoder,
      { ...of, tokens: of.tokens, ignoreTokens, side, fresh },
      call,
    );
    nameFeatures(env, made);
    return made;
  },
});

const evaluationArg: Arg<CrosscoderEvaluation> = thing<CrosscoderEvaluation>(
  'evaluation',
  'What fg.crosscoder.evaluate returned for the same crosscoder.',
  (value, at) => {
    if (!('homeAfter' in value))
      throw new TypeError(`${at} is no evaluation: pass what fg.crosscoder.evaluate returned`);
    return value;
  },
);

const recovery = verb({
  doc: 'A crosscoder of twins against truth: of the features that its decoder norms, and after latent scaling, call exclusive to a twin, how many hold a feature that both twins have, beside as many features called so at random; and how much of the shared and the exclusive features is found. The same call again loads the result.',
  args: [crosscoderArg, twinsArg, evaluationArg],
  options: { ...RECOVERY, ...KEPT },
  errors: ['An evaluation of another crosscoder, and a crosscoder that is not of these twins, are refused.'],
  check(_options, crosscoder, twins, evaluation) {
    if (evaluation.crosscoder.id !== crosscoder.id)
      throw new RangeError(
        `the evaluation is of ${evaluation.crosscoder.name} (${evaluation.crosscoder.id.slice(0, 8)}), not of this crosscoder; evaluate it first`,
      );
    if (crosscoder.sides.map(({ modelId }) => modelId).join() !== [twins.a.id, twins.b.id].join())
      throw new RangeError('this crosscoder was not trained on these twins; pass the twins of its training');
  },
  run: ({ options, call }, crosscoder, twins, evaluation) =>
    crosscoderRecovery(crosscoder, twins, evaluation, { ...nullsInline(only(RECOVERY, options)), ...call }),
  keep: {
    kind: 'crosscoder-recovery',
    version: RECOVERY_VERSION,
    what: 'Recovery by a crosscoder',
    inputs: (_options, crosscoder, twins, { settings, tokens }) => ({
      crosscoder: crosscoder.id,
      twins: twins.id,
      evaluation: JSON.stringify({ ...settings, tokens }),
    }),
  },
  show: (found) => recoveryItems(found),
});

export const crosscoder = namespace({
  name: 'crosscoder',
  doc: 'Crosscoders: one dictionary of several models or layers, what is exclusive to one of them, and what only looks so. docs/crosscoders.md has the formulas.',
  example: `// Twins that share half of their features: which are exclusive, by decoder norms and by latent scaling?
const world = await fg.synthetic.world({ features: 64, dim: 24, l0: 4, seed: 0 })
const twins = await fg.synthetic.twins(world, { features: 24, shared: 0.5 })
const crosscoder = await fg.crosscoder.train(twins, 8000, { features: 48, k: 4, steps: 200, trainBatchSizeTokens: 256, lr: 2e-3 })
const evaluation = await fg.crosscoder.evaluate(crosscoder, twins, 4000)
await fg.crosscoder.recovery(crosscoder, twins, evaluation)`,
  verbs: { train, load, activations, evaluate, recovery },
});
