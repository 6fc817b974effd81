import path from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import type { Page } from 'playwright-core';
import { splitting } from '#kernel/correlation/splitting.js';
import { sideBySide } from '#kernel/present/charts.js';
import { chartItems } from '#kernel/present/items.js';
import { splittingTree } from '#kernel/present/splitting.js';
import type { MapDescriptor } from '#protocol/map.js';
import { WEBVIEW_PROTOCOL } from '#protocol/webview.js';
import { MIME } from '#protocol/mime.js';
import { directions } from '#test/kit/world.js';
import { isolatedPoint, screenOf, twinFixture } from './fixtures.js';
import {
  CHROMIUM,
  collectComplaints,
  installHost,
  painted,
  screenshots,
  shownFixture,
  type Complaints,
  openPages,
} from './harness.js';
import { chartSpec, COMPARISON, FEATURES, TABLE } from './sampleNotebook.js';

if (!CHROMIUM) console.log('skipped test/e2e/mapRenderer.test.ts: no chromium in /usr/bin');

const CSP = "default-src 'none'; script-src 'nonce-n1' 'self'; connect-src 'self'; style-src 'nonce-n1'; img-src data:";

/** The part of VS Code's output page that a renderer sees. Messaging is JSON both ways, bytes as base64. */
const PAGE = `<!DOCTYPE html><meta charset="utf-8"><meta http-equiv="Content-Security-Policy" content="${CSP}">
<meta property="csp-nonce" content="n1"><body class="vscode-dark" data-vscode-theme-kind="vscode-dark">
<script type="module" nonce="n1">
import { activate } from '/renderer.js';
document.body.style.background = '#1f1f1f';
const api = acquireVsCodeApi();
const kept = {};
let hear = () => {};
const base64 = (bytes) => btoa(Array.from(bytes, (c) => String.fromCharCode(c)).join(''));
addEventListener('message', (e) => {
  if (e.data.type !== 'reply') return;
  const value = e.data.value;
  hear(JSON.parse(JSON.stringify({ ...e.data, value: value && value.bytes ? { ...value, bytes: base64(value.bytes) } : value })));
});
window.start = (messaging) => {
  window.renderer = activate({
    getState: () => kept.state, setState: (s) => { kept.state = s; }, getRenderer: async () => undefined, workspace: { isTrusted: true },
    ...(messaging ? { postMessage: (m) => { (window.posted ??= []).push(m); api.postMessage(JSON.parse(JSON.stringify(m))); }, onDidReceiveMessage: (f) => { hear = f; return { dispose() {} }; } } : {}),
  });
};
window.render = (id, mime, value) => {
  let host = document.getElementById(id);
  if (!host) { host = document.createElement('div'); host.id = id; document.body.append(host); }
  return window.renderer.renderOutputItem({ id, mime, metadata: {}, json: () => JSON.parse(value), text: () => value }, host, new AbortController().signal);
};
window.ready = true;
</script>`;

interface RendererWindow {
  ready?: boolean;
  posted?: Array<{ method?: string; params?: unknown }>;
  start(messaging: boolean): void;
  render(id: string, mime: string, value: string): Promise<void>;
  renderer: { disposeOutputItem(id?: string): void };
}
declare const window: RendererWindow & Window;

describe.skipIf(!CHROMIUM)('notebook output renderer', () => {
  const pages = openPages();
  const map = twinFixture(600);
  const descriptor: MapDescriptor = { version: 1, id: map.id, path: `.fgnb/${map.id}`, meta: map.meta };

  beforeAll(() => {
    const { server, bundles } = pages;
    server.add('/renderer.js', 'text/javascript', bundles.renderer);
    server.add('/', 'text/html', PAGE);
  });

  async function open(messaging: boolean): Promise<{ page: Page; complaints: Complaints }> {
    const page = await pages.browser.newPage({ viewport: { width: 1000, height: 900 } });
    const complaints = collectComplaints(page, pages.server.origin);
    await installHost(page, pages.server, shownFixture('map', map));
    await page.goto(`${pages.server.origin}/`);
    await page.waitForFunction(() => window.ready);
    await page.evaluate((on) => window.start(on), messaging);
    return { page, complaints };
  }
  const render = (page: Page, id: string, mime: string, value: unknown) =>
    page.evaluate(([i, m, v]) => window.render(i, m, v), [id, mime, JSON.stringify(value)] as const);

  test('a map comes over messaging as base64 and answers a hover', async () => {
    const { page, complaints } = await open(true);
    await render(page, 'o1', MIME.map, descriptor);
    const layer = page.locator('#o1 .layer.set0');
    await layer.waitFor();
    expect((await page.locator('#o1 .fg-map').boundingBox())?.height).toBe(420);
    const i = isolatedPoint(map, 0);
    const box = await layer.boundingBox();
    if (!box) throw new Error('map not visible');
    const at = screenOf(map, 0, i, box);
    await page.mouse.move(box.x + at.x - 15, box.y + at.y - 15);
    await page.mouse.move(box.x + at.x, box.y + at.y);
    await page.locator('#o1 .fg-tooltip section.set1 .peak').first().waitFor();
    expect(await page.locator('#o1 .fg-tooltip').innerText()).toContain(`#${map.featureOf(1, map.partnerOf(i))}`);
    await page.locator('#o1 fgnb-button', { hasText: 'Open in panel' }).click();
    expect(await page.evaluate(() => window.posted?.at(-1))).toMatchObject({
      type: 'request',
      ...{ method: 'view.open', protocol: WEBVIEW_PROTOCOL },
      params: { view: 'map', descriptor: { id: map.id, path: `.fgnb/${map.id}` } },
    });
    await page.screenshot({ path: path.join(screenshots, 'renderer-map.png') });
    expect(complaints.list).toEqual([]);
  });

  test('the hover card of a map stays over its output, which cells are drawn around', async () => {
    const { page } = await open(true);
    await render(page, 'o1', MIME.map, descriptor);
    const layer = page.locator('#o1 .layer.set0');
    await layer.waitFor();
    const frame = (await page.locator('#o1 .fg-map').boundingBox())!;
    const box = (await layer.boundingBox())!;
    const spots = Array.from(map.points[0].dead)
      .map((dead, i) => ({ dead, ...screenOf(map, 0, i, box) }))
      .filter(({ dead, x, y }) => !dead && x > 2 && y > 2 && x < box.width - 2 && y < box.height - 2);
    // The lowest points: below them there is room in the window, but not in the output.
    const lowest = spots.sort((a, b) => b.y - a.y).slice(0, 3);
    expect(lowest[0].y).toBeGreaterThan(box.height * 0.8);
    for (const { x, y } of [...lowest, spots[spots.length - 1]]) {
      await page.mouse.move(box.x + x - 3, box.y + y);
      await page.mouse.move(box.x + x, box.y + y);
      const tip = page.locator('#o1 .fg-tooltip:popover-open');
      await tip.locator('.peak').first().waitFor();
      // The card grows when its examples arrive and is placed again before that is painted: look at what was painted.
      await painted(page);
      const card = (await tip.boundingBox())!;
      expect(card.y).toBeGreaterThanOrEqual(frame.y);
      expect(card.y + card.height).toBeLessThanOrEqual(frame.y + frame.height);
      expect(card.x + card.width).toBeLessThanOrEqual(frame.x + frame.width);
    }
    await page.screenshot({ path: path.join(screenshots, 'renderer-map-card.png') });
  });

  test('without data and messaging a map says where its data is', async () => {
    const { page } = await open(false);
    await render(page, 'o1', MIME.map, descriptor);
    const text = await page.locator('#o1 .fg-none').innerText();
    expect(text).toContain(`.fgnb/${map.id}`);
    expect(text).toContain('export a report');
  });

  test('an output is as high as it stays when the host measures it, drawn anew too', async () => {
    const { page } = await open(false);
    const heights = () =>
      page.evaluate(
        async ([mime, spec]) => {
          const found: number[] = [];
          for (let time = 0; time < 2; time++) {
            await window.render('chart', mime, spec);
            // What VS Code does behind renderOutputItem.
            found.push(document.getElementById('chart')!.offsetHeight);
          }
          await new Promise((resolve) => setTimeout(resolve, 500));
          return [...found, document.getElementById('chart')!.offsetHeight];
        },
        [MIME.chart, JSON.stringify({ version: 1, spec: chartSpec() })] as const,
      );
    const [first, second, later] = await heights();
    expect(later).toBeGreaterThan(100);
    expect([first, second]).toEqual([later, later]);
  });

  test('draws charts, tables, features and comparisons in VS Code colours', async () => {
    const { page, complaints } = await open(false);
    await render(page, 'chart', MIME.chart, { version: 1, title: 'Firing rates', spec: chartSpec() });
    await render(page, 'table', MIME.table, TABLE);
    await render(page, 'features', MIME.features, FEATURES);
    await render(page, 'comparison', MIME.comparison, COMPARISON);
    await page.locator('#chart canvas').waitFor();
    expect(await page.locator('#table tbody tr').count()).toBe(4);
    expect(await page.locator('#features .fg-card').count()).toBe(3);
    expect(await page.locator('#comparison .tokens .name').allInnerTexts()).toEqual(['␣princess', '␣boy']);
    const table = page.locator('#comparison').getByRole('table', { name: 'Next-token probabilities and logits' });
    const rows = await table.getByRole('row').all();
    const texts = await Promise.all(rows.slice(1).map((row) => row.getByRole('cell').allInnerTexts()));
    expect(texts.map((cells) => cells.slice(-2))).toEqual([
      ['1.25 → 6.00', '+4.75'],
      ['–', '–'],
    ]);
    await page.screenshot({ path: path.join(screenshots, 'renderer-outputs.png'), fullPage: true });
    expect(complaints.list).toEqual([]);
  });

  test('a tree is as wide as its pane and says whole labels; charts side by side go on below; both follow the pane', async () => {
    const { page, complaints } = await open(false);
    const long = [`${'misunderstandings 9 %, '.repeat(12)}last of all 1 %`];
    const small = directions(2, 8, 1);
    const found = await splitting({ small, large: small }, { runs: 1, least: 0.9 });
    const labels = { small: [long, long], large: [long, long], ids: { small: 's', large: 'l' } };
    const [{ json }] = chartItems(splittingTree(found, 'Parents', labels), 'Parents');
    await page.setViewportSize({ width: 700, height: 600 });
    await render(page, 'tree', MIME.chart, json);
    const chart = page.locator('#tree .fg-chart');
    const wide = () =>
      chart.evaluate((box) => {
        const canvas = box.querySelector('canvas')!.clientWidth;
        const pane = box.clientWidth;
        return [canvas - pane, box.scrollWidth - pane, document.documentElement.scrollWidth - innerWidth, pane];
      });
    expect((await wide()).slice(0, 3)).toEqual([0, 0, 0]);
    await page.screenshot({ path: path.join(screenshots, 'renderer-tree-700.png') });
    expect(await chart.getAttribute('aria-label')).toMatch(
      /^Parents\. Parents, each with its children\. #0 .*last of all 1 %/,
    );
    const { x, y, width, height } = (await chart.boundingBox())!;
    await page.mouse.move(x + 0.58 * width + 30, y + height - 32);
    await expect.poll(() => page.locator('#tree .fg-chart-tip').textContent()).toContain('last of all 1 %');
    const bars = { width: 190, height: 60, data: { values: [{ x: 1 }] }, mark: 'bar', encoding: { x: { field: 'x', type: 'quantitative' } } } as const; // prettier-ignore
    await render(page, 'row', MIME.chart, chartItems(sideBySide([bars, bars, bars], 230))[0].json);
    const row = page.locator('#row canvas');
    const tall = async () => Math.round((await row.boundingBox())!.height);
    const two = await tall();
    await page.setViewportSize({ width: 420, height: 600 });
    await expect.poll(tall).toBeGreaterThan(1.3 * two);
    expect((await row.boundingBox())!.width).toBeLessThan(300);
    await expect.poll(async () => (await page.locator('#tree canvas').boundingBox())!.width).toBeLessThan(420);
    const [beyond, scroll, whole, pane] = await wide();
    expect([beyond, scroll, whole, pane < 420]).toEqual([0, 0, 0, true]);
    expect(complaints.list).toEqual([]);
  });

  test('a table of many columns scrolls sideways; its numbers stay on one line and its texts are not squeezed', async () => {
    const { page } = await open(false);
    await page.setViewportSize({ width: 700, height: 600 });
    const names = Array.from({ length: 12 }, (_, i) => `explained variance ${i}`);
    await render(page, 'wide', MIME.table, {
      version: 1,
      columns: [
        { key: 'sae', title: 'SAE', type: 'text' },
        ...names.map((name) => ({ key: name, title: name, type: 'number' })),
      ],
      rows: [{ sae: 'tiny blocks.0.hook_mlp_out topk 1024', ...Object.fromEntries(names.map((n) => [n, 0.9912345])) }],
    });
    const [line, ...heights] = await page
      .locator('#wide th.numeric button, #wide td.numeric')
      .evaluateAll((cells) =>
        cells.map((cell) => cell.getBoundingClientRect().height - (cell.tagName === 'TD' ? 6 : 8)),
      );
    // Cells of a row are as high as the highest: the text takes at most two lines.
    for (const height of heights) expect(height).toBeLessThan(2.6 * line);
    expect(
      await page
        .locator('#wide td')
        .first()
        .evaluate((cell) => cell.clientWidth),
    ).toBeGreaterThan(120);
    expect(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth)).toBe(true);
    const scroll = page.locator('#wide .scroll');
    expect(await scroll.evaluate((box) => box.scrollWidth > box.clientWidth)).toBe(true);
  });

  test('a chart that asks for a URL is refused, not loaded', async () => {
    const { page, complaints } = await open(false);
    const spec = {
      ...(chartSpec() as object),
      data: [{ name: 'source_0', url: `${pages.server.origin}/secret.json` }],
      marks: [],
    };
    await render(page, 'chart', MIME.chart, { version: 1, spec });
    await page.waitForTimeout(500);
    expect(complaints.list.filter((c) => c.includes('secret'))).toEqual([]);
    expect(
      await page.evaluate(() => performance.getEntriesByType('resource').some((e) => e.name.includes('secret'))),
    ).toBe(false);
  });

  test('progress is updated in place and keeps one bar', async () => {
    const { page } = await open(false);
    await render(page, 'p', MIME.progress, {
      label: 'Training',
      done: 10,
      total: 40,
      unit: 'steps',
      detail: 'loss 0.5',
    });
    await page.locator('#p .fg-progress').evaluate((e) => e.setAttribute('data-mark', '1'));
    await render(page, 'p', MIME.progress, {
      label: 'Training',
      done: 30,
      total: 40,
      unit: 'steps',
      detail: 'loss 0.2',
    });
    const bar = page.locator('#p .fg-progress[data-mark="1"]');
    expect(await bar.innerText()).toMatch(/Training\s+75 %\s+30 of 40 steps · loss 0.2 · \d/);
    expect(await page.locator('#p [role=progressbar]').getAttribute('aria-valuenow')).toBe('75');
  });

  test('rendering an id again replaces it; disposing frees the WebGL context', async () => {
    const { page } = await open(true);
    await render(page, 'o1', MIME.map, descriptor);
    await page.locator('#o1 .layer').first().waitFor();
    await page.evaluate(() => {
      const canvas = document.getElementById('o1')?.shadowRoot?.querySelector('canvas.points') as HTMLCanvasElement;
      (window as unknown as { gl: WebGL2RenderingContext | null }).gl = canvas.getContext('webgl2');
    });
    await render(page, 'o1', MIME.map, descriptor);
    expect(await page.locator('#o1 .stage').count()).toBe(1);
    const lost = () => page.evaluate(() => (window as unknown as { gl: WebGL2RenderingContext }).gl.isContextLost());
    expect(await lost()).toBe(false);
    await render(page, 'o1', MIME.table, TABLE);
    expect(await page.locator('#o1 .stage').count()).toBe(0);
    expect(await page.locator('#o1 table').count()).toBe(1);
    await expect.poll(lost).toBe(true);
    await page.evaluate(() => window.renderer.disposeOutputItem());
  });

  test('an output of an unknown version or of no object says so', async () => {
    const { page } = await open(false);
    await render(page, 'a', MIME.table, { version: 99 });
    await render(page, 'b', MIME.features, null);
    expect(await page.locator('#a .fg-none').innerText()).toContain('version 99');
    expect(await page.locator('#b .fg-none').innerText()).toContain('could not be drawn');
  });
});
