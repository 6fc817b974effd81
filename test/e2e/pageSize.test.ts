/** Large maps as one page: how large it is, and that it shows its examples. `npm run bench -- map-fps` has 2 × 100,000. */
import { statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, test } from 'vitest';
import { mapPage } from '../../bench/runs/mapPages.js';
import { PAPER_WIDTH } from '#webviews/plot/paper.js';
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

  test('prints a map of more than 40,000 points as pixels: drawing commands would take ten times the bytes', async () => {
    const file = path.join(testFolder('paper-size'), 'map.html');
    writeFileSync(file, await mapPage({ sets: 1, points: 40_500, examples: 1 }, pages.bundles.report));
    const page = await pages.browser.newPage({ viewport: { width: 1400, height: 900 }, colorScheme: 'dark' });
    page.setDefaultTimeout(60_000);
    await page.goto(pathToFileURL(file).href);
    await page.locator('.layer').first().waitFor();
    // A listener that comes later sees what the drawing has put in place.
    await page.evaluate(() =>
      addEventListener('beforeprint', () => {
        const sheet = document.querySelector('.fg-plot > .paper > *');
        if (!(sheet instanceof HTMLCanvasElement)) return;
        const { data } = sheet.getContext('2d')!.getImageData(0, 0, sheet.width, sheet.height);
        let [drawn, white] = [0, 0];
        for (let i = 0; i < data.length; i += 4)
          if (data[i + 3] > 0) [drawn, white] = [drawn + 1, white + Number(data[i] + data[i + 1] + data[i + 2] > 750)];
        const seen = { width: sheet.width, label: sheet.getAttribute('aria-label'), drawn, white };
        Object.assign(window, { __sheet: seen });
      }),
    );
    const pdf = await page.pdf({ path: path.join(screenshots, 'page-40k.pdf'), format: 'A4' });
    const sheet = await page.evaluate(() => (window as unknown as { __sheet?: Record<string, number> }).__sheet);
    expect(sheet).toMatchObject({ width: 3 * PAPER_WIDTH, label: expect.stringMatching(/\w/) as string });
    // Points on white, though the page is dark.
    expect(sheet!.drawn - sheet!.white).toBeGreaterThan(50_000);
    expect(sheet!.white / sheet!.drawn).toBeGreaterThan(0.5);
    expect(pdf.length).toBeLessThan(3e6);
    expect(await page.locator('.paper > *').count()).toBe(0);
    await page.close();
  });
});
