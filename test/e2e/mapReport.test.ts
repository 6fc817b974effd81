import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Browser, Page } from 'playwright-core';
import { chartItems } from '#kernel/present/items.js';
import { MIME } from '#protocol/mime.js';
import { reportHtml } from '#protocol/webview.js';
import { pageFilesOf } from '#test/kit/bundleFiles.js';
import { HOSTILE, isolatedPoint, screenOf, twinFixture } from './fixtures.js';
import {
  buildWebviews,
  CHROMIUM,
  collectComplaints,
  expectOnPaper,
  openBrowser,
  screenshots,
  type Complaints,
} from './harness.js';
import { sampleNotebook } from './sampleNotebook.js';
import { testFolder } from '#test/kit/folder.js';

if (!CHROMIUM) console.log('skipped test/e2e/mapReport.test.ts: no chromium in /usr/bin');

/** Writes the page of a notebook of one cell with one output. */
async function pageOf(folder: string, mime: string, json: unknown): Promise<string> {
  const cell = {
    ...{ id: 'a', kind: 'code', language: 'fgnb-typescript', source: ['shown'] },
    outputs: [{ items: [{ mime, json }] }],
  };
  const notebookJson = JSON.stringify({ fgnb: 1, metadata: {}, cells: [cell] });
  const file = path.join(folder, `${mime.replace(/\W/g, '-')}.html`);
  const { report: script } = await buildWebviews();
  writeFileSync(file, reportHtml({ title: 'one output', script, notebookJson, files: [], nonce: 'abc123' }));
  return pathToFileURL(file).href;
}

describe.skipIf(!CHROMIUM)('exported report, opened from file://', () => {
  let browser: Browser;
  let folder: string;
  let page: Page;
  let complaints: Complaints;
  const map = twinFixture(600);

  beforeAll(async () => {
    const [opened, bundles] = await Promise.all([openBrowser(), buildWebviews()]);
    browser = opened;
    folder = testFolder('report');
    const file = path.join(folder, 'report.html');
    writeFileSync(
      file,
      reportHtml({
        title: 'quickstart <b>.fgnb',
        script: bundles.report,
        notebookJson: JSON.stringify(sampleNotebook(map)),
        files: await pageFilesOf(map),
        nonce: 'abc123',
      }),
    );
    const context = await browser.newContext({ viewport: { width: 1400, height: 900 }, colorScheme: 'light' });
    page = await context.newPage();
    complaints = collectComplaints(page, 'file:');
    await page.goto(pathToFileURL(file).href);
    await page.locator('.layer').first().waitFor();
    await page.locator('.fg-chart canvas').waitFor();
  });
  afterAll(async () => {
    await browser?.close();
  });

  test('a table of scores fits a wide page; on a narrow one it scrolls to its last column under its first', async () => {
    const long = 'mean share of firings on which a child fires; null: as many features that fire as often, for each parent'; // prettier-ignore
    const numbers = ['value', 'null mean', 'null std', 'null max', 'p', 'n', 'runs', 'seed'];
    const table = {
      version: 1,
      columns: [{ key: 'score', title: 'score', type: 'text' }, ...numbers.map((key) => ({ key, title: key, type: 'number' })), { key: 'variant', title: 'variant', type: 'text' }], // prettier-ignore
      rows: [{ score: 'explained variance before', ...Object.fromEntries(numbers.map((key) => [key, 0.0012345])), variant: long }], // prettier-ignore
    };
    const opened = await browser.newPage({ viewport: { width: 1400, height: 900 } });
    await opened.goto(await pageOf(folder, MIME.table, table));
    const scroll = opened.locator('.fg-table .scroll');
    const beyond = () => scroll.evaluate((e) => e.scrollWidth - e.clientWidth);
    expect(await beyond()).toBe(0);
    await opened.setViewportSize({ width: 700, height: 900 });
    expect(await beyond()).toBeGreaterThan(0);
    await scroll.evaluate((e) => e.scrollTo({ left: e.scrollWidth }));
    const edges = () => scroll.evaluate((e) => {
      const box = e.getBoundingClientRect();
      const of = (place: string) => e.querySelector(`td:${place}`)!.getBoundingClientRect();
      return { first: of('first-child').left - box.left, last: box.right - of('last-child').right };
    }); // prettier-ignore
    for (const distance of Object.values(await edges())) expect(Math.abs(distance)).toBeLessThan(2);
    await opened.close();
  });

  test('lines of a chart that name no colour are of the theme, and texts as well', async () => {
    const values = [{ x: 0, y: 0, x2: 1, t: '█' }];
    const at = (field: string) => ({ field, type: 'quantitative', axis: null });
    const layer = [
      { mark: { type: 'rule', strokeWidth: 30 }, encoding: { x: at('x'), x2: { field: 'x2' }, y: at('y') } },
      { mark: { type: 'text', fontSize: 90, dx: 60 }, encoding: { x: at('x'), y: at('y'), text: { field: 't' } } },
    ];
    const [{ json }] = chartItems(
      { width: 300, height: 200, view: { stroke: null }, data: { values }, layer },
      'lines',
    );
    const opened = await browser.newPage({ colorScheme: 'dark' });
    await opened.goto(await pageOf(folder, MIME.chart, json));
    const canvas = opened.locator('.fg-chart canvas');
    await canvas.waitFor();
    // Everything that is drawn, by the share that is dark.
    const dark = await canvas.evaluate((c: HTMLCanvasElement) => {
      const { data } = c.getContext('2d')!.getImageData(0, 0, c.width, c.height);
      let [drawn, dim] = [0, 0];
      for (let i = 0; i < data.length; i += 4)
        if (data[i + 3] === 255) [drawn, dim] = [drawn + 1, dim + Number(data[i] < 128)];
      return { drawn, dim };
    });
    expect(dark.drawn).toBeGreaterThan(3000);
    expect(dark.dim).toBe(0);
    await opened.close();
  });

  test('shows the images that are attached to a text cell, and nothing else by that way', async () => {
    const dot = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==';
    const cell = {
      ...{ id: 'a', kind: 'markdown', language: 'markdown' },
      source: ['![a dot](<attachment:dot 1.png>) ![lines](attachment:lines.png) ![none](attachment:absent.png) ', '![vector](attachment:v.svg) ![odd](attachment:odd.png) ![far](https://example.org/x.png)'], // prettier-ignore
      attachments: {
        'dot 1.png': { 'image/png': dot },
        'lines.png': { 'image/png': [`${dot.slice(0, 40)}\n`, dot.slice(40)] },
        'v.svg': { 'image/svg+xml': '<svg onload="window.__hacked = 1"/>' },
        'odd.png': { 'image/png': 'x" onerror="window.__hacked = 1' },
      },
    };
    const notebookJson = JSON.stringify({ fgnb: 1, metadata: {}, cells: [cell] });
    const file = path.join(folder, 'attached.html');
    writeFileSync(file, reportHtml({ title: 'attached', script: (await buildWebviews()).report, notebookJson, files: [], nonce: 'abc123' })); // prettier-ignore
    const other = await browser.newPage();
    await other.goto(pathToFileURL(file).href);
    const images = other.locator('.md img');
    await images.first().waitFor();
    expect(await images.evaluateAll((all) => all.map((one) => [(one as HTMLImageElement).alt, (one as HTMLImageElement).naturalWidth]))).toEqual([['a dot', 1], ['lines', 1]]); // prettier-ignore
    expect(await other.locator('.md a').allInnerTexts()).toEqual(['none', 'vector', 'odd', 'far']);
    expect(await other.locator('.md a[href]').allInnerTexts()).toEqual(['far']);
    await other.close();
  });

  test('shows markdown, code, every output and a table of contents', async () => {
    expect(await page.title()).toBe('quickstart <b>.fgnb');
    expect(await page.locator('h1').allInnerTexts()).toEqual(['Two tiny models, one map']);
    expect(await page.locator('.toc a').allInnerTexts()).toEqual([
      'Setext',
      'Load',
      'The map',
      'Scores',
      'Pairs',
      'Steering',
    ]);
    const body = await page.locator('#app > article').innerText();
    for (const text of [
      'loaded tiny-1L\nred',
      'RangeError: SAE expects width 64',
      'warning: slow',
      'steer A #12',
      'SVCCA',
    ])
      expect(body).toContain(text);
    expect(body).not.toContain('never shown');
    expect(await page.locator('.t-keyword').count()).toBeGreaterThan(3);
    expect(await page.locator('ol li').allInnerTexts()).toContain('nested');
    await page.screenshot({ path: path.join(screenshots, 'report-light.png'), fullPage: true });
  });

  test('markdown is read as VS Code reads it, with pictures as links', async () => {
    const cell = page.locator('.cell.md').nth(1);
    const texts = (selector: string) => cell.locator(selector).allInnerTexts();
    expect((await texts('p'))[0]).toBe(
      'Line one line two\nbroken, gone, a < b, *no emphasis*, ©, snake_case_name, bold and italic, https://example.org/bare?a=1.',
    );
    expect(await cell.locator('ol').getAttribute('start')).toBe('3');
    expect(await texts('s')).toEqual(['gone']);
    expect(await texts('strong em')).toEqual(['and']);
    expect(await texts('pre')).toEqual(["const x = '<b>'", 'indented code']);
    expect(await texts('h2')).toEqual(['Setext']);
    const links = await cell.locator('a').evaluateAll((all) => all.map((a) => [a.textContent, a.getAttribute('href')]));
    expect(links).toEqual([
      ['https://example.org/bare?a=1', 'https://example.org/bare?a=1'],
      ['alt text', 'figures/a.png'],
      ['pixel', 'https://evil.example/p.gif'],
      ['https://example.org/auto', 'https://example.org/auto'],
    ]);
    const table = page.locator('.cell.md').first().locator('.scroll > table');
    expect(
      await table
        .locator('td')
        .last()
        .evaluate((td) => getComputedStyle(td).textAlign),
    ).toBe('right');
  });

  test('markdown lets no HTML and no script address through: they stay text', async () => {
    const cell = page.locator('.cell.md').nth(1);
    const text = await cell.innerText();
    for (const said of [
      '<script>window.__hacked = 1</script>',
      '<div onclick="window.__hacked=2">block</div>',
      '<img src=x onerror="window.__hacked=3">',
      '<javascript:alert(1)>',
      '[two](JAVASCRIPT:alert(1))',
      '[five][ref]',
    ])
      expect(text).toContain(said);
    expect(await cell.locator('script, div[onclick], img, [onerror]').count()).toBe(0);
    expect(await page.evaluate(() => (window as unknown as { __hacked?: number }).__hacked)).toBeUndefined();
  });

  test('hovering a point of the map finds its linked partner and examples from the page itself', async () => {
    const i = isolatedPoint(map, 0);
    const layer = page.locator('.layer.set0');
    await layer.scrollIntoViewIfNeeded();
    const box = await layer.boundingBox();
    if (!box) throw new Error('map not visible');
    const at = screenOf(map, 0, i, box);
    await page.mouse.move(box.x + at.x - 20, box.y + at.y - 20);
    await page.mouse.move(box.x + at.x, box.y + at.y);
    await page.locator('.fg-tooltip section.set1 .peak').first().waitFor();
    const tip = await page.locator('.fg-tooltip').innerText();
    expect(tip).toContain(`#${map.featureOf(0, i)}`);
    expect(tip).toContain(`#${map.featureOf(1, map.partnerOf(i))}`);
    await page.mouse.move(2, 2);
  });

  test('tables sort, with missing values last', async () => {
    const column = () => page.locator('.fg-table tbody tr td:nth-child(3)').allInnerTexts();
    await page.getByRole('button', { name: 'Null mean' }).click();
    expect(await column()).toEqual(['0.305', '0.0123', '0', '–']);
    await page.getByRole('button', { name: 'Null mean' }).click();
    expect(await column()).toEqual(['0', '0.0123', '0.305', '–']);
  });

  test('an intervention marks what differs', async () => {
    expect(await page.locator('.fg-comparison del').allInnerTexts()).toEqual([' boy', ' house', ' He']);
    expect((await page.locator('.fg-comparison ins').allInnerTexts()).slice(0, 3)).toEqual([
      ' princess',
      ' castle',
      ' She',
    ]);
  });

  test('the theme switch changes the whole page', async () => {
    const ground = () => page.locator('#app').evaluate((e) => getComputedStyle(e).backgroundColor);
    const before = await ground();
    await page.locator('.top fgnb-dropdown').click();
    await page.locator('.top fgnb-option', { hasText: 'Theme: dark' }).click();
    await expect.poll(ground).not.toBe(before);
    expect(await page.locator('.fg-map').getAttribute('data-theme')).toBe('dark');
    // Charts stand on the page's own ground, so that their light text can be read.
    const alpha = () =>
      page
        .locator('.fg-chart canvas')
        .evaluate((c: HTMLCanvasElement) => c.getContext('2d')?.getImageData(2, 2, 1, 1).data[3]);
    expect(await alpha()).toBe(0);
    await page.screenshot({ path: path.join(screenshots, 'report-dark.png'), fullPage: true });
  });

  test('on paper the map is a picture of its own, with title, captions, legend and how it was made', async () => {
    const texts = ['Twin map of the fixture', '570 features', 'r to counterpart', '570 pairs'];
    await expectOnPaper(page, { texts, path: 'report.pdf' });
    await page.emulateMedia({ media: 'print' });
    const breaks = (selector: string) =>
      page.locator(selector).evaluateAll((all) => all.map((e) => getComputedStyle(e).breakAfter));
    for (const heading of await breaks('#app .md :is(h1, h2)')) expect(heading).toBe('avoid');
    // A text cell that ends in a heading stays with the cell that follows; one that ends in text need not.
    expect(new Set(await breaks('#app .cell.md:has(> :is(h1, h2):last-child)'))).toEqual(new Set(['avoid']));
    expect(new Set(await breaks('#app .cell.md:has(> p:last-child)'))).toEqual(new Set(['auto']));
    await page.emulateMedia({ media: null });
  });

  test('nothing ran, loaded or complained that should not', async () => {
    expect(await page.locator('#app > article').innerText()).toContain(HOSTILE);
    expect(await page.locator('a[href^="javascript"]').count()).toBe(0);
    expect(await page.locator('img').count()).toBe(0);
    expect(await page.evaluate(() => (window as unknown as { __hacked?: number }).__hacked)).toBeUndefined();
    expect(complaints.list).toEqual([]);
  });
});
