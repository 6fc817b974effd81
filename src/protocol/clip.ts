/** Shortens texts of foreign files for messages: they may be of any length. */

/** Text for a message, cut after `limit` characters. */
export function clip(text: string, limit = 120): string {
  return text.length <= limit ? text : `${text.slice(0, limit)}… (${text.length} characters)`;
}

/** Names for a message: the first of them, and how many more there are. */
export function listed(names: Iterable<string>, limit = 20): string {
  const first: string[] = [];
  let count = 0;
  for (const name of names) if (count++ < limit) first.push(clip(name, 60));
  if (count === 0) return 'none';
  return count > limit ? `${first.join(', ')} and ${count - limit} more` : first.join(', ');
}
