/** Cells in the real workbench: the keys that run them, and what a training leaves in its output. */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { BrowserContext, Frame, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
// @ts-expect-error plain JavaScript: the harness runs without a build
import { openWorkbench, startBrowser } from '#test/harness/browser.mjs';
// @ts-expect-error plain JavaScript
import { startServer } from '#test/harness/server.mjs';
// @ts-expect-error plain JavaScript
import { installVsix } from '../../scripts/vscode.mjs';
import { CHROMIUM, screenshots } from './harness.js';

const root = path.resolve(import.meta.dirname, '../..');
const ready = CHROMIUM !== undefined && existsSync(path.join(root, 'dist/kernel/cli.cjs'));
if (!ready)
  console.log(
    `skipped test/e2e/cellsWorkbench.test.ts: ${CHROMIUM ? 'nothing is built (node scripts/build.mjs)' : 'no chromium in /usr/bin'}`,
  );

const MODEL = path.join(root, 'examples/models/tiny-stories-1L');
const CELLS = [
  "'ran ' + 6 * 7",
  `const lm = await fg.models.load(${JSON.stringify(MODEL)})
const sae = await fg.sae.train(lm, fg.datasets.stories({ seed: 1, stories: 200, context: 64 }), {
  hook: 'blocks.0.hook_mlp_out', architecture: 'topk', k: 8, features: 256,
  steps: 60, trainBatchSizeTokens: 512, lr: 3e-3, seed: 0, logEvery: 2,
})
const after = 'the training is not the last expression'`,
];

interface Bench {
  openFile(name: string): Promise<void>;
  notebookReady(): Promise<void>;
  palette(command: string): Promise<void>;
  escape(): Promise<void>;
  findFrame(selector: string, timeout?: number): Promise<Frame>;
}

describe.skipIf(!ready)('cells in the real workbench', () => {
  let folder: string;
  let data: string;
  let server: { url: string; stop(): Promise<void> };
  let context: BrowserContext;
  let page: Page;
  let bench: Bench;
  const runs = () => path.join(folder, 'runs');
  const shot = (name: string) => page.screenshot({ path: path.join(screenshots, `cells-workbench-${name}.png`) });
  const orders = () => page.locator('.execution-count-label').allInnerTexts();
  const editor = (i: number) => page.locator('.code-cell-row .monaco-editor').nth(i);

  beforeAll(async () => {
    mkdirSync(screenshots, { recursive: true });
    folder = mkdtempSync(path.join(tmpdir(), 'fgnb-cells-'));
    data = mkdtempSync(path.join(tmpdir(), 'fgnb-workbench-'));
    const cells = CELLS.map((source, i) => ({
      ...{ id: `cell${i}`, kind: 'code', language: 'fgnb-typescript' },
      source: source.split(/(?<=\n)/),
    }));
    writeFileSync(path.join(folder, 'cells.fgnb'), JSON.stringify({ fgnb: 1, metadata: {}, cells }));
    const extensionsDir: string = await installVsix(path.join(folder, 'vscode-extensions'));
    const settings = { 'workbench.colorTheme': 'Default Dark Modern' };
    server = await startServer(data, { extensionsDir, settings, env: { FGNB_RUN_ROOT: runs() } });
    context = await startBrowser(data);
    page = context.pages()[0] ?? (await context.newPage());
    bench = (await openWorkbench(page, server.url, folder)) as Bench;
    await bench.openFile('cells.fgnb');
    await bench.notebookReady();
    await bench.palette('View: Close Primary Side Bar').catch(() => bench.escape());
  }, 180_000);
  afterEach(async ({ task }) => {
    if (task.result?.state === 'fail') await shot('failed');
  });
  afterAll(async () => {
    await context?.close();
    await server?.stop();
    // Kernels outlive their window; the one of this test ends here.
    for (const run of folder && existsSync(runs()) ? readdirSync(runs()) : []) {
      const lock = path.join(runs(), run, 'kernel.json');
      if (!existsSync(lock)) continue;
      const { pid } = JSON.parse(readFileSync(lock, 'utf8')) as { pid: number };
      if (existsSync(`/proc/${pid}`)) process.kill(pid, 'SIGKILL');
    }
    for (const each of [folder, data]) if (each) rmSync(each, { recursive: true, force: true });
  });

  test('Ctrl+Enter runs the cell that is edited and leaves the text as it is', async () => {
    await editor(0).click();
    await page.keyboard.press('Control+Enter');
    await expect.poll(async () => (await orders())[0], { timeout: 60_000 }).toBe('[1]');
    expect(await editor(0).locator('.view-line').count()).toBe(1);
    expect(await page.locator('.code-cell-row').count()).toBe(CELLS.length);
    // The number is there when the cell starts; while a cell runs, VS Code takes no second request for it.
    const spinning = () => page.locator('.code-cell-row .codicon-modifier-spin').count();
    await expect.poll(spinning, { timeout: 60_000 }).toBe(0);
    await page.keyboard.press('Control+Enter');
    await expect.poll(async () => (await orders())[0], { timeout: 30_000 }).toBe('[2]');
    await expect.poll(spinning, { timeout: 60_000 }).toBe(0);
    await shot('ctrl-enter');
  }, 180_000);

  test('a training leaves its curves and a table of settings and end figures', async () => {
    await editor(1).click();
    await page.keyboard.press('Control+Enter');
    const frame = await bench.findFrame('text=Training of', 120_000);
    await frame.locator('svg, canvas').first().waitFor({ timeout: 30_000 });
    await frame.getByText(/lr 0\.003/).waitFor();
    for (const figure of ['loss', 'explained variance', 'L0', 'dead features'])
      expect(await frame.getByText(figure, { exact: true }).count()).toBeGreaterThan(0);
    await frame.getByText(/lr 0\.003/).scrollIntoViewIfNeeded();
    await page.waitForTimeout(500);
    await shot('training');
  }, 180_000);
});
