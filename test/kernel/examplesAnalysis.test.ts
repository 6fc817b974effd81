/** The notebooks of Mapper and of interventions, run from start to end at small sizes. */
import fs from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { NotebookFile } from '#protocol/notebook.js';
import { figure, runExample } from './exampleNotebooks.js';
import { ensureKernelBuilt, root } from '#test/kit/kernel.js';
import { temporaryFolder } from '#test/kit/folder.js';

const folder = temporaryFolder('examples-analysis');
beforeAll(() => ensureKernelBuilt());
afterAll(() => fs.rmSync(folder, { recursive: true, force: true }));

const outputsOf = (cells: NotebookFile['cells'], mime: string): number =>
  cells.flatMap((c) => c.outputs ?? []).filter((o) => o.items.some((i) => i.mime.includes(mime))).length;
const small = { steps: 24, stories: 300, features: 256 };

describe('examples of analysis', () => {
  it('mapper.fgnb runs: known shapes have their Betti numbers, every graph its null', async () => {
    const { stdout, html, cells } = await runExample(folder, 'mapper', {
      ...small,
      nulls: 3,
      saes: 'not-there',
    });
    expect(figure(stdout, 'Circle')).toEqual([1, 1]);
    expect(figure(stdout, 'Blobs')).toEqual([3, 0]);
    const [nodes] = figure(stdout, 'A: nodes');
    expect(nodes).toBeGreaterThan(0);
    expect(figure(stdout, 'Stability of nodes')[0]).toBeGreaterThan(0);
    expect(outputsOf(cells, 'fgnb.graph')).toBeGreaterThanOrEqual(3);
    expect(html).toContain('is nearly constant');
    expect(html).toContain('sae_128_4.pt and sae_1024_4.pt of github.com/prestoj/tinystories_sae');
  });

  it('steering.fgnb runs: effects beside random directions, attribution beside ablation', async () => {
    const { stdout, cells } = await runExample(folder, 'steering', { ...small, nulls: 4, pairs: 4 });
    // Royal words become likelier than under any random direction, even with SAEs of 24 steps.
    const [delta, , , largest] = figure(stdout, 'Royal words');
    expect(delta).toBeGreaterThan(Math.abs(largest));
    expect(figure(stdout, 'Attribution and ablation')[0]).toBeGreaterThan(0);
    expect(figure(stdout, 'Probability of she')).not.toHaveLength(0);
    expect(outputsOf(cells, 'fgnb.lab')).toBe(1);
    expect(outputsOf(cells, 'fgnb.map')).toBe(1);
  });

  it('correlate.fgnb runs: no line of the page takes more than three of code; its scores stand beside their nulls', async () => {
    fs.cpSync(path.join(root, 'examples/groups'), path.join(folder, 'groups'), { recursive: true });
    const { stdout, cells } = await runExample(folder, 'correlate', { ...small, samples: 100, nulls: 9 });
    for (const cell of cells.filter(({ kind }) => kind === 'code')) expect(cell.source.length, cell.id).toBeLessThan(4);
    const [value, nullMean, p, n] = figure(stdout, 'JACCARD');
    expect(value).toBeGreaterThan(2 * nullMean);
    expect([p, n]).toEqual([0.1, 256]);
    const [kept, all] = figure(stdout, 'Pairs kept');
    expect(kept).toBeGreaterThan(5);
    expect(kept).toBeLessThan(all);
    expect(outputsOf(cells, 'fgnb.map')).toBe(4);
    expect(figure(stdout, 'Tokens that aligned')).toEqual([100, 100]);
  });

  it('training.fgnb runs: a sweep on one pass, its baselines beside the SAE in every figure', async () => {
    const given = { stories: 60, samples: 24, steps: 12, features: 64 };
    const { stdout, cells, html } = await runExample(folder, 'training', given);
    expect(figure(stdout, 'Explained variance by k')).toHaveLength(3);
    for (const name of ['CE recovered, of the mean', 'Accuracy of one feature'])
      expect(stdout).toMatch(new RegExp(`${name} +SAE -?[\\d.]+.*frozenDecoder -?[\\d.]+.*random -?[\\d.]+`));
    expect(outputsOf(cells, 'fgnb.map')).toBe(2);
    for (const architecture of ['topk', 'batchtopk', 'matryoshka_batchtopk', 'jumprelu', 'gated', 'standard'])
      expect(html).toMatch(new RegExp(`frozenDecoder[^"<]*${architecture}|${architecture}[^"<]*frozenDecoder`));
    for (const said of ['L0 against what is kept', 'least detectable', 'softFrozenDecoder'])
      expect(html).toContain(said);
  });

  it('cluster.fgnb runs: what is merged of shards equals the call in one piece', async () => {
    const { stdout, cells } = await runExample(folder, 'cluster', { stories: 60, steps: 10, nulls: 6 });
    expect(stdout).toMatch(/Merged equals unsplit +true/);
    expect(JSON.stringify(cells)).toContain('#SBATCH --array=0-');
  });

  it('bring-your-own.fgnb runs: arrays become stores, A is found in B, and both are drawn in a twin map', async () => {
    const { stdout, cells, html } = await runExample(folder, 'bring-your-own', {});
    expect(figure(stdout, 'Pairs found')).toEqual([24, 24]);
    expect(figure(stdout, 'Loaded again')[0]).toBeGreaterThanOrEqual(24);
    expect(outputsOf(cells, 'fgnb.map')).toBe(1);
    expect(html).toContain('Own arrays: A and B');
  });
});
