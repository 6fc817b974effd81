/** The joint map of several widths of one model in the panel: colours by SAE, lines to parents, the family of a hovered feature. */
import fs from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import type { Page } from 'playwright-core';
import { createFg } from '#kernel/api/index.js';
import type { MapDescriptor } from '#protocol/map.js';
import { MIME } from '#protocol/mime.js';
import { collectingContext, shownJson } from '#test/kit/context.js';
import { shared } from '#test/kit/samples.js';
import { splitSaes } from '#test/kit/splitSaes.js';
import {
  CHROMIUM,
  collectComplaints,
  installHost,
  screenshots,
  shownFixture,
  type Complaints,
  openPages,
} from './harness.js';

if (!CHROMIUM) console.log('skipped test/e2e/jointMap.test.ts: no chromium in /usr/bin');

const real = ['sae_128_4.pt', 'sae_1024_4.pt'].map((name) => path.join(shared, 'saes', name));
const absent = real.find((file) => !fs.existsSync(file));
if (absent) console.log(`skipped the picture of the real 128 → 1,024 SAEs: ${absent} is not there`);

describe.skipIf(!CHROMIUM)('joint map panel', () => {
  const pages = openPages();

  /** The panel of what a cell shows. */
  async function open(
    show: (fg: Awaited<ReturnType<typeof createFg>>) => Promise<unknown>,
    o: { width: number; theme: 'dark' | 'light' },
  ): Promise<{ page: Page; complaints: Complaints }> {
    const context = collectingContext();
    try {
      await show(await createFg(context, { device: 'cpu' }));
      const { id, meta, path: bundle } = shownJson<MapDescriptor>(context, MIME.map);
      const folder = path.join(context.outputFolder, bundle);
      const names = fs.readdirSync(folder);
      const files = Object.fromEntries(names.map((name) => [name, fs.readFileSync(path.join(folder, name))]));
      const viewport = { width: o.width, height: 900 };
      const page = await (await pages.browser.newContext({ viewport, colorScheme: o.theme })).newPage();
      const complaints = collectComplaints(page, pages.server.origin);
      await installHost(page, pages.server, shownFixture('map', { id, meta, files }));
      await page.goto(`${pages.server.origin}/`);
      await page.locator('.layer').first().waitFor();
      return { page, complaints };
    } finally {
      context.remove();
    }
  }

  const picture = async (page: Page, name: string): Promise<void> => {
    await page.waitForTimeout(400);
    await page.screenshot({ path: path.join(screenshots, `${name}.png`) });
  };
  /** Pixels of a canvas that are not transparent. */
  const inked = (page: Page, canvas: string): Promise<number> =>
    page.locator(canvas).evaluate((element) => {
      const { width, height } = element as HTMLCanvasElement;
      const { data } = (element as HTMLCanvasElement).getContext('2d')!.getImageData(0, 0, width, height);
      return data.filter((_, i) => i % 4 === 3 && data[i] > 0).length;
    });

  test('shows every SAE in its colour, lines that can be put away, and the family of a feature', async () => {
    const [small, large] = splitSaes(12, 6);
    const { page, complaints } = await open((fg) => fg.show([small, large], { nNeighbors: 8 }), {
      width: 1400,
      theme: 'dark',
    });
    const legend = page.locator('.legend');
    await expect.poll(() => legend.innerText()).toContain('12: 12 features');
    expect(await legend.innerText()).toContain('72: 72 features');
    await expect.poll(() => inked(page, 'canvas.underlay')).toBeGreaterThan(100);
    await picture(page, 'joint-planted-dark-1400');
    await page.locator('fgnb-checkbox', { hasText: 'lines to parents' }).click();
    await expect.poll(() => inked(page, 'canvas.underlay')).toBe(0);
    await page.locator('fgnb-checkbox', { hasText: 'lines to parents' }).click();
    await page.locator('.threshold input').fill('1');
    await expect.poll(() => inked(page, 'canvas.underlay')).toBe(0);
    await page.locator('.threshold input').fill('0');
    // The first rows of the table are those of largest cosine: children, with their parent named.
    await page.getByRole('tab', { name: 'Features' }).click();
    const row = page.locator('[role=row]', { hasText: /72 #\d+/ }).first();
    expect(await row.innerText()).toMatch(/72 #\d+[\s\S]*12 #\d+/);
    await row.hover();
    await expect.poll(() => inked(page, 'canvas.overlay')).toBeGreaterThan(50);
    await picture(page, 'joint-planted-family');
    await row.click();
    const pinned = page.locator('.pane');
    await expect.poll(() => pinned.innerText()).toMatch(/child of 12 #\d+, cosine/);
    expect(await pinned.innerText()).not.toContain('fires on');
    // "#5" finds the fifth feature of both.
    await page.getByRole('textbox').first().fill('#5');
    await expect.poll(() => page.locator('.hits').innerText()).toBe('joint 2');
    expect(complaints.list).toEqual([]);
  });

  test.skipIf(absent !== undefined)('draws the real 128 → 1,024 features', async () => {
    for (const [width, theme] of [
      [1400, 'light'],
      [650, 'dark'],
    ] as const) /* prettier-ignore */ {
      const { page, complaints } = await open(
        async (fg) => fg.show([await fg.sae.load(real[0]), await fg.sae.load(real[1])]),
        { width, theme },
      );
      await expect.poll(() => page.locator('.legend').innerText()).toContain('1024: 1,024 features');
      await picture(page, `joint-real-${theme}-${width}`);
      expect(complaints.list).toEqual([]);
    }
  });
});
