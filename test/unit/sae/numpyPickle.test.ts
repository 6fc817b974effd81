/** Pickles of NumPy arrays: what NumPy writes is read, all else is refused, damage is told. Values: sae-layouts.py. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { Random } from '#kernel/compute/random.js';
import { numpyArrays } from '#kernel/sae/layouts/numpyPickle.js';

const golden = JSON.parse(readFileSync(join(import.meta.dirname, '../../goldens/sae-layouts.json'), 'utf8')) as {
  decoder: number[][];
  decoders: Record<string, string>;
};
const bytesOf = (name: string): Uint8Array => new Uint8Array(Buffer.from(golden.decoders[name], 'base64'));
const NAMES = ['a.pkl', 'p2.pkl', 'p5.pkl'];

describe('pickled NumPy arrays', () => {
  it.each(NAMES)('are read as numbers: %s', (name) => {
    const [[key, array]] = numpyArrays(name, bytesOf(name));
    expect(key).toBe(name === 'p2.pkl' ? 'W_dec' : name.slice(0, -4));
    expect(array).toEqual({ dtype: 'F32', shape: [12, 6], data: Float32Array.from(golden.decoder.flat()) });
  });
});

it('a pickle that would run something is refused by name, and so is one without arrays', () => {
  const program = Buffer.from("cos\nsystem\n(S'true'\ntR.", 'latin1');
  expect(() => numpyArrays('evil.pkl', program)).toThrow(/os\.system/);
  expect(() => numpyArrays('list.pkl', Buffer.from([0x80, 2, 0x5d, 0x2e]))).toThrow(
    /list is no NumPy array of numbers/,
  );
});

it('10,000 damaged pickles give arrays that fit their shape or an error with words', () => {
  const random = new Random(1);
  let read = 0;
  for (let n = 0; n < 10_000; n++) {
    const bytes = bytesOf(NAMES[n % NAMES.length]);
    const place = () => Math.floor(random.next() * (random.next() < 0.7 ? 200 : bytes.length));
    for (let c = 0; c < 1 + 3 * random.next(); c++) bytes[place()] = Math.floor(256 * random.next());
    try {
      for (const { shape, data } of numpyArrays('x.pkl', bytes).values())
        expect(data.length).toBe(shape.reduce((a, b) => a * b, 1));
      read++;
    } catch (error) {
      const { message } = error as Error;
      expect(message).not.toMatch(
        /Cannot (read|set)|is not (a function|iterable|defined)|Invalid (array|typed)|Maximum call/,
      );
    }
  }
  expect(read).toBeGreaterThan(100);
});
