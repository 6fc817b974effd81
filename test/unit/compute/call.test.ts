/** A signal that is aborted already ends a call before it starts, however little there is to do. */
import { describe, expect, it } from 'vitest';
import { pauses, type CallOptions } from '#kernel/compute/call.js';
import { initDevice } from '#kernel/compute/device.js';
import { exactKnn } from '#kernel/compute/knn.js';
import { matrix } from '#kernel/compute/matrix.js';
import { Random } from '#kernel/compute/random.js';
import { landmarks, PointDistances } from '#kernel/mapper/landmarks.js';
import { NullData } from '#kernel/mapper/nullData.js';
import { pairDistances } from '#kernel/mapper/pairDistances.js';
import { ripsBarcodes } from '#kernel/mapper/rips.js';
import { openSpace } from '#kernel/mapper/space.js';
import { pca } from '#kernel/maps/pca.js';
import { trustworthiness } from '#kernel/maps/trustworthiness.js';
import { umap } from '#kernel/maps/umap.js';
import { linearAssignment } from '#kernel/compute/assignment.js';
import { firingRecovery } from '#kernel/synthetic/recovery/firing.js';
import { largestCosines } from '#kernel/synthetic/world/spread.js';

await initDevice({ device: 'cpu' });
const x = matrix(12, 3, new Random(1).normals(new Float32Array(36)));
const points = new PointDistances(x, 'euclidean');
const ids = Int32Array.from({ length: 12 }, (_, i) => i);
const one = { rows: 2, cols: 1, indptr: Uint32Array.of(0, 1, 2), indices: Int32Array.of(0, 0), values: Float32Array.of(1, 2) }; // prettier-ignore

const CALLS: Record<string, (call: CallOptions) => Promise<unknown>> = {
  'neighbours': (call) => exactKnn(x, 3, { metric: 'euclidean', ...call }),
  'PCA': (call) => pca(x, call),
  'UMAP': (call) => umap(x, { nNeighbors: 3, ...call }),
  'trustworthiness': (call) => trustworthiness(x, matrix(12, 2), { k: 2, ...call }),
  'landmarks': (call) => landmarks(points, 3, 'maxmin', 0, call),
  'distances of landmarks': (call) => points.among(ids, call),
  'distances of pairs': (call) => pairDistances(openSpace(x, 'euclidean', undefined), ids, call),
  'persistence': async (call) => ripsBarcodes(await points.among(ids), call),
  'shuffled null data': (call) => new NullData(x, 'shuffled').draw(0, call),
  'gaussian null data': (call) => new NullData(x, 'gaussian').draw(0, call),
  'rotated null data': (call) => new NullData(x, 'rotated').draw(0, call),
  'the assignment problem': (call) => linearAssignment(Float64Array.of(1, 2, 3, 4), 2, 2, call),
  'recovery': (call) =>
    firingRecovery(
      { samples: 2, codes: one, latents: one },
      { featureOf: Int32Array.of(0), assigned: Int32Array.of(0) },
      { nulls: 0, ...call },
    ),
  'cosines of directions': (call) => largestCosines(x, call),
}; // prettier-ignore

describe('an aborted signal', () => {
  for (const [name, run] of Object.entries(CALLS))
    it(`ends ${name} of a few points before it starts`, async () => {
      await run({});
      await expect(run({ signal: AbortSignal.abort() })).rejects.toMatchObject({ name: 'AbortError' });
    });
});

describe('pauses', () => {
  it('throw on entry and at the next pause after an abort, and breathe once their time is over', async () => {
    expect(() => pauses(AbortSignal.abort(), 'work')).toThrow('work was cancelled');
    const controller = new AbortController();
    const pause = pauses(controller.signal, 'work', 1e9);
    expect(await pause()).toBe(false);
    controller.abort();
    await expect(pause()).rejects.toThrow('work was cancelled');
    expect(await pauses(undefined, 'work', 0)()).toBe(true);
  });
});
