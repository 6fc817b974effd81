/** Texts that any model can tokenize, once per tokenizer; and what verbs take as tokens. */
import { filled } from '../verb/filled.js';
import type { JsonObject } from '../../protocol/notebook.js';
import type { TokenRows } from '../io/tokenRows.js';
import { TOKENS, tokenizeTexts, tokensFromRows, type TextConcepts } from '../models/datasets.js';
import type { LanguageModel, Tokenizer, TokenSet } from '../models/types.js';
import { sequenceCountItems, wordCountItems, wordSequenceItems } from '../present/datasets.js';
import { count, setDisplay, withDisplay, withSummary } from '../present/items.js';
import { requireThing, seed, thing, type Arg } from '../verb/common.js';
import { listOf } from '../verb/kinds.js';
import { choice, parseOptions, pattern, required, whole, word, type Given, type Parsed } from '../verb/option.js';
import { cutSample, type CutSample, type WordSequence } from './cutWords.js';
import { drawWords, type WordCount, type WordDraw } from './words.js';

export type TokenOptions = Given<typeof TOKENS>;

/** What Dataset.withWords draws. */
export const WORDS = {
  words: listOf(
    word({
      doc: 'Words or phrases, found as whole words whatever their case: "king" is not in "looking", nor in "kings".',
    }),
    1,
  ),
  regex: pattern(/\bkings?\b/i, {
    doc: 'Instead of words: what matches it is one word. A pattern that does not end in time is stopped.',
  }),
  perWord: required(whole({ doc: 'Sequences for each word.', min: 1 })),
  unit: choice(['text', 'sentence', 'window'], {
    doc: "What a sequence is of: the text from its beginning, later where the word would be cut away ('text'); the sentence of the word; or as much of the text as fits, the word in its middle ('window').",
    default: 'text',
  }),
  seed: seed('Draws which texts and places.'),
} as const;

export type WordOptions = Given<typeof WORDS>;

interface DatasetOptions extends TokenOptions {
  source: JsonObject;
  concepts?: TextConcepts;
  rows?: TokenRows;
}

/** Texts with the options by which models tokenize them; nothing is tokenized before a model asks. */
export class Dataset {
  private readonly byTokenizer = new Map<string, TokenSet>();

  constructor(
    /** Path, hub id or given name. */
    readonly name: string,
    /** The texts, in order. */
    readonly texts: readonly string[],
    protected readonly options: DatasetOptions,
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
      const made = this.tokenize(tokenizer);
      set = withSummary(made, () => describeTokens(this.name, made));
      this.byTokenizer.set(tokenizer.id, set);
    }
    return set;
  }

  protected tokenize(tokenizer: Tokenizer): TokenSet {
    const { samples, context, rows, ...rest } = this.options;
    if (!rows)
      return tokenizeTexts(this.texts, tokenizer, { ...rest, context: context ?? TOKENS.context.usual, samples });
    const { padding, source } = rows;
    return tokensFromRows(rows.rows, tokenizer, { context, sequences: samples, padding, source });
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

  /**
   * A sample of concepts: for each word as many sequences, each of one text (`perWord`, `unit`: 'text', 'sentence' or
   * 'window', `seed`). Words are given as { words: [...] }, or as one { regex }. A sequence is cut to the context so
   * that its word stays in it, and filled up with padding, which counts in no statistic; no text comes twice for a
   * word. The result shows what was found and drawn; `drawn(model)` lists the sequences.
   */
  withWords(options: WordOptions): WordSample {
    const { words, regex, ...how } = parseOptions('Dataset.withWords', options, WORDS);
    if ((words === undefined) === (regex === undefined))
      throw new TypeError('Dataset.withWords: give words, or a regex, and not both');
    if (this.options.rows)
      throw new Error('Dataset.withWords looks for words in texts, but this dataset holds rows of token ids');
    const asked = words ? [...new Set(words.map((word) => word.trim()))] : [String(regex)];
    const draw = drawWords(this.texts, asked, regex, how);
    if (draw.places.length === 0)
      throw new Error(
        `Dataset.withWords: none of ${count(this.texts.length)} texts holds ${asked.slice(0, 5).join(', ')}${asked.length > 5 ? ', …' : ''} as a whole word; use more texts or other words`,
      );
    return new WordSample(this, { words: asked, regex, ...how }, draw, this.options);
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

/** How a sample was asked for: `words` are what is counted, of a regex its text. */
type Asked = Omit<Parsed<typeof WORDS>, 'words'> & { readonly words: readonly string[] };

/** The counts of each word, and the sequences that a model reads. */
export interface WordSequences {
  readonly counts: readonly SequenceCount[];
  readonly sequences: readonly WordSequence[];
}

/** A word before and after cutting. */
export interface SequenceCount extends WordCount {
  /** Sequences that were drawn for the word and hold it. */
  readonly sequences: number;
  /** Sequences of other words that hold it too. */
  readonly alsoIn: number;
}

/** Texts drawn for words, one to a sequence. `texts` are those that they were drawn from. */
export class WordSample extends Dataset {
  private readonly cuts = new Map<string, CutSample>();

  constructor(
    private readonly from: Dataset,
    private readonly asked: Asked,
    private readonly draw: WordDraw,
    options: DatasetOptions,
  ) {
    super(from.name, from.texts, options);
    setDisplay(this, () => wordCountItems(this.counts, this.toString()));
  }

  /** For each word, in the order asked: occurrences and texts found, and sequences drawn. */
  get counts(): readonly WordCount[] {
    return this.draw.counts;
  }

  /**
   * The sequences as a model reads them: which word, in which text, what is left around it; and counts after cutting.
   */
  drawn(model: Pick<LanguageModel, 'tokenizer'>): WordSequences {
    requireThing(model, 'model');
    const { sequences, alsoIn } = this.cut(model.tokenizer);
    const counts = this.counts.map((each, w) => ({
      ...each,
      sequences: sequences.filter(({ word }) => word === each.word).length,
      alsoIn: alsoIn[w],
    }));
    const title = this.toString();
    withDisplay(counts, () => sequenceCountItems(counts, title));
    return withDisplay({ counts, sequences }, () => wordSequenceItems(counts, sequences, title));
  }

  /** The same draw in another context, or with or without a begin token. */
  override with(options: TokenOptions): WordSample {
    parseOptions('Dataset.with', options, TOKENS);
    for (const key of ['samples', 'pack', 'pad', 'separator'] as const)
      if (options[key] !== undefined)
        throw new Error(
          `{ ${key} } has no say in a sample of words: each sequence is of one text, filled up; draw again by withWords`,
        );
    return new WordSample(this.from, this.asked, this.draw, { ...this.options, ...options });
  }

  protected override tokenize(tokenizer: Tokenizer): TokenSet {
    const { texts, concepts } = this.cut(tokenizer);
    const { words, perWord, unit, seed } = this.asked;
    const { context, bos, source } = filled(TOKENS, this.options);
    const sample = { words: [...words], perWord, unit, seed };
    const how = { context, bos, pack: 'each', pad: true, concepts, source: { ...source, sample } } as const;
    return tokenizeTexts(texts, tokenizer, how);
  }

  private cut(tokenizer: Tokenizer): CutSample {
    const known = this.cuts.get(tokenizer.id);
    if (known) return known;
    const { context, bos, concepts } = filled(TOKENS, this.options);
    const content = context - ((bos ?? tokenizer.addsBos) ? 1 : 0);
    const made = cutSample(this.texts, this.draw.places, { ...this.asked, tokenizer, content, concepts });
    this.cuts.set(tokenizer.id, made);
    return made;
  }

  override toString(): string {
    const { words, perWord, unit } = this.asked;
    const named = `${words.slice(0, 5).join(', ')}${words.length > 5 ? `, … (${words.length} words)` : ''}`;
    return `Sample of ${this.name}: ${count(this.draw.places.length)} of ${count(this.texts.length)} texts with ${named}, ${perWord} a word, by ${unit}, sequences of ${this.options.context ?? TOKENS.context.usual} tokens`;
  }
}

/** @throws Error for options of how texts become rows of tokens: rows of token ids are cut already. */
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
