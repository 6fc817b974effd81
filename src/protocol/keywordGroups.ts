/** Keyword groups as people keep them: names with lists of whole words, in JSON that is edited by hand. */

export interface KeywordGroup {
  name: string;
  /** Whole words; spaces around them and case do not count. */
  words: string[];
  /** Feature ids by set, in place of words: groups of a map that was read from a file. */
  features?: number[][];
  /** What its reader wrote of it. */
  note?: string;
  /** Its name in that file. */
  id?: string;
}

/** Far above what lists of words have. */
export const MAX_GROUPS = 1000;
const MAX_WORDS = 10_000;
export const MAX_NAME = 200;
export const MAX_NOTE = 2000;
const MAX_FEATURES = 200_000;

/** Keys of a file that say something of it and are no group. */
const ABOUT = ['source', 'note'];

/** A selection that was kept as a group: { "features": [[1, 2], [7]] }, ids by set, and perhaps a "note". */
function isFeatures(given: unknown): given is { features: number[][]; note?: string } {
  const { features, note = '' } = (given ?? {}) as { features?: unknown; note?: unknown };
  if (typeof note !== 'string' || note.length > MAX_NOTE) return false;
  const ids = (list: unknown): boolean =>
    Array.isArray(list) && list.length <= MAX_FEATURES && list.every((f) => Number.isInteger(f) && (f as number) >= 0);
  return Array.isArray(features) && features.length > 0 && features.length <= 2 && features.every(ids);
}

/** How a group is written in JSON that keywordGroups reads. */
export const writtenGroup = ({
  words,
  features,
  note,
}: KeywordGroup): string[] | { features: number[][]; note?: string } =>
  features ? { features, ...(note && { note }) } : words;

/**
 * Groups of JSON such as { "source": "where they are from", "months": ["May", "June"] }; words that stand twice are kept once.
 * @throws TypeError that says what was found and what is expected; `where` begins it
 */
export function keywordGroups(json: unknown, where: string): KeywordGroup[] {
  const expected = 'expected an object such as { "months": ["May", "June"] }';
  if (typeof json !== 'object' || json === null || Array.isArray(json))
    throw new TypeError(`${where} is ${Array.isArray(json) ? 'a list' : String(json)}; ${expected}`);
  const entries = Object.entries(json).filter(([key, v]) => !(ABOUT.includes(key) && typeof v === 'string'));
  if (entries.length === 0) throw new TypeError(`${where} holds no group; ${expected}`);
  if (entries.length > MAX_GROUPS)
    throw new TypeError(`${where} holds ${entries.length} groups; there may be ${MAX_GROUPS}`);
  return entries.map(([name, words]) => {
    const at = `${where}: group "${name.slice(0, 60)}"`;
    if (name.trim() === '' || name.length > MAX_NAME)
      throw new TypeError(`${at}: a name has 1 to ${MAX_NAME} characters`);
    if (isFeatures(words))
      return { name, words: [], features: words.features, ...(words.note && { note: words.note }) };
    const isList = Array.isArray(words) && words.every((w) => typeof w === 'string' && w.trim() !== '');
    if (!isList || words.length === 0) throw new TypeError(`${at} is not a list of words; ${expected}`);
    if (words.length > MAX_WORDS) throw new TypeError(`${at} has ${words.length} words; there may be ${MAX_WORDS}`);
    return { name, words: [...new Set((words as string[]).map((word) => word.trim()))] };
  });
}

/** A group as it is typed: "king queen" or "royalty: king, queen"; null without words. */
export function typedGroup(text: string): KeywordGroup | null {
  const colon = text.indexOf(':');
  const name = colon > 0 ? text.slice(0, colon).trim() : '';
  const words = (colon > 0 ? text.slice(colon + 1) : text).split(/[\s,;]+/).filter((word) => word !== '');
  if (words.length === 0) return null;
  return { name: (name || words.join(' ')).slice(0, MAX_NAME), words: [...new Set(words)] };
}
