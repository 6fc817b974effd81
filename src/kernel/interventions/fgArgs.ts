/** Arguments and options that several verbs of fg.interventions share. */
import type { JsonObject } from '../../protocol/notebook.js';
import { asParameters } from '../artifacts/parameters.js';
import type { PairedMap } from '../correlation/types.js';
import type { LanguageModel, TokenSet } from '../models/types.js';
import type { Sae } from '../sae/types.js';
import { argOf, requireThing, thing, type Arg } from '../verb/common.js';
import { text, type Option } from '../verb/option.js';
import { identityOf, type Intervention } from './intervention.js';
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
