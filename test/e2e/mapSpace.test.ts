/** A map in three dimensions in the panel: a drag turns it, sliders do, the turn is kept. */
import fs from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { createFg } from '#kernel/api/index.js';
import { Random } from '#kernel/compute/random.js';
import type { MapDescriptor } from '#protocol/map.js';
import { MIME } from '#protocol/mime.js';
import { collectingContext, shownJson } from '#test/kit/context.js';
import { CHROMIUM, collectComplaints, installHost, openPages, painted, screenshots, shownFixture } from './harness.js';

if (!CHROMIUM) console.log('skipped test/e2e/mapSpace.test.ts: no chromium in /usr/bin');

describe.skipIf(!CHROMIUM)('a map in three dimensions', () => {
  const pages = openPages();

  test('is turned by dragging and by its sliders', async () => {
    const context = collectingContext();
    const random = new Random(3);
    // A ring of four clouds, as three dimensions show it.
    const rows = Array.from({ length: 240 }, (_, i) => Array.from({ length: 6 }, (_, c) => (i % 4 === c ? 4 : 0) + random.normal())); // prettier-ignore
    try {
      const fg = await createFg(context, { device: 'cpu' });
      await fg.show.map(rows, { nComponents: 3, nEpochs: 100 });
      const { id, meta, path: bundle } = shownJson<MapDescriptor>(context, MIME.map);
      const folder = path.join(context.outputFolder, bundle);
      const files = Object.fromEntries(fs.readdirSync(folder).map((name) => [name, fs.readFileSync(path.join(folder, name))])); // prettier-ignore
      const page = await (await pages.browser.newContext({ viewport: { width: 1400, height: 900 }, colorScheme: 'dark' })).newPage(); // prettier-ignore
      const complaints = collectComplaints(page, pages.server.origin);
      await installHost(page, pages.server, shownFixture('map', { id, meta, files }));
      await page.goto(`${pages.server.origin}/`);
      const layer = page.locator('.layer').first();
      await layer.waitFor();
      const picture = async (): Promise<string> => {
        await painted(page);
        return (await page.locator('.stage').screenshot()).toString('base64');
      };
      const front = await picture();
      const { x, y, width, height } = (await layer.boundingBox())!;
      await page.mouse.move(x + width / 2, y + height / 2);
      await page.mouse.down();
      await page.mouse.move(x + width / 2 + 150, y + height / 2 + 40, { steps: 6 });
      await page.mouse.up();
      const turn = page.getByRole('slider', { name: 'Turn the map about its upright axis' });
      const tilt = page.getByRole('slider', { name: 'Tilt the map' });
      expect([await turn.inputValue(), await tilt.inputValue()]).toEqual(['60', '16']);
      expect(await turn.getAttribute('aria-valuetext')).toBe('60 degrees');
      const turned = await picture();
      expect(turned).not.toBe(front);
      await page.screenshot({ path: path.join(screenshots, 'map-space-dark-1400.png') });
      // What is under the pointer is looked for where the points are now.
      await expect.poll(async () => {
        for (let s = 0; s < 24; s++) {
          await page.mouse.move(x + width * (0.25 + 0.022 * s), y + height * (0.3 + 0.017 * s));
          if (await layer.evaluate((element) => element.classList.contains('pick'))) return true;
        }
        return false;
      }).toBe(true); // prettier-ignore
      await turn.fill('0');
      await tilt.fill('0');
      await page.mouse.move(1, 1);
      await expect.poll(picture).toBe(front);
      const kept = () => page.evaluate(() => JSON.stringify((window as unknown as { __state: unknown }).__state));
      await expect.poll(kept).toContain('"yaw":0,"pitch":0');
      await page.setViewportSize({ width: 700, height: 900 });
      await page.screenshot({ path: path.join(screenshots, 'map-space-dark-700.png') });
      expect(complaints.list).toEqual([]);
    } finally {
      context.remove();
    }
  });
});
