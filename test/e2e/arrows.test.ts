import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { beforeAll, describe, expect, test } from 'vitest';
import type { Page } from 'playwright-core';
import { axisOf, writeMapBundle, type BundleSet } from '#kernel/maps/bundle.js';
import { NOTEBOOK_VERSION, type Json, type NotebookFile } from '#protocol/notebook.js';
import { MIME } from '#protocol/mime.js';
import { reportHtml } from '#protocol/webview.js';
import { pageFilesOf } from '#test/kit/bundleFiles.js';
import { type MapFixture } from './fixtures.js';
import { CHROMIUM, collectComplaints, installHost, screenshots, shownFixture, openPages } from './harness.js';
import { testFolder } from '#test/kit/folder.js';

if (!CHROMIUM) console.log('skipped test/e2e/arrows.test.ts: no chromium in /usr/bin');

const N = 240;
const WORDS = [' the', ' king', ' went', ' to', ' castle', ' and', ' she', ' saw', ' dragon', '.'];

/** Tokens in clouds: with the intervention all go right, far where i mod 10 is high; the null goes nowhere in particular. */
async function shiftFixture(): Promise<MapFixture> {
  let state = 11;
  const next = (): number => ((state = (Math.imul(state, 1664525) + 1013904223) >>> 0) / 2 ** 32) * 2 - 1;
  const cloud = (i: number): [number, number] => [3 * Math.cos((i % 10) / 1.6), 3 * Math.sin((i % 10) / 1.6)];
  const before = new Float32Array(2 * N);
  for (let i = 0; i < N; i++) {
    const [x, y] = cloud(i);
    before.set([x + next(), y + next()], 2 * i);
  }
  const delta = Float32Array.from({ length: N }, (_, i) => 0.5 + (i % 10) / 3);
  const after = Float32Array.from(before);
  const nullAfter = Float32Array.from(before);
  for (let i = 0; i < N; i++) {
    after[2 * i] += delta[i];
    const angle = 3 * next();
    nullAfter[2 * i] += 0.4 * Math.cos(angle);
    nullAfter[2 * i + 1] += 0.4 * Math.sin(angle);
  }
  const set = (name: string, title: string, coordinates: Float32Array, deltas: Float32Array): BundleSet => ({
    name,
    title,
    layout: {
      ...{ id: 'x', coordinates: before, points: N, method: 'pca', parameters: {}, excluded: 0 },
      description: 'one PCA, 41.2 % and 20.1 % of variance, of 240 tokens before, after, and after a random direction',
    },
    firings: new Uint32Array(N).fill(1),
    tokens: N,
    labels: Array.from({ length: N }, (_, i) => [WORDS[i % 10]]),
    examples: Array.from({ length: N }, (_, i) => [
      {
        sequence: i,
        position: 4,
        value: deltas[i],
        peak: 2,
        tokens: [' a', ' b', WORDS[i % 10], ' d'],
        activations: [0, 0, deltas[i], 0],
      },
    ]),
    ids: Int32Array.from({ length: N }, (_, i) => 3 * i + 1),
    columns: {
      ...{ x2: axisOf(coordinates, 0), y2: axisOf(coordinates, 1), delta: deltas },
      ...{ partner: Int32Array.from({ length: N }, (_, i) => i), r: new Float32Array(N).fill(NaN) },
    },
  });
  const folder = testFolder('arrows');
  const meta = await writeMapBundle(
    folder,
    [
      set('Δ', 'steer blocks.0.hook_mlp_out by 3 × feature 12', after, delta),
      set('null', 'random direction of the same norm, seed 0', nullAfter, new Float32Array(N).fill(0.4)),
    ],
    {
      title: 'Before and after',
      shift: {
        ...{ unit: 'token', before: 'before', after: 'after', delta: 'Δ norm' },
        note: '240 tokens touched, 16 untouched left out. mean Δ norm 2 (random directions: mean 0.4, p = 0.048, 20 runs)',
      },
    },
  );
  const files = Object.fromEntries(
    readdirSync(folder).map((f) => [f, new Uint8Array(readFileSync(path.join(folder, f)))]),
  );
  const points = [0, 1].map(() => ({ x: before, y: before, dead: new Uint8Array(N) }));
  return { id: 'arrows', meta, files, partnerOf: (i) => i, backOf: (i) => i, points, featureOf: (_, i) => 3 * i + 1 };
}

describe.skipIf(!CHROMIUM)('a map of before and after', () => {
  const pages = openPages();
  let map: MapFixture;

  beforeAll(async () => {
    map = await shiftFixture();
  });

  async function open(
    width = 1400,
    colorScheme: 'light' | 'dark' = 'dark',
  ): Promise<{ page: Page; complaints: string[] }> {
    const context = await pages.browser.newContext({ viewport: { width, height: 900 }, colorScheme });
    const page = await context.newPage();
    const { list } = collectComplaints(page, pages.server.origin);
    await installHost(page, pages.server, shownFixture('map', map));
    await page.goto(pages.server.origin);
    await page.locator('.layer').first().waitFor();
    await page.waitForTimeout(400);
    return { page, complaints: list };
  }

  /** Coloured pixels of the arrows' canvas. */
  const inked = (page: Page): Promise<number> =>
    page.evaluate(() => {
      const canvas = document.querySelector<HTMLCanvasElement>('#root canvas.underlay')!;
      const { data } = canvas.getContext('2d')!.getImageData(0, 0, canvas.width, canvas.height);
      let n = 0;
      for (let i = 3; i < data.length; i += 4) if (data[i] > 0) n++;
      return n;
    });

  /** Sets a slider as a user's input does. */
  const slide = (page: Page, value: string): Promise<void> =>
    page.locator('.threshold input').evaluate((node, v) => {
      (node as HTMLInputElement).value = v;
      node.dispatchEvent(new Event('input', { bubbles: true }));
    }, value);

  test('draws arrows beside the null, says what is over what, and colours by Δ', async () => {
    for (const [width, scheme, name] of [
      [1400, 'dark', 'arrows-dark'],
      [1400, 'light', 'arrows-light'],
      [700, 'light', 'arrows-half'],
    ] as const) {
      const { page, complaints } = await open(width, scheme);
      expect(await page.locator('.layer').count()).toBe(2);
      expect(await inked(page)).toBeGreaterThan(3000);
      expect(await page.locator('.legend').innerText()).toContain('Δ norm');
      expect(await page.locator('.caption .counts').first().textContent()).toBe('240 tokens');
      expect(await page.locator('.provenance').textContent()).toContain('16 untouched left out');
      await page.screenshot({ path: path.join(screenshots, `${name}.png`) });
      expect(complaints).toEqual([]);
      await page.context().close();
    }
  });

  test('the slider takes the points from after to before, the arrows and the null can go', async () => {
    const { page, complaints } = await open();
    const shot = async (): Promise<Buffer> => page.locator('.stage').screenshot();
    const after = await shot();
    await slide(page, '0');
    await page.waitForTimeout(200);
    expect(await page.locator('.threshold input').getAttribute('aria-valuetext')).toBe('before');
    expect(Buffer.compare(after, await shot())).not.toBe(0);
    await page.screenshot({ path: path.join(screenshots, 'arrows-before.png') });
    await page.getByText('arrows', { exact: true }).click();
    await page.waitForTimeout(200);
    expect(await inked(page)).toBe(0);
    await page.getByText('null beside', { exact: true }).click();
    await page.waitForTimeout(200);
    expect(await page.locator('.layer:visible').count()).toBe(1);
    const [stage, layer] = [
      await page.locator('.stage').boundingBox(),
      await page.locator('.layer').first().boundingBox(),
    ];
    expect(layer!.width).toBeGreaterThan(stage!.width - 3);
    await page.screenshot({ path: path.join(screenshots, 'arrows-alone.png') });
    // The state survives the panel.
    await page.waitForTimeout(400);
    const kept = await page.evaluate(() => JSON.stringify((window as unknown as { __state: unknown }).__state));
    expect(JSON.parse(kept)).toMatchObject({ view: { shift: 0, arrows: false, nullShown: false, colorBy: 'delta' } });
    expect(complaints).toEqual([]);
    await page.context().close();
  });

  test('a token of the table shows itself with its Δ and that of the null', async () => {
    const { page, complaints } = await open();
    expect(await page.locator('.fg-grid .head button').allInnerTexts()).toEqual(['Token', 'Text', 'Δ', 'Δ null']);
    await page.getByRole('tab', { name: 'Tokens' }).click();
    await page.locator('.fg-grid .row').first().click();
    const pin = page.locator('.pin');
    await pin.locator('.peak').first().waitFor();
    const text = await pin.innerText();
    expect(text).toContain('Δ norm 3.5');
    expect(text).toContain('Δ norm 0.4');
    expect(text).toContain('the same token');
    expect(text).not.toContain('fires on');
    await page.screenshot({ path: path.join(screenshots, 'arrows-pinned.png') });
    expect(complaints).toEqual([]);
    await page.context().close();
  });

  test('stands in an exported report', async () => {
    const folder = testFolder('arrows');
    const json = { version: 1, id: map.id, path: '.fgnb/x', meta: map.meta } as unknown as Json;
    const outputs = [{ items: [{ mime: MIME.map, json }] }];
    const cell = { id: 'a', kind: 'code' as const, language: 'fgnb-typescript', source: ['show()'], outputs };
    const notebook: NotebookFile = { fgnb: NOTEBOOK_VERSION, metadata: {}, cells: [cell] };
    const file = path.join(folder, 'report.html');
    writeFileSync(
      file,
      reportHtml({
        ...{ title: 'arrows', script: pages.bundles.report, notebookJson: JSON.stringify(notebook) },
        ...{ files: await pageFilesOf(map), nonce: 'abc' },
      }),
    );
    const page = await pages.browser.newPage({ viewport: { width: 1400, height: 900 } });
    const { list } = collectComplaints(page, 'file:');
    await page.goto(pathToFileURL(file).href);
    await page.locator('.layer').first().waitFor();
    await page.waitForTimeout(500);
    expect(await page.locator('.threshold input').count()).toBe(1);
    expect(await page.locator('.provenance').textContent()).toContain('p = 0.048');
    await page.screenshot({ path: path.join(screenshots, 'arrows-report.png') });
    expect(list).toEqual([]);
    await page.close();
  });
});
