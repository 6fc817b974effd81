/**
 * The interventions panel in the real workbench: in a cell's output, in a panel of its own, over a reload of the window,
 * and without its kernel. The extension is installed from its package; the SAE is trained by the notebook.
 */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import type { Frame, Locator, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { MODEL, NO_WORKBENCH, startWorkbench, type Workbench } from './workbench.js';

if (NO_WORKBENCH) console.log(`skipped test/e2e/interventionsWorkbench.test.ts: ${NO_WORKBENCH}`);

const CELLS = [
  `const lm = await fg.models.load(${JSON.stringify(MODEL)})
const text = fg.datasets.stories({ seed: 1, stories: 300, context: 64 })
const sae = await fg.sae.train(lm, text, {
  hook: 'blocks.0.hook_mlp_out', architecture: 'topk', k: 8, features: 512,
  steps: 120, trainBatchSizeTokens: 512, lr: 3e-3, seed: 0,
})
const acts = await fg.activations.save(lm, sae, text)`,
  `const labels = await fg.activations.labels(acts)
const feature = labels.findIndex(({ peaks }) => peaks.length > 0 && peaks.every((token) => token === ' princess'))
await fg.interventions.panel(lm, sae, {
  prompt: 'Once upon a time, there was a little', activations: acts, value: 0,
  ...(feature < 0 ? {} : { feature }),
})`,
];

describe.skipIf(NO_WORKBENCH)('the interventions panel in the real workbench', () => {
  let workbench: Workbench | undefined;
  let page: Page;
  let bench: Workbench['bench'];
  let cell: Frame;
  let panel: Frame;
  const amount = (frame: Frame): Locator => frame.locator('[data-role=amount]').first();
  const ran = (frame: Frame) =>
    frame.locator('.fg-interventions .status', { hasText: /^run in / }).waitFor({ timeout: 60_000 });

  /** By VS Code's own command: the browser's reload leaves it no time to write down what the panels keep. */
  async function reloadWindow(): Promise<void> {
    const loaded = page.waitForEvent('load', { timeout: 30_000 });
    await bench.palette('Developer: Reload Window');
    await loaded;
  }

  beforeAll(async () => {
    workbench = await startWorkbench('lab-workbench', CELLS, { 'files.simpleDialog.enable': true });
    ({ page, bench } = workbench);
  }, 180_000);
  afterEach(async ({ task }) => {
    if (task.result?.state === 'fail') await workbench?.shot('failed');
  });
  afterAll(() => workbench?.close());

  test('Run All shows the panel in the output', async () => {
    await workbench!.openNotebook();
    await bench.palette('Notebook: Run All');
    cell = await bench.findFrame('.fg-interventions .chips', 90_000);
    await amount(cell).scrollIntoViewIfNeeded();
    expect(await cell.getByText('No probability moved.').count()).toBe(1);
    await workbench!.shot('output-start');
  }, 120_000);

  test('dragging the slider moves features, probabilities and the text', async () => {
    await cell.locator('.fg-interventions h2').scrollIntoViewIfNeeded();
    const slider = amount(cell);
    // Outputs above it may still grow and push it out of sight; the notebook scrolls by the wheel alone.
    const reached = async () => {
      for (let tries = 0; ; tries++) {
        const box = (await slider.boundingBox())!;
        const out = box.y < 160 ? -200 : box.y > 760 ? 200 : 0;
        if (out === 0 || tries === 40) return box;
        await page.mouse.move(75, 450);
        await page.mouse.wheel(0, out);
        await page.waitForTimeout(150);
      }
    };
    const drag = async (): Promise<number> => {
      const box = await reached();
      await page.mouse.move(box.x + box.width / 2, box.y + box.height / 2);
      await page.mouse.down();
      for (const share of [0.6, 0.7, 0.8, 0.85])
        await page.mouse.move(box.x + share * box.width, box.y + box.height / 2, { steps: 3 });
      await page.mouse.up();
      return Number(await slider.inputValue());
    };
    // And the notebook may scroll below the pointer: then it is dragged once more.
    await expect.poll(drag, { timeout: 30_000, interval: 500 }).toBeGreaterThan(0);
    await cell.locator('.texts ins').first().waitFor({ timeout: 60_000 });
    await ran(cell);
    expect(await cell.getByText('No probability moved.').count()).toBe(0);
    expect(await cell.locator('table').last().locator('tbody tr').count()).toBeGreaterThan(3);
    await workbench!.shot('output-dark');
  }, 60_000);

  test('Save JSON and Save HTML write what is shown', async () => {
    const save = async (button: string, name: string): Promise<string> => {
      await cell.getByRole('button', { name: button }).click();
      const input = page.locator('.quick-input-widget input.input');
      await input.waitFor({ state: 'visible', timeout: 30_000 });
      // The dialog proposes a name a little after it is there.
      await expect.poll(() => input.inputValue(), { timeout: 30_000 }).toContain(path.extname(name));
      await input.fill(path.join(workbench!.folder, name));
      await page.keyboard.press('Enter');
      await cell.locator('.fg-interventions .status', { hasText: `saved ${name}` }).waitFor();
      return readFileSync(path.join(workbench!.folder, name), 'utf8');
    };
    const value = Number(await amount(cell).inputValue());
    const json = JSON.parse(await save('Save JSON', 'moved.json')) as {
      setting: { current: { value: number } };
      result: { runs: Array<{ kl: number }> };
    };
    expect(json.setting.current.value).toBe(value);
    expect(json.result.runs.at(-1)!.kl).toBeGreaterThan(0);
    expect(await save('Save HTML', 'moved.html')).toContain(`"value":${value}`);
  }, 60_000);

  test('Open in Panel goes on from the same state, and runs there', async () => {
    const value = await amount(cell).inputValue();
    // The notebook gets the focus back from the dialog and may scroll below the pointer: then it is clicked once more.
    const opened = async (): Promise<Frame | undefined> => {
      await cell.getByRole('button', { name: 'Open in Panel' }).click();
      return bench.findFrame('.fg-interventions.full .chips', 10_000).catch(() => undefined);
    };
    panel = (await opened()) ?? (await opened()) ?? (await bench.findFrame('.fg-interventions.full .chips'));
    expect(await amount(panel).inputValue()).toBe(value);
    await workbench!.shot('beside');
    await panel.getByRole('radio', { name: 'Ablate' }).click();
    await ran(panel);
    await panel
      .getByText(/ablate/)
      .first()
      .waitFor();
    await panel.getByRole('radio', { name: 'Steer' }).click();
    await ran(panel);
    await panel.getByRole('button', { name: 'Pin' }).click();
    await panel.locator('.pin').nth(1).waitFor();
    await panel.getByRole('radio', { name: 'Clamp' }).click();
    await panel.locator('.pin.current .what', { hasText: /clamp/ }).waitFor();
    await page.waitForTimeout(1000);
  }, 60_000);

  test('what is typed at speed is kept to the letter, and the card is of the new prompt', async () => {
    const box = panel.locator('.fg-interventions textarea');
    const chips = panel.locator('.chips').first().locator('.chip');
    /** Tokens and the feature's activation on each, from the row “before”, which another call draws than the card. */
    const row = async (): Promise<Array<{ token: string; value: string }>> =>
      (await chips.evaluateAll((all) => all.map((chip) => (chip as HTMLElement).title))).map((title) => {
        const [, token, value] = /^(".*") at \d+: ([^,]+)/.exec(title)!;
        return { token: JSON.parse(token) as string, value };
      });
    const text = async (): Promise<string> => (await row()).map(({ token }) => token).join('');
    const said = new Set<string>();
    for (const prompt of [
      'Tom and his mom went to the big park',
      'The little girl saw a princess',
      'Once upon a time, there was a little dog named Max',
    ]) {
      await box.click();
      await page.keyboard.press('Control+a');
      // No pause between the keys: results of what was typed first are drawn meanwhile.
      await page.keyboard.type(prompt);
      expect(await box.inputValue()).toBe(prompt);
      await panel.locator('.fg-interventions h2').first().click();
      await expect.poll(text, { timeout: 60_000 }).toContain(prompt);
      const [here] = (await row()).map(({ value }) => value).sort((a, b) => Number(b) - Number(a));
      const words = Number(here) > 0 ? `${here} on this prompt` : 'silent on this prompt';
      await panel.locator('.card .facts', { hasText: words }).first().waitFor({ timeout: 60_000 });
      await expect.poll(() => panel.locator('.texts .said').first().innerText(), { timeout: 60_000 }).toContain(prompt);
      expect(await box.inputValue()).toBe(prompt);
      said.add(words);
    }
    // The prompts give different words, so that words left from the prompt before would have failed above.
    expect(said.size).toBeGreaterThan(1);
    await workbench!.shot('typed');
  }, 180_000);

  test('after a reload of the window the panel is there again and answers', async () => {
    await reloadWindow();
    panel = await bench.findFrame('.fg-interventions.full .pin', 60_000);
    await panel.locator('.kinds [aria-checked=true]', { hasText: 'Clamp' }).waitFor();
    await panel.locator('.kinds [aria-checked=true]:enabled', { hasText: 'Clamp' }).waitFor({ timeout: 30_000 });
    await panel.getByRole('radio', { name: 'Scale' }).click();
    await panel.locator('.pin.current .what', { hasText: /scale|multipl/i }).waitFor();
    await ran(panel);
    await workbench!.shot('reloaded');
  }, 120_000);

  test('fits half the width', async () => {
    await page.setViewportSize({ width: 700, height: 900 });
    await page.waitForTimeout(1000);
    await workbench!.shot('narrow');
    const wide = await panel.evaluate(() => document.querySelector('.fg-interventions')!.scrollWidth - innerWidth);
    await page.setViewportSize({ width: 1400, height: 900 });
    expect(wide).toBeLessThanOrEqual(0);
  }, 30_000);

  test('without its kernel the panel says so, rests, and keeps what was computed', async () => {
    const before = await panel.locator('.chips').first().innerText();
    workbench!.stopKernels();
    await reloadWindow();
    panel = await bench.findFrame('.fg-interventions.full .pin', 60_000);
    await panel.getByText('This view is not alive any more').waitFor({ timeout: 30_000 });
    expect(await amount(panel).isDisabled()).toBe(true);
    expect(await panel.locator('.chips').first().innerText()).toBe(before);
    await workbench!.shot('no-kernel');
  }, 120_000);
});
