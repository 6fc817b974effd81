/** Columns that were added to a map, such as stability over seeds: colour, legend, card and table, in a panel and a page. */
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { MIME } from '#protocol/mime.js';
import { outputPageHtml } from '#protocol/outputPage.js';
import { pageFilesOf } from '#test/kit/bundleFiles.js';
import { servePages, twinFixture, type PageServer } from './fixtures.js';
import {
  buildWebviews,
  CHROMIUM,
  collectComplaints,
  installHost,
  openBrowser,
  screenshots,
  servePanel,
  shownFixture,
} from './harness.js';
import { testFolder } from '#test/kit/folder.js';

if (!CHROMIUM) console.log('skipped test/e2e/mapColumns.test.ts: no chromium in /usr/bin');

/** A feature has a partner in none to four of four seeds; every seventh took no part. */
const stability = (i: number): number => (i % 7 === 6 ? NaN : (i % 5) / 4);
const KINDS = ['function word', 'name', 'punctuation'];
const map = twinFixture(600, 24, [
  [
    { name: 'stability', note: 'share of 4 other seeds in which the feature has a partner', of: stability },
    { name: 'kind', classes: KINDS, of: (i) => (i % 4 === 3 ? NaN : i % 4) },
  ],
  [{ name: 'stability', of: (i) => stability(i + 1) }],
]);

describe.skipIf(!CHROMIUM)('columns added to a map', () => {
  let browser: Browser;
  let server: PageServer;
  let context: BrowserContext | undefined;
  let folder: string;
  let report: string;

  beforeAll(async () => {
    const bundles = await buildWebviews();
    [browser, server] = await Promise.all([openBrowser(), servePages()]);
    servePanel(server, bundles.panel);
    report = bundles.report;
    folder = testFolder('columns');
  });
  afterAll(async () => {
    await browser?.close();
    await server?.close();
  });
  afterEach(async () => {
    await context?.close();
    context = undefined;
  });

  async function newPage(width: number, theme: 'light' | 'dark'): Promise<Page> {
    context = await browser.newContext({ viewport: { width, height: 900 }, colorScheme: theme });
    return context.newPage();
  }

  async function colourBy(page: Page, from: string, to: string): Promise<void> {
    const choice = page.locator('fgnb-dropdown', { hasText: `Colour: ${from}` });
    await choice.click();
    await choice.locator('fgnb-option', { hasText: `Colour: ${to}` }).click();
  }

  const drawn = async (page: Page) => (await page.locator('.layer.set0').screenshot()).toString('base64');

  async function agrees(page: Page, name: string): Promise<void> {
    const legend = page.locator('.legend');
    await expect.poll(() => legend.innerText()).toMatch(/stability\s+0\s+1/);
    expect(await legend.innerText()).toContain('no stability');
    expect(await legend.locator('.item').first().getAttribute('title')).toContain('share of 4 other seeds');
    await page.screenshot({ path: path.join(screenshots, `columns-${name}.png`) });
    const before = await drawn(page);
    await colourBy(page, 'stability', 'none');
    await expect.poll(() => drawn(page)).not.toBe(before);
    expect(await legend.innerText()).toMatch(/A features\s+B features/);
  }

  /** A column of the table of pairs, from the top. */
  async function cells(page: Page, key: string): Promise<string[]> {
    const grid = page.getByRole('grid', { name: 'Linked pairs' });
    const titles = await grid.getByRole('columnheader').allInnerTexts();
    const rows = await grid.locator('.row').all();
    const at = titles.indexOf(key);
    return Promise.all(rows.map((row) => row.locator('[role=gridcell]').nth(at).innerText()));
  }

  test('colour the points, are named in legend, card and table, and sort it; the choice is kept', async () => {
    const page = await newPage(1400, 'dark');
    const complaints = collectComplaints(page, server.origin);
    await installHost(page, server, shownFixture('map', map));
    await page.goto(`${server.origin}/`);
    await page.locator('.layer').first().waitFor();
    await agrees(page, 'panel-1400-dark');
    await page.getByRole('tab', { name: 'Pairs' }).click();
    await page.getByRole('columnheader', { name: 'A stability' }).click();
    expect((await cells(page, 'A stability'))[0]).toBe('0');
    await page.getByRole('columnheader', { name: 'A stability' }).click();
    expect((await cells(page, 'A stability'))[0]).toBe('1');
    // The row's own point, in its card.
    const grid = page.getByRole('grid', { name: 'Linked pairs' });
    await grid.locator('.row').first().click();
    const pin = page.locator('.pin');
    expect(await pin.locator('section.set0').innerText()).toMatch(/stability 1 · kind \S/);
    const id = Number(/#(\d+)/.exec(await pin.locator('section.set1').innerText())![1]);
    const right = stability((id - 2) / 5 + 1);
    expect(await pin.locator('section.set1').innerText()).toContain(`stability ${Number.isNaN(right) ? '–' : right}\n`);
    await page.screenshot({ path: path.join(screenshots, 'columns-panel-pinned.png') });
    await colourBy(page, 'none', 'kind');
    const named = () => page.locator('.legend .item').allInnerTexts();
    expect(await named()).toEqual([...KINDS, 'no kind']);
    await page.waitForTimeout(400);
    await page.reload();
    await expect.poll(named).toEqual([...KINDS, 'no kind']);
    expect(complaints.list).toEqual([]);
  });

  test('in an exported page, at half width', async () => {
    const page = await newPage(700, 'light');
    const complaints = collectComplaints(page, 'file:');
    const descriptor = { version: 1 as const, id: map.id, path: `.fgnb/${map.id}`, meta: map.meta };
    const file = path.join(folder, 'page.html');
    const about = { title: 'Columns', mime: MIME.map, descriptor, script: report, nonce: 'abc123' };
    writeFileSync(file, outputPageHtml({ ...about, files: await pageFilesOf(map) }));
    await page.goto(pathToFileURL(file).href);
    await page.locator('.layer').first().waitFor();
    await page.getByRole('button', { name: 'Show or hide the table' }).click();
    await agrees(page, 'page-700-light');
    const scrolls = (selector: string) =>
      page.locator(selector).evaluate(({ scrollWidth, clientWidth }) => scrollWidth > clientWidth + 1);
    expect(await scrolls('html')).toBe(false);
    // Labels stay readable beside more columns.
    const width = await page.locator('.fg-grid .row').first().locator('[role=gridcell]').nth(1).evaluate((cell) => cell.clientWidth); // prettier-ignore
    expect(width).toBeGreaterThan(60);
    expect(complaints.list).toEqual([]);
  });
});
