/**
 * Two tokenizations of one text, joined where both have a boundary. Characters are compared without white space, which
 * tokenizers treat differently, after Unicode NFKC; where the texts part (a sequence that was cut earlier, a character
 * that one of them cannot write), both skip to the nearest place from where they agree again.
 */
import { isSpecialToken } from '../../protocol/tokens.js';

/** Tokens of a store in order. */
export interface TokenTexts {
  /** [tokens] text of each. */
  readonly pieces: readonly string[];
  /** 1 where a token is no text; undefined where all are. */
  readonly ignored?: Uint8Array;
}

export interface CharacterSpans {
  readonly count: number;
  /** [tokens] the span of each token, −1 = in none. */
  readonly ofA: Int32Array;
  readonly ofB: Int32Array;
  /** Text of each span, as A's tokens write it, with their spaces. */
  readonly texts: readonly string[];
  readonly shares: AlignedShares;
}

/** How much of the two was joined, each 0 to 1; NaN where there is nothing. */
export interface AlignedShares {
  /** Characters of A and of B, white space aside, that lie in a span. */
  readonly charactersA: number;
  readonly charactersB: number;
  /** Tokens with text, of A and of B, that lie in a span. */
  readonly tokensA: number;
  readonly tokensB: number;
  /** Spans that are one token of A and one of B. */
  readonly single: number;
}

/** Characters of a side, and where each of its tokens with text begins in them. */
interface Stream {
  readonly text: string;
  /** Token and its begin, in order; then the end of the text. */
  readonly tokens: Int32Array;
  readonly begins: Int32Array;
}

/** How a token that is a part of a character reads; it never counts as equal. */
const PART = '\uFFFD';

function streamOf({ pieces, ignored }: TokenTexts): Stream {
  const known = new Map<string, string>();
  const parts: string[] = [];
  const tokens: number[] = [];
  const begins: number[] = [];
  let at = 0;
  pieces.forEach((piece, t) => {
    if (ignored?.[t]) return;
    let text = known.get(piece);
    if (text === undefined) {
      text = isSpecialToken(piece) ? '' : piece.normalize('NFKC').replace(/\s+/gu, '');
      known.set(piece, text);
    }
    if (text === '') return;
    parts.push(text);
    tokens.push(t);
    begins.push(at);
    at += text.length;
  });
  return { text: parts.join(''), tokens: Int32Array.from(tokens), begins: Int32Array.from([...begins, at]) };
}

/** Characters that must agree for two texts to have found each other again. */
const SEED = 8;
/** Characters of either side that are looked at for it: longer gaps are not bridged. */
const REACH = 1 << 16;

/** Runs of equal characters: from i in a and from j in b, `length` of them, in order. */
function equalRuns(a: string, b: string): Array<readonly [i: number, j: number, length: number]> {
  const runs: Array<readonly [number, number, number]> = [];
  let [i, j] = [0, 0];
  while (i < a.length && j < b.length) {
    let length = 0;
    while (i + length < a.length && a[i + length] === b[j + length] && a[i + length] !== PART) length++;
    if (length > 0) runs.push([i, j, length]);
    i += length;
    j += length;
    if (i >= a.length || j >= b.length) break;
    const next = meet(a, i, b, j);
    if (!next) break;
    [i, j] = next;
  }
  return runs;
}

/** The nearest place (least sum of the two steps) from which SEED characters agree. */
function meet(a: string, i: number, b: string, j: number): readonly [number, number] | undefined {
  for (let reach = 64; ; reach = Math.min(REACH, 8 * reach)) {
    const first = new Map<string, number>();
    for (let k = Math.min(j + reach, b.length - SEED); k >= j; k--) first.set(b.slice(k, k + SEED), k);
    let best: readonly [number, number] | undefined;
    for (let k = i; k <= Math.min(i + reach, a.length - SEED); k++) {
      if (best && k - i >= best[0] - i + best[1] - j) break;
      const seed = a.slice(k, k + SEED);
      const other = seed.includes(PART) ? undefined : first.get(seed);
      if (other !== undefined && (!best || k - i + other - j < best[0] - i + best[1] - j)) best = [k, other];
    }
    if (best || reach === REACH) return best;
  }
}

/** Marks of the characters at which a token begins or ends. */
function boundaries({ text, begins }: Stream): Uint8Array {
  const marks = new Uint8Array(text.length + 1);
  for (const at of begins) marks[at] = 1;
  return marks;
}

/**
 * Spans of characters from one common boundary to the next, inside runs of equal characters: begin in a, in b, length.
 */
function commonSpans(a: Stream, b: Stream): Array<readonly [number, number, number]> {
  const [inA, inB] = [boundaries(a), boundaries(b)];
  const spans: Array<readonly [number, number, number]> = [];
  for (const [i, j, length] of equalRuns(a.text, b.text)) {
    let from = -1;
    for (let k = 0; k <= length; k++) {
      if (!inA[i + k] || !inB[j + k]) continue;
      if (from >= 0) spans.push([i + from, j + from, k - from]);
      from = k;
    }
  }
  return spans;
}

/** [tokens]: the span in which each token of a side lies. */
function spansOfTokens(
  { tokens, begins }: Stream,
  count: number,
  spans: ReadonlyArray<readonly [begin: number, length: number]>,
): Int32Array {
  const of = new Int32Array(count).fill(-1);
  let s = 0;
  for (let k = 0; k < tokens.length; k++) {
    while (s < spans.length && spans[s][0] + spans[s][1] <= begins[k]) s++;
    if (s < spans.length && begins[k] >= spans[s][0]) of[tokens[k]] = s;
  }
  return of;
}

/** Joins the tokens of two sides over the same text. No span where the texts have nothing in common. */
export function characterSpans(a: TokenTexts, b: TokenTexts): CharacterSpans {
  const [streamA, streamB] = [streamOf(a), streamOf(b)];
  const spans = commonSpans(streamA, streamB);
  const ofA = spansOfTokens(streamA, a.pieces.length, spans.map(([i, , length]) => [i, length])); // prettier-ignore
  const ofB = spansOfTokens(streamB, b.pieces.length, spans.map(([, j, length]) => [j, length])); // prettier-ignore
  const texts = Array.from({ length: spans.length }, () => '');
  const [sizeA, sizeB] = [new Uint32Array(spans.length), new Uint32Array(spans.length)];
  ofA.forEach((s, t) => {
    if (s < 0) return;
    texts[s] += a.pieces[t];
    sizeA[s]++;
  });
  for (const s of ofB) if (s >= 0) sizeB[s]++;
  const characters = spans.reduce((sum, [, , length]) => sum + length, 0);
  const inSpans = (of: Int32Array): number => of.reduce((sum, s) => sum + Number(s >= 0), 0);
  return {
    count: spans.length,
    ofA,
    ofB,
    texts,
    shares: {
      charactersA: characters / streamA.text.length,
      charactersB: characters / streamB.text.length,
      tokensA: inSpans(ofA) / streamA.tokens.length,
      tokensB: inSpans(ofB) / streamB.tokens.length,
      single: sizeA.reduce((sum, n, s) => sum + Number(n === 1 && sizeB[s] === 1), 0) / spans.length,
    },
  };
}
