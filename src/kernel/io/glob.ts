/** Patterns over "/"-separated file names: `*` and `?` within a part, `**` over parts. */

/** Names that match. "a|b" gives the matches of its first alternative that has any. */
export function matchFiles(names: readonly string[], pattern: string): string[] {
  for (const alternative of pattern.split('|')) {
    const matcher = globToRegExp(alternative);
    const found = names.filter((name) => matcher.test(name));
    if (found.length > 0) return found;
  }
  return [];
}

function globToRegExp(glob: string): RegExp {
  const source = glob.replace(/\*\*\/|\*\*|\*|\?|[.+^${}()[\]\\]/g, (part) => {
    switch (part) {
      case '**/':
        return '(?:.*/)?';
      case '**':
        return '.*';
      case '*':
        return '[^/]*';
      case '?':
        return '[^/]';
      default:
        return `\\${part}`;
    }
  });
  return new RegExp(`^${source}$`);
}
