/** Suggestions for misspelt words. */

/** Letters to insert, delete, change or exchange with the next (optimal string alignment). */
export function editDistance(a: string, b: string): number {
  let before: number[] = [];
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      next[j] = Math.min(row[j] + 1, next[j - 1] + 1, row[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1));
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1])
        next[j] = Math.min(next[j], before[j - 2] + 1);
    }
    [before, row] = [row, next];
  }
  return row[b.length];
}

/** Longer words are no names, and comparing them would take long. */
const LONGEST = 60;

/**
 * The name that a misspelt word is nearest to, upper and lower case alike; undefined where more than a third of its
 * letters, or more than two of a short word, would have to change, and neither begins the other.
 */
export function nearName(word: string, names: readonly string[]): string | undefined {
  if (word.length > LONGEST) return undefined;
  const lower = word.toLowerCase();
  const most = Math.max(2, Math.floor(word.length / 3));
  let found: { name: string; distance: number } | undefined;
  for (const name of names) {
    const distance = editDistance(lower, name.toLowerCase());
    // Fewer than half of the letters may change: "k" is no misspelling of "n".
    if (
      distance <= most &&
      distance < Math.max(word.length, name.length) / 2 &&
      distance < (found?.distance ?? Infinity)
    )
      found = { name, distance };
  }
  const begins = (name: string): boolean => name.length > 2 && lower.startsWith(name.toLowerCase());
  const goesOn = (name: string): boolean => word.length > 2 && name.toLowerCase().startsWith(lower);
  return found?.name ?? names.find((name) => begins(name) || goesOn(name));
}
