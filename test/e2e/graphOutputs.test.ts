import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Browser, Page } from 'playwright-core';
import { MIME } from '#protocol/mime.js';
import type { Json, NotebookFile } from '#protocol/notebook.js';
import { reportHtml } from '#protocol/webview.js';
import { pageFilesOf } from '#test/kit/bundleFiles.js';
import { graphFixture } from '#test/kit/graphBundle.js';
import { isolatedPoint, screenOf, twinFixture } from './fixtures.js';
import { buildWebviews, CHROMIUM, collectComplaints, openBrowser, screenshots, type Complaints } from './harness.js';
import { testFolder } from '#test/kit/folder.js';

if (!CHROMIUM) console.log('skipped test/e2e/graphOutputs.test.ts: no chromium in /usr/bin');

/** A map and a graph of the same SAE in one notebook, exported. */
describe.skipIf(!CHROMIUM)('a report with a feature map and a Mapper graph', () => {
  let browser: Browser;
  let folder: string;
  let page: Page;
  let complaints: Complaints;
  const graph = graphFixture('null');
  const map = twinFixture(600);
  map.meta.sets[0].sae = { id: 'sae-a', name: 'tiny-1L' };
  map.files['map.json'] = Buffer.from(JSON.stringify(map.meta));

  const output = (mime: string, id: string, meta: unknown): NotebookFile['cells'][number] => ({
    ...{ id, kind: 'code', language: 'fgnb-typescript', source: [] },
    outputs: [{ items: [{ mime, json: { version: 1, id, path: `.fgnb/${id}`, meta } as unknown as Json }] }],
  });

  beforeAll(async () => {
    const [opened, bundles] = await Promise.all([openBrowser(), buildWebviews()]);
    browser = opened;
    folder = testFolder('graphs');
    const file = path.join(folder, 'report.html');
    const cells = [output(MIME.graph, graph.id, graph.meta), output(MIME.map, map.id, map.meta)];
    writeFileSync(
      file,
      reportHtml({
        ...{ title: 'Mapper', script: bundles.report, nonce: 'abc123' },
        notebookJson: JSON.stringify({ fgnb: 1, metadata: {}, cells } satisfies NotebookFile),
        files: [...(await pageFilesOf(map)), ...(await pageFilesOf(graph))],
      }),
    );
    const context = await browser.newContext({
      viewport: { width: 1400, height: 1000 },
      colorScheme: 'light',
      acceptDownloads: true,
    });
    page = await context.newPage();
    complaints = collectComplaints(page, 'file:');
    await page.goto(pathToFileURL(file).href);
    await page.locator('.plot .layer').first().waitFor();
    await page.locator('.fg-map .layer').first().waitFor();
  });
  afterAll(async () => {
    await browser?.close();
  });

  test('both are drawn from the page itself', async () => {
    expect(await page.locator('.plot').first().getAttribute('data-renderer')).toBe('webgl');
    expect(await page.locator('.fg-graph .caption').first().innerText()).toContain('60 nodes');
    await page.waitForTimeout(300);
    await page.screenshot({ path: path.join(screenshots, 'report-graph-light.png') });
  });

  test('a pinned node lights its members on the map', async () => {
    await page.getByRole('button', { name: 'Show or hide the lists' }).click();
    await page.locator('.fg-grid[aria-label="Nodes"] .row').first().click();
    const chip = page.locator('.fg-map .toolbar .linked');
    await chip.waitFor();
    expect(await chip.innerText()).toMatch(/Lit elsewhere: node \d+: \d+ features/);
    const node = Number(/node (\d+)/.exec(await chip.innerText())?.[1]);
    const members = new Set(graph.sets[0].nodes[node]);
    const lit = Array.from({ length: 600 }, (_, i) => i).filter(
      (i) => members.has(map.featureOf(0, i)) && !map.points[0].dead[i],
    ).length;
    expect(lit).toBeGreaterThan(0);
    expect(await page.locator('.fg-map .hits').innerText()).toContain(`A ${lit} ·`);
    await chip.scrollIntoViewIfNeeded();
    await page.waitForTimeout(300);
    await page.screenshot({ path: path.join(screenshots, 'report-graph-lit-light.png') });
    await page.getByRole('button', { name: 'Show all features again' }).click();
    await chip.waitFor({ state: 'hidden' });
  });

  test('a feature pinned on the map is found in the graph', async () => {
    const layer = page.locator('.fg-map .layer.set0');
    await layer.scrollIntoViewIfNeeded();
    const box = await layer.boundingBox();
    if (!box) throw new Error('map not visible');
    const i = isolatedPoint(map, 0);
    const at = screenOf(map, 0, i, box);
    await page.mouse.click(box.x + at.x, box.y + at.y);
    const holders = graph.sets[0].nodes.flatMap((node, k) => (node.includes(map.featureOf(0, i)) ? [k] : []));
    const said = holders.length > 0 ? `is in node ${holders[0]}` : 'is in no node: it is noise';
    await expect
      .poll(() => page.locator('.fg-graph > .fg-sr').innerText())
      .toBe(
        `A #${map.featureOf(0, i)} ${said}${holders
          .slice(1)
          .map((k) => `, node ${k}`)
          .join('')}`,
      );
  });

  test('exports are downloaded', async () => {
    await page.getByRole('combobox', { name: 'Export the graph' }).scrollIntoViewIfNeeded();
    await page.getByRole('combobox', { name: 'Export the graph' }).click();
    const [download] = await Promise.all([
      page.waitForEvent('download'),
      page
        .getByRole('combobox', { name: 'Export the graph' })
        .locator('fgnb-option', { hasText: 'GraphML: A' })
        .click(),
    ]);
    expect(download.suggestedFilename()).toBe('Mapper of tiny-1L’s decoder - A.graphml');
  });

  test('a graph is downloaded as a page of its own, which draws', async () => {
    await page.getByRole('combobox', { name: 'Export the graph' }).click();
    const [download] = await Promise.all([
      page.waitForEvent('download'),
      page.getByRole('combobox', { name: 'Export the graph' }).getByLabel('Page (HTML)').click(),
    ]);
    expect(download.suggestedFilename()).toBe('Mapper of tiny-1L’s decoder.html');
    const file = path.join(folder, 'graph.html');
    await download.saveAs(file);
    const alone = await page.context().newPage();
    const said = collectComplaints(alone, 'file:');
    await alone.goto(pathToFileURL(file).href);
    await alone.locator('.plot .surface canvas').first().waitFor();
    expect(await alone.locator('.plot').count()).toBe(2);
    expect(await alone.locator('.fg-map, #app pre').count()).toBe(0);
    expect(await alone.locator('.fg-graph .caption').first().innerText()).toContain('60 nodes');
    await alone.screenshot({ path: path.join(screenshots, 'report-graph-alone-light.png') });
    expect(said.list).toEqual([]);
    await alone.close();
  });

  test('scrolled away, the graph gives its WebGL contexts back, and draws again in view', async () => {
    await page.setViewportSize({ width: 1400, height: 500 });
    await page.evaluate(() => window.scrollTo(0, document.body.scrollHeight));
    await expect.poll(() => page.locator('.plot .surface canvas').count()).toBe(0);
    await page.evaluate(() => window.scrollTo(0, 0));
    await expect.poll(() => page.locator('.plot .surface canvas').count()).toBeGreaterThan(0);
    await page.setViewportSize({ width: 1400, height: 1000 });
  });

  test('nothing complained', () => {
    expect(complaints.list).toEqual([]);
  });
});
