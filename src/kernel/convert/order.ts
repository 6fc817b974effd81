/** The order in which representations of an output are listed when nothing else says: richest first. */
import { DRAWN, MIME } from '../../protocol/mime.js';

const RANKS: ReadonlyArray<(mime: string) => boolean> = [
  (mime) => DRAWN.includes(mime),
  (mime) => mime === 'text/html',
  (mime) => mime === 'text/markdown',
  (mime) => mime === 'text/latex',
  (mime) => mime === 'image/svg+xml',
  (mime) => mime.startsWith('image/'),
  (mime) => mime !== MIME.text,
  () => true,
];
const rank = (mime: string): number => RANKS.findIndex((is) => is(mime));

/** Each mime once. The same for the same set, as Jupyter sorts keys when it saves. */
export function naturalOrder(mimes: Iterable<string>): string[] {
  return [...new Set(mimes)].sort((a, b) => rank(a) - rank(b) || (a < b ? -1 : 1));
}
