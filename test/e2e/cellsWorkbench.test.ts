/** Cells in the real workbench: the keys that run them, and what a training leaves in its output. */
import type { Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { MODEL, NO_WORKBENCH, startWorkbench, type Workbench } from './workbench.js';

if (NO_WORKBENCH) console.log(`skipped test/e2e/cellsWorkbench.test.ts: ${NO_WORKBENCH}`);

const CELLS = [
  "'ran ' + 6 * 7",
  `const lm = await fg.models.load(${JSON.stringify(MODEL)})
for (const features of [256, 128]) await fg.sae.train(lm, fg.datasets.stories({ seed: 1, stories: 200, context: 64 }), {
  hook: 'blocks.0.hook_mlp_out', architecture: 'topk', k: 8, features,
  steps: 60, trainBatchSizeTokens: 512, lr: 3e-3, seed: 0, logEvery: 2,
})
const after = 'the training is not the last expression'`,
];

describe.skipIf(NO_WORKBENCH)('cells in the real workbench', () => {
  let workbench: Workbench | undefined;
  let page: Page;
  const orders = () => page.locator('.execution-count-label').allInnerTexts();
  const editor = (i: number) => page.locator('.code-cell-row .monaco-editor').nth(i);

  beforeAll(async () => {
    workbench = await startWorkbench('cells-workbench', CELLS);
    page = workbench.page;
    await workbench.openNotebook();
  }, 180_000);
  afterEach(async ({ task }) => {
    if (task.result?.state === 'fail') await workbench?.shot('failed');
  });
  afterAll(() => workbench?.close());

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
    await workbench!.shot('ctrl-enter');
  }, 180_000);

  test('a training leaves its curves and a table of settings and end figures', async () => {
    await editor(1).click();
    await page.keyboard.press('Control+Enter');
    const frame = await workbench!.bench.findFrame('text=Training of', 120_000);
    await frame.locator('svg, canvas').nth(1).waitFor({ timeout: 60_000 });
    await frame
      .getByText(/lr 0\.003/)
      .nth(1)
      .waitFor();
    // Curve, table, curve, table: none of them lies over another.
    const covered = () =>
      frame.locator('.output_container').evaluateAll((all) => {
        const boxes = all.map((each) => each.getBoundingClientRect()).filter(({ height }) => height > 0);
        boxes.sort((a, b) => a.top - b.top);
        return boxes
          .slice(1)
          .flatMap(({ top }, i) => (top < boxes[i].bottom - 1 ? Math.round(boxes[i].bottom - top) : []));
      });
    await expect.poll(covered, { timeout: 20_000 }).toEqual([]);
    for (const figure of ['loss', 'explained variance', 'L0', 'dead features'])
      expect(await frame.getByText(figure, { exact: true }).count()).toBeGreaterThan(0);
    await frame
      .getByText(/lr 0\.003/)
      .first()
      .scrollIntoViewIfNeeded();
    await page.waitForTimeout(500);
    await workbench!.shot('training');
  }, 180_000);
});
