/** First sight of a map: regions with names that noise does not get, titles free of points and never cut where they differ. */
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Browser, Page } from 'playwright-core';
import { servePages, twinFixture, type MapFixture, type PageServer } from './fixtures.js';
import { buildWebviews, CHROMIUM, installHost, openBrowser, screenshots, servePanel, shownFixture } from './harness.js';

if (!CHROMIUM) console.log('skipped test/e2e/mapRegions.test.ts: no chromium in /usr/bin');

/** The fixture with its labels dealt out anew among the alive points. */
function shuffledLabels(map: MapFixture): MapFixture {
  const files = { ...map.files };
  for (const set of [0, 1]) {
    const labels = JSON.parse(new TextDecoder().decode(files[`${set}.labels.json`])) as string[][];
    const alive = [...labels.keys()].filter((i) => labels[i].length > 0);
    // Steps of a number that is prime to the clusters: every cloud has every word.
    const dealt = [...labels];
    alive.forEach((i, k) => (dealt[i] = labels[alive[(k * 7 + 11) % alive.length]]));
    let state = 3;
    const random = () => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) / 2 ** 32;
    for (let k = alive.length - 1; k > 0; k--) {
      const other = alive[Math.floor(random() * (k + 1))];
      [dealt[alive[k]], dealt[other]] = [dealt[other], dealt[alive[k]]];
    }
    files[`${set}.labels.json`] = Buffer.from(JSON.stringify(dealt));
  }
  return { ...map, id: `${map.id}-shuffled`, files };
}

describe.skipIf(!CHROMIUM)('regions of a map', () => {
  let browser: Browser;
  let server: PageServer;
  const map = twinFixture(1200, 12);

  const open = async (shown: MapFixture, width: number, colorScheme: 'light' | 'dark', hc = false): Promise<Page> => {
    const context = await browser.newContext({ viewport: { width, height: 900 }, colorScheme });
    const page = await context.newPage();
    await installHost(page, server, shownFixture('map', shown));
    await page.goto(server.origin);
    if (hc) await page.evaluate(() => document.body.classList.add('vscode-high-contrast'));
    if (hc) await page.evaluate(() => void (document.body.dataset.vscodeThemeKind = 'vscode-high-contrast'));
    await page.locator('.layer').first().waitFor();
    return page;
  };
  const legend = (page: Page) => page.locator('.legend .item').allInnerTexts();
  const byRegion = async (page: Page): Promise<void> => {
    await page.locator('fgnb-dropdown[aria-label="Colour of the points"]').click();
    await page.locator('fgnb-option', { hasText: 'Colour: region' }).click();
  };

  beforeAll(async () => {
    const bundles = await buildWebviews();
    browser = await openBrowser();
    server = await servePages();
    servePanel(server, bundles.panel);
  });
  afterAll(async () => {
    await browser?.close();
    await server?.close();
  });

  test('the colour says something at first: r on twin maps, and a region has the name of its words', async () => {
    const page = await open(map, 1400, 'light');
    await expect.poll(() => legend(page)).toContainEqual(expect.stringContaining('r to counterpart'));
    await byRegion(page);
    await expect.poll(() => legend(page)).toContainEqual(expect.stringMatching(/^A: [a-z]+/));
    const named = (await legend(page)).filter((text) => /^[AB]: [a-z]/.test(text));
    expect(named.length).toBeGreaterThan(6);
    await page.screenshot({ path: path.join(screenshots, 'map-regions-light.png') });
    await page.context().close();
  });

  test('shuffled labels name nothing', async () => {
    const page = await open(shuffledLabels(map), 1400, 'light');
    await byRegion(page);
    await expect.poll(() => legend(page)).toContainEqual(expect.stringMatching(/^A: \d+ without a name/));
    expect((await legend(page)).filter((text) => /^[AB]: [a-z]/.test(text))).toEqual([]);
    await page.context().close();
  });

  test.each([
    ['dark', 1400, 'dark', false],
    ['hc', 1400, 'dark', true],
    ['narrow', 650, 'light', false],
  ] as const)('titles keep where they differ: %s', async (name, width, scheme, hc) => {
    const page = await open(map, width, scheme, hc);
    await expect.poll(() => legend(page)).toContainEqual(expect.stringContaining('r to counterpart'));
    const cut = await page.locator('.caption .title').evaluateAll((all) =>
      all.map((title) => {
        const own = title.querySelector('span:not(.cut)')!.getBoundingClientRect();
        const box = title.getBoundingClientRect();
        return { text: title.querySelector('span:not(.cut)')!.textContent, seen: own.right <= box.right + 1 };
      }),
    );
    expect(cut).toEqual([{ text: '1L', seen: true }, { text: '2L', seen: true }]); // prettier-ignore
    await page.screenshot({ path: path.join(screenshots, `map-regions-${name}.png`) });
    await page.context().close();
  });
});
