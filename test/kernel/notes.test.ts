/**
 * What is kept beside results, by real notebooks in real processes: which notebook and cell made them, the key figures, a
 * note; all of it is searched, and shown by the list of results in the editor.
 */
import { execFile } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { artifactDetails, artifactLine, artifactOf } from '#extension/views/artifactWords.js';
import type { ArtifactRecord } from '#kernel/artifacts/types.js';
import { CELL_LANGUAGE } from '#protocol/notebook.js';
import { ensureKernelBuilt, kernelCli, root } from '#test/kit/kernel.js';
import { temporaryFolder } from '#test/kit/folder.js';

const folder = temporaryFolder('notes');
beforeAll(() => ensureKernelBuilt());
afterAll(() => fs.rmSync(folder, { recursive: true, force: true }));

/** Runs a notebook by the command line; what its cells printed. */
async function run(name: string, ...sources: string[]): Promise<string> {
  const cells = sources.map((source, i) => ({ id: `cell-${i}`, kind: 'code', language: CELL_LANGUAGE, source }));
  fs.writeFileSync(path.join(folder, name), JSON.stringify({ fgnb: 1, metadata: {}, cells }));
  const out = path.join(folder, `out-${name}`);
  await promisify(execFile)(process.execPath, [kernelCli, 'run', name, '--out', out, '--device', 'cpu'], {
    cwd: folder,
  });
  return fs.readFileSync(out, 'utf8');
}

const records = (): ArtifactRecord[] =>
  fs
    .readdirSync(path.join(folder, '.fgnb'))
    .map((name) => path.join(folder, '.fgnb', name, 'artifact.json'))
    .filter((file) => fs.existsSync(file))
    .map((file) => JSON.parse(fs.readFileSync(file, 'utf8')) as ArtifactRecord);

it(
  'results say their notebook, cell and key figures, and are found by these and by a note',
  { timeout: 240_000 },
  async () => {
    const model = JSON.stringify(path.join(root, 'examples/models/tiny-stories-1L'));
    const train = (k: number, steps: number): string =>
      `fg.sae.train(lm, text, { hook: 'blocks.0.hook_mlp_out', features: 32, architecture: 'topk', k: ${k}, steps: ${steps}, trainBatchSizeTokens: 128 })`;
    await run(
      'first.fgnb',
      `const lm = await fg.models.load(${model}); const text = fg.datasets.stories({ stories: 20, context: 16 })`,
      `const a = await ${train(4, 5)}; fg.keyFigure('finding', 'royal words 0.73')`,
      `const b = await ${train(8, 6)}; await fg.activations.save(lm, a, text); await fg.activations.save(lm, b, text)`,
    );
    await run(
      'second.fgnb',
      `const stores = await fg.artifacts.list({ search: 'activations 6' }); const [of8] = stores.filter((r) => r.title.includes('k 8'))
await fg.artifacts.note(of8.id, 'for the talk in May')`,
      `const by = async (search) => (await fg.artifacts.list({ search })).map((r) => r.id)
if ((await by('talk MAY')).join() !== of8.id) throw new Error('the note does not find it')
if ((await by('first.fgnb cell-2 royal activations')).length !== 2) throw new Error('notebook, cell and figures do not find it')
if ((await by('second.fgnb')).length !== 0) throw new Error('a note does not change who made a result')`,
    );
    await run(
      'third.fgnb',
      `const lm = await fg.models.load(${model}); const text = fg.datasets.stories({ stories: 20, context: 16 })
const a = await ${train(4, 5)}; const b = await ${train(8, 6)}`,
      `await fg.correlation.map(await fg.activations.save(lm, a, text), await fg.activations.save(lm, b, text), { minFirings: 1 })
await fg.maps.pca(b.decoder)`,
    );
    const first = 'tiny-stories-1L blocks.0.hook_mlp_out topk 32';
    const titled = (of: string): unknown => records().find(({ kind }) => kind === of)?.title;
    expect(titled('correlation')).toBe(`${first}, k 4, 5 steps ↔ ${first}, k 8, 6 steps`);
    expect(titled('layout')).toBe(`PCA of ${first}, k 8, 6 steps`);
    const stores = records().filter(({ kind }) => kind === 'activations');
    expect(stores.map(({ title }) => title).sort()).toEqual([
      'tiny-stories-1L blocks.0.hook_mlp_out topk 32, k 4, 5 steps',
      'tiny-stories-1L blocks.0.hook_mlp_out topk 32, k 8, 6 steps',
    ]);
    const noted = stores.find(({ note }) => note)!;
    expect(noted.madeBy).toEqual({
      notebook: 'first.fgnb',
      cell: 'cell-2',
      keyFigures: { finding: 'royal words 0.73' },
    });
    const shown = artifactOf(noted, 'artifact.json', 'folder')!;
    expect(artifactLine(shown).description).toMatch(/^for the talk in May · activations · /);
    expect(artifactDetails(shown).join('\n')).toMatch(
      /Note: for the talk in May\n.*made by first\.fgnb, cell cell-2\nfinding: royal words 0\.73$/,
    );
  },
);
