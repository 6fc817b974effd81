/** fg.datasets: texts that any model can tokenize, once per tokenizer. */
import type { JsonObject } from '../../protocol/notebook.js';
import type { CallOptions } from '../compute/call.js';
import { readTexts } from '../io/texts.js';
import { tokenizeTexts, type TextConcepts } from '../models/datasets.js';
import type { LanguageModel, TokenSet } from '../models/types.js';
import { generateStories, STORY_CONCEPTS } from '../synthetic/stories/generate.js';
import type { Environment } from './environment.js';

export interface TokenOptions {
  /** Tokens per sequence, default 128. */
  context?: number;
  /** Sequences; default as many as the texts give. */
  samples?: number;
  /** Begin each sequence with the tokenizer's bos token, default false (a bos token makes features that fire on it alone). */
  bos?: boolean;
  /** 'concatenate' (default) or one text per sequence, 'each'. */
  pack?: 'concatenate' | 'each';
  separator?: 'eos' | 'none';
}

export interface LoadDatasetOptions extends TokenOptions, CallOptions {
  split?: string;
  /** Column of a table that holds the text; default "text". */
  column?: string;
  /** Texts read at most; default all. */
  limit?: number;
  revision?: string;
  token?: string;
}

export interface StoriesOptions extends TokenOptions {
  /** Stories generated, default 1,000. */
  stories?: number;
  seed?: number;
}

/** Texts with the options by which models tokenize them. */
export class Dataset {
  private readonly byTokenizer = new Map<string, TokenSet>();

  constructor(
    readonly name: string,
    readonly texts: readonly string[],
    private readonly options: TokenOptions & { source: JsonObject; concepts?: TextConcepts },
  ) {}

  /** The token set for a model: the same object for every model with the same tokenizer. */
  tokens(model: Pick<LanguageModel, 'tokenizer'>): TokenSet {
    const { tokenizer } = model;
    let set = this.byTokenizer.get(tokenizer.id);
    if (!set) {
      const { samples, context = 128, ...rest } = this.options;
      set = tokenizeTexts(this.texts, tokenizer, { ...rest, context, sequences: samples });
      this.byTokenizer.set(tokenizer.id, set);
    }
    return set;
  }

  /** The same texts cut otherwise. */
  with(options: TokenOptions): Dataset {
    return new Dataset(this.name, this.texts, { ...this.options, ...options });
  }

  toString(): string {
    const { context = 128, samples } = this.options;
    return `Dataset ${this.name}: ${this.texts.length.toLocaleString('en')} texts, sequences of ${context}${samples ? `, ${samples} samples` : ''}`;
  }
}

export type Tokens = Dataset | TokenSet;

export function tokenSet(data: Tokens, model: Pick<LanguageModel, 'tokenizer'>): TokenSet {
  return data instanceof Dataset ? data.tokens(model) : data;
}

export interface DatasetsApi {
  /** A .txt, .jsonl, .json or .parquet file, a folder of them, or a dataset on the hub. */
  load(pathOrId: string, options?: LoadDatasetOptions): Promise<Dataset>;
  /** Texts at hand. */
  fromTexts(texts: readonly string[], options?: TokenOptions & { name?: string }): Dataset;
  /** Generated stories whose tokens carry ground-truth concepts; what the example models were trained on. */
  stories(options?: StoriesOptions): Dataset;
}

export function datasetsApi(env: Environment): DatasetsApi {
  return {
    load: (pathOrId, options = {}) =>
      env.call(options, async (call) => {
        const { context, samples, bos, pack, separator, ...reading } = options;
        const { texts, source } = await readTexts(env.locate(pathOrId), { ...reading, ...call });
        return new Dataset(pathOrId, texts, { context, samples, bos, pack, separator, source });
      }),
    fromTexts(texts, options = {}) {
      const { name = 'texts', ...rest } = options;
      return new Dataset(name, [...texts], { ...rest, source: { kind: 'texts', texts: texts.length } });
    },
    stories(options = {}) {
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
