/** Texts that any model can tokenize, once per tokenizer; and what verbs take as tokens. */
import type { JsonObject } from '../../protocol/notebook.js';
import { tokenizeTexts, type TextConcepts } from '../models/datasets.js';
import type { LanguageModel, TokenSet } from '../models/types.js';
import { count, withSummary } from '../present/items.js';
import { requireThing, thing, type Arg } from '../verb/common.js';
import { choice, flag, parseOptions, whole, type Given } from '../verb/option.js';

/** How texts are cut into token sequences. The comments are what the editor says of Dataset.with. */
export const TOKENS = {
  /** Tokens per sequence. */
  context: whole({ doc: 'Tokens per sequence; a bos token counts.', min: 1, fallback: '128' }),
  /** Sequences. */
  samples: whole({
    doc: 'Sequences; fewer than wanted is an error.',
    min: 1,
    fallback: 'as many as the texts give',
  }),
  /** Begin each sequence with the tokenizer's bos token. */
  bos: flag({
    doc: "Begin each sequence with the tokenizer's bos token. A bos token makes features that fire on it alone.",
    fallback: "as the model's tokenizer does for a text (Llama and Gemma do, GPT-2 and Pythia do not)",
  }),
  /** One long stream cut into sequences, or one sequence per text. */
  pack: choice(['concatenate', 'each'], {
    doc: "'concatenate': one long stream cut into sequences; 'each': one sequence per text, its first tokens, and texts too short to fill a sequence are left out. Nothing is padded.",
    fallback: "'concatenate'",
  }),
  /** What follows each text when concatenating. */
  separator: choice(['eos', 'none'], {
    doc: 'What follows each text when concatenating: the end-of-text token, or nothing.',
    fallback: "'eos'",
  }),
} as const;

export type TokenOptions = Given<typeof TOKENS>;

/** Texts with the options by which models tokenize them; nothing is tokenized before a model asks. */
export class Dataset {
  private readonly byTokenizer = new Map<string, TokenSet>();

  constructor(
    /** Path, hub id or given name. */
    readonly name: string,
    /** The texts, in order. */
    readonly texts: readonly string[],
    private readonly options: TokenOptions & { source: JsonObject; concepts?: TextConcepts },
  ) {
    withSummary(this, () => this.toString());
  }

  /**
   * The token set for a model: the same object for every model with the same tokenizer, so that activations of two
   * models are of the same tokens.
   */
  tokens(model: Pick<LanguageModel, 'tokenizer'>): TokenSet {
    requireThing(model, 'model');
    const { tokenizer } = model;
    let set = this.byTokenizer.get(tokenizer.id);
    if (!set) {
      const { samples, context = 128, ...rest } = this.options;
      const made = tokenizeTexts(this.texts, tokenizer, { ...rest, context, sequences: samples });
      set = withSummary(made, () => describeTokens(this.name, made));
      this.byTokenizer.set(tokenizer.id, set);
    }
    return set;
  }

  /** The token set made before by the tokenizer of this identity; undefined when none was. */
  tokenizedBy(tokenizerId: string): TokenSet | undefined {
    return this.byTokenizer.get(tokenizerId);
  }

  /** The same texts cut otherwise; options that are left out stay as they are. */
  with(options: TokenOptions): Dataset {
    parseOptions('Dataset.with', options, TOKENS);
    return new Dataset(this.name, this.texts, { ...this.options, ...options });
  }

  /** "Dataset name: 1,000 texts, sequences of 128 tokens". */
  toString(): string {
    const { context = 128, samples } = this.options;
    return `Dataset ${this.name}: ${count(this.texts.length)} texts, sequences of ${context} tokens${samples ? `, ${count(samples)} samples` : ''}`;
  }
}

/** "Tokens of stories: 500 sequences of 128 (64,000 tokens)". */
function describeTokens(name: string, { sequences, context, tokens }: TokenSet): string {
  return `Tokens of ${name}: ${count(sequences)} sequences of ${count(context)} (${count(tokens.length)} tokens)`;
}

/** Texts, tokenized for the model that reads them; or tokens at hand. */
export type Tokens = Dataset | TokenSet;

/** What a verb runs a model on. */
export const tokensArg: Arg<Tokens> = thing(
  'data',
  'What fg.datasets returned, tokenized for the model; or a token set.',
);

/** The tokens of data for a model. */
export function tokenSet(data: Tokens, model: Pick<LanguageModel, 'tokenizer'>): TokenSet {
  requireThing(model, 'model');
  requireThing(data, 'data');
  return data instanceof Dataset ? data.tokens(model) : data;
}
