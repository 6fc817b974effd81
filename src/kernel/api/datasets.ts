/** fg.datasets: texts that any model can tokenize, once per tokenizer. */
import type { JsonObject } from '../../protocol/notebook.js';
import { readTexts, type TextOptions } from '../io/texts.js';
import { holdsTokenRows, readTokenRows, type TokenRows } from '../io/tokenRows.js';
import { tokenizeTexts, tokensFromRows, type TextConcepts } from '../models/datasets.js';
import type { LanguageModel, TokenSet } from '../models/types.js';
import { generateStories, STORY_CONCEPTS } from '../synthetic/stories/generate.js';
import type { Environment } from '../verb/environment.js';
import { CALL, requireGiven, requireOptions, type OptionNames } from './given.js';
import { count, withSummary } from '../present/items.js';
import type { SyntheticStoriesOptions } from './synthetic.js';

export interface TokenOptions {
  /** Tokens per sequence, default 128; a bos token counts. */
  context?: number;
  /** Sequences; default as many as the texts give. Fewer than wanted is an error. */
  samples?: number;
  /**
   * Begin each sequence with the tokenizer's bos token. Default: as the model's tokenizer does for a text (Llama and Gemma
   * do, GPT-2 and Pythia do not); a bos token makes features that fire on it alone.
   */
  bos?: boolean;
  /**
   * 'concatenate' (default): one long stream cut into sequences. 'each': one sequence per text, its first tokens; texts
   * too short to fill a sequence are left out, or filled up with { pad: true }.
   */
  pack?: 'concatenate' | 'each';
  /**
   * With pack 'each': fill short texts up on the right with the tokenizer's padding token (or its end token) instead of
   * leaving them out. Padding changes nothing before it, and counts in no statistic. Default false.
   */
  pad?: boolean;
  /** What follows each text when concatenating: the end-of-text token, 'eos' (default), or nothing, 'none'. */
  separator?: 'eos' | 'none';
}

export interface LoadDatasetOptions extends TokenOptions, Omit<TextOptions, 'separator'> {
  /**
   * Where a .txt file is parted into texts: 'blank-lines', or a separator such as '<|endoftext|>'. Default: the file is
   * one text.
   */
  splitAt?: string;
}

export interface TextsOptions extends TokenOptions {
  /** For people; default "texts". */
  name?: string;
}

export interface StoriesOptions extends TokenOptions, SyntheticStoriesOptions {}

const TOKEN_OPTIONS: OptionNames<TokenOptions> = {
  context: true,
  samples: true,
  bos: true,
  pack: true,
  pad: true,
  separator: true,
};
const LOAD_OPTIONS: OptionNames<LoadDatasetOptions> = {
  ...TOKEN_OPTIONS,
  split: true,
  config: true,
  column: true,
  limit: true,
  seed: true,
  splitAt: true,
  revision: true,
  token: true,
  endpoint: true,
  cacheFolder: true,
  ...CALL,
};

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
    requireGiven({ model });
    const { tokenizer } = model;
    let set = this.byTokenizer.get(tokenizer.id);
    if (!set) {
      const { samples, context, rows, ...rest } = this.options;
      set = rows
        ? tokensFromRows(rows.rows, tokenizer, {
            context,
            sequences: samples,
            padding: rows.padding,
            source: rows.source,
          })
        : tokenizeTexts(this.texts, tokenizer, { ...rest, context: context ?? 128, sequences: samples });
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
    requireOptions('Dataset.with', options, TOKEN_OPTIONS);
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
function requireNoPacking(options: TokenOptions & { splitAt?: string }): void {
  for (const key of ['bos', 'pack', 'pad', 'separator', 'splitAt'] as const)
    if (options[key] !== undefined)
      throw new Error(`{ ${key} } is for texts, but this dataset holds rows of token ids; leave it out`);
}

/** Texts, tokenized for the model that reads them; or tokens at hand. */
export type Tokens = Dataset | TokenSet;

export function tokenSet(data: Tokens, model: Pick<LanguageModel, 'tokenizer'>): TokenSet {
  requireGiven({ model, data });
  return data instanceof Dataset ? data.tokens(model) : data;
}

/** Texts that any model can tokenize, once per tokenizer. */
export interface DatasetsApi {
  /**
   * Reads a .txt, .jsonl, .json or .parquet file, a folder of them (paths are relative to the notebook), or a dataset on
   * the Hugging Face hub. Rows whose text is null are left out, with a word. An `input_ids` column (and no "text") is
   * taken as it is, with its attention_mask: ids outside the model's vocabulary are refused. Throws when nothing is there, and names the columns there are when the text column is missing.
   */
  load(pathOrId: string, options?: LoadDatasetOptions): Promise<Dataset>;
  /** Texts at hand, as a dataset. */
  fromTexts(texts: readonly string[], options?: TextsOptions): Dataset;
  /** Generated stories whose tokens carry ground-truth concepts; what the example models were trained on. */
  stories(options?: StoriesOptions): Dataset;
}

export function datasetsApi(env: Environment): DatasetsApi {
  return {
    load: (pathOrId, options = {}) =>
      env.call(options, async (call) => {
        requireOptions('fg.datasets.load', options, LOAD_OPTIONS);
        const { context, samples, bos, pack, pad, separator, splitAt, ...reading } = options;
        const from = { ...env.withCacheFolder(reading), ...call };
        const place = env.locate(pathOrId);
        if (await holdsTokenRows(place, from)) {
          requireNoPacking({ bos, pack, pad, separator, splitAt });
          const rows = await readTokenRows(place, from);
          return new Dataset(pathOrId, [], { context, samples, source: rows.source, rows });
        }
        const { texts, source, nullRows } = await readTexts(place, { ...from, separator: splitAt });
        if (nullRows > 0) env.context.print(`${pathOrId}: ${count(nullRows)} rows without a text (null) were left out`);
        return new Dataset(pathOrId, texts, { context, samples, bos, pack, pad, separator, source });
      }),
    fromTexts(texts, options = {}) {
      const bad = Array.isArray(texts) ? texts.findIndex((text) => typeof text !== 'string') : -1;
      if (!Array.isArray(texts) || bad >= 0)
        throw new TypeError(
          `fromTexts takes an array of texts but ${bad >= 0 ? `item ${bad} is ${typeof texts[bad]}` : `got ${typeof texts}`}`,
        );
      requireOptions('fg.datasets.fromTexts', options, { ...TOKEN_OPTIONS, name: true });
      const { name = 'texts', ...rest } = options;
      return new Dataset(name, [...(texts as readonly string[])], {
        ...rest,
        source: { kind: 'texts', texts: texts.length },
      });
    },
    stories(options = {}) {
      requireOptions('fg.datasets.stories', options, { ...TOKEN_OPTIONS, stories: true, seed: true });
      const { stories = 1000, seed = 0, ...rest } = options;
      const made = generateStories({ stories, seed });
      return new Dataset(
        `stories seed ${seed}`,
        made.map((story) => story.text),
        {
          ...rest,
          source: { kind: 'stories', stories, seed },
          concepts: { names: STORY_CONCEPTS, spans: made.map((story) => story.spans) },
        },
      );
    },
  };
}
