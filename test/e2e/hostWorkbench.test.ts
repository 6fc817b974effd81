/** What the editor says about the host: Doctor and the plan of Set Up GPU, in the output channel that people read. */
import fs from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { NotebookFile } from '#protocol/notebook.js';
import { NO_WORKBENCH, startWorkbench, type Workbench } from './workbench.js';

if (NO_WORKBENCH) console.log(`skipped test/e2e/hostWorkbench.test.ts: ${NO_WORKBENCH}`);

// Vulkan drivers of this machine are kept out, so that the plan is the same wherever the test runs: by settings of the
// host, since those of a user are of another machine.
const NO_DRIVERS = { 'fgnb.environment': { VK_DRIVER_FILES: '/nowhere.json', VK_ICD_FILENAMES: '/nowhere.json' } };

describe.skipIf(NO_WORKBENCH)('the host in the real workbench', () => {
  let workbench: Workbench | undefined;
  const output = async () => {
    const lines = await workbench!.page.locator('.panel .view-lines').allInnerTexts();
    return lines.join('\n').replaceAll('\u00a0', ' ');
  };

  beforeAll(async () => {
    workbench = await startWorkbench('host-workbench', ['1'], {}, NO_DRIVERS);
    await workbench.openNotebook();
    // The editor draws the lines alone that it has room for.
    await workbench.page.setViewportSize({ width: 1400, height: 2000 });
    await workbench.bench.palette('Output: Focus on Output View');
    await workbench.bench.palette('View: Toggle Maximized Panel');
  }, 180_000);
  afterAll(() => workbench?.close());

  test('Doctor writes host, device, advice and folders into its channel', async () => {
    await workbench!.bench.palette('Feature Geometry: Doctor');
    await expect.poll(output, { timeout: 60_000 }).toMatch(/Folders\s+artifacts\s/);
    const text = await output();
    for (const said of [
      /^editor\s+code-server/m,
      /^device\s+auto, by the settings/m,
      /^\s+memory\s+[\d.]+ GB/m,
      /^\s+in use\s+cpu/m,
      /^\s+onnxruntime-node/m,
    ])
      expect(text).toMatch(said);
    await workbench!.shot('doctor');
  }, 120_000);

  test('Set Up GPU asks which device, and says what this host lacks before anything is installed', async () => {
    const { page, bench } = workbench!;
    await bench.palette('Feature Geometry: Set Up GPU');
    await page.locator('.quick-input-list .monaco-list-row', { hasText: 'any GPU with current drivers' }).click();
    await expect.poll(output, { timeout: 60_000 }).toContain('webgpu cannot be set up yet');
    expect(await output()).toMatch(/✗\s+driver\s.*VK_DRIVER_FILES names \/nowhere\.json, which is not there/);
    await page.locator('.notification-list-item', { hasText: 'webgpu cannot be set up yet' }).first().waitFor();
    await workbench!.shot('set-up-gpu');
  }, 120_000);

  test('Select Device keeps a device in the notebook, and says that it is kept there', async () => {
    const { page, bench, folder } = workbench!;
    const rows = page.locator('.quick-input-list .monaco-list-row');
    const title = page.locator('.quick-input-title');
    await bench.palette('View: Toggle Panel Visibility');
    await page.setViewportSize({ width: 1400, height: 900 });
    await page.locator('.notebookOverlay .cell-editor-container').first().click();
    await bench.palette('Feature Geometry: Select Device');
    await rows.filter({ hasText: 'no Vulkan driver file was found' }).waitFor({ timeout: 60_000 });
    expect(await title.innerText()).toBe('Compute device for this workspace');
    await workbench!.shot('select-device');
    await rows.filter({ hasText: 'Keep a Device in This Notebook' }).click();
    await expect.poll(() => title.innerText()).toBe('Compute device of this notebook (kept in it)');
    await workbench!.shot('select-device-notebook');
    await rows.filter({ hasText: 'the embedded device' }).click();
    await bench.palette('File: Save');
    const device = (): unknown => {
      const name = fs
        .readdirSync(folder, { recursive: true, encoding: 'utf8' })
        .find((file) => file.endsWith('.fgnb'))!;
      return (JSON.parse(fs.readFileSync(path.join(folder, name), 'utf8')) as NotebookFile).metadata.device;
    };
    await expect.poll(device, { timeout: 20_000 }).toBe('cpu');
  }, 180_000);
});
