/** Titles that may be cut, but never where they differ. */

export interface TitlePart {
  text: string;
  /** Whether it gives way where there is no room. */
  cut: boolean;
}

/** Characters that stay at the end of a title that stands alone. */
const END = 14;

/** The part of a title that all share at their beginning, the part of its own, and what all share at their end. */
export function titleParts(title: string, titles: readonly string[]): TitlePart[] {
  const others = titles.filter((other) => other !== title);
  if (others.length === 0) {
    // Cut in the middle: its end says as much as its beginning.
    const at = Math.max(0, title.length - END);
    return parts([title.slice(0, at), true], [title.slice(at), false]);
  }
  const shared = (same: (k: number) => boolean): number => {
    let k = 0;
    while (k < title.length && same(k)) k++;
    return k;
  };
  // Words and numbers that differ stay whole: "28" and "024" would not say 128 and 1024.
  const letter = (c: string | undefined): boolean => c !== undefined && /[\p{L}\p{N}]/u.test(c);
  let head = shared((k) => others.every((other) => other[k] === title[k]));
  while (head > 0 && letter(title[head - 1])) head--;
  let tail = Math.min(
    title.length - head,
    shared((k) => others.every((other) => other.length - k > head && other.at(-1 - k) === title.at(-1 - k))),
  );
  while (tail > 0 && letter(title.at(-tail))) tail--;
  const end = title.length - tail;
  return parts([title.slice(0, head), true], [title.slice(head, end), false], [title.slice(end), true]);
}

const parts = (...all: ReadonlyArray<readonly [string, boolean]>): TitlePart[] =>
  all.filter(([text]) => text !== '').map(([text, cut]) => ({ text, cut }));
