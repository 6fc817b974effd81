import { expect, it } from 'vitest';
import { exactKnn } from '#kernel/compute/knn.js';
import { matrix } from '#kernel/compute/matrix.js';
import { umap } from '#kernel/maps/umap.js';
import golden from '../../goldens/umap-sheet.json' with { type: 'json' };

const fraction = (e: number): number => Math.abs(Math.sin(e * 12.9898) * 43758.5453) % 1;

/** The bent sheet of test/goldens/umap-sheet.py. */
function sheet() {
  const x = matrix(golden.rows, golden.columns);
  for (let i = 0; i < x.rows; i++) {
    const [u, v] = [fraction(2 * i + 1), fraction(2 * i + 2)];
    for (let j = 0; j < x.cols; j++) {
      const [a, b, phase] = [0, 1, 2].map((c) => fraction(3 * j + c + 100_000));
      x.data[i * x.cols + j] = Math.sin(4 * (2 * a - 1) * u + 4 * (2 * b - 1) * v + 6 * phase);
    }
  }
  return x;
}

it('UMAP keeps the neighbours of a bent sheet in one piece as umap-learn does: it starts from the true spectrum', async () => {
  const x = sheet();
  expect(x.data.reduce((sum, v) => sum + Math.abs(v), 0)).toBeCloseTo(golden.sum, 0);
  const layout = await umap(x, { nEpochs: golden.epochs, trustworthiness: golden.k });
  expect(layout.parameters.init).toBe('spectral');
  expect(layout.trustworthiness).toBeGreaterThan(golden.trustworthiness - 0.005);
  const truth = await exactKnn(x, golden.k, { metric: 'euclidean' });
  const found = await exactKnn(matrix(x.rows, 2, layout.coordinates), golden.k, { metric: 'euclidean' });
  let both = 0;
  for (let i = 0; i < x.rows; i++) {
    const near = new Set(truth.indices.subarray(i * golden.k, (i + 1) * golden.k));
    for (const j of found.indices.subarray(i * golden.k, (i + 1) * golden.k)) if (near.has(j)) both++;
  }
  expect(both / truth.indices.length).toBeGreaterThan(golden.recall - 0.005);
});
