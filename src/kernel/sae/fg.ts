/** fg.sae: train, load, save and evaluate sparse autoencoders. */
import { filled } from '../verb/filled.js';
import path from 'node:path';
import { tokensArg, tokenSet } from '../datasets/dataset.js';
import { interventionPairings } from '../interventions/pairings.js';
import { safeJoin } from '../io/files.js';
import { canonicalJson, sha256 } from '../io/hash.js';
import { HUB, resolveRepo, type RepoOptions } from '../io/hub.js';
import { capturedWidth } from '../models/capture.js';
import { identityOf, listOf } from '../models/edits.js';
import { lossWarning } from '../models/tokenLoss.js';
import { withSummary } from '../present/items.js';
import { evaluationItems, lensItems } from '../present/sae.js';
import { CALL, words } from '../verb/common.js';
import { namespace } from '../verb/namespace.js';
import { only, text } from '../verb/option.js';
import { CLUSTER } from '../verb/split.js';
import { verb } from '../verb/verb.js';
import { baselinesFor } from './baselines.js';
import { EVALUATE, evaluateSaes, evaluationParts } from './evaluate.js';
import type { BesideEvaluation } from './evaluationSums.js';
import { baselines, withBaselines } from './fgBaselines.js';
import { compare } from './fgCompare.js';
import { curves } from './fgCurves.js';
import { probe } from './fgProbe.js';
import { grid } from './fgGrid.js';
import { train } from './fgTrain.js';
import { describeSae } from './keptTraining.js';
import { LOAD } from './layouts/layout.js';
import { loadSae, SAE_CONFIGS, SAE_WEIGHTS } from './load.js';
import { LENS, logitLens as lensOf } from './logitLens.js';
import { CONFORMANCE, pairs, promptTokens } from './pairing.js';
import { NEURONPEDIA, writeNeuronpedia } from '../activations/neuronpedia.js';
import { allowOtherModel, modelArg, requireModelOfSae, saeArg } from './ofModel.js';
import { SAVE, saveSae } from './save.js';
import { overridden, trainedOnText } from './trainedOn.js';
import type { Sae } from './types.js';

/** Brings an SAE's files from the hub; the path of its folder or file in the cache. */
async function download(file: string, repo: string, options: RepoOptions): Promise<string> {
  const inside = path.posix.normalize(file).replace(/\/$/, '');
  const isFile = /\.(?:safetensors|pt|pth|bin|npz|npy|pkl)$/i.test(inside);
  const folder = isFile ? path.posix.dirname(inside) : inside;
  const beside = (name: string): string => path.posix.join(folder, name);
  const root = await resolveRepo(repo, {
    ...options,
    files: [isFile ? inside : SAE_WEIGHTS.map(beside).join('|')],
    optional: [...SAE_CONFIGS, ...(isFile ? ['../hyperparams.json', '../config.json'] : [])].map(beside),
  });
  return safeJoin(root, inside);
}

const load = verb({
  doc: "Loads an SAE of SAELens, sparsify, dictionary_learning, Gemma Scope, Llama Scope, Qwen-Scope or plain tensors, or a decoder alone (docs/formats.md), by a path or, with `repo`, from the hub: fg.sae.load('blocks.8.hook_resid_pre', { repo: 'jbloom/GPT2-Small-SAEs-Reformatted' }).",
  args: [words('fileOrFolder', "Path against the notebook's folder; with `repo`, against the repository.")],
  options: {
    ...LOAD,
    repo: text({
      doc: "Hub id of the repository that holds the file or folder, such as 'jbloom/GPT2-Small-SAEs-Reformatted'.",
    }),
    ...HUB,
    ...CALL,
  },
  errors: [
    'Missing tensors, shapes that disagree, weights that are not finite and architectures that are not known are refused by name.',
  ],
  async run({ env, options, call }, fileOrFolder): Promise<Sae> {
    const { repo } = options;
    const hub = env.withCacheFolder(only(HUB, options));
    const at = repo === undefined ? env.resolve(fileOrFolder) : await download(fileOrFolder, repo, { ...hub, ...call });
    const sae = await loadSae(at, only(LOAD, options));
    const said = trainedOnText(sae.config);
    if (said) env.context.print(`${sae.name}: ${said}`);
    return withSummary(sae, () => describeSae(sae));
  },
});

const save = verb({
  doc: "Writes the SAE in another program's layout; returns the absolute path of the folder.",
  args: [saeArg, words('folder', "Path against the notebook's folder.")],
  options: { ...SAVE, ...NEURONPEDIA, ...CALL },
  errors: ['Activations of another SAE, and what the chosen layout has no place for, are refused.'],
  async run({ env, options, call }, sae, folder) {
    const to = env.resolve(folder);
    const { layout, activations, model, density } = options;
    if (layout === 'neuronpedia') {
      if (!activations) throw new Error("layout 'neuronpedia' is of features: give { activations }");
      if (density) throw new Error('density is part of the saelens layout; neuronpedia counts by { activations }');
      await writeNeuronpedia(sae, to, { activations, model, ...call });
    } else {
      if (activations || model)
        throw new Error("{ activations } and { model } are for layout 'neuronpedia'; leave them out");
      await saveSae(sae, to, { layout, density });
    }
    return to;
  },
});

const evaluate = verb({
  doc: "Runs the model as it is, with the SAE's reconstruction at the hook, with zeros and with the mean activation there: L0, explained variance in three definitions, MSE, cross-entropy (nats) and KL with the shares recovered, density, dead and dense features.",
  args: [modelArg, saeArg, tokensArg],
  options: { ...EVALUATE, baselines: withBaselines('figures'), ...CONFORMANCE, allowOtherModel, ...CLUSTER, ...CALL },
  errors: ['An SAE of another model or width, and interventions that cannot act on the tokens, are refused.'],
  check(options, model, sae) {
    requireModelOfSae(sae, model, options.allowOtherModel);
    if (options.cluster && options.baselines === true)
      throw new Error('with { cluster }, { baselines } must be what fg.sae.baselines returned: other processes have not made any'); // prettier-ignore
  },
  kinds: ['conformance'],
  before: pairs(({ hook, interventions }, model, sae, data) => {
    const tokens = tokenSet(data, model);
    return [{ model, sae, hook, tokens }, ...interventionPairings(model, listOf(interventions), tokens)];
  }),
  async run({ env, options, call, remember }, model, sae, data): Promise<BesideEvaluation> {
    const beside = Object.entries(baselinesFor(env, sae, options.baselines));
    const tokens = tokenSet(data, model);
    const counted = overridden(tokens, sae, options);
    if (counted) env.context.print(`Note: ${counted}`);
    const saes = [sae, ...beside.map(([, each]) => each)];
    const [found, ...others] = await evaluateSaes(model, saes, tokens, {
      ...{ ...only(EVALUATE, options), ...call, remember },
    });
    const warning = lossWarning(found.ceClean, model);
    if (warning) env.context.print(`Warning: ${warning}`);
    if (beside.length === 0) return found;
    return { ...found, baselines: Object.fromEntries(beside.map(([kind], i) => [kind, others[i]])) };
  },
  split: {
    unit: 'parts of 64 forward passes',
    version: 2,
    inputs: ({ interventions, baselines: beside }, model, sae, data) => ({
      ...{ model: model.id, sae: sae.id, tokens: tokenSet(data, model).id },
      baselines:
        typeof beside === 'object'
          ? Object.values(beside)
              .map(({ id }) => id)
              .join()
          : undefined,
      interventions:
        listOf(interventions).length > 0
          ? sha256([canonicalJson(identityOf(model, listOf(interventions)))])
          : undefined,
    }),
    pieces({ samples, batchTokens }, model, sae, data) {
      const tokens = tokenSet(data, model);
      const { perBatch, parts } = evaluationParts(model, tokens, { samples, batchTokens });
      const { dModel, vocab } = model.config;
      const { dSae, dIn } = sae.config;
      return {
        pieces: parts.map(({ name }) => name),
        work: { amount: (parts.at(-1)?.end ?? 0) * tokens.context * 5, unit: 'tokens of forward passes' },
        memory: 4 * perBatch * tokens.context * (3 * vocab + 2 * dSae + 12 * dModel) + 8 * dSae * dIn,
        disk: parts.length * (8 * dIn + 16 * dSae),
      };
    },
  },
  show: (found, _, __, sae) => evaluationItems(sae, found),
});

function requireResidualHook(sae: Sae): void {
  // All heads together are as wide as the residual stream, but their directions are others.
  if (/\.(attn|mlp)\.hook_/.test(sae.config.hookName))
    throw new Error(
      `the logit lens reads directions of the residual stream, but ${sae.name} is of ${sae.config.hookName}; use an SAE of hook_resid_*, hook_mlp_out or hook_attn_out`,
    );
}

const logitLens = verb({
  doc: 'By feature id: the tokens whose logits its decoder row raises most, best first, and with `bottom` those that it lowers most; the direct path alone.',
  args: [modelArg, saeArg],
  options: { ...LENS, allowOtherModel, ...CONFORMANCE, ...CALL },
  errors: ['An SAE of another model, or of a hook that does not write to the residual stream, is refused.'],
  check(options, model, sae) {
    requireModelOfSae(sae, model, options.allowOtherModel);
    requireResidualHook(sae);
  },
  // No text is at hand: what was found on one is told.
  before: pairs((_, model, sae) =>
    model.hooks.includes(sae.config.hookName) && capturedWidth(model, sae.config.hookName) === sae.config.dIn
      ? [{ model, sae, tokens: promptTokens(model.tokenizer, []) }]
      : [],
  ),
  run: ({ options, call }, model, sae) => lensOf(model, sae, { ...only(LENS, options), ...call }),
  show: (found, { options }, __, sae) => lensItems(sae, found, filled(LENS, only(LENS, options))),
});

export const sae = namespace({
  name: 'sae',
  doc: 'Sparse autoencoders: train, load, save, evaluate.',
  example: `const lm = await fg.models.load('models/tiny-stories-1L')
const text = fg.datasets.stories({ stories: 40, context: 32, samples: 40 })
const sae = await fg.sae.train(lm, text, { hook: 'blocks.0.hook_mlp_out', architecture: 'topk', k: 8, features: 64, steps: 20, trainBatchSizeTokens: 256 })
const promoted = await fg.sae.logitLens(lm, sae, { top: 5 })
const beside = await fg.sae.baselines(lm, sae, text, { kinds: ['frozenDecoder', 'random'] })
await fg.sae.evaluate(lm, sae, text, { samples: 8, baselines: true })
await fg.sae.compare(lm, [sae, ...Object.values(beside)], text, { samples: 8 })
await fg.sae.probe(lm, sae, text, { k: [1, 4], labels: { 'begins with s': (token) => /^ ?s/i.test(token) } })`,
  verbs: { train, grid, baselines, load, save, curves, evaluate, compare, probe, logitLens },
});
