/** Modules whose loading is interrupted: Node loads each once, and would keep what is half loaded for good. */
import fs from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { ensureKernelBuilt, startKernel, type KernelProcess, type TestClient } from '#test/kit/kernel.js';

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Takes `ms` the first time, without an await; `name` counts how often it ran. */
const busy = (name: string, ms: number): string =>
  `globalThis.${name} = (globalThis.${name} ?? 0) + 1;
   if (globalThis.${name} === 1) { const end = Date.now() + ${ms}; while (Date.now() < end) {} }`;

const FILES: Record<string, string> = {
  'node_modules/waits/index.js': `await new Promise((resolve) => setTimeout(resolve, 1500)); export const x = 'waits'`,
  'node_modules/busy/index.js': `${busy('busy', 1500)} export const x = 'busy'`,
  'node_modules/imports-busy/index.js': `export { x } from 'busy'; export { y } from 'whole'`,
  'node_modules/whole/index.js': `export const y = {}`,
  'node_modules/endless/index.js': `${busy('endless', 1e9)} export const x = 'endless'`,
  'node_modules/imports-endless/index.js': `export { x } from 'endless'; export { y } from 'whole'`,
  'node_modules/common/index.cjs': `exports.early = 1; ${busy('common', 1500)} exports.x = 'common'`,
  'node_modules/endless-common/index.cjs': `exports.early = 1; ${busy('endlessCommon', 1e9)} exports.x = 'endless-common'`,
  'waits.mjs': `await new Promise((resolve) => setTimeout(resolve, 1500)); export const x = './waits.mjs'`,
  'busy.mjs': `${busy('busyFile', 1500)} export const x = './busy.mjs'`,
  'busy.ts': `import { x as own } from 'busy'; export const x: string = './' + own + '.ts'`,
};

/** A kernel loads each module once: every test has modules of its own names. */
let copies = 0;
const named = (text: string): string =>
  text.replace(/\b(waits|busy|busyFile|whole|endless|endlessCommon|common)\b/g, `$1${copies}`);

function write(folder: string): void {
  copies++;
  for (const [name, text] of Object.entries(FILES)) {
    const file = path.join(folder, named(name));
    fs.mkdirSync(path.dirname(file), { recursive: true });
    fs.writeFileSync(file, named(text));
    if (!name.startsWith('node_modules')) continue;
    const info = { name: path.basename(path.dirname(file)), type: 'module', main: path.basename(file) };
    fs.writeFileSync(path.join(path.dirname(file), 'package.json'), JSON.stringify(info));
  }
}

beforeAll(() => ensureKernelBuilt());

describe.each([
  { name: 'without grace', env: { FGNB_INTERRUPT_GRACE_MS: '0' } },
  { name: 'with the grace that users have', env: {} },
])('an import that is interrupted, $name', ({ env }) => {
  let kernel: KernelProcess;
  let client: TestClient;
  beforeAll(async () => {
    kernel = await startKernel({ env });
    client = await kernel.connect();
  });
  beforeEach(async () => {
    write(kernel.notebookFolder);
    await client.run(named(`globalThis.early = await import('whole'); 0`));
  });
  afterAll(() => kernel.stop());

  const run = async (source: string): Promise<string | undefined> => (await client.run(named(source))).shown;

  /** Begins a cell, interrupts it while the module loads; how it ended. */
  async function interrupted(source: string): Promise<string> {
    // A module that ends within the grace does not end the cell.
    const execution = client.begin(named(`${source}; await new Promise(() => {})`));
    await client.started(execution);
    await pause(400);
    client.send({ type: 'interrupt' });
    return (await client.finished(execution, 15_000)).status;
  }

  it.each(['waits', 'busy', 'common', './waits.mjs', './busy.mjs'])('%s loads the next time', async (name) => {
    expect(await interrupted(`await import('${name}')`)).toBe('interrupted');
    for (let i = 0; i < 2; i++) expect(await run(`const { x } = await import('${name}'); x`)).toBe(named(`'${name}'`));
  });

  it.each(['endless', 'endless-common'])('%s is stopped all the same, and loads the next time', async (name) => {
    expect(await interrupted(`await import('${name}')`)).toBe('interrupted');
    for (let i = 0; i < 2; i++) expect(await run(`const { x } = await import('${name}'); x`)).toBe(named(`'${name}'`));
    // What had loaded stays as it was.
    expect(await run(`early.y === (await import('whole')).y`)).toBe('true');
    expect(await run(`(await import('node:path')).sep`)).toBe("'/'");
    expect(kernel.child.exitCode).toBe(null);
  });

  // With the grace, an endless module costs its four seconds each time: those above show that it is cut in the end.
  const endless = [
    { cut: `await import('imports-endless')`, then: `(await import('endless')).x`, shown: "'endless'" },
    { cut: `await import('endless')`, then: `(await import('imports-endless')).x`, shown: "'endless'" },
    // Half of the exports must never be given for the whole.
    { cut: `require('endless-common')`, then: `require('endless-common').x`, shown: "'endless-common'" },
  ];
  it.each([
    // Importers of what was cut, by themselves and through TypeScript.
    ...('FGNB_INTERRUPT_GRACE_MS' in env ? endless : []),
    { cut: `await import('imports-busy')`, then: `(await import('busy')).x`, shown: "'busy'" },
    { cut: `await import('./busy.ts')`, then: `(await import('./busy.ts')).x`, shown: "'./busy.ts'" },
    { cut: `require('common')`, then: `(await import('common')).x`, shown: "'common'" },
  ])('$cut, then $then', async ({ cut, then, shown }) => {
    expect(await interrupted(cut)).toBe('interrupted');
    expect(await run(then)).toBe(named(shown));
  });
});

describe('a module that takes a second', () => {
  it('is loaded once: the interrupt waits for it, and a loop behind it is stopped at once', async () => {
    const kernel = await startKernel();
    try {
      write(kernel.notebookFolder);
      const client = await kernel.connect();
      const execution = client.begin(named(`await import('busy'); for (;;) {}`));
      await client.started(execution);
      await pause(400);
      client.send({ type: 'interrupt' });
      expect((await client.finished(execution, 15_000)).status).toBe('interrupted');
      expect((await client.run(named(`[(await import('busy')).x, globalThis.busy]`))).shown).toBe(
        named("[ 'busy', 1 ]"),
      );
    } finally {
      await kernel.stop();
    }
  });
});
