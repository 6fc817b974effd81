import path from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import type { BrowserContext, Locator, Page } from 'playwright-core';
import {
  componentsOf,
  edgesOf,
  emptyFixture,
  graphFixture,
  HOSTILE,
  largeFixture,
  type GraphFixture,
} from '#test/kit/graphBundle.js';
import {
  CHROMIUM,
  collectComplaints,
  screenshots,
  type Complaints,
  installHost,
  shownFixture,
  openPages,
} from './harness.js';

if (!CHROMIUM) console.log('skipped test/e2e/graph.test.ts: no chromium in /usr/bin');

interface OpenOptions {
  graph?: GraphFixture;
  width?: number;
  height?: number;
  theme?: 'light' | 'dark';
  contrast?: 'more';
  webgl?: boolean;
}

describe.skipIf(!CHROMIUM)('Mapper graph panel', () => {
  const pages = openPages();
  let context: BrowserContext | undefined;
  const beside = graphFixture('null');
  const twin = graphFixture('twin');

  beforeEach(async () => {
    await context?.close();
    context = undefined;
  });

  async function open(o: OpenOptions = {}): Promise<{ page: Page; complaints: Complaints }> {
    context = await pages.browser.newContext({
      viewport: { width: o.width ?? 1400, height: o.height ?? 900 },
      colorScheme: o.theme ?? 'dark',
      contrast: o.contrast,
    });
    const page = await context.newPage();
    const complaints = collectComplaints(page, pages.server.origin);
    if (o.webgl === false)
      await page.addInitScript(`HTMLCanvasElement.prototype.getContext = ((original) => function (kind, ...rest) {
        return /webgl/.test(kind) ? null : original.call(this, kind, ...rest); })(HTMLCanvasElement.prototype.getContext)`);
    await installHost(page, pages.server, shownFixture('graph', o.graph ?? beside));
    await page.goto(`${pages.server.origin}/`);
    await page.locator('.layer').first().waitFor();
    return { page, complaints };
  }

  const shot = (page: Page, name: string) => page.screenshot({ path: path.join(screenshots, `${name}.png`) });
  const layer = (page: Page, s: number) => page.locator('.layer').nth(s);
  const links = (page: Page) =>
    page.evaluate(
      () =>
        (window as unknown as { __links: Array<{ kind: string; sets: Array<{ sae: string; features: number[] }> }> })
          .__links,
    );
  const saved = (page: Page) =>
    page.evaluate(
      () => (window as unknown as { __saved: Array<{ name: string; text?: string; base64?: string }> }).__saved,
    );

  async function boxOf(locator: Locator) {
    const box = await locator.boundingBox();
    if (!box) throw new Error('not visible');
    return box;
  }

  /** Where a node is in the window at the first view: the graph fills nine tenths of the smaller side. */
  async function spot(page: Page, graph: GraphFixture, s: number, node: number) {
    const box = await boxOf(layer(page, s));
    const { x, y } = graph.sets[s];
    const ends = (v: number[]) => [Math.min(...v), Math.max(...v)];
    const [[left, right], [low, high]] = [ends(x), ends(y)];
    // The layer has a border of one pixel; the plot does not.
    const scale = (0.9 * Math.min(box.width, box.height)) / Math.max(right - left, high - low);
    return {
      x: box.x + box.width / 2 + (x[node] - (left + right) / 2) * scale,
      y: box.y + box.height / 2 - (y[node] - (low + high) / 2) * scale,
    };
  }

  test.each([
    ['dark', 1400, 'dark', undefined],
    ['light', 1400, 'light', undefined],
    ['contrast', 1400, 'dark', 'more'],
    ['half-dark', 700, 'dark', undefined],
    ['narrow-light', 480, 'light', undefined],
  ] as const)('data is drawn beside its null: %s', async (name, width, theme, contrast) => {
    const { page, complaints } = await open({ width, theme, contrast });
    expect(await page.locator('.plot').count()).toBe(2);
    expect(await page.locator('.caption').first().textContent()).toContain('tiny-1L · topk 2,048');
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(width);
    await page.waitForTimeout(300);
    await shot(page, `graph-${name}`);
    expect(complaints.list).toEqual([]);
  });

  test('hovering a node shows its members with tokens and dataset examples', async () => {
    const { page, complaints } = await open();
    const at = await spot(page, beside, 0, 9);
    await page.mouse.move(at.x + 40, at.y + 40);
    await page.mouse.move(at.x, at.y);
    const tip = page.locator('.fg-tooltip');
    await tip.locator('.peak').first().waitFor();
    const text = await tip.innerText();
    expect(text).toContain('Node 9');
    expect(text).toContain(`${beside.sets[0].nodes[9].length} members`);
    expect(text).toMatch(/mean firing rate: [\d.]+ %/);
    expect(await tip.locator('.members li .line').count()).toBe(5);
    await shot(page, 'graph-hover-dark');
    expect(complaints.list).toEqual([]);
  });

  test('a click pins the node, keeps its card and lights its members on the maps', async () => {
    const { page } = await open();
    const at = await spot(page, beside, 0, 9);
    await page.mouse.click(at.x, at.y);
    await page.locator('.pin').waitFor();
    expect(await page.locator('.pin').innerText()).toContain('Node 9');
    const [light] = (await links(page)).slice(-1);
    expect(light.kind).toBe('light');
    expect(light.sets).toEqual([{ sae: 'sae-a', features: beside.sets[0].nodes[9] }]);
    await page.locator('.pin button.id').first().click();
    expect((await links(page)).at(-1)).toMatchObject({ kind: 'open', sets: [{ sae: 'sae-a' }] });
    await shot(page, 'graph-pinned-dark');
    await page.getByRole('button', { name: 'Unpin A node 9' }).click();
    expect((await links(page)).at(-1)).toMatchObject({ kind: 'light', sets: [] });
  });

  test('with a correlation map, a pinned node lights its matches in the other graph', async () => {
    const { page, complaints } = await open({ graph: twin, theme: 'light' });
    const at = await spot(page, twin, 0, 9);
    await page.mouse.click(at.x, at.y);
    await page.locator('.pin .matches').waitFor();
    const [a, b] = twin.sets;
    const members = a.nodes[9];
    const expected = b.nodes
      .map((node, i) => [i, members.filter((p) => node.includes(a.counterpart?.[p] ?? -1)).length / members.length])
      .filter(([, share]) => share > 0)
      .sort((p, q) => q[1] - p[1] || p[0] - q[0])
      .slice(0, 6)
      .map(([i, share]) => `node ${i} · ${Math.round(100 * share)} %`);
    expect(await page.locator('.pin .matches .fg-chip').allInnerTexts()).toEqual(expected);
    await page.waitForTimeout(200);
    await shot(page, 'graph-twin-light');
    expect(complaints.list).toEqual([]);
  });

  test('search counts members and nodes by token and by feature id', async () => {
    const { page } = await open();
    await page.locator('fgnb-text-field.search input').fill('king');
    const { labels, nodes } = beside.sets[0];
    const hits = (labels ?? []).map((l) => l.some((t) => t.trim() === 'king'));
    const points = hits.filter(Boolean).length;
    const lit = nodes.filter((members) => members.some((p) => hits[p])).length;
    await expect.poll(() => page.locator('.hits').innerText()).toContain(`A ${points} hits in ${lit} nodes`);
    await page.locator('fgnb-text-field.search input').fill('#9');
    await expect.poll(() => page.locator('.hits').innerText()).toContain('A 1 hit in');
  });

  test('a lasso selects the nodes inside and lights their members', async () => {
    const { page } = await open();
    const inside = [7, 8, 9];
    const spots = await Promise.all(inside.map((i) => spot(page, beside, 0, i)));
    const [x0, x1] = [Math.min(...spots.map((p) => p.x)) - 9, Math.max(...spots.map((p) => p.x)) + 9];
    const [y0, y1] = [Math.min(...spots.map((p) => p.y)) - 9, Math.max(...spots.map((p) => p.y)) + 9];
    await page.keyboard.down('Shift');
    await page.mouse.move(x0, y0);
    await page.mouse.down();
    for (const [x, y] of [
      [x1, y0],
      [x1, y1],
      [x0, y1],
      [x0, y0],
    ])
      await page.mouse.move(x, y, { steps: 4 });
    await page.mouse.up();
    await page.keyboard.up('Shift');
    const members = new Set(inside.flatMap((i) => beside.sets[0].nodes[i]));
    await expect
      .poll(() => page.locator('.toolbar .linked:visible').innerText())
      .toContain(`3 nodes, ${members.size} members`);
    const last = (await links(page)).at(-1);
    expect(last?.sets).toEqual([{ sae: 'sae-a', features: [...members].sort((a, b) => a - b) }]);
    await shot(page, 'graph-lasso-dark');
    await layer(page, 0).focus();
    await page.keyboard.press('Escape');
    await expect.poll(() => page.locator('.toolbar .linked:visible').count()).toBe(0);
  });

  test('components and findings select their nodes; findings give their evidence', async () => {
    const { page } = await open({ theme: 'light' });
    await page.getByRole('tab', { name: 'Components' }).click();
    const first = page.locator('.pane .entry').first();
    expect(await first.innerText()).toMatch(/36 nodes · 36 edges · [\d,]+ members/);
    await page.getByRole('tab', { name: /Findings/ }).click();
    const loop = page.locator('.pane .entry:visible').first();
    expect(await loop.innerText()).toMatch(/loop of 36 nodes ★[\s\S]*p = 0.0099, 100 runs of rotated spectrum, seed 0/);
    await loop.click();
    await expect.poll(() => page.locator('.toolbar .linked:visible').innerText()).toContain('loop of 36 nodes');
    await page.waitForTimeout(400);
    await shot(page, 'graph-loop-light');
  });

  test('noise is counted, listed and can be lit', async () => {
    const { page } = await open();
    const [a, b] = beside.meta.sets.map((set) => set.noise);
    const count = new Intl.NumberFormat('en-US');
    await page.locator('fgnb-checkbox', { hasText: `noise (${count.format(a + b)})` }).click();
    await page.locator('.pane .summary', { hasText: `${count.format(a)} of` }).waitFor();
    const last = (await links(page)).at(-1);
    expect(last?.sets[0].features).toHaveLength(a);
    const list = page.locator('.fg-grid[aria-label="Points in no node"]');
    expect(await list.getAttribute('aria-rowcount')).toBe(String(a + b + 1));
    await shot(page, 'graph-noise-dark');
  });

  test('the slider hides edges that share fewer members and recounts the components', async () => {
    const { page } = await open();
    await page.getByRole('tab', { name: 'Components' }).click();
    const sets = beside.sets.map(({ nodes }) => {
      const kept = edgesOf(nodes).filter((e) => e[2] >= 5);
      expect(kept.length).toBeLessThan(edgesOf(nodes).length);
      return new Set(componentsOf(nodes.length, kept)).size;
    });
    await page.locator('.threshold input').fill('5');
    await expect
      .poll(() => page.locator('.pane .details:visible > .fg-none').innerText())
      .toContain(`at least 5 shared members: A ${sets[0]} · null ${sets[1]}.`);
  });

  test('colour by a column, a keyword group and words of one’s own', async () => {
    const { page } = await open();
    const pick = async (text: string) => {
      await page.locator('fgnb-dropdown[aria-label="Colour of the nodes"]').click();
      await page.locator('fgnb-option', { hasText: text }).click();
    };
    await pick('Colour: decoder norm');
    expect(await page.locator('.legend').innerText()).toContain('mean decoder norm');
    await page.locator('fgnb-dropdown.stat').click();
    await page.locator('fgnb-dropdown.stat fgnb-option', { hasText: 'std' }).click();
    expect(await page.locator('.legend').innerText()).toContain('std decoder norm');
    await pick('Keywords: royalty');
    expect(await page.locator('.legend').innerText()).toContain('share of members with: royalty');
    expect(await page.locator('.legend').innerText()).toContain('no value');
    await page.locator('fgnb-text-field.words input').fill('bread cake');
    await page.keyboard.press('Enter');
    await expect.poll(() => page.locator('.legend').innerText()).toContain('bread cake');
    await pick('Colour: group');
    expect(await page.locator('.legend').innerText()).toContain('lexical');
    await shot(page, 'graph-group-dark');
  });

  test('the keyboard moves between nodes, pins and clears, and says where it is', async () => {
    const { page } = await open();
    await layer(page, 0).focus();
    await page.keyboard.press('ArrowRight');
    await page.keyboard.press('ArrowRight');
    const said = () => page.locator('.fg-graph > .fg-sr').innerText();
    expect(await said()).toMatch(/A node \d+: \d+ members, .*neighbour/);
    await page.keyboard.press('Enter');
    expect(await said()).toMatch(/^Pinned A node/);
    await page.keyboard.press('Escape');
    expect(await said()).toBe('No pins');
    expect(await page.locator('.layer').first().getAttribute('aria-label')).toContain('60 nodes');
    expect(await page.locator('.fg-grid[aria-label="Nodes"]').getAttribute('aria-rowcount')).toBe(
      String(1 + beside.sets[0].nodes.length + beside.sets[1].nodes.length),
    );
  });

  test('what other views light and pick is shown', async () => {
    const { page } = await open();
    const selection = {
      source: 'map',
      kind: 'light',
      sets: [{ sae: 'sae-a', features: beside.sets[0].nodes[9] }],
      label: 'lasso: 46 features',
    };
    await page.evaluate((s) => window.postMessage({ type: 'link', selection: s }), selection);
    await expect
      .poll(() => page.locator('.toolbar .linked:visible').innerText())
      .toContain('Lit elsewhere: lasso: 46 features');
    await shot(page, 'graph-linked-dark');
    await page.getByRole('button', { name: 'Show all nodes again' }).click();
    await expect.poll(() => page.locator('.toolbar .linked:visible').count()).toBe(0);
    const pick = {
      source: 'map',
      kind: 'pick',
      sets: [{ sae: 'sae-a', features: [beside.sets[0].nodes[9][12]] }],
      label: '',
    };
    await page.evaluate((s) => window.postMessage({ type: 'link', selection: s }), pick);
    await expect.poll(() => page.locator('.fg-graph > .fg-sr').innerText()).toMatch(/is in node 9/);
    expect((await links(page)).length).toBe(0);
  });

  test('exports what is shown: GraphML, KeplerMapper JSON, PNG, a page', async () => {
    const { page } = await open();
    const choose = async (text: string) => {
      await page.locator('fgnb-dropdown.export').click();
      await page.locator('fgnb-dropdown.export fgnb-option', { hasText: text }).click();
    };
    await choose('GraphML: A');
    await choose('KeplerMapper JSON: A');
    await choose('PNG, 2×');
    await choose('Picture (SVG)');
    await choose('Page (HTML)');
    await expect.poll(async () => (await saved(page)).length).toBe(5);
    const [graphml, json, png, svg] = await saved(page);
    expect(graphml.name).toMatch(/\.graphml$/);
    expect(graphml.text?.match(/<node /g)).toHaveLength(beside.sets[0].nodes.length);
    expect((JSON.parse(json.text ?? '') as { nodes: Record<string, number[]> }).nodes.cube9_cluster0).toEqual(
      beside.sets[0].nodes[9],
    );
    const bytes = Buffer.from(png.base64 ?? '', 'base64');
    expect(bytes.subarray(1, 4).toString()).toBe('PNG');
    (await import('node:fs')).writeFileSync(path.join(screenshots, 'graph-export.png'), bytes);
    expect(svg.text).toContain('>size: members · line: shared members</text>');
    const [, width, height] = /width="([\d.]+)" height="([\d.]+)"/.exec(svg.text!)!;
    expect([bytes.readUInt32BE(16), bytes.readUInt32BE(20)]).toEqual([2 * Number(width), 2 * Number(height)]);
  });

  test('state survives a reload', async () => {
    const { page } = await open();
    const at = await spot(page, beside, 0, 9);
    await page.mouse.click(at.x, at.y);
    await page.locator('fgnb-text-field.search input').fill('rain');
    await page.waitForTimeout(500);
    await page.reload();
    await page.locator('.pin').waitFor();
    expect(await page.locator('.hits').innerText()).toContain('hits in');
  });

  test('a graph without nodes says why', async () => {
    const { page, complaints } = await open({ graph: emptyFixture(), width: 900 });
    expect(await page.locator('.empty').innerText()).toMatch(
      /all 40 points are noise .* 100 cover elements\. Use a larger eps/,
    );
    await page.getByRole('tab', { name: 'Noise (40)' }).click();
    await shot(page, 'graph-empty-dark');
    expect(complaints.list).toEqual([]);
  });

  test('without WebGL a canvas draws the same graph', async () => {
    const { page, complaints } = await open({ webgl: false, theme: 'light' });
    expect(await page.locator('.plot').first().getAttribute('data-renderer')).toBe('canvas2d');
    await page.waitForTimeout(200);
    await shot(page, 'graph-canvas-light');
    expect(complaints.list).toEqual([]);
  });

  test('WebGL draws under the strict CSP', async () => {
    const { page, complaints } = await open();
    expect(await page.locator('.plot').first().getAttribute('data-renderer')).toBe('webgl');
    expect(complaints.list).toEqual([]);
  });

  test('5,000 nodes are hovered, searched and zoomed', async () => {
    const large = largeFixture(5000);
    const { page, complaints } = await open({ graph: large });
    const at = await spot(page, large, 0, 2535);
    await page.mouse.move(at.x + 2, at.y);
    await page.mouse.move(at.x, at.y);
    await page.locator('.fg-tooltip .members li').first().waitFor();
    await page.mouse.wheel(0, -300);
    await page.locator('fgnb-text-field.search input').fill('king');
    await expect.poll(() => page.locator('.hits').innerText()).toMatch(/A [\d,]+ hits in [\d,]+ nodes/);
    await shot(page, 'graph-large-dark');
    expect(complaints.list).toEqual([]);
  });

  test('hostile text stays text', async () => {
    const { page } = await open();
    await page.locator('fgnb-text-field.search input').fill('#1');
    await expect.poll(() => page.locator('.hits').innerText()).toContain('A 1 hit');
    await page.locator('.fg-grid .row').first().click();
    await page.locator('.pin').waitFor();
    expect(await page.locator('.pin').innerText()).toContain(HOSTILE.slice(0, 8));
    expect(await page.locator('.pin .members li.lit').count()).toBe(1);
    expect(await page.evaluate(() => (window as unknown as { __hacked?: number }).__hacked)).toBeUndefined();
  });
});
