/** Added tokens of tokenizer.json: found in a text before anything else is done to it. */
import { SPACE, WORD } from './pattern.js';

export interface AddedToken {
  id: number;
  content: string;
  /** Only where no word goes on before or behind. */
  single_word?: boolean;
  /** Takes the white space before it, or behind it. */
  lstrip?: boolean;
  rstrip?: boolean;
  /** Looked for in the normalized text, by its normalized content. Default: when it is not special. */
  normalized?: boolean;
  special?: boolean;
}

/** A part of a text: an added token's id, or text between them with its start. */
export type Section = { id: number } | { text: string; start: number };

const WORD_AT_START = new RegExp(`^[${WORD}]`, 'u');
const WORD_AT_END = new RegExp(`[${WORD}]$`, 'u');
const SPACE_CHARACTER = new RegExp(SPACE, 'u');

/** Nodes of a trie over UTF-16 units. */
interface Node {
  children: Map<number, Node>;
  token?: AddedToken;
}

/** Cuts texts at a set of added tokens, longest first. */
export class AddedTokenSplitter {
  private readonly root: Node = { children: new Map() };

  /** `contentOf`: what each token is looked for as. */
  constructor(tokens: readonly AddedToken[], contentOf: (token: AddedToken) => string = ({ content }) => content) {
    for (const token of tokens) {
      const content = contentOf(token);
      let node = this.root;
      for (let i = 0; i < content.length; i++) {
        const unit = content.charCodeAt(i);
        let next = node.children.get(unit);
        if (!next) node.children.set(unit, (next = { children: new Map() }));
        node = next;
      }
      if (node !== this.root) node.token ??= token;
    }
  }

  split(text: string): Section[] {
    if (this.root.children.size === 0) return text === '' ? [] : [{ text, start: 0 }];
    const sections: Section[] = [];
    const between = (start: number, end: number): void => {
      if (start < end) sections.push({ text: text.slice(start, end), start });
    };
    let done = 0;
    for (let at = 0; at < text.length;) {
      const found = this.match(text, at);
      if (!found) {
        at++;
        continue;
      }
      const [token, end] = found;
      const [start, stop] = [at, end];
      at = end;
      if (token.single_word && (endsWithWord(text, start) || startsWithWord(text, stop))) continue;
      const from = token.lstrip ? Math.max(spaceBefore(text, start), done) : start;
      between(done, from);
      sections.push({ id: token.id });
      done = token.rstrip ? spaceBehind(text, stop) : stop;
    }
    between(done, text.length);
    return sections;
  }

  /** The longest token that starts here, and its end. */
  private match(text: string, start: number): [AddedToken, number] | undefined {
    let node: Node | undefined = this.root;
    let found: [AddedToken, number] | undefined;
    for (let i = start; i < text.length; i++) {
      node = node.children.get(text.charCodeAt(i));
      if (!node) break;
      if (node.token) found = [node.token, i + 1];
    }
    return found;
  }
}

const startsWithWord = (text: string, at: number): boolean => WORD_AT_START.test(text.slice(at, at + 2));

function endsWithWord(text: string, end: number): boolean {
  // Two units may hold the end of one character and a whole one: the last character decides.
  const last = Array.from(text.slice(Math.max(0, end - 2), end)).at(-1);
  return last !== undefined && WORD_AT_END.test(last);
}

function spaceBefore(text: string, end: number): number {
  let start = end;
  while (start > 0 && SPACE_CHARACTER.test(text[start - 1])) start--;
  return start;
}

function spaceBehind(text: string, start: number): number {
  let end = start;
  while (end < text.length && SPACE_CHARACTER.test(text[end])) end++;
  return end;
}
