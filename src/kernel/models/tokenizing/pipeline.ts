/**
 * From a text to ids by a tokenizer.json: added tokens, normalizer, pre-tokenizer, model. Ids equal those of Hugging
 * Face's Rust library (tokenizers 0.23), encode(text, add_special_tokens=False).
 */
import { AddedTokenSplitter, type AddedToken } from './addedTokens.js';
import { createNormalizer } from './normalizers.js';
import { createPreTokenizer } from './preTokenizers.js';
import { createWordModel } from './wordModels.js';

export interface TokenizerJson {
  added_tokens?: AddedToken[] | null;
  normalizer?: unknown;
  pre_tokenizer?: unknown;
  post_processor?: unknown;
  decoder?: unknown;
  model?: unknown;
}

/** An encoder of texts. Throws on parts of the JSON that are not read, naming them. */
export function createEncoder(json: TokenizerJson): (text: string) => number[] {
  const normalize = createNormalizer(json.normalizer);
  const preTokenize = createPreTokenizer(json.pre_tokenizer);
  const encodeWord = createWordModel(json.model);
  const added = json.added_tokens ?? [];
  const isNormalized = ({ normalized, special }: AddedToken): boolean => normalized ?? !special;
  const exact = new AddedTokenSplitter(added.filter((token) => !isNormalized(token)));
  const afterwards = new AddedTokenSplitter(added.filter(isNormalized), ({ content }) => normalize(content));
  return (text) => {
    const ids: number[] = [];
    const read = (part: string, first: boolean): void => {
      for (const piece of preTokenize({ text: part, first })) for (const id of encodeWord(piece.text)) ids.push(id);
    };
    for (const section of exact.split(text)) {
      if ('id' in section) {
        ids.push(section.id);
        continue;
      }
      for (const part of afterwards.split(normalize(section.text))) {
        if ('id' in part) ids.push(part.id);
        else read(part.text, section.start === 0 && part.start === 0);
      }
    }
    return ids;
  };
}

/** The token that the post-processor puts before a text; undefined when it puts none. */
export function firstSpecialToken(post: unknown): string | undefined {
  if (typeof post !== 'object' || post === null) return undefined;
  const { type, processors, single, cls } = post as Record<string, unknown>;
  if (type === 'Sequence' && Array.isArray(processors)) {
    // Each works on what the one before gave: the last one's token comes first.
    return processors.map(firstSpecialToken).findLast((token) => token !== undefined);
  }
  if (type === 'TemplateProcessing' && Array.isArray(single)) {
    const head = single[0] as { SpecialToken?: { id?: unknown } } | undefined;
    return typeof head?.SpecialToken?.id === 'string' ? head.SpecialToken.id : undefined;
  }
  if ((type === 'BertProcessing' || type === 'RobertaProcessing') && Array.isArray(cls)) return String(cls[0]);
  return undefined;
}
