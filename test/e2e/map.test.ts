import { existsSync } from 'node:fs';
import path from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import type { BrowserContext, Locator, Page } from 'playwright-core';
import { HOSTILE, isolatedPoint, screenOf, twinFixture, type MapFixture } from './fixtures.js';
import {
  CHROMIUM,
  collectComplaints,
  installHost,
  screenshots,
  shownFixture,
  type Complaints,
  openPages,
} from './harness.js';

if (!CHROMIUM) console.log('skipped test/e2e/map.test.ts: no chromium in /usr/bin');

describe.skipIf(!CHROMIUM)('feature map panel', () => {
  const pages = openPages();
  let context: BrowserContext | undefined;
  const small = twinFixture(600);

  beforeEach(async () => {
    await context?.close();
    context = undefined;
  });

  async function open(
    o: {
      map?: MapFixture;
      width?: number;
      height?: number;
      theme?: 'light' | 'dark';
      contrast?: 'more';
      webgl?: boolean;
    } = {},
  ): Promise<{ page: Page; complaints: Complaints }> {
    context = await pages.browser.newContext({
      viewport: { width: o.width ?? 1400, height: o.height ?? 900 },
      colorScheme: o.theme ?? 'dark',
      contrast: o.contrast,
    });
    const page = await context.newPage();
    const complaints = collectComplaints(page, pages.server.origin);
    if (o.webgl === false)
      await page.addInitScript(`HTMLCanvasElement.prototype.getContext = ((original) => function (kind, ...rest) {
        return kind === 'webgl2' ? null : original.call(this, kind, ...rest); })(HTMLCanvasElement.prototype.getContext)`);
    await installHost(page, pages.server, shownFixture('map', o.map ?? small));
    await page.goto(`${pages.server.origin}/`);
    await page.locator('.layer').first().waitFor();
    return { page, complaints };
  }

  async function hoverPoint(page: Page, map: MapFixture, set: number, i: number): Promise<void> {
    const box = await boxOf(page.locator(`.layer.set${set}`));
    const at = screenOf(map, set, i, { width: box.width, height: box.height });
    await page.mouse.move(box.x + at.x + 3, box.y + at.y - 30);
    await page.mouse.move(box.x + at.x, box.y + at.y);
  }

  async function boxOf(locator: Locator) {
    const box = await locator.boundingBox();
    if (!box) throw new Error('not visible');
    return box;
  }

  const shot = (page: Page, name: string) => page.screenshot({ path: path.join(screenshots, `${name}.png`) });
  const openTable = (page: Page) => page.getByRole('tab', { name: 'Pairs' }).click();
  const row = (page: Page, text: string) => page.locator('.fg-grid .row', { hasText: text });

  test('a panel beside the notebook, 480 px wide, shows the whole of both maps', async () => {
    const { page, complaints } = await open({ width: 480 });
    for (const set of [0, 1]) {
      const box = await boxOf(page.locator(`.layer.set${set}`));
      expect(box.x).toBeGreaterThanOrEqual(0);
      expect(box.x + box.width).toBeLessThanOrEqual(480);
    }
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(480);
    await shot(page, 'map-beside-dark');
    expect(complaints.list).toEqual([]);
  });

  test('hovering a point shows it, its counterpart, r and the examples of both', async () => {
    const { page, complaints } = await open();
    const i = isolatedPoint(small, 0);
    await hoverPoint(page, small, 0, i);
    const tip = page.locator('.fg-tooltip');
    await tip.locator('.set1 .peak').first().waitFor();
    const text = await tip.innerText();
    expect(text).toContain(`#${small.featureOf(0, i)}`);
    expect(text).toContain(`#${small.featureOf(1, small.partnerOf(i))}`);
    expect(text).toContain(`r ${(1 - (i % 50) / 50).toFixed(2)}`);
    expect(text).toMatch(/fires on .* % of tokens · [\d,]+ firings/);
    expect(await tip.locator('section.set0 .peak').count()).toBe(3);
    expect(await tip.locator('section.set1 .peak').count()).toBe(3);
    expect(await tip.locator('section.set0 .text').first().innerText()).toContain('↵');
    await shot(page, 'map-hover-dark');
    expect(complaints.list).toEqual([]);
  });

  test('the link leads back: hovering in B names the partner in A', async () => {
    const { page } = await open();
    const j = isolatedPoint(small, 1);
    await hoverPoint(page, small, 1, j);
    await page.locator('.fg-tooltip section.set0').waitFor();
    expect(await page.locator('.fg-tooltip').innerText()).toContain(`#${small.featureOf(0, small.backOf(j))}`);
  });

  test('the tooltip stays inside the window at every corner of the maps', async () => {
    const { page } = await open({ width: 900, height: 620 });
    for (const set of [0, 1])
      for (const pick of [
        (x: number, y: number) => x + y,
        (x: number, y: number) => -x - y,
        (x: number, y: number) => x - y,
        (x: number, y: number) => y - x,
      ]) {
        const { x, y, dead } = small.points[set];
        const i = [...x.keys()].filter((k) => !dead[k]).reduce((a, b) => (pick(x[b], y[b]) > pick(x[a], y[a]) ? b : a));
        await hoverPoint(page, small, set, i);
        const tip = page.locator('.fg-tooltip');
        await tip.locator('.peak').first().waitFor();
        const box = await boxOf(tip);
        expect(box.x).toBeGreaterThanOrEqual(0);
        expect(box.y).toBeGreaterThanOrEqual(0);
        expect(box.x + box.width).toBeLessThanOrEqual(900);
        expect(box.y + box.height).toBeLessThanOrEqual(620);
      }
  });

  test('search lights whole words and their partners, ids and parts of words', async () => {
    const { page } = await open();
    const hits = page.locator('.hits');
    const search = page.getByRole('textbox');
    const labels = [0, 1].map((s) => JSON.parse(Buffer.from(small.files[`${s}.labels.json`]).toString()) as string[][]);
    const expected = (test: (token: string) => boolean) =>
      labels.map((set) => set.filter((label) => label.some((t) => test(t.trim()))).length);
    await search.fill('HE');
    const [a, b] = expected((t) => t === 'he');
    await expect.poll(() => hits.innerText()).toMatch(new RegExp(`^A ${a} · B ${b} · \\d+ partners?$`));
    await page.locator('fgnb-checkbox', { hasText: 'part of word' }).click();
    const [pa, pb] = expected((t) => t.includes('he'));
    expect(pa).toBeGreaterThan(a);
    await expect.poll(() => hits.innerText()).toContain(`A ${pa} · B ${pb}`);
    await search.fill('#4');
    await expect.poll(() => hits.innerText()).toBe('A 1 · B 0 · 1 partner');
    expect(await page.locator('.summary').innerText()).toBe('1 of 570 pairs');
    await search.fill('nosuchword');
    await expect.poll(() => hits.innerText()).toBe('A 0 · B 0 · 0 partners');
  });

  test('a keyword group shows its counts and lights its features', async () => {
    const { page } = await open();
    await expect
      .poll(() => page.locator('fgnb-option', { hasText: 'Royalty' }).first().textContent())
      .toMatch(/Royalty \(A:\d+, B:\d+\)/);
    await page.locator('fgnb-dropdown').first().click();
    await page.locator('fgnb-option', { hasText: 'Royalty' }).click();
    await expect.poll(() => page.locator('.hits').innerText()).toMatch(/^A \d+ · B \d+/);
    const option = await page.locator('fgnb-option', { hasText: 'Royalty' }).first().textContent();
    const [, a, b] = /A:(\d+), B:(\d+)/.exec(option ?? '') ?? [];
    expect(await page.locator('.hits').innerText()).toContain(`A ${a} · B ${b}`);
    await page.locator('fgnb-dropdown').nth(1).click();
    await page.locator('fgnb-option', { hasText: 'keyword group' }).click();
    await expect.poll(() => page.locator('.legend').innerText()).toContain('Royalty');
    await shot(page, 'map-groups-dark');
  });

  test('click pins, a second click unpins, Escape clears; pins survive a reload', async () => {
    const { page } = await open();
    const i = isolatedPoint(small, 0);
    await hoverPoint(page, small, 0, i);
    await page.mouse.down();
    await page.mouse.up();
    const pins = page.locator('.pin');
    await expect.poll(() => pins.count()).toBe(1);
    expect(await pins.innerText()).toContain(`#${small.featureOf(1, small.partnerOf(i))}`);
    await expect.poll(() => pins.locator('.peak').count()).toBe(10);
    await page.waitForTimeout(300);
    await page.reload();
    await expect.poll(() => page.locator('.pin').count()).toBe(1);
    await page.locator('.layer.set0').focus();
    await page.keyboard.press('Escape');
    await expect.poll(() => page.locator('.pin').count()).toBe(0);
    await hoverPoint(page, small, 0, i);
    for (const count of [1, 0]) {
      await page.mouse.down();
      await page.mouse.up();
      await expect.poll(() => page.locator('.pin').count()).toBe(count);
    }
  });

  test('keys alone pan, zoom, walk between features, pin and clear', async () => {
    const { page } = await open();
    const sent = () =>
      page.evaluate(
        () =>
          (window as unknown as { __state: { view: { cameras: Array<{ x: number; zoom: number }> } } }).__state.view,
      );
    await page.locator('.layer.set0').focus();
    await page.keyboard.press('+');
    await page.keyboard.press('ArrowRight');
    await expect.poll(async () => (await sent())?.cameras[0].zoom).toBeCloseTo(1.3, 5);
    expect((await sent()).cameras[0].x).toBeGreaterThan(0);
    await page.keyboard.press('0');
    await expect.poll(async () => (await sent())?.cameras[0].zoom).toBe(1);
    await page.keyboard.press('Shift+ArrowLeft');
    const live = page.locator('[aria-live="polite"]');
    await expect.poll(() => live.innerText()).toMatch(/^A feature \d+, .*counterpart B feature \d+, .*r \d\.\d\d$/);
    const first = await live.innerText();
    await page.keyboard.press('Shift+ArrowRight');
    await expect.poll(() => live.innerText()).not.toBe(first);
    await page.keyboard.press('Enter');
    await expect.poll(() => page.locator('.pin').count()).toBe(1);
    await page.keyboard.press('/');
    await page.keyboard.type('king');
    await expect.poll(() => page.locator('.hits').innerText()).toMatch(/^A [1-9]/);
    await page.locator('.layer.set1').focus();
    await page.keyboard.press('n');
    await expect.poll(() => live.innerText()).toMatch(/^B feature .*king/);
    await page.keyboard.press('Escape');
    await expect.poll(() => page.locator('.pin').count()).toBe(0);
  });

  test('the table sorts, follows the threshold and pins', async () => {
    const { page } = await open();
    await openTable(page);
    const grid = page.getByRole('grid');
    expect(await grid.getAttribute('aria-rowcount')).toBe('571');
    await page.getByRole('columnheader', { name: 'A', exact: true }).click();
    await expect.poll(() => page.locator('.fg-grid .row').first().innerText()).toContain(`#${small.featureOf(0, 1)}`);
    await page.locator('.threshold input').fill('0.9');
    // r = 1 − (i mod 50)/50 ≥ 0.9 for i mod 50 in 0..5; every 20th i is dead.
    const expected = Array.from({ length: 600 }, (_, i) => i).filter(
      (i) => i % 20 && Math.fround(1 - (i % 50) / 50) >= 0.9,
    ).length;
    await expect.poll(() => page.locator('.summary').innerText()).toBe(`${expected} of 570 pairs`);
    await page.locator('.fg-grid .body').first().focus();
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('Enter');
    await expect.poll(() => page.locator('.pin').count()).toBe(1);
  });

  test('the threshold cuts links: a weak counterpart is hidden and said to be', async () => {
    const { page } = await open();
    const weak = Array.from({ length: 600 }, (_, i) => i).find((i) => i % 50 === 49) as number;
    await page.getByRole('textbox').fill(`#${small.featureOf(0, weak)}`);
    await expect.poll(() => page.locator('.hits').innerText()).toMatch(/1 partner$/);
    await openTable(page);
    await row(page, `#${small.featureOf(0, weak)}`).click();
    await expect.poll(() => page.locator('.pin section').count()).toBe(2);
    await page.locator('.threshold input').fill('0.5');
    await expect.poll(() => page.locator('.pin section').count()).toBe(1);
    expect(await page.locator('.pin').innerText()).toContain('below the threshold');
    await expect.poll(() => page.locator('.hits').innerText()).toMatch(/0 partners$/);
  });

  test('dead features are hidden with their count until they are asked for', async () => {
    const { page } = await open();
    expect(await page.locator('.counts').first().innerText()).toBe('570 features · 30 dead hidden');
    const box = page.locator('fgnb-checkbox', { hasText: 'show 60 dead' });
    await box.click();
    await expect.poll(() => page.locator('.counts').first().innerText()).toBe('570 features · 30 dead');
    expect(await page.locator('.legend').innerText()).toContain('dead');
  });

  test('a box selects points, lights partners and narrows the table', async () => {
    const { page } = await open();
    const box = await boxOf(page.locator('.layer.set0'));
    await page.keyboard.down('Shift');
    await page.mouse.move(box.x + 4, box.y + 4);
    await page.mouse.down();
    await page.mouse.move(box.x + box.width / 2, box.y + box.height - 4, { steps: 4 });
    await page.mouse.up();
    await page.keyboard.up('Shift');
    const inside = Array.from({ length: 600 }, (_, i) => i).filter(
      (i) => !small.points[0].dead[i] && screenOf(small, 0, i, box).x < box.width / 2 - 1,
    ).length;
    const text = await page.locator('.hits').innerText();
    expect(Math.abs(Number(/^A (\d+)/.exec(text)?.[1]) - inside)).toBeLessThanOrEqual(2);
    expect(await page.locator('.summary').innerText()).toMatch(/^\d+ of 570 pairs$/);
  });

  test('hostile text stays text', async () => {
    const { page, complaints } = await open();
    await page.getByRole('textbox').fill(`#${small.featureOf(0, 1)}`);
    await expect.poll(() => page.locator('.summary').innerText()).toBe('1 of 570 pairs');
    await openTable(page);
    await row(page, `#${small.featureOf(0, 1)}`).click();
    await expect.poll(() => page.locator('.pin').innerText()).toContain(HOSTILE);
    expect(await page.evaluate(() => (window as unknown as { __hacked?: number }).__hacked)).toBeUndefined();
    expect(await page.locator('img').count()).toBe(0);
    expect(complaints.list).toEqual([]);
  });

  test('without WebGL the rasteriser draws the same map', async () => {
    const { page, complaints } = await open({ webgl: false });
    expect(await page.locator('.stage').getAttribute('data-renderer')).toBe('canvas2d');
    const i = isolatedPoint(small, 0);
    const box = await boxOf(page.locator('.layer.set0'));
    const at = screenOf(small, 0, i, box);
    const blue = await page.evaluate(
      ([x, y]) => {
        const canvas = document.querySelector('canvas.points') as HTMLCanvasElement;
        const [r, , b] = canvas.getContext('2d')?.getImageData(x * devicePixelRatio, y * devicePixelRatio, 1, 1)
          .data ?? [0, 0, 0];
        return b - r;
      },
      [at.x, at.y + box.y - (await boxOf(page.locator('.stage'))).y],
    );
    expect(blue).toBeGreaterThan(50);
    await hoverPoint(page, small, 0, i);
    await page.locator('.fg-tooltip section.set1').waitFor();
    await shot(page, 'map-canvas2d-dark');
    expect(complaints.list).toEqual([]);
  });

  test('a lost WebGL context falls back to the rasteriser', async () => {
    const { page } = await open();
    expect(await page.locator('.stage').getAttribute('data-renderer')).toBe('webgl2');
    await page.evaluate(() => {
      const canvas = document.querySelector('canvas.points') as HTMLCanvasElement;
      canvas.getContext('webgl2')?.getExtension('WEBGL_lose_context')?.loseContext();
    });
    await expect.poll(() => page.locator('.stage').getAttribute('data-renderer')).toBe('canvas2d');
    await hoverPoint(page, small, 0, isolatedPoint(small, 0));
    await page.locator('.fg-tooltip section.set1').waitFor();
  });

  test('themes follow VS Code and the system, and change live', async () => {
    const { page, complaints } = await open({ theme: 'light' });
    const theme = () => page.locator('#root').getAttribute('data-theme');
    expect(await theme()).toBe('light');
    await shot(page, 'map-light');
    await page.emulateMedia({ colorScheme: 'dark', contrast: 'more' });
    await expect.poll(theme).toBe('hc');
    await shot(page, 'map-high-contrast');
    await page.evaluate(() => {
      document.body.dataset.vscodeThemeKind = 'vscode-light';
      document.documentElement.style.setProperty('--vscode-editor-background', 'rgb(250, 240, 230)');
    });
    await expect.poll(theme).toBe('light');
    expect(await page.locator('#root').evaluate((e) => getComputedStyle(e).backgroundColor)).toBe('rgb(250, 240, 230)');
    expect(complaints.list).toEqual([]);
  });

  test('stacks the maps in a narrow panel', async () => {
    const { page } = await open({ width: 690 });
    const [a, b] = await Promise.all([boxOf(page.locator('.layer.set0')), boxOf(page.locator('.layer.set1'))]);
    expect(b.y).toBeGreaterThan(a.y + a.height - 1);
    expect(Math.abs(a.x - b.x)).toBeLessThan(1);
    await shot(page, 'map-narrow-dark');
  });

  test('100,000 points a side are hovered, searched and zoomed', async () => {
    const large = twinFixture(100_000);
    const { page, complaints } = await open({ map: large });
    // A lit point wins over what lies around it.
    await page.getByRole('textbox').fill(`#${large.featureOf(0, 778)}`);
    await expect.poll(() => page.locator('.hits').innerText()).toBe('A 1 · B 0 · 1 partner');
    const box = await boxOf(page.locator('.layer.set0'));
    const at = screenOf(large, 0, 778, box);
    await page.mouse.move(box.x + at.x, box.y + at.y);
    await page.locator('.fg-tooltip section.set1').waitFor();
    expect(await page.locator('.fg-tooltip').innerText()).toContain(`#${large.featureOf(1, large.partnerOf(778))}`);
    await page.mouse.wheel(0, -600);
    await page.waitForTimeout(300);
    await shot(page, 'map-100k-dark');
    expect(complaints.list).toEqual([]);
  });

  test('a host that fails is quoted, not waited for', async () => {
    const broken = { ...small, id: 'broken', files: { 'map.json': small.files['map.json'] } };
    context = await pages.browser.newContext();
    const page = await context.newPage();
    await installHost(page, pages.server, shownFixture('map', broken));
    await page.goto(`${pages.server.origin}/`);
    await expect.poll(() => page.locator('.notice.error').innerText()).toContain('could not be loaded');
    expect(existsSync(screenshots)).toBe(true);
  });
});
