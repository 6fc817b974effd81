/** Files damaged at random, as disks, transfers and malice damage them: changed bytes, most of them near the head, and cuts. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { Random } from '#kernel/compute/random.js';
import { testFolder } from './folder.js';

/** Structure lies in the first bytes: half of the changes are there. */
const HEAD = 600;

/** A copy with up to four bytes changed at random; one copy in five is cut short before. */
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

/** Messages of the JavaScript engine about unexpected values: they do not help whoever has the file. */
const ENGINE =
  /Cannot (read|set|convert|mix|destructure)|is not (a function|iterable|defined|a constructor)|Invalid (array|typed|string|count)|Maximum call|offset is out of|start offset|undefined \(reading/;

/** Fails unless a message is in words and not too long. One plain test: matchers would take longer than the reading. */
export function expectWords(text: string, longest = 20_000): void {
  if (text.length <= 5 || text.length >= longest || ENGINE.test(text))
    expect.fail(`${text.length} characters, not in words: ${text.slice(0, 500)}`);
}

/** What reading a damaged file gives: a value, or undefined after an error in words. */
export async function valueOrWords<T extends NonNullable<unknown>>(read: () => Promise<T>): Promise<T | undefined> {
  try {
    return await read();
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    // JSON of the test's own parsing is not the reader's.
    if (!(error instanceof SyntaxError)) expectWords(error.message);
    return undefined;
  }
}

/** A reader of foreign files. */
export interface DamagedReader {
  what: string;
  /** Name of the file that is damaged, and whole files of it. */
  name: string;
  whole: Uint8Array[];
  /** Files beside it. */
  beside?: Record<string, Uint8Array>;
  /** Bytes of what was read. */
  read: (path: string, folder: string) => Promise<number>;
}

const FILES = 10_000;
const MIB = 2 ** 20;
/** What a small file may hold when a tensor repeats its numbers (torch's expand): PyTorch's own limit of torchTensor.ts. */
const MOST_READ = 64 * MIB;

/** Tests that each reader gives a value or an error with words, and takes no memory beyond the file's. */
export function testDamagedFiles(readers: DamagedReader[]): void {
  const folder = testFolder('damaged', { inMemory: true });
  describe('10,000 damaged files', () => {
    it.each(readers)('$what', { timeout: 300_000 }, async ({ what, name, whole, beside = {}, read }) => {
      const at = join(folder, what.replaceAll(/\W+/g, '-'));
      mkdirSync(at);
      for (const [other, bytes] of Object.entries(beside)) writeFileSync(join(at, other), bytes);
      const path = join(at, name);
      const random = new Random(7);
      const before = process.memoryUsage().rss;
      let [values, errors] = [0, 0];
      for (let n = 0; n < FILES; n++) {
        writeFileSync(path, damaged(whole[n % whole.length], random));
        const bytes = await valueOrWords(() => read(path, at));
        if (bytes === undefined) errors++;
        else if (bytes < MOST_READ) values++;
        else expect.fail(`file ${n} gave ${bytes} bytes, more than ${MOST_READ}`);
      }
      expect(values + errors).toBe(FILES);
      expect(errors).toBeGreaterThan(FILES / 20);
      expect(process.memoryUsage().rss - before).toBeLessThan(600 * MIB);
    });
  });
}
