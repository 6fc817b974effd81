/** What cells show, in the kernel itself: its bundle, its device, its example model. */
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ensureKernelBuilt, root, startKernel, type KernelProcess, type TestClient } from '#test/kit/kernel.js';

let kernel: KernelProcess;
let client: TestClient;

beforeAll(async () => {
  ensureKernelBuilt();
  kernel = await startKernel({ bare: false, args: ['--device', 'cpu'] });
  client = await kernel.connect();
});
afterAll(() => kernel.stop());

describe('a cell of the kernel', () => {
  it('runs what the compiler has to rewrite', async () => {
    const cell = `import fs = require('node:fs')
function dec(value: unknown, context: ClassDecoratorContext) { context.addInitializer(() => {}) }
@dec class Kept { accessor n = 2 }
enum Kind { A = 3 }
using held = { [Symbol.dispose]() { console.log('disposed') } }
;[typeof fs.readFileSync, new Kept().n, Kind.A]`;
    const { status, shown } = await client.run(cell);
    expect([status, shown]).toEqual(['ok', "[ 'function', 2, 3 ]"]);
  });

  it('prints stacks without frames of the kernel', async () => {
    const execution = client.begin('console.trace("here")\nconsole.log(new Error("kept"))');
    await client.finished(execution);
    const text = client.events(execution).flatMap((e) => (e.kind === 'stream' ? [e.text] : []));
    expect(
      text
        .join('')
        .replace(/\[\d+\]/g, '[n]')
        .split('\n')
        .sort(),
    ).toEqual(['', '    at cell [n]:1:9', '    at cell [n]:2:13', 'Error: kept', 'Trace: here'].sort());
  });

  it('has no input, and says what to do', async () => {
    const source =
      "import rl from 'node:readline/promises'\nawait rl.createInterface({ input: process.stdin }).question('name? ')";
    const { status, error } = await client.run(source);
    expect([status, error?.message]).toEqual(['error', expect.stringMatching(/^A cell has no input: .*--param/)]);
    expect((await client.run("require('node:fs').readFileSync(0, 'utf8')")).shown).toBe("''");
  });

  it('shows token sets and directions by one line, wherever they are', async () => {
    const load = `const lm = await fg.models.load(${JSON.stringify(path.join(root, 'examples/models/tiny-stories-1L'))})
const tokens = fg.datasets.stories({ seed: 1, stories: 20, context: 64 }).tokens(lm)
const way = await fg.interventions.direction(lm, 'blocks.0.hook_mlp_out', ' king', { minus: ' queen' })`;
    expect((await client.run(`${load}\ntokens`)).shown).toMatch(
      /^Tokens of .*: [\d,]+ sequences of 64 \([\d,]+ tokens\)$/,
    );
    expect((await client.run('way')).shown).toMatch(/king.*at blocks\.0\.hook_mlp_out of .*, norm \d/);
    const { shown } = await client.run('({ way, all: [tokens] })');
    expect(shown).toMatch(/way: \("? king.*norm .*all: \[ Tokens of /s);
    expect(shown).not.toMatch(/Int32Array|Float32Array/);
  });

  it('keeps curves and a table of a training, trained or loaded', async () => {
    const source = `const sae = await fg.sae.train(lm, fg.datasets.stories({ seed: 1, stories: 60, context: 64 }), {
  hook: 'blocks.0.hook_mlp_out', architecture: 'topk', k: 8, features: 64, steps: 20, trainBatchSizeTokens: 256, seed: 0, logEvery: 5 })
const more = 1`;
    for (let turn = 0; turn < 2; turn++) {
      const execution = client.begin(source);
      expect((await client.finished(execution, 60_000)).status).toBe('ok');
      // Curves that were drawn meanwhile stand where the last ones do.
      const kept = new Map(
        client
          .events(execution)
          .flatMap((e, i) => (e.kind === 'display' ? [[e.displayId ?? i, e.items] as const] : [])),
      );
      const displays = [...kept.values()];
      expect(displays.map((items) => items[0].mime)).toEqual([
        'application/vnd.fgnb.chart+json',
        'application/vnd.fgnb.table+json',
      ]);
      const text = displays[1].find((item) => item.mime === 'text/plain')?.text ?? '';
      expect(text).toMatch(/explained variance +-?0\.\d/);
      expect(text).toMatch(/architecture topk · k 8 · features 64 .*steps 20 .*seed 0/);
    }
  });
});
