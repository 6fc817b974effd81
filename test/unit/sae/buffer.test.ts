import { describe, expect, it } from 'vitest';
import { matrix, type Matrix } from '#kernel/compute/matrix.js';
import { ActivationBuffer, type BufferOptions } from '#kernel/sae/buffer.js';
import { cachedSource, matrixSource, type ActivationSource } from '#kernel/sae/source.js';

/** Row i is (i, −i). */
const numbered = (rows: number): Matrix =>
  matrix(
    rows,
    2,
    Float32Array.from({ length: 2 * rows }, (_, i) => (i % 2 ? -1 : 1) * Math.floor(i / 2)),
  );

async function served(source: ActivationSource, options: BufferOptions, batches = Infinity): Promise<number[]> {
  const buffer = new ActivationBuffer(source, options);
  const out = new Float32Array(options.batchSize * 2);
  const rows: number[] = [];
  for (let b = 0; b < batches && (await buffer.next(out)); b++) {
    for (let i = 0; i < options.batchSize; i++) {
      expect(out[2 * i + 1]).toBe(-out[2 * i]);
      rows.push(out[2 * i]);
    }
  }
  return rows;
}

describe('the shuffle buffer', () => {
  it.each([
    [96, 8, 32, 10],
    [96, 8, 8, 7],
    [96, 96, 96, 96],
    [96, 12, 1000, 5],
  ])(
    'serves each of %i rows once (batches of %i, capacity %i, pieces of %i)',
    async (rows, batchSize, capacity, rowsPerBatch) => {
      const order = await served(matrixSource(numbered(rows), { rowsPerBatch }), {
        batchSize,
        capacity,
        seed: 1,
        epochs: 1,
      });
      expect(order).not.toEqual([...order].sort((a, b) => a - b));
      expect([...order].sort((a, b) => a - b)).toEqual(Array.from({ length: rows }, (_, i) => i));
    },
  );
  it('leaves out only what does not fill a batch at the very end', async () => {
    const order = await served(matrixSource(numbered(50)), { batchSize: 8, capacity: 16, seed: 1, epochs: 1 });
    expect(new Set(order).size).toBe(48);
  });
  it('goes round again: over many epochs every row is served about as often', async () => {
    const order = await served(matrixSource(numbered(40)), { batchSize: 10, capacity: 40, seed: 1 }, 400);
    const times = new Float64Array(40);
    for (const row of order) times[row]++;
    for (const n of times) expect(Math.abs(n - 100)).toBeLessThan(25);
  });
  it('is decided by its seed', async () => {
    const run = (seed: number) => served(matrixSource(numbered(64)), { batchSize: 8, capacity: 32, seed }, 12);
    expect(await run(5)).toEqual(await run(5));
    expect(await run(5)).not.toEqual(await run(6));
  });
  it('goes on from a saved state as if nothing had happened', async () => {
    const options = { batchSize: 6, capacity: 20, seed: 2 };
    const source = () => matrixSource(numbered(45), { rowsPerBatch: 9 });
    const whole = await served(source(), options, 30);
    for (const cut of [0, 1, 5, 13]) {
      const first = new ActivationBuffer(source(), options);
      const out = new Float32Array(12);
      for (let b = 0; b < cut; b++) await first.next(out);
      const second = new ActivationBuffer(source(), options);
      second.restore(first.state());
      const rest: number[] = [];
      for (let b = cut; b < 30; b++) {
        await second.next(out);
        for (let i = 0; i < 6; i++) rest.push(out[2 * i]);
      }
      expect(rest).toEqual(whole.slice(6 * cut));
    }
  });
  it('serves a batch again after unserve', async () => {
    const buffer = new ActivationBuffer(matrixSource(numbered(30)), { batchSize: 5, capacity: 20, seed: 1 });
    const a = new Float32Array(10);
    const b = new Float32Array(10);
    await buffer.next(a);
    await buffer.next(a);
    buffer.unserve();
    await buffer.next(b);
    expect(b).toEqual(a);
  });
  it('scales rows as it serves them', async () => {
    const buffer = new ActivationBuffer(matrixSource(matrix(1, 2, Float32Array.of(1, 2))), {
      batchSize: 1,
      capacity: 1,
      seed: 0,
      scale: 0.5,
    });
    const out = new Float32Array(2);
    await buffer.next(out);
    expect([...out]).toEqual([0.5, 1]);
  });
  it('refuses a capacity below a batch', () => {
    expect(() => new ActivationBuffer(matrixSource(numbered(4)), { batchSize: 4, capacity: 3, seed: 0 })).toThrow(
      /cannot serve batches of 4/,
    );
  });
});

it('a cached source asks the first one for one epoch only', async () => {
  let epochs = 0;
  const inner = matrixSource(numbered(10), { rowsPerBatch: 4 });
  const source = cachedSource({ ...inner, batches: (first) => (epochs++, inner.batches(first)) });
  const read = async (first: number) => {
    const rows: number[] = [];
    for await (const piece of source.batches(first)) for (let i = 0; i < piece.rows; i++) rows.push(piece.data[2 * i]);
    return rows;
  };
  expect(await read(0)).toEqual(await read(0));
  expect(await read(8)).toEqual([8, 9]);
  expect(epochs).toBe(1);
});
