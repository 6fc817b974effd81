/** Word by word difference of two texts. */

export interface Piece {
  text: string;
  kind: 'same' | 'removed' | 'added';
}

/** Words with the spaces before them, punctuation apart; joined they give the text back. */
export function words(text: string): string[] {
  return text.match(/\s*[\p{L}\p{N}'’]+|\s*[^\s\p{L}\p{N}]|\s+$/gu) ?? [];
}

/** Longest common subsequence over at most this many cells; longer middles count as replaced whole. */
const MAX_CELLS = 4_000_000;

/** Both texts in pieces: what they share, and what one alone has. Joined, the pieces of a side are its text. */
export function difference(before: string, after: string): { before: Piece[]; after: Piece[] } {
  const a = words(before);
  const b = words(after);
  let head = 0;
  while (head < a.length && head < b.length && a[head] === b[head]) head++;
  let tail = 0;
  while (tail < a.length - head && tail < b.length - head && a[a.length - 1 - tail] === b[b.length - 1 - tail]) tail++;
  const keepA = new Uint8Array(a.length).fill(1);
  const keepB = new Uint8Array(b.length).fill(1);
  markCommon(
    a.slice(head, a.length - tail),
    b.slice(head, b.length - tail),
    keepA.subarray(head),
    keepB.subarray(head),
  );
  return {
    before: merge(a, (i) => (keepA[i] ? 'same' : 'removed')),
    after: merge(b, (i) => (keepB[i] ? 'same' : 'added')),
  };
}

function markCommon(a: string[], b: string[], keepA: Uint8Array, keepB: Uint8Array): void {
  keepA.fill(0, 0, a.length);
  keepB.fill(0, 0, b.length);
  if (a.length * b.length > MAX_CELLS) return;
  const width = b.length + 1;
  const best = new Uint16Array((a.length + 1) * width);
  for (let i = a.length - 1; i >= 0; i--)
    for (let j = b.length - 1; j >= 0; j--)
      best[i * width + j] =
        a[i] === b[j]
          ? best[(i + 1) * width + j + 1] + 1
          : Math.max(best[(i + 1) * width + j], best[i * width + j + 1]);
  for (let i = 0, j = 0; i < a.length && j < b.length;)
    if (a[i] === b[j]) {
      keepA[i++] = 1;
      keepB[j++] = 1;
    } else if (best[(i + 1) * width + j] >= best[i * width + j + 1]) i++;
    else j++;
}

function merge(list: string[], kindOf: (i: number) => Piece['kind']): Piece[] {
  const out: Piece[] = [];
  list.forEach((text, i) => {
    const kind = kindOf(i);
    const last = out.at(-1);
    if (last?.kind === kind) last.text += text;
    else out.push({ text, kind });
  });
  return out;
}
