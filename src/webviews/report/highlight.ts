/** Light colouring of TypeScript: enough to read by, no parser. */
import { el } from '../ui/dom.js';

const KEYWORDS = new Set(
  'abstract any as asserts async await boolean break case catch class const continue declare default delete do else enum export extends false finally for from function get if implements import in infer instanceof interface is keyof let namespace never new null number object of private protected public readonly return satisfies set static string super switch symbol this throw true try type typeof undefined unknown using var void while with yield'.split(
    ' ',
  ),
);

const TOKEN =
  /(?<comment>\/\/[^\n]*|\/\*[\s\S]*?(?:\*\/|$))|(?<string>'(?:\\[\s\S]|[^'\\\n])*'?|"(?:\\[\s\S]|[^"\\\n])*"?|`(?:\\[\s\S]|[^`\\])*`?)|(?<number>\b(?:0[xob][\da-f_]+|\d[\d_]*(?:\.[\d_]+)?(?:e[+-]?\d+)?)n?\b)|(?<word>[\p{L}_$][\p{L}\p{N}_$]*)/giu;

export function highlight(source: string): DocumentFragment {
  const fragment = document.createDocumentFragment();
  let at = 0;
  for (const match of source.matchAll(TOKEN)) {
    const { comment, string, number, word } = match.groups as Record<string, string | undefined>;
    const kind = comment
      ? 'comment'
      : string
        ? 'string'
        : number
          ? 'number'
          : word && KEYWORDS.has(word)
            ? 'keyword'
            : word && /^\s*\(/.test(source.slice(match.index + word.length, match.index + word.length + 8))
              ? 'call'
              : null;
    if (kind === null) continue;
    fragment.append(source.slice(at, match.index), el('span', { class: `t-${kind}` }, match[0]));
    at = match.index + match[0].length;
  }
  fragment.append(source.slice(at));
  return fragment;
}
