/** Words of labels and queries: whole words, case and surrounding punctuation aside. */

/** Lower case, trimmed, without surrounding punctuation unless the token is nothing else. */
export function normalToken(token: string): string {
  const text = token.trim().toLowerCase();
  const bare = text.replace(/^[^\p{L}\p{N}]+|[^\p{L}\p{N}]+$/gu, '');
  return bare === '' ? text : bare;
}

/** A label ready to search: "\n" + its tokens in normal form, each followed by "\n". */
export function searchKey(label: readonly string[]): string {
  let key = '\n';
  for (const token of label) {
    const text = normalToken(token).replace(/\n/g, '↵');
    if (text !== '') key += `${text}\n`;
  }
  return key;
}

/** Longest pattern that is taken. */
const MAX_PATTERN = 200;
const PATTERN = /(?:^|(?<=[\s,]))\/((?:[^/\\\n]|\\.)+)\/(?=$|[\s,])/g;

/** What is wrong with a pattern such as /^un/ in a query; null: nothing, or there is none. */
export function patternError(query: string): string | null {
  for (const [, source] of query.matchAll(PATTERN)) {
    if (source.length > MAX_PATTERN) return `a pattern has ${MAX_PATTERN} characters at most`;
    try {
      new RegExp(source, 'iu');
    } catch (error) {
      return error instanceof Error ? error.message : String(error);
    }
  }
  return null;
}

/**
 * A test for the words, ids and patterns (/^un/, on whole tokens, case aside) of a query, by feature id and search key; null
 * when it asks for nothing. A pattern that is none finds nothing.
 */
export function queryTest(query: string, substring: boolean): ((feature: number, key: string) => boolean) | null {
  const ids = new Set<number>();
  const words: string[] = [];
  const patterns: RegExp[] = [];
  const broken = patternError(query) !== null;
  const plain = query.replace(PATTERN, (_, source: string) => {
    if (!broken) patterns.push(new RegExp(source, 'iu'));
    return ' ';
  });
  for (const part of plain.split(/[\s,]+/)) {
    if (part === '') continue;
    const id = /^#(\d+)$/.exec(part);
    if (id) ids.add(Number(id[1]));
    else words.push(substring ? part.toLowerCase() : `\n${normalToken(part)}\n`);
  }
  if (ids.size === 0 && words.length === 0 && patterns.length === 0) return broken ? () => false : null;
  const matched = (key: string): boolean =>
    key.split('\n').some((token) => token !== '' && patterns.some((pattern) => pattern.test(token)));
  return (feature, key) =>
    ids.has(feature) || words.some((word) => key.includes(word)) || (patterns.length > 0 && matched(key));
}

/** Whole-word test of a keyword group on a search key. */
export function wordTest(words: readonly string[]): (key: string) => boolean {
  const wanted = new Set(words.map(normalToken));
  return (key) => {
    let start = 1;
    for (let end = key.indexOf('\n', start); end >= 0; end = key.indexOf('\n', start)) {
      if (wanted.has(key.slice(start, end))) return true;
      start = end + 1;
    }
    return false;
  };
}
