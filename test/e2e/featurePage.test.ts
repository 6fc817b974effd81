/** The feature page in an exported page: every part of it, from a real model, with the way from feature to feature. */
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Browser, Page } from 'playwright-core';
import type { Json, NotebookCell, OutputItem } from '#protocol/notebook.js';
import { outputPageHtml } from '#protocol/outputPage.js';
import { decodeSafetensors } from '#protocol/safetensors.js';
import { viewMime } from '#protocol/views.js';
import { reportHtml } from '#protocol/webview.js';
import { pageFilesOf } from '#test/kit/bundleFiles.js';
import { realFeaturePage, type MadePage } from '#test/kit/featurePage.js';
import { buildWebviews, CHROMIUM, collectComplaints, openBrowser, screenshots, type Complaints } from './harness.js';
import { testFolder } from '#test/kit/folder.js';

if (!CHROMIUM) console.log('skipped test/e2e/featurePage.test.ts: no chromium in /usr/bin');

describe.skipIf(!CHROMIUM)('feature page, exported', () => {
  let browser: Browser;
  let folder: string;
  let page: Page;
  let complaints: Complaints;
  let script: string;
  let made: MadePage & { feature: number };

  const open = async (width: number, colorScheme: 'light' | 'dark', theme?: string): Promise<Page> => {
    const context = await browser.newContext({ viewport: { width, height: 900 }, colorScheme });
    const opened = await context.newPage();
    await opened.goto(pathToFileURL(path.join(folder, 'page.html')).href);
    if (theme) await opened.evaluate((kind) => void (document.documentElement.dataset.theme = kind), theme);
    await opened.locator('.fg-feature .band').first().waitFor();
    return opened;
  };
  const shown = () => page.locator('.fg-feature .head .number').innerText();
  const boxOf = (title: string) => page.locator(`.fg-feature .box[aria-label="${title}"]`);

  beforeAll(async () => {
    ({ report: script } = await buildWebviews());
    made = await realFeaturePage();
    browser = await openBrowser();
    folder = testFolder('feature');
    const { descriptor, files } = made;
    const html = outputPageHtml({
      ...{
        title: descriptor.meta.title,
        mime: viewMime('feature'),
        descriptor,
        script,
        nonce: 'abc123',
      },
      files: await pageFilesOf({ id: descriptor.id, files }),
    });
    writeFileSync(path.join(folder, 'page.html'), html);
    page = await open(1400, 'light');
    complaints = collectComplaints(page, 'file:');
  });
  afterAll(async () => {
    await browser?.close();
  });

  test('shows every part of the feature that it was made for', async () => {
    expect(await shown()).toBe(`#${made.feature}`);
    expect(await page.locator('.fg-feature .remark').innerText()).toBe('seen on almost every story');
    expect(await page.locator('.fg-feature .fg-chip .share').count()).toBeGreaterThan(0);
    const titles = await page.locator('.fg-feature h3').evaluateAll((all) => all.map((h) => h.firstChild?.textContent));
    for (const title of ['Contexts', 'Activations', 'Tokens', 'Positions', 'Nearest', 'Fires with', 'On maps'])
      expect(titles).toContain(title);
    const bands = await page.locator('.fg-feature .band h4').allInnerTexts();
    expect(bands[0]).toBe('Largest activations');
    expect(bands.at(-1)).toMatch(/^At random, of all [\d,]+ firings$/);
    expect(bands).toHaveLength(6);
    expect(await page.locator('.fg-feature .tower').count()).toBe(40);
    expect(await page.locator('.fg-feature canvas.place').count()).toBe(2);
    const pair = page.locator('.fg-feature .counterpart').first();
    expect(await pair.locator('strong').first().innerText()).toMatch(/^r −?[01]\.\d\d$/);
    await pair.locator('.fg-example').first().waitFor();
    expect(complaints.list).toEqual([]);
  });

  test('tokens say their value, and a context opens wider and closes again', async () => {
    const row = page.locator('.fg-feature .fg-example.opens').first();
    const peak = row.locator('.peak');
    const value = await row.locator('.value').innerText();
    expect(Number(await peak.getAttribute('title'))).toBeCloseTo(Number(value), 2);
    const tokens = () => row.locator('.token').count();
    const narrow = await tokens();
    await row.click();
    expect(await row.getAttribute('aria-expanded')).toBe('true');
    expect(await tokens()).toBeGreaterThan(narrow);
    await page.keyboard.press('Enter');
    expect(await tokens()).toBe(narrow);
  });

  test('a link reopens a feature: copied from the page, opened as an address, and followed while the page is open', async () => {
    const context = await browser.newContext({ permissions: ['clipboard-read', 'clipboard-write'] });
    const on = await context.newPage();
    await on.goto(pathToFileURL(path.join(folder, 'page.html')).href);
    const number = () => on.locator('.fg-feature .head .number').innerText();
    await on.getByRole('button', { name: 'Next feature' }).click();
    const second = await number();
    expect(second).not.toBe(`#${made.feature}`);
    await on.getByRole('button', { name: 'Copy link' }).click();
    await on
      .getByRole('status')
      .getByText(`The link to feature ${second.slice(1)} is copied`)
      .waitFor();
    const link = await on.evaluate(() => navigator.clipboard.readText());
    expect(link).toContain(`#feature=${second.slice(1)}&sae=`);
    await on.goto('about:blank');
    await on.goto(link);
    await expect.poll(number).toBe(second);
    await on.evaluate((f) => void (location.hash = `#feature=${f}`), made.feature);
    await expect.poll(number).toBe(`#${made.feature}`);
    await context.close();
  });

  test('goes on by an order, by number, and by a click on any feature, which has a card', async () => {
    await page.locator('.fg-feature fgnb-dropdown').click();
    await page.locator('.fg-feature fgnb-option', { hasText: 'by firing rate' }).click();
    await page.waitForFunction(() =>
      /^1 of/.test(document.querySelector('.fg-feature .bar .place')?.textContent ?? ''),
    );
    await page.getByRole('button', { name: 'Next feature' }).click();
    const second = await shown();
    expect(second).not.toBe(`#${made.feature}`);
    await page.getByRole('button', { name: 'Previous feature' }).click();
    expect(await shown()).toBe(`#${made.feature}`);
    const name = boxOf('Fires with').locator('.fg-ref').first();
    await name.hover();
    const card = page.locator('.fg-hovercard:popover-open');
    await card.locator('.fg-example').first().waitFor();
    await page.screenshot({ path: path.join(screenshots, 'feature-page-card.png') });
    const id = await name.locator('.number').innerText();
    expect(await card.innerText()).toContain(`${id} · `);
    await name.click();
    expect(await shown()).toBe(id);
    // Another name may lie under the pointer now, and shows its own card.
    await page.mouse.move(2, 2);
    await expect.poll(() => page.locator('.fg-hovercard').count()).toBe(0);
    await page.locator('.fg-feature .finder input').fill(`${made.feature}`);
    await page.locator('.fg-feature .hits .fg-ref').first().waitFor();
    await page.keyboard.press('Enter');
    expect(await shown()).toBe(`#${made.feature}`);
    await page.locator('.fg-feature .finder input').fill('zzqx');
    expect(await page.locator('.fg-feature .hits').innerText()).toBe('No feature has this number or word.');
    await page.keyboard.press('Escape');
  });

  test('says of a feature that it does not carry how to see it', async () => {
    const { carried } = made.descriptor.meta.sets[0];
    const columns = decodeSafetensors(made.files['columns.safetensors'], 'columns').tensors;
    const has = [...(columns.get('0.carried')!.data as Int32Array)];
    expect(has.filter((n) => n === 1)).toHaveLength(carried);
    await page.locator('.fg-feature .finder input').fill(String(has.indexOf(0)));
    await page.keyboard.press('Enter');
    await page.getByText(/run fg\.show\.feature\(activations, \d+\) to see it/).waitFor();
    expect(await page.locator('.fg-feature .head .fg-label').count()).toBe(1);
  });

  test('numbers of features in tables have label and card, and a click opens the page of its SAE', async () => {
    const { descriptor, files, tables } = made;
    const code = (id: string, items: OutputItem[]): NotebookCell => ({
      ...{ id, kind: 'code', language: 'fgnb-typescript', source: [] },
      outputs: [{ items }],
    });
    const shownItem = { mime: viewMime('feature'), json: JSON.parse(JSON.stringify(descriptor)) as Json };
    const cells = [...tables.map((items, i) => code(`t${i}`, items)), code('page', [shownItem])];
    const html = reportHtml({
      ...{ title: 'Tables', script, notebookJson: JSON.stringify({ fgnb: 1, metadata: {}, cells }), nonce: 'abc123' },
      files: await pageFilesOf({ id: descriptor.id, files }),
    });
    writeFileSync(path.join(folder, 'tables.html'), html);
    const opened = await browser.newPage({ viewport: { width: 1400, height: 900 } });
    await opened.goto(pathToFileURL(path.join(folder, 'tables.html')).href);
    const row = opened.locator('.fg-table').first().locator('tbody tr').nth(1);
    const name = row.locator('.fg-ref');
    expect(await name.locator('.number').innerText()).toBe('#3');
    expect(await name.locator('.words').innerText()).not.toBe('');
    await name.hover();
    const card = opened.locator('.fg-hovercard:popover-open');
    await card.locator('.fg-example').first().waitFor();
    expect(await card.innerText()).toMatch(/fires on [\d.]+ % of tokens/);
    await opened.screenshot({ path: path.join(screenshots, 'feature-cells.png') });
    await name.click();
    await opened.locator('.fg-feature .head .number', { hasText: /^#3$/ }).waitFor();
    // Of an SAE without a page there is the card alone.
    const pairs = opened.locator('.fg-table').nth(1).locator('tbody tr').first().locator('.fg-ref');
    expect(await pairs.evaluateAll((all) => all.map((each) => each.classList.contains('still')))).toEqual([
      false,
      true,
    ]);
    await opened.close();
  });

  test.each([
    ['light', 1400, 'light', undefined],
    ['dark', 1400, 'dark', undefined],
    ['hc', 1400, 'dark', 'hc'],
    ['narrow', 700, 'light', undefined],
  ] as const)('looks right: %s', async (name, width, scheme, theme) => {
    const opened = await open(width, scheme, theme);
    await opened.screenshot({ path: path.join(screenshots, `feature-page-${name}.png`), fullPage: true });
    const wide = await opened.evaluate(() => document.documentElement.scrollWidth);
    expect(wide).toBeLessThanOrEqual(width);
    // No box is wider than its column.
    const over = await opened.locator('.fg-feature .box').evaluateAll((all) => all.filter((b) => b.scrollWidth > b.clientWidth + 1).length); // prettier-ignore
    expect(over).toBe(0);
    await opened.context().close();
  });
});
