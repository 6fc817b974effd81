/** Files damaged at random, as disks, transfers and malice damage them: changed bytes, most of them near the head, and cuts. */
import { expect } from 'vitest';
import type { Random } from '#kernel/compute/random.js';

/** Structure lies in the first bytes: half of the changes are there. */
const HEAD = 600;

export function damaged(whole: Uint8Array, random: Random): Buffer {
  const place = (): number => {
    const span = random.next() < 0.5 ? Math.min(HEAD, whole.length) : whole.length;
    return Math.floor(random.next() * span);
  };
  const copy = Buffer.from(random.next() < 0.2 ? whole.subarray(0, place()) : whole);
  for (let c = 0; c < 1 + 3 * random.next() && copy.length > 0; c++)
    copy[place() % copy.length] = Math.floor(256 * random.next());
  return copy;
}

/** What the engine says when code trips over what it did not expect: no word of it helps who has the file. */
const ENGINE =
  /Cannot (read|set|convert|mix|destructure)|is not (a function|iterable|defined|a constructor)|Invalid (array|typed|string|count)|Maximum call|offset is out of|start offset|undefined \(reading/;

/** Told in words, in a message that is not as long as the file likes. */
export function expectWords(error: unknown): void {
  expect(error).toBeInstanceOf(Error);
  const { message } = error as Error;
  expect(message).not.toMatch(ENGINE);
  expect(message.length).toBeGreaterThan(5);
  expect(message.length).toBeLessThan(20_000);
}
