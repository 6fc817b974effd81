/** fg.show.prompt: a box for texts, beside the features that fire on each of their tokens. */
import { createHash } from 'node:crypto';
import { MIME } from '../../protocol/mime.js';
import { plainJson } from '../../protocol/objects.js';
import type { OutputItem } from '../../protocol/notebook.js';
import type { PromptDescriptor, PromptMeta, Try } from '../../protocol/prompt.js';
import { keptLabels } from '../activations/kept.js';
import type { SparseActivations } from '../activations/types.js';
import { LruMap } from '../compute/lru.js';
import { saesAt } from '../interventions/effects.js';
import { pairingsOf, tokensOfTexts } from '../interventions/pairings.js';
import { sha256 } from '../io/hash.js';
import type { LanguageModel } from '../models/types.js';
import { setDisplay, textItem } from '../present/items.js';
import { allowOtherModel } from '../sae/ofModel.js';
import { CONFORMANCE, pairs } from '../sae/pairing.js';
import type { Sae } from '../sae/types.js';
import { CALL, thing, type Arg } from '../verb/common.js';
import type { Environment } from '../verb/environment.js';
import { text, value, written, type Parsed } from '../verb/option.js';
import { verb } from '../verb/verb.js';
import { isThing } from './forms.js';
import { PromptTries, type TriedPair } from './prompt.js';
import type { ShownPrompt } from './promptOption.js';

const SHOWN = {
  activations: value<SparseActivations | readonly SparseActivations[]>(
    'what fg.activations.save returned, or an array of these',
    { doc: 'Of these SAEs, in any order: name their features.', fallback: 'features have numbers' },
    isThing,
  ),
  hook: text({ doc: 'Hook that one SAE reads; several read their own.', fallback: "the SAE's own" }),
  allowOtherModel,
  title: text({ doc: 'Over the box.', fallback: 'the names of the models' }),
} as const;

const list = <T>(of: T | readonly T[]): readonly T[] => (Array.isArray(of) ? (of as readonly T[]) : [of as T]);

const textsArg: Arg<string | readonly string[], readonly string[]> = {
  name: 'text',
  doc: 'The text that is tried first, or several.',
  parse(given, at) {
    const texts = list(given as string | readonly string[]);
    const odd = texts.find((each) => typeof each !== 'string');
    if (odd !== undefined || texts.length === 0)
      throw new TypeError(
        `${at} is ${written(texts.length === 0 ? given : odd)}; expected a text, or several in an array`,
      );
    return texts;
  },
};

/** Tries of a session, by what answers them. */
const kept = new WeakMap<Environment, LruMap<string, Try[]>>();
const BOXES = 32;

function triesOf(env: Environment, live: string): Try[] {
  const boxes = kept.get(env) ?? new LruMap<string, Try[]>(BOXES);
  kept.set(env, boxes);
  const tries = boxes.get(live) ?? [];
  boxes.set(live, tries);
  return tries;
}

/** Every SAE with its model. @throws RangeError where they do not go together in number */
function paired(
  models: readonly LanguageModel[],
  saes: readonly Sae[],
  hook: string | undefined,
): Array<{ model: LanguageModel; sae: Sae }> {
  if (saes.length === 0) throw new RangeError('fg.show.prompt: give at least one SAE');
  if (models.length !== 1 && models.length !== saes.length)
    throw new RangeError(
      `fg.show.prompt: ${models.length} models and ${saes.length} SAEs; expected one model for all, or a model for each SAE`,
    );
  if (hook !== undefined && saes.length > 1)
    throw new RangeError('fg.show.prompt: { hook } goes with one SAE; several read their own hooks');
  return saes.map((sae, i) => ({ model: models[models.length === 1 ? 0 : i], sae }));
}

/** @throws RangeError for activations of none of the SAEs; what saesAt throws */
async function pairsOf(
  env: Environment,
  models: readonly LanguageModel[],
  saes: readonly Sae[],
  { activations = [], hook, allowOtherModel: other }: Parsed<typeof SHOWN>,
): Promise<TriedPair[]> {
  const stores = list(activations);
  const odd = stores.find(({ meta }) => !saes.some(({ id }) => id === meta.sae.id));
  if (odd)
    throw new RangeError(
      `fg.show.prompt: activations of ${odd.meta.sae.name} are of none of these SAEs; leave them out`,
    );
  const pairs: TriedPair[] = [];
  for (const { model, sae } of paired(models, saes, hook)) {
    const [at] = saesAt(model, sae, { hook, allowOtherModel: other });
    const store = stores.find(({ meta }) => meta.sae.id === sae.id);
    pairs.push({ model, ...at, ...(store && { labels: await keptLabels(env, store) }) });
  }
  return pairs;
}

/** The box in lines of text, for viewers without it. */
function promptText({ title, sides, tries }: PromptMeta): string {
  const newest = tries.at(-1);
  if (!newest) return title;
  const lines = newest.sides.flatMap(({ tokens, at, features, values }, s) => [
    `${sides[s].model.name} · ${sides[s].sae.name}`,
    ...tokens.map((token, t) => {
      const top = features.slice(at[t], Math.min(at[t + 1], at[t] + 3));
      return `  ${JSON.stringify(token)}  ${top.map((f, k) => `#${f} ${values[at[t] + k]}`).join(', ') || '–'}`;
    }),
  ]);
  return [title, newest.text, ...lines].join('\n');
}

function itemsOf(meta: PromptMeta): [PromptDescriptor, OutputItem[]] {
  const id = `prompt-${createHash('sha256').update(JSON.stringify(meta)).digest('hex').slice(0, 18)}`;
  const descriptor: PromptDescriptor = { version: 1, id, meta };
  return [descriptor, [{ mime: MIME.prompt, json: plainJson(descriptor) }, textItem(promptText(meta))]];
}

export const prompt = verb({
  doc: 'Type and see: a box for texts. Tokens are shaded by a feature of your choice; of a chosen token the features of every SAE that fire on it are listed with their activations, and lit on the maps and pages of these SAEs. What was tried is kept as a list. It answers as long as this kernel lives; saved notebooks and pages show what was tried by then. Pass what it returns as `prompt` to fg.show.map and fg.show.feature, and the box is there too.',
  args: [
    thing<LanguageModel | readonly LanguageModel[], readonly LanguageModel[]>(
      'models',
      'What fg.models.load returned: one model for all SAEs, or a model for each in an array.',
      (given) => list(given),
    ),
    thing<Sae | readonly Sae[], readonly Sae[]>(
      'saes',
      'What fg.sae.train or fg.sae.load returned, or several in an array.',
      (given) => list(given),
    ),
    textsArg,
  ],
  options: { ...SHOWN, ...CONFORMANCE, ...CALL },
  errors: [
    'An SAE of another model or width, activations of another SAE, and a text without tokens or longer than a model reads are refused.',
  ],
  before: pairs(({ hook, allowOtherModel: other }, models, saes, texts) =>
    paired(models, saes, hook).flatMap(({ model, sae }) =>
      pairingsOf(model, [sae], tokensOfTexts(texts, model), { hook, allowOtherModel: other }),
    ),
  ),
  async run({ env, options, call: { signal } }, models, saes, texts): Promise<ShownPrompt> {
    const made = await pairsOf(env, models, saes, options);
    const title = options.title ?? [...new Set(models.map(({ name }) => name))].join(' ↔ ');
    const ids = made.flatMap(({ model, sae, hook }) => [model.id, sae.id, hook]);
    const live = `prompt-${sha256([...ids, ...list(options.activations ?? []).map(({ id }) => id)])}`;
    const box = new PromptTries(live, title, made, triesOf(env, live));
    for (const each of texts) await box.try(each, signal);
    env.context.live(live, (method, params, asked) => box.answer(method, params, asked));
    const [{ id }, items] = itemsOf(box.meta);
    env.context.display(items);
    const shown: ShownPrompt = {
      id,
      get tries() {
        return box.meta.tries;
      },
      get meta() {
        return box.meta;
      },
    };
    setDisplay(shown, () => [
      textItem(`prompt box of ${title}: pass it as { prompt } to fg.show.map or fg.show.feature`),
    ]);
    return shown;
  },
});
