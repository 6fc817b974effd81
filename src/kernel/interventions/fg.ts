/** fg.interventions: changes to activations, the same texts with and without them, and what they do. */
import { encodePrompt } from '../models/prompt.js';
import { comparisonItems, count, textItem } from '../present/items.js';
import { CONFORMANCE, pairs, promptTokens } from '../sae/pairing.js';
import { argOf, CALL } from '../verb/common.js';
import { listOf } from '../verb/kinds.js';
import { namespace } from '../verb/namespace.js';
import { only, text, value } from '../verb/option.js';
import { syncVerb, verb } from '../verb/verb.js';
import { COMPARE, compare as comparison } from './compare.js';
import { interventionsArg, modelArg, promptsArg, tokensOf, type TokenData } from './fgArgs.js';
import { attribution, circuit, densities, effects, logitEffects, transfer } from './fgEffects.js';
import {
  ablate,
  bothModels,
  cap,
  clamp,
  direction,
  pairOf,
  patch,
  patchFeatures,
  project,
  scale,
  source,
  steer,
  steerFeature,
} from './fgMake.js';
import { jointMap } from './fgMap.js';
import { panel } from './fgPanel.js';
import { describeAll, requireRunnable } from './intervention.js';
import { interventionPairings, tokensOfTexts } from './pairings.js';
import { textOrIds } from './options.js';
import { run as runOnce } from './run.js';

const run = verb({
  doc: 'Runs one text (or its token ids) with interventions: logits [T, vocab], and activations at hooks as the interventions left them.',
  args: [modelArg, interventionsArg, argOf('text', textOrIds({ doc: 'A text, or its token ids.' }))],
  options: {
    capture: listOf(text({ doc: 'Hooks whose activations are returned.' })),
    ...CONFORMANCE,
    ...CALL,
  },
  before: pairs((_, model, chosen, text) => interventionPairings(model, chosen, promptTokens(model.tokenizer, text))),
  run: ({ options, call }, model, chosen, text) => runOnce(model, chosen, text, { capture: options.capture, ...call }),
  show({ tokens, captured }, _, model, chosen) {
    const names = Object.keys(captured).join(', ');
    const added = names ? `; captured ${names}` : '';
    return [textItem(`${count(tokens.length)} tokens through ${model.name}, ${describeAll(chosen)}${added}`)];
  },
});

const validate = syncVerb({
  doc: 'Refuses, by name, interventions that cannot act as meant on a prompt or dataset: a position beyond its end, a token that does not occur, a pattern without a match, another model. Every call does this itself before anything runs.',
  args: [
    modelArg,
    interventionsArg,
    argOf(
      'text',
      value<string | Int32Array | TokenData>(
        'a text, its token ids, or a dataset',
        { doc: 'A text, its token ids, or a dataset.' },
        (v) => typeof v === 'string' || (typeof v === 'object' && v !== null),
      ),
    ),
  ],
  options: {},
  run(_, model, chosen, text) {
    const tokens =
      typeof text === 'string'
        ? encodePrompt(model.tokenizer, text)
        : text instanceof Int32Array
          ? text
          : tokensOf(text, model);
    requireRunnable(model, chosen, tokens);
  },
});

const compare = verb({
  doc: "Continues prompts before and after, with the same seed, and lists probabilities and logits of the first prompt's next token: of those whose probability moved most, or of `watch`.",
  args: [modelArg, interventionsArg, promptsArg],
  options: { ...COMPARE, ...CONFORMANCE, ...CALL },
  before: pairs((_, model, chosen, prompts) => interventionPairings(model, chosen, tokensOfTexts(prompts, model))),
  run: ({ options, call }, model, chosen, prompts) =>
    comparison(model, chosen, [prompts].flat(), { ...only(COMPARE, options), ...call }),
  show: (made) => comparisonItems(made),
});

export const interventions = namespace({
  name: 'interventions',
  doc: 'Change activations and see what moves. An intervention is a value: nothing runs when it is made (but a patch reads its prompt once), it prints what it does, and it goes into run, compare, effects, fg.activations.save, fg.sae.evaluate and model.generate({ interventions }). Several act in the order in which the model reaches their hooks, at one hook in the order given: each sees what the one before left, features re-encoded.',
  example: `// One of the example models, and a small SAE of its MLP
const lm = await fg.models.load('models/tiny-stories-1L')
const text = fg.datasets.stories({ seed: 1, stories: 60, context: 32 })
const sae = await fg.sae.train(lm, text, { hook: 'blocks.0.hook_mlp_out', features: 64, steps: 20 })

// What does one decoder row do, beside directions of the same norm that mean nothing?
const push = fg.interventions.steerFeature(lm, sae, 3, { scale: 4 })
await fg.interventions.compare(lm, push, 'One day, Lily saw the', { tokens: 8 })
await fg.interventions.logitEffects(lm, push, text, { tokens: [' she', ' he'], samples: 4, nulls: 9 })`,
  verbs: {
    steer,
    steerFeature,
    direction,
    clamp,
    scale,
    ablate,
    source,
    patch,
    patchFeatures,
    project,
    cap,
    pairOf,
    bothModels,
    run,
    validate,
    compare,
    effects,
    densities,
    logitEffects,
    jointMap,
    attribution,
    transfer,
    circuit,
    panel,
  },
});
