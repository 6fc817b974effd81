/** Null runs on a device beside those of the pool: the same orders, sums within the rounding of float32. */
import { beforeAll, expect, it } from 'vitest';
import { initGemm } from '#kernel/compute/gemm.js';
import { matrix, type Matrix } from '#kernel/compute/matrix.js';
import { Random } from '#kernel/compute/random.js';
import { similarityScores, type ScoreOptions } from '#kernel/correlation/scores.js';
import { deviceNulls } from '#kernel/correlation/sharedNulls.js';
import { onEachDevice } from '#test/kit/devices.js';

beforeAll(() => initGemm());

const normal = (n: number, d: number, seed: number): Matrix =>
  matrix(n, d, new Random(seed).normals(new Float32Array(n * d)));

onEachDevice('null runs of CCA', (device, provider) => {
  // On a software GPU it would take half a minute; what it computes there is tested at small sizes (shuffledNorms).
  const large = provider === 'cpu' ? it : () => undefined;
  large('are those of the CPU, counted as they are made', async () => {
    const [x, y] = [normal(300, 130, 1), normal(300, 128, 2)];
    const options = { metrics: ['cca'], nulls: 3, seed: 3 } satisfies ScoreOptions;
    const counts: number[] = [];
    const [got] = await similarityScores(x, y, {
      ...options,
      shareNulls: deviceNulls(device()),
      onProgress: ({ done }) => counts.push(done),
    });
    const [wanted] = await similarityScores(x, y, options);
    expect(Math.abs(got.null.mean / wanted.null.mean - 1)).toBeLessThan(1e-5);
    expect(Math.abs(got.null.max / wanted.null.max - 1)).toBeLessThan(1e-5);
    expect({ value: got.value, p: got.p, n: got.n }).toEqual({ value: wanted.value, p: wanted.p, n: wanted.n });
    expect(counts).toEqual([3]);
  });

  it('end with the signal', async () => {
    const stop = new AbortController();
    stop.abort();
    const made = deviceNulls(device())(
      { n: 3, p: 1, q: 1, left: new Float32Array(3), right: new Float32Array(3), lowest: 0 },
      2,
      () => Uint32Array.of(0, 1, 2),
      { signal: stop.signal, done: () => undefined },
    );
    await expect(made).rejects.toThrow('null runs');
  });
});
