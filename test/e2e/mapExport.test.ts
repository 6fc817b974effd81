/** What of a map leaves its panel: pictures as they are seen, the table as it is filtered, JSON, a page. */
import path from 'node:path';
import { parquetReadObjects } from 'hyparquet';
import { describe, expect, test } from 'vitest';
import type { Page } from 'playwright-core';
import { readReferenceMap } from '#protocol/referenceMap.js';
import { twinFixture } from './fixtures.js';
import { CHROMIUM, installHost, openPages, screenshots, shownFixture } from './harness.js';

if (!CHROMIUM) console.log('skipped test/e2e/mapExport.test.ts: no chromium in /usr/bin');

interface Saved {
  name: string;
  text?: string;
  base64?: string;
}

describe.skipIf(!CHROMIUM)('a map leaves its window', () => {
  const pages = openPages();
  const map = twinFixture(400, 8);

  const open = async (): Promise<Page> => {
    const page = await (await pages.browser.newContext({ viewport: { width: 1400, height: 900 }, colorScheme: 'dark' })).newPage(); // prettier-ignore
    await installHost(page, pages.server, shownFixture('map', map));
    await page.goto(`${pages.server.origin}/`);
    await page.locator('.layer').first().waitFor();
    return page;
  };
  /** Chooses an entry of the menu; what the host is asked to save. */
  const exported = async (page: Page, entry: string): Promise<Saved> => {
    const before = await page.evaluate(() => (window as unknown as { __saved: Saved[] }).__saved.length);
    await page.locator('fgnb-dropdown[aria-label="Export the map"]').click();
    await page.locator('fgnb-dropdown[aria-label="Export the map"] fgnb-option', { hasText: entry }).click();
    await expect.poll(() => page.evaluate(() => (window as unknown as { __saved: Saved[] }).__saved.length), { timeout: 30_000 }).toBe(before + 1); // prettier-ignore
    return page.evaluate(() => (window as unknown as { __saved: Saved[] }).__saved.at(-1)!);
  };

  test('pictures have title, legend with histogram and caption, at every scale, and show what is seen', async () => {
    const page = await open();
    const svg = (await exported(page, 'Picture (SVG)')).text!;
    expect(svg).toContain('>Twin map of the fixture</text>');
    expect(svg).toContain('r to counterpart');
    expect(svg).toContain('380 pairs');
    const [, width, height] = /width="([\d.]+)" height="([\d.]+)"/.exec(svg)!;
    const all = svg.match(/<circle/g)!.length;
    for (const scale of [1, 4]) {
      const { name, base64 } = await exported(page, `PNG, ${scale}×`);
      expect(name).toBe('Twin map of the fixture.png');
      const bytes = Buffer.from(base64!, 'base64');
      expect([bytes.readUInt32BE(16), bytes.readUInt32BE(20)]).toEqual([Math.round(Number(width) * scale), Math.round(Number(height) * scale)]); // prettier-ignore
    }
    // What is zoomed away is not in the picture.
    await page.locator('.layer.set0').focus();
    for (let k = 0; k < 8; k++) await page.keyboard.press('+');
    await page.locator('.layer.set1').focus();
    for (let k = 0; k < 8; k++) await page.keyboard.press('+');
    expect((await exported(page, 'Picture (SVG)')).text!.match(/<circle/g)?.length ?? 0).toBeLessThan(all / 2);
    const paper = await page.context().newPage();
    await paper.setContent(svg);
    await paper.screenshot({ path: path.join(screenshots, 'map-export.png') });
    await page.context().close();
  });

  test('the table as it is filtered and sorted, in every format; JSON that the kernel reads; a page', async () => {
    const page = await open();
    await page.getByRole('textbox').fill('#4');
    await expect.poll(() => page.locator('.hits').innerText()).toBe('A 1 · B 0 · 1 partner');
    // Point 1 of A, #4, and its partner: point 10 of B, #52, r of 1 - 1 / 50.
    const csv = (await exported(page, 'Table (CSV)')).text!;
    expect(csv).toMatch(/^A,A label,B,B label,r\r\n4,.*,52,.*,0\.98\d*\r\n$/s);
    expect((await exported(page, 'Table (TSV)')).text!.split('\n')[1].split('\t')[2]).toBe('52');
    expect((await exported(page, 'Table (LaTeX)')).text).toContain('\\begin{tabular}{rlrlr}');
    const bytes = Buffer.from((await exported(page, 'Table (Parquet)')).base64!, 'base64');
    const file = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length) as ArrayBuffer;
    expect(await parquetReadObjects({ file })).toMatchObject([{ A: 4, B: 52, r: Math.fround(0.98) }]);
    const json = readReferenceMap(JSON.parse((await exported(page, 'Map (JSON)')).text!), 'x');
    expect(json.model_a.points.find((p) => p.feature_id === 4)).toMatchObject({ mapped_feature_id: 52 });
    expect(json.semantic_groups.map((g) => g.name)).toEqual(['Royalty', 'Family', 'Time', 'Pronouns']);
    expect(await exported(page, 'Page (HTML)')).toMatchObject({ view: 'map', descriptor: { id: map.id } });
    await page.context().close();
  });
});
