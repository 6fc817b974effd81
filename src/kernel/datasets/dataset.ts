/** Texts that any model can tokenize, once per tokenizer; and what verbs take as tokens. */
import type { JsonObject } from '../../protocol/notebook.js';
import type { TokenRows } from '../io/tokenRows.js';
import { tokenizeTexts, tokensFromRows, type TextConcepts } from '../models/datasets.js';
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
    doc: "'concatenate': one long stream cut into sequences; 'each': one sequence per text, its first tokens, and texts too short to fill a sequence are left out, or filled up with { pad: true }.",
    fallback: "'concatenate'",
  }),
  /** Fill short texts up on the right. */
  pad: flag({
    doc: "With pack 'each': fill short texts up on the right with the tokenizer's padding token (or its end token) instead of leaving them out. Padding changes nothing before it, and counts in no statistic.",
    fallback: 'false',
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
    private readonly options: TokenOptions & { source: JsonObject; concepts?: TextConcepts; rows?: TokenRows },
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
      const { samples, context, rows, ...rest } = this.options;
      const made = rows
        ? tokensFromRows(rows.rows, tokenizer, {
            context,
            sequences: samples,
            padding: rows.padding,
            source: rows.source,
          })
        : tokenizeTexts(this.texts, tokenizer, { ...rest, context: context ?? 128, sequences: samples });
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
    if (this.options.rows) requireNoPacking(options);
    return new Dataset(this.name, this.texts, { ...this.options, ...options });
  }

  /** "Dataset name: 1,000 texts, sequences of 128 tokens". */
  toString(): string {
    const { samples, rows } = this.options;
    const { context = rows?.rows.shape[1] ?? 128 } = this.options;
    if (rows)
      return `Dataset ${this.name}: ${count(rows.rows.shape[0])} rows of token ids, sequences of ${context} tokens`;
    return `Dataset ${this.name}: ${count(this.texts.length)} texts, sequences of ${context} tokens${samples ? `, ${count(samples)} samples` : ''}`;
  }
}

/** Rows of token ids are cut before they come here: what says how texts become rows has no say. */
export function requireNoPacking(options: TokenOptions & { splitAt?: string }): void {
  for (const key of ['bos', 'pack', 'pad', 'separator', 'splitAt'] as const)
    if (options[key] !== undefined)
      throw new Error(`{ ${key} } is for texts, but this dataset holds rows of token ids; leave it out`);
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
