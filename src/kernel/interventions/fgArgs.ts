/** Arguments and options that several verbs of fg.interventions share. */
import type { JsonObject } from '../../protocol/notebook.js';
import { asParameters } from '../artifacts/parameters.js';
import type { PairedMap } from '../correlation/types.js';
import type { LanguageModel, TokenSet } from '../models/types.js';
import type { Sae } from '../sae/types.js';
import { argOf, requireThing, thing, type Arg } from '../verb/common.js';
import { choice, flag, group, membersGiven, text, value, whole, type Given, type Option } from '../verb/option.js';
import { identityOf, type Intervention } from './intervention.js';
import type { NullKind, NullOptions } from './nullDirections.js';
import { placesOption } from './positions.js';
import { formed, oneOrSeveral } from '../verb/kinds.js';

/** Texts that any model can tokenize: a dataset that fg.datasets returned. */
export interface TokenizableTexts {
  /** The tokens for a model. */
  tokens(model: Pick<LanguageModel, 'tokenizer'>): TokenSet;
}

/** A dataset, tokenized for the model that reads it; or tokens at hand. */
export type TokenData = TokenizableTexts | TokenSet;

/** One prompt, several, or a dataset. */
export type Texts = string | readonly string[] | TokenData;

/** The tokens of a dataset for a model. */
export const tokensOf = (data: TokenData, model: LanguageModel): TokenSet =>
  typeof data.tokens === 'function' ? data.tokens(model) : (data as TokenSet);

/** Prompts as they are, a dataset as the model's tokens. */
export const textsOf = (data: Texts, model: LanguageModel): string | readonly string[] | TokenSet =>
  typeof data === 'string' || Array.isArray(data)
    ? (data as string | readonly string[])
    : tokensOf(data as TokenData, model);

const isPrompts = (data: Texts): data is string | readonly string[] => typeof data === 'string' || Array.isArray(data);

/** What identifies texts: prompts are parameters, tokens an input. */
export const promptParameters = (data: Texts): JsonObject => (isPrompts(data) ? { prompts: [data].flat() } : {});

/** The identity of a dataset's tokens as an input of a result; none for prompts, which are parameters. */
export const tokenInputs = (data: Texts, model: LanguageModel): Record<string, string> =>
  isPrompts(data) ? {} : { tokens: tokensOf(data, model).id };

/** Identities of SAEs by their place. */
export const saeInputs = (saes: readonly Sae[]): Record<string, string> =>
  Object.fromEntries(saes.map((sae, i) => [`sae${i}`, sae.id]));

/**
 * Parameters of a result: its options under the names that the functions of this room use, without those that are
 * inputs (`sae`, `watchMap`), and the identity of the interventions.
 */
export function effectParameters(
  options: object & { sae?: Sae; watchMap?: PairedMap },
  model: LanguageModel,
  interventions: readonly Intervention[] = [],
): JsonObject {
  const { sae: _, watchMap: __, ...rest } = options;
  const own = asParameters(rest);
  return interventions.length > 0 ? { ...own, interventions: identityOf(model, interventions) } : own;
}

export const modelArg: Arg<LanguageModel> = thing('model', 'The model, as fg.models.load returns it.');
export const saeArg = (name = 'sae', doc = 'An SAE of the model.'): Arg<Sae> => thing(name, doc);
export const mapArg: Arg<PairedMap> = thing('map', 'What fg.correlation.map returned.');
export const dataArg: Arg<TokenData> = thing('data', 'A dataset that fg.datasets returned, or a token set.');

/** One or several things as a list. @throws TypeError that names a wrong one */
function listArg<T extends object>(name: string, doc: string): Arg<T | readonly T[], readonly T[]> {
  return thing<T | readonly T[], readonly T[]>(name, doc, (given, at) => {
    if (!Array.isArray(given)) return [given as T];
    given.forEach((each, i) => requireThing(each, `${at}[${i}]`));
    return given as readonly T[];
  });
}

export const interventionsArg = listArg<Intervention>(
  'interventions',
  'One intervention, or several in an array: at one hook they act in the order given.',
);
export const saesArg = listArg<Sae>('saes', 'One SAE of the model, or several in an array.');

const prompts = oneOrSeveral(text({ doc: 'One prompt, or several in an array.' }));

export const promptsArg: Arg<string | readonly string[]> = argOf('prompts', prompts);

/** A prompt, several, or a dataset. */
export const textsOption = (doc: string): Option<Texts> =>
  formed({ doc, expected: 'a prompt, several in an array, or a dataset' }, (given, at) =>
    typeof given === 'object' && !Array.isArray(given) ? requireThing(given, at) : prompts.parse(given, at),
  );
export const textsArg = (name: string, doc: string): Arg<Texts> => argOf(name, textsOption(doc));

/** A text, or its token ids. */
export const textOrIds = (words: { doc: string; fallback?: string }): Option<string | Int32Array> =>
  value('a text or an Int32Array of token ids', words, (v) => typeof v === 'string' || v instanceof Int32Array);

/** Options: where an intervention acts, and whether the SAE's error term stays. */
export const PLACE = {
  positions: placesOption({
    doc: 'Tokens that are changed: indices count from the end where they are negative, { token } takes a text or id or several, { regex } matches the decoded text.',
    fallback: "'all'",
  }),
  errorTerm: choice(['keep', 'drop'], {
    doc: "'keep': what the SAE does not reconstruct, x − x̂, stays. 'drop': the activation at the positions becomes the SAE's reconstruction with the change.",
    fallback: "'keep'",
  }),
};
export const allowOtherModel = flag({
  doc: 'Take an SAE that was trained on another model, such as a fine-tuned sibling, which is refused otherwise.',
  fallback: 'false',
});
export const hook = (doc: string) => text({ doc, fallback: "the SAE's own" });
/** Options of interventions on features. */
export const FEATURE = { ...PLACE, hook: hook('Hook to change.'), allowOtherModel };
export const errorSae = value<Sae>('an SAE', { doc: "The SAE whose error term errorTerm: 'drop' drops." });
export const vectorName = text({
  doc: 'How the description names the vector.',
  fallback: '"vector", or the words of the direction',
});

export const samples = (fallback: string) =>
  whole({ doc: 'Sequences taken, from the first; fewer where there are fewer.', min: 1, fallback });
export const batchTokens = whole({
  doc: 'Tokens of one forward pass, rounded down to whole sequences (at least one).',
  min: 1,
  fallback: '2048',
  identity: false,
});
export const untouched = flag({
  doc: 'Count tokens that the interventions cannot have touched as well.',
  fallback: 'false',
});
export const top = (doc: string) => whole({ doc, min: 1, fallback: '20' });

/** Null directions of the same norm as the change itself. */
export const directions = (min: 0 | 1, seed: string) =>
  group(
    {
      kind: oneOrSeveral<NullKind>(
        choice(['isotropic', 'differences', 'decoder'], {
          doc: "'isotropic': random directions, a low bar; 'differences' of two tokens' activations at the hook; 'decoder': other decoder rows, where features of an SAE are changed.",
          fallback: 'all that there are',
        }),
      ),
      runs: whole({ doc: 'Runs of each kind; the least p is 1/(runs + 1).', min, fallback: '20' }),
      seed: whole({ doc: 'Draws the directions.', fallback: seed }),
    },
    {
      doc: `Null directions of the same norm as the change, which mean nothing${min === 0 ? '; 0 = none' : ''}.`,
      short: 'runs',
    },
  );

/** Null directions that a cell asked for, as nullDirections() takes them. */
export function directionOptions(given: Given<{ nulls: ReturnType<typeof directions> }>['nulls']): NullOptions {
  const { runs, kind, seed } = membersGiven(given, 'runs');
  return { nulls: runs, nullKinds: kind, seed };
}
