/** A notebook that version 0.1.0 saved, and its bundles: opened, drawn and exported by this version. */
import fs from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, test } from 'vitest';
import type { Page } from 'playwright-core';
import type { Descriptor } from '#protocol/bundle.js';
import { parseNotebook } from '#protocol/notebookCodec.js';
import { viewOfMime, VIEWS } from '#protocol/views.js';
import { reportHtml } from '#protocol/webview.js';
import { pageFilesOf } from '#test/kit/bundleFiles.js';
import {
  CHROMIUM,
  collectComplaints,
  installHost,
  screenshots,
  type Complaints,
  type Shown,
  openPages,
} from './harness.js';

if (!CHROMIUM) console.log('skipped test/e2e/saved.test.ts: no chromium in /usr/bin');

const folder = path.resolve(import.meta.dirname, '../fixtures/saved');
const text = fs.readFileSync(path.join(folder, 'saved.fgnb'), 'utf8');
const notebook = parseNotebook(text);

function filesIn(place: string): Record<string, Uint8Array> {
  const names = fs.readdirSync(path.join(folder, place));
  return Object.fromEntries(names.map((name) => [name, fs.readFileSync(path.join(folder, place, name))]));
}
const shown = notebook.cells.flatMap((cell) =>
  (cell.outputs ?? []).flatMap((output) =>
    output.items.flatMap((item): Shown[] => {
      const view = viewOfMime(item.mime);
      const descriptor = item.json as unknown as Descriptor;
      return view ? [{ view, descriptor, files: descriptor.path ? filesIn(descriptor.path) : {} }] : [];
    }),
  ),
);

describe.skipIf(!CHROMIUM)('a notebook that was saved by version 0.1.0', () => {
  const pages = openPages();
  let page: Page;
  let complaints: Complaints;

  test('has an output of every kind of view', () => {
    expect(shown.map((each) => each.view)).toEqual(['map', 'map', 'graph', 'interventions']);
  });

  test('is exported with everything drawn', async () => {
    const html = reportHtml({
      ...{ title: 'saved', script: pages.bundles.report, notebookJson: text, nonce: 'n' },
      files: (await Promise.all(shown.map(({ descriptor: { id }, files }) => pageFilesOf({ id, files })))).flat(),
    });
    const file = path.join(screenshots, 'saved.html');
    fs.writeFileSync(file, html);
    page = await pages.browser.newPage({ viewport: { width: 1400, height: 1000 } });
    complaints = collectComplaints(page, 'file:');
    await page.goto(pathToFileURL(file).href);
    const maps = page.locator('.fg-map');
    await maps.nth(1).locator('.layer').first().waitFor();
    expect(await maps.nth(0).locator('.counts').allInnerTexts()).toEqual(['48 features', '48 features']);
    expect(await maps.nth(1).locator('.counts').allInnerTexts()).toEqual(['60 tokens', '60 tokens']);
    const counts = page.locator('.fg-graph .counts');
    await counts.nth(1).waitFor();
    expect(await counts.allInnerTexts()).toEqual([
      '12 nodes · 22 edges · 2 components · 0 loops',
      '15 nodes · 27 edges · 1 component · 3 loops',
    ]);
    const panel = page.locator('.fg-interventions');
    expect(await panel.locator('textarea').inputValue()).toBe('One day, Lily saw the');
    expect(await panel.locator('.texts').innerText()).toContain('Claire were at the');
    await page.screenshot({ path: path.join(screenshots, 'saved-report.png'), fullPage: true });
    expect(complaints.list).toEqual([]);
  });

  test('its map answers with the examples of a pinned pair', async () => {
    const map = page.locator('.fg-map').first();
    await map.getByRole('button', { name: 'Show or hide the table' }).click();
    await map.locator('.fg-grid .row').first().click();
    await map.locator('.pin .fg-example').first().waitFor();
    expect(await map.locator('.pin .fg-example').count()).toBeGreaterThan(1);
  });

  test.each(shown.map((each, i) => [i, each.view] as const))(
    'output %i, a %s, opens in a panel with the state that version 0.1.0 kept of it',
    async (i, view) => {
      const { descriptor } = shown[i];
      const state = { version: 1, query: 'the', snapshot: null };
      const kept = { version: 1, [VIEWS[view].saved]: descriptor, host: { notebook: 'x.fgnb' }, view: state };
      const context = await pages.browser.newContext({ viewport: { width: 1000, height: 800 } });
      const own = await context.newPage();
      const said = collectComplaints(own, pages.server.origin);
      await own.addInitScript((json) => sessionStorage.setItem('state', json), JSON.stringify(kept));
      await installHost(own, pages.server, shown[i]);
      await own.goto(pages.server.origin);
      if (view === 'interventions') await own.locator('.fg-interventions .chips').first().waitFor();
      else {
        await own.locator('.layer').first().waitFor();
        expect(await own.locator('.search input').inputValue()).toBe('the');
      }
      expect(said.list).toEqual([]);
      await context.close();
    },
  );

  test('a panel that the host refuses says why', async () => {
    const own = await pages.browser.newPage();
    await installHost(own, pages.server, shown[0]);
    await own.goto(pages.server.origin);
    await own.locator('.layer').first().waitFor();
    await own.evaluate(() => window.postMessage({ type: 'refused', reason: 'Made by another version' }));
    await expect.poll(() => own.getByRole('alert').allInnerTexts()).toEqual(['Made by another version']);
    expect(await own.locator('.layer').count()).toBe(0);
    await own.close();
  });
});
