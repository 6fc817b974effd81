/** Large maps as one page: how large it is, and that it shows its examples. `npm run bench -- map-fps` has 2 × 100,000. */
import { statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, test } from 'vitest';
import { mapPage } from '../../bench/runs/mapPages.js';
import { testFolder } from '#test/kit/folder.js';
import { CHROMIUM, collectComplaints, openPages, screenshots } from './harness.js';

if (!CHROMIUM) console.log('skipped test/e2e/pageSize.test.ts: no chromium in /usr/bin');

describe.skipIf(!CHROMIUM)('a page of 2 × 16,384 features with examples', () => {
  const pages = openPages();

  test('takes at most 8 MB, and shows points, labels and the examples of both sides', async () => {
    const file = path.join(testFolder('page-size'), 'map.html');
    writeFileSync(file, await mapPage({ sets: 2, points: 16_384, examples: 9 }, pages.bundles.report));
    expect(statSync(file).size).toBeLessThan(8e6);
    const context = await pages.browser.newContext({ viewport: { width: 1400, height: 900 }, colorScheme: 'light' });
    const page = await context.newPage();
    page.setDefaultTimeout(60_000);
    const complaints = collectComplaints(page, 'file:');
    await page.goto(pathToFileURL(file).href);
    await page.locator('.layer').first().waitFor();
    await page.locator('.layer').first().focus();
    await page.keyboard.press('Shift+ArrowRight');
    const card = page.locator('.fg-tooltip');
    await expect.poll(() => card.locator('.fg-example').count(), { timeout: 30_000 }).toBe(6);
    expect(await card.locator('.fg-example .token').count()).toBeGreaterThan(50);
    await page.screenshot({ path: path.join(screenshots, 'page-16k.png') });
    await page.setViewportSize({ width: 700, height: 900 });
    await page.screenshot({ path: path.join(screenshots, 'page-16k-700.png') });
    expect(complaints.list).toEqual([]);
    await context.close();
  });
});
