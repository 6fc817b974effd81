/** The notebooks on ground truth, run from start to end at small sizes; what they say must hold there too. */
import fs from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { NotebookFile } from '#protocol/notebook.js';
import { figure, runExample } from './exampleNotebooks.js';
import { ensureKernelBuilt } from '#test/kit/kernel.js';
import { temporaryFolder } from '#test/kit/folder.js';

const folder = temporaryFolder('examples-synthetic');
beforeAll(() => ensureKernelBuilt());
afterAll(() => fs.rmSync(folder, { recursive: true, force: true }));

const charts = (cells: NotebookFile['cells']): number =>
  cells.flatMap((c) => c.outputs ?? []).filter((o) => o.items.some((i) => i.mime.includes('fgnb.chart'))).length;

describe('examples on ground truth', () => {
  it('calibration.fgnb runs, and every matcher finds the truth in the true codes', async () => {
    const { stdout, html, cells } = await runExample(folder, 'calibration', {
      features: 48,
      dim: 16,
      l0: 4,
      splits: 3,
      absorptions: 2,
      samples: 3000,
      k: 3,
      steps: 30,
      trainingSamples: 4000,
      nulls: 5,
      stories: 120,
      sequences: 30,
      textSteps: 8,
    });
    // 24 shared: 17 one to one, 3 split (6 halves), 4 absorbed. One-to-one matching can find 24 of 27.
    const [argmax, mutual, greedy] = figure(stdout, 'Matchers, true codes');
    expect(argmax).toBe(1);
    for (const ap of [mutual, greedy]) expect(ap).toBeCloseTo(24 / 27, 1);
    const [value, floor] = figure(stdout, 'CCA at half shared');
    expect(value).toBeGreaterThan(floor);
    // Six of the notebook, and the curves of its three trainings.
    expect(charts(cells)).toBe(9);
    expect(html).toContain('What an r is worth');
  });

  it('synthetic.fgnb runs: published generators with what is wrong, corrected, SAEs, sweep, coupling', async () => {
    const { stdout, html, cells } = await runExample(folder, 'synthetic', {
      features: 96,
      dim: 32,
      k: 6,
      k2: 4,
      reportSamples: 3000,
      steps: 40,
      samples: 4096,
      recoverySamples: 1000,
      nulls: 2,
      sweepFeatures: 32,
      sweepDim: 16,
      sweepSteps: 8,
      sweepSamples: 2048,
      mfrSteps: 60,
      coupling: 0.1,
      widths: [16, 32],
      ks: [2, 4],
    });
    const [corrected, floor] = figure(stdout, 'MMCS, V corrected');
    expect(corrected).toBeGreaterThan(floor);
    expect(figure(stdout, 'Sweep')).toEqual([12, 12]);
    expect(figure(stdout, 'Matched cosine to the truth')).toHaveLength(2);
    expect(charts(cells)).toBeGreaterThanOrEqual(4);
    // The reports name the faults of the published generators in the page itself.
    expect(html).toContain('drawn once per group and batch');
    expect(html).toContain('Mutual feature regularization: the runs differ by the coupling alone');
  });

  it('crosscoder.fgnb runs: twins with and without room to share, two models, and what stays exclusive', async () => {
    const { stdout, html, cells } = await runExample(folder, 'crosscoder', {
      features: 32,
      dim: 16,
      steps: 60,
      samples: 4000,
      evaluated: 1500,
      stories: 150,
      training: 40,
      sequences: 12,
      width: 64,
      textSteps: 12,
    });
    const [rate, chance] = figure(stdout, 'False exclusives when sharing is scarce, latent scaling');
    expect(rate).toBeLessThan(chance);
    expect(figure(stdout, 'Side A')).toHaveLength(3);
    // Curves of three crosscoders, and decoder norms of two.
    expect(charts(cells)).toBe(5);
    expect(html).toContain('Exclusive features against truth');
  });
});
