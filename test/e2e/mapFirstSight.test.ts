/** First sight of a map panel: the clouds take it, the table is a drawer, the legend chooses, nothing lies over a title. */
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import type { Page } from 'playwright-core';
import { isolatedPoint, screenOf, twinFixture } from './fixtures.js';
import { CHROMIUM, installHost, openPages, painted, screenshots, shownFixture } from './harness.js';

if (!CHROMIUM) console.log('skipped test/e2e/mapFirstSight.test.ts: no chromium in /usr/bin');

describe.skipIf(!CHROMIUM)('first sight of a map', () => {
  const pages = openPages();
  const map = twinFixture(2140, 12);
  const isolated = [0, 1].map((s) => isolatedPoint(map, s));

  async function open(width: number, colorScheme: 'light' | 'dark', hc = false): Promise<Page> {
    const context = await pages.browser.newContext({
      ...{ viewport: { width, height: 900 }, colorScheme },
      ...(hc && { contrast: 'more' as const }),
    });
    const page = await context.newPage();
    await installHost(page, pages.server, shownFixture('map', map));
    await page.goto(`${pages.server.origin}/`);
    await page.locator('.layer').first().waitFor();
    await painted(page);
    return page;
  }
  const box = async (page: Page, selector: string) => (await page.locator(selector).boundingBox())!;
  const shot = (page: Page, name: string) => page.screenshot({ path: path.join(screenshots, `${name}.png`) });
  const hits = (page: Page) => page.locator('.hits').innerText();

  test.each([
    ['650-dark', 650, 'dark', false],
    ['700-light', 700, 'light', false],
    ['1400-light', 1400, 'light', false],
    ['1400-hc', 1400, 'dark', true],
  ] as const)(
    'the maps take the panel, their clouds fill them, titles stand above: %s',
    async (name, width, scheme, hc) => {
      const page = await open(width, scheme, hc);
      const layers = await Promise.all([0, 1].map((s) => box(page, `.layer.set${s}`)));
      const stage = await box(page, '.stage');
      expect((stage.width * stage.height) / (width * 900)).toBeGreaterThan(0.8);
      for (const [s, layer] of layers.entries()) {
        const alive = Array.from(map.points[s].dead.keys()).filter((i) => !map.points[s].dead[i]);
        const spots = alive.map((i) => screenOf(map, s, i, layer));
        const span = (of: number[]) => of.reduce((a, b) => Math.max(a, b)) - of.reduce((a, b) => Math.min(a, b));
        const filled = Math.max(
          span(spots.map(({ x }) => x)) / layer.width,
          span(spots.map(({ y }) => y)) / layer.height,
        );
        expect(filled).toBeGreaterThan(0.8);
        // A point's card comes up where it is drawn.
        const i = isolated[s];
        const at = screenOf(map, s, i, layer);
        await page.mouse.move(layer.x + at.x + 2, layer.y + at.y + 1);
        await page.locator('.fg-tooltip', { hasText: `#${map.featureOf(s, i)}` }).waitFor();
        const heading = page.locator('.heading').nth(s);
        const title = (await heading.boundingBox())!;
        expect(title.y + title.height).toBeLessThanOrEqual(layer.y + 0.5);
        expect(await heading.textContent()).toContain(`tiny-${s + 1}L`);
      }
      expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(width);
      await page.mouse.move(1, 1);
      await shot(page, `map-first-${name}`);
      await page.context().close();
    },
  );

  test('the table is a drawer: its tabs open and close it, and it stays where it was left', async () => {
    const page = await open(650, 'light');
    const before = await box(page, '.stage');
    expect(await page.locator('.summary').isVisible()).toBe(false);
    const tab = page.getByRole('tab', { name: 'Pairs' });
    await tab.click();
    await expect.poll(() => page.locator('.summary').innerText()).toBe('2,033 pairs');
    expect((await box(page, '.stage')).height).toBeLessThan(before.height);
    await shot(page, 'map-drawer-650-light');
    await expect.poll(() => page.evaluate(() => (window as never as { __state: { view?: { pane: string } } }).__state.view?.pane)).toBe('pairs'); // prettier-ignore
    await page.reload();
    await page.locator('.summary').waitFor();
    await tab.click();
    await expect.poll(() => page.locator('.summary').isVisible()).toBe(false);
    expect((await box(page, '.stage')).height).toBe(before.height);
    await page.context().close();
  });

  test('controls that do not fit are behind one button, and none is lost', async () => {
    const page = await open(650, 'dark');
    const range = page.locator('.threshold input');
    expect(await range.isVisible()).toBe(false);
    const more = page.locator('fgnb-button[aria-label="More controls"]');
    await more.click();
    expect(await more.getAttribute('aria-expanded')).toBe('true');
    await range.fill('0.5');
    expect(await page.locator('fgnb-checkbox', { hasText: 'dead' }).isVisible()).toBe(true);
    await shot(page, 'map-controls-650-dark');
    await page.context().close();
  });

  test('the legend is a histogram whose ends choose: points outside fade, keys move them, Escape takes it back', async () => {
    const page = await open(1400, 'light');
    const bars = page.locator('.legend .bar');
    await expect.poll(() => bars.count()).toBe(24);
    const counts = await bars.evaluateAll((all) =>
      all.map((bar) => Number(/^\d+/.exec((bar as HTMLElement).title)?.[0])),
    );
    // r of the fixture: 1 - (i mod 50) / 50 of the 4,066 alive points of both maps.
    expect(counts.reduce((a, b) => a + b, 0)).toBe(4066);
    const from = page.getByRole('slider', { name: /show from here/ });
    await from.fill('12');
    const kept = counts.slice(12).reduce((a, b) => a + b, 0);
    await expect.poll(async () => [...(await hits(page)).matchAll(/[AB] ([\d,]+)/g)].reduce((sum, m) => sum + Number(m[1].replace(',', '')), 0)).toBe(kept); // prettier-ignore
    expect(await page.locator('.legend .bar.out').count()).toBe(12);
    // The slider that is held stays in the page: it takes the next key.
    await from.focus();
    await page.keyboard.press('ArrowRight');
    await expect.poll(() => page.locator('.legend .bar.out').count()).toBe(13);
    await page.getByRole('tab', { name: 'Pairs' }).click();
    expect(await page.locator('.summary').innerText()).toMatch(/^[\d,]+ of 2,033 pairs$/);
    await shot(page, 'map-legend-range-light');
    await page.locator('.layer.set0').focus();
    await page.keyboard.press('Escape');
    await expect.poll(() => hits(page)).toBe('');
    expect(await page.locator('.legend .bar.out').count()).toBe(0);
    await page.context().close();
  });

  test('a class of the legend shows its points alone, a second is added, and both are kept over a reload', async () => {
    const page = await open(1400, 'dark');
    await page.locator('fgnb-dropdown[aria-label="Colour of the points"]').click();
    await page.locator('fgnb-option', { hasText: 'Colour: region' }).click();
    const classes = page.locator('.legend button.item');
    await classes.first().waitFor();
    await classes.first().click();
    await expect.poll(() => hits(page)).toMatch(/^A [1-9]\d+ · B 0/);
    const litInA = async () => Number(/A ([\d,]+)/.exec(await hits(page))![1].replace(',', ''));
    const one = await litInA();
    await classes.nth(1).click();
    await expect.poll(litInA).toBeGreaterThan(one);
    expect(await page.locator('.legend button[aria-pressed="true"]').count()).toBe(2);
    await shot(page, 'map-legend-classes-dark');
    await expect.poll(() => page.evaluate(() => (window as never as { __state: { view?: { only: { classes: number[] } | null } } }).__state.view?.only?.classes.length)).toBe(2); // prettier-ignore
    await page.reload();
    await expect.poll(() => page.locator('.legend button[aria-pressed="true"]').count()).toBe(2);
    for (const k of [0, 1]) await classes.nth(k).click();
    await expect.poll(() => hits(page)).toBe('');
    await page.context().close();
  });

  test('contours lie behind the points, and a pin that is out of sight is an arrow at the edge', async () => {
    const page = await open(1400, 'light');
    const painted = (canvas: string, [x, y, w, h]: readonly number[]) =>
      page.evaluate(
        ([name, x, y, w, h]) => {
          const found = document.querySelector(`canvas.${name}`) as HTMLCanvasElement;
          const ratio = found.width / found.clientWidth;
          const data = found.getContext('2d')!.getImageData(x * ratio, y * ratio, Math.ceil(w * ratio), Math.ceil(h * ratio)).data;
          return data.filter((v, k) => k % 4 === 3 && v > 0).length;
        },
        [canvas, x, y, w, h] as [string, number, number, number, number],
      ); // prettier-ignore
    const layer = await box(page, '.layer.set0');
    await expect.poll(() => painted('ground', [0, 30, layer.width, layer.height])).toBeGreaterThan(1000);
    const i = isolated[0];
    const at = screenOf(map, 0, i, layer);
    await page.mouse.click(layer.x + at.x, layer.y + at.y);
    await page.mouse.move(1, 1);
    const edge = at.x < layer.width / 2 ? [0, 24, 22, layer.height] : [layer.width - 22, 24, 22, layer.height];
    // Pans until the pin has left the map on its own side.
    await page.locator('.layer.set0').focus();
    for (let k = 0; k < 14; k++) await page.keyboard.press(at.x < layer.width / 2 ? 'ArrowRight' : 'ArrowLeft');
    for (let k = 0; k < 3; k++) await page.keyboard.press('+');
    await expect.poll(() => painted('overlay', edge)).toBeGreaterThan(40);
    await shot(page, 'map-pin-away-light');
    await page.context().close();
  });
});
