import { describe, expect, it } from 'vitest';
import { sharedReading, type Read } from '#kernel/sae/sharedReading.js';

interface Piece {
  first: number;
  rows: number;
}

/** 20 rows in pieces of 2, counting how many were made and how often reading began; every piece takes a turn. */
function counted(options: { fails?: number } = {}) {
  const made = { pieces: 0, begun: 0 };
  const read: Read<Piece> = async function* (firstRow = 0, { signal } = {}) {
    made.begun++;
    for (let first = firstRow; first < 20; first += 2) {
      await new Promise((done) => setImmediate(done));
      if (signal?.aborted) throw Object.assign(new Error('cancelled'), { name: 'AbortError' });
      if (first === options.fails) throw new Error('the disk is gone');
      made.pieces++;
      yield { first, rows: 2 };
    }
  };
  return { made, read };
}
const sizeOf = (piece: Piece) => ({ rows: piece.rows, bytes: 100 });

async function rowsOf(pieces: AsyncIterable<Piece>, pause: () => Promise<unknown> = async () => undefined) {
  const rows: number[] = [];
  for await (const { first } of pieces) {
    rows.push(first);
    await pause();
  }
  return rows;
}
const ALL = Array.from({ length: 10 }, (_, i) => 2 * i);
const turns = (n: number) => async () => {
  for (let i = 0; i < n; i++) await new Promise((done) => setImmediate(done));
};

describe('a shared reading', () => {
  it.each([
    { keepAll: true, windowBytes: undefined },
    { keepAll: false, windowBytes: 300 },
    { keepAll: false, windowBytes: 0 },
  ])('makes each piece once for readers at the same time, fast or slow: %o', async (kept) => {
    const { made, read } = counted();
    const shared = sharedReading(read, { sizeOf, ...kept });
    const readers = [1, 7, 3].map((slow) => rowsOf(shared(), turns(slow)));
    expect(await Promise.all(readers)).toEqual([ALL, ALL, ALL]);
    expect(made).toEqual({ pieces: 10, begun: 1 });
  });

  it('stays one over several epochs, since who is done first waits for the others', async () => {
    const { made, read } = counted();
    const shared = sharedReading(read, { sizeOf, keepAll: false, windowBytes: 200 });
    const epochs = async (slow: number) => [await rowsOf(shared(), turns(slow)), await rowsOf(shared(), turns(slow))];
    for (const found of await Promise.all([epochs(0), epochs(9)])) expect(found).toEqual([ALL, ALL]);
    expect(made).toEqual({ pieces: 20, begun: 2 });
  });

  it('that keeps all is read once, whoever comes later and from which row', async () => {
    const { made, read } = counted();
    const shared = sharedReading(read, { sizeOf, keepAll: true });
    expect(await rowsOf(shared())).toEqual(ALL);
    expect(await rowsOf(shared(0))).toEqual(ALL);
    expect(await rowsOf(shared(14))).toEqual([14, 16, 18]);
    expect(made).toEqual({ pieces: 10, begun: 1 });
  });

  it('goes on from the row of a saved state beside a reader from the start, and both meet in the next epoch', async () => {
    const { made, read } = counted();
    const shared = sharedReading(read, { sizeOf, keepAll: false, windowBytes: 0 });
    const from = async (row: number) => [await rowsOf(shared(row)), await rowsOf(shared())];
    const [a, b] = await Promise.all([from(0), from(14)]);
    expect(a).toEqual([ALL, ALL]);
    expect(b).toEqual([[14, 16, 18], ALL]);
    expect(made.pieces).toBe(10 + 3 + 10);
  });

  it('holds no more than its window for readers that are behind', async () => {
    const { made, read } = counted();
    const shared = sharedReading(read, { sizeOf, keepAll: false, windowBytes: 300 });
    const slow = shared()[Symbol.asyncIterator]();
    await slow.next();
    const fast = rowsOf(shared());
    await turns(50)();
    // One piece taken by both, and three that the slow one has not taken.
    expect(made.pieces).toBeLessThanOrEqual(4);
    await slow.return?.();
    expect(await fast).toEqual(ALL);
  });

  it('goes on for the others when one is cancelled by its own signal, and when it stops in the middle', async () => {
    const { read } = counted();
    const shared = sharedReading(read, { sizeOf, keepAll: false });
    const own = new AbortController();
    const first = rowsOf(shared(0, { signal: own.signal }), turns(2));
    const second = rowsOf(shared(), turns(2));
    const third = (async () => {
      for await (const { first: row } of shared()) if (row === 6) return row;
      return undefined;
    })();
    await turns(4)();
    own.abort();
    await expect(first).rejects.toThrow(/cancelled/);
    expect(await second).toEqual(ALL);
    expect(await third).toBe(6);
  });

  it('fails for all when the source fails, and is read anew after that', async () => {
    const options: { fails?: number } = { fails: 8 };
    const { read } = counted(options);
    const shared = sharedReading(read, { sizeOf, keepAll: true });
    const both = await Promise.allSettled([rowsOf(shared()), rowsOf(shared(), turns(3))]);
    expect(both.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    options.fails = undefined;
    expect(await rowsOf(shared())).toEqual(ALL);
  });

  it('refuses a reader that is cancelled already', async () => {
    const shared = sharedReading(counted().read, { sizeOf, keepAll: true });
    await expect(rowsOf(shared(0, { signal: AbortSignal.abort() }))).rejects.toThrow(/cancelled/);
  });
});
