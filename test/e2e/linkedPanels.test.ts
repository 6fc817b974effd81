/**
 * A Mapper graph and a feature map of one SAE in the real workbench: as outputs of the notebook, and in panels that light
 * each other and save what they show. Screenshots go to test-results/screenshots.
 */
import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import type { BrowserContext, Frame, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { GraphDescriptor } from '#protocol/graph.js';
import type { MapDescriptor } from '#protocol/map.js';
import { MIME } from '#protocol/mime.js';
import type { NotebookFile } from '#protocol/notebook.js';
import { parseNotebook, serializeNotebook, splitSource } from '#protocol/notebookCodec.js';
import { FEATURE_LINK_PATH, featureQuery } from '#protocol/featureLink.js';
import { decodeSafetensors } from '#protocol/safetensors.js';
// @ts-expect-error plain JavaScript: the harness runs without a build
import { openWorkbench, startBrowser } from '#test/harness/browser.mjs';
// @ts-expect-error plain JavaScript
import { installVsix } from '../../scripts/vscode.mjs';
// @ts-expect-error plain JavaScript
import { unsupported } from '#test/harness/install.mjs';
// @ts-expect-error plain JavaScript
import { startServer } from '#test/harness/server.mjs';
import { isolatedPoint, screenOf, type MapFixture } from './fixtures.js';
import { CHROMIUM, collectComplaints, expectOnPaper, openBrowser, screenshots } from './harness.js';
import { testFolder } from '#test/kit/folder.js';
import { endKernels } from './workbench.js';

const root = path.resolve(import.meta.dirname, '../..');
const cli = path.join(root, 'dist/kernel/cli.cjs');
const built = [cli, ...['extension/extension.cjs', 'webviews/report.js'].map((f) => path.join(root, 'dist', f))];
const missing = built.find((file) => !existsSync(file));
const why =
  (unsupported() as string | undefined) ??
  (CHROMIUM === undefined ? 'no chromium in /usr/bin' : missing && `${missing} is not built (node scripts/build.mjs)`);
if (why) console.log(`skipped test/e2e/linkedPanels.test.ts: ${why}`);

const model = path.join(root, 'examples/models/tiny-stories-1L');
const CELLS = [
  `const lm = await fg.models.load(${JSON.stringify(model)})
const text = fg.datasets.stories({ seed: 1, stories: 120, context: 64 })
const sae = await fg.sae.train(lm, text, { hook: 'blocks.0.hook_mlp_out', architecture: 'topk', k: 8, features: 128, steps: 20, trainBatchSizeTokens: 512, lr: 2e-3, seed: 0 })
const acts = await fg.activations.save(lm, sae, text)`,
  `const graph = await fg.mapper.graph(sae, { cover: { cubes: 4, overlap: 0.3 }, clusterer: { kind: 'agglomerative', metric: 'cosine', linkage: 'average', nClusters: 2 } })
await fg.show(graph, { activations: acts, title: 'Linked graph' })
await fg.mapper.export(graph, 'kernel.graphml')`,
  `await fg.show(await fg.maps.pca(sae.decoder), { activations: acts, title: 'Linked map' })`,
  'await fg.show.feature(acts, 0)',
  "const { label, sets } = await fg.show.selection();\n`selected ${label || 'nothing'} ${JSON.stringify(sets.map(({ features }) => features))}`",
];

interface Bench {
  palette(command: string): Promise<void>;
  openFile(name: string): Promise<void>;
  notebookReady(): Promise<void>;
  findFrame(selector: string, timeout?: number): Promise<Frame>;
}

const OUTPUT = '.fg-graph.compact';
const GRAPH = '.fg-graph:not(.compact)';
const MAP = '.fg-map:not(.compact)';

describe.skipIf(why !== undefined)('a graph and a map of one notebook in the real workbench', () => {
  let folder: string;
  let data: string;
  let members: number[][];
  let map: MapFixture;
  let stop: () => Promise<void>;
  let context: BrowserContext;
  let page: Page;
  let bench: Bench;
  const shot = (name: string) => page.screenshot({ path: path.join(screenshots, `linked-${name}.png`) });
  const runs = () => path.join(data, 'runs');
  const inFolder = (...parts: string[]) => path.join(folder, ...parts);

  beforeAll(async () => {
    mkdirSync(screenshots, { recursive: true });
    folder = testFolder('linked');
    data = testFolder('linked-data');
    const cells = CELLS.map((source, i): NotebookFile['cells'][number] => ({
      ...{ id: `c${i}`, kind: 'code', language: 'fgnb-typescript', source: splitSource(source) },
    }));
    const notebook = inFolder('linked.fgnb');
    writeFileSync(notebook, serializeNotebook({ fgnb: 1, metadata: {}, cells }));
    await promisify(execFile)(process.execPath, [cli, 'run', notebook, '--out', notebook], { maxBuffer: 1 << 26 });
    const ran = parseNotebook(readFileSync(notebook, 'utf8')).cells;
    const shown = <T>(mime: string) =>
      ran.flatMap((c) => (c.outputs ?? []).flatMap((o) => o.items)).find((i) => i.mime === mime)!.json as unknown as T;
    members = readMembers(inFolder(shown<GraphDescriptor>(MIME.graph).path));
    map = readMap(shown<MapDescriptor>(MIME.map), inFolder(shown<MapDescriptor>(MIME.map).path));
    const extensionsDir = (await installVsix(path.join(data, 'installed'))) as string;
    const server = (await startServer(data, { extensionsDir, env: { FGNB_RUN_ROOT: runs() } })) as {
      url: string;
      stop(): Promise<void>;
    };
    stop = () => server.stop();
    context = (await startBrowser(data)) as BrowserContext;
    page = context.pages()[0] ?? (await context.newPage());
    bench = (await openWorkbench(page, server.url, folder)) as Bench;
    await bench.openFile('linked.fgnb');
    await bench.notebookReady();
    await bench.palette('View: Close Primary Side Bar');
  }, 180_000);
  afterAll(async () => {
    await context?.close();
    await stop?.();
    endKernels(runs());
    for (const used of [folder, data]) if (used) rmSync(used, { recursive: true, force: true });
  });

  /** Shows the notebook's editor and runs a command on it. */
  async function onNotebook(command: string): Promise<void> {
    await page.locator('.tab', { hasText: 'linked.fgnb' }).first().click();
    await bench.palette(command);
  }

  test('the notebook shows the graph as an output, at full and at half width', async () => {
    const frame = await bench.findFrame(`${OUTPUT} .plot .layer`);
    expect(await frame.locator(`${OUTPUT} .caption`).innerText()).toContain(`${members.length} nodes`);
    await shot('output');
    await page.setViewportSize({ width: 700, height: 900 });
    await expect.poll(() => frame.locator(OUTPUT).getAttribute('data-size')).toBe('narrow');
    await shot('output-narrow');
    await page.setViewportSize({ width: 1400, height: 900 });
  });

  test('a node pinned in the graph’s panel lights its features in the map’s panel and in the notebook', async () => {
    await onNotebook('Open Mapper Graph');
    await bench.findFrame(`${GRAPH} .plot .layer`);
    await onNotebook('Open Feature Map');
    await bench.findFrame(`${MAP} .layer`);
    await bench.palette('View: Move Editor into Group Below');
    // Both are made anew: one was hidden, the other moved.
    const graph = await bench.findFrame(`${GRAPH} .plot .layer`);
    const panel = await bench.findFrame(`${MAP} .layer`);
    await graph.locator('.fg-grid[aria-label="Nodes"] .row').first().click();
    const chip = panel.locator('.toolbar .linked');
    const told = /Lit elsewhere: node (\d+): (\d+) features/;
    await expect.poll(() => chip.innerText()).toMatch(told);
    const [, node, count] = told.exec(await chip.innerText())!;
    expect(Number(count)).toBe(members[Number(node)].length);
    const lit = members[Number(node)].filter((f) => !map.points[0].dead[f]).length;
    expect(lit).toBeGreaterThan(1);
    expect(await panel.locator('.hits').innerText()).toBe(`A ${lit}`);
    const output = await bench.findFrame(OUTPUT);
    expect(await output.locator(`${OUTPUT} .toolbar .linked`).first().innerText()).toContain(`node ${node}`);
    await page.waitForTimeout(500);
    await shot('panels-lit');
    await page.setViewportSize({ width: 700, height: 900 });
    await page.waitForTimeout(800);
    await shot('panels-lit-narrow');
    await page.setViewportSize({ width: 1400, height: 900 });
    await graph
      .locator('.details .pin header')
      .getByRole('button', { name: /unpin|remove/i })
      .first()
      .click();
    await chip.waitFor({ state: 'hidden' });
  });

  test('a feature pinned on the map is found in the graph', async () => {
    const panel = await bench.findFrame(`${MAP} .layer`);
    const layer = panel.locator('.layer.set0');
    const box = (await layer.boundingBox())!;
    const point = isolatedPoint(map, 0);
    const at = screenOf(map, 0, point, box);
    await page.mouse.click(box.x + at.x, box.y + at.y);
    const feature = map.featureOf(0, point);
    const nodes = members.flatMap((list, k) => (list.includes(feature) ? [`node ${k}`] : []));
    expect(nodes.length).toBeGreaterThan(0);
    const graph = await bench.findFrame(`${GRAPH} .plot .layer`);
    await expect
      .poll(() => graph.locator(`${GRAPH} > .fg-sr`).innerText())
      .toBe(`A #${feature} is in ${nodes.join(', ')}`);
    await shot('panels-picked');
  });

  test('what was selected before there was a kernel is what the cell gets that starts it', async () => {
    const panel = await bench.findFrame(`${MAP} .layer`);
    const features = [...map.points[0].dead.keys()].filter((i) => !map.points[0].dead[i]).slice(2, 5);
    await panel.locator('.toolbar .search input').fill(features.map((f) => `#${f}`).join(' '));
    await expect.poll(() => panel.locator('.hits').innerText()).toBe('A 3');
    await page.locator('.tab', { hasText: 'linked.fgnb' }).first().click();
    const cell = page.locator('.code-cell-row .monaco-editor', { hasText: 'fg.show.selection' });
    await bench.palette('Notebook: Focus Last Cell');
    await cell.click();
    await page.keyboard.press('Control+Enter');
    const given = await bench.findFrame(`text=selected Linked map: 3 features [[${features.join(',')}]]`, 90_000);
    await given.locator('text=selected Linked map').first().waitFor();
    await shot('selection');
    await panel.locator('.toolbar .search input').fill('');
    await expect.poll(() => panel.locator('.hits').innerText()).toBe('');
    await cell.click();
    await page.keyboard.press('Control+Enter');
    await bench.findFrame('text=selected nothing []', 60_000);
  }, 240_000);

  test('a link that the editor is given reopens the page of its feature', async () => {
    const { publisher, name } = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8')) as Record<string, string>; // prettier-ignore
    const query = featureQuery({ feature: 7, notebook: inFolder('linked.fgnb') });
    await bench.palette('Developer: Open URL');
    const input = page.locator('.quick-input-widget input.input');
    await input.fill(`vscode://${publisher}.${name}${FEATURE_LINK_PATH}?${query}`);
    await page.keyboard.press('Enter');
    await page.locator('.monaco-dialog-box').getByRole('button', { name: 'Open' }).click();
    await bench.findFrame('.fg-feature .head .number:text-is("#7")');
    await shot('link');
  });

  /** Chooses an export of the graph's panel and takes the dialog's proposal. */
  async function save(choice: string, name: string): Promise<string> {
    const graph = await bench.findFrame(`${GRAPH} .plot .layer`);
    await graph.locator('fgnb-dropdown.export').click();
    await graph.locator('fgnb-dropdown.export fgnb-option', { hasText: choice }).click();
    const input = page.locator('.quick-input-widget input.input');
    await expect.poll(() => input.inputValue().catch(() => '')).toBe(inFolder(name));
    await page.keyboard.press('Enter');
    await page.locator('.notification-toast', { hasText: `Saved ${name}` }).waitFor();
    return inFolder(name);
  }

  test('GraphML saved from the panel names the nodes as the kernel’s does', async () => {
    const text = readFileSync(await save('GraphML', 'Linked graph.graphml'), 'utf8');
    const named = (xml: string) =>
      [...xml.matchAll(/<node id="([^"]*)">.*?<data key="members">([^<]*)</g)].map((m) => m.slice(1));
    const kernel = named(readFileSync(inFolder('kernel.graphml'), 'utf8'));
    expect(kernel.map(([, list]) => list)).toEqual(members.map((list) => list.join(' ')));
    expect(named(text)).toEqual(kernel);
  });

  test('the graph saved as a page draws in a browser without a network', async () => {
    const file = await save('Page (HTML)', 'Linked graph.html');
    await shot('saved');
    const browser = await openBrowser();
    try {
      for (const width of [1400, 700]) {
        const opened = await browser.newPage({ viewport: { width, height: 900 } });
        const complaints = collectComplaints(opened, 'file:');
        await opened.goto(pathToFileURL(file).href);
        await opened.locator('.plot .surface canvas').first().waitFor();
        expect(await opened.locator('.fg-graph .caption').innerText()).toContain(`${members.length} nodes`);
        await opened.waitForTimeout(400);
        await opened.screenshot({ path: path.join(screenshots, `linked-page-${width}.png`) });
        if (width === 1400)
          await expectOnPaper(opened, { texts: [`${members.length} nodes`, 'size: members'], path: 'linked-page.pdf' });
        expect(complaints.list).toEqual([]);
      }
    } finally {
      await browser.close();
    }
  });

  /** Calls `see` in every theme, at full and at half width. */
  async function inThemes(see: (name: string) => Promise<void>): Promise<void> {
    for (const [theme, short] of [
      ['Dark High Contrast', 'hc'],
      ['Light Modern', 'light'],
      ['Dark Modern', 'dark'],
    ] as const) {
      await bench.palette('Preferences: Color Theme');
      await page.locator('.quick-input-widget input.input').fill(theme);
      await page.locator('.quick-input-list .monaco-list-row', { hasText: theme }).first().click();
      for (const width of [650, 1400]) {
        await page.setViewportSize({ width, height: 900 });
        await page.waitForTimeout(1000);
        await see(`${short}-${width}`);
      }
    }
  }

  test('feature page, map and selection are read in every theme, at full and at half width', async () => {
    await bench.palette('View: Join All Editor Groups');
    await page.locator('.tab', { hasText: 'Features of' }).first().click();
    const feature = await bench.findFrame('.fg-feature .head .number:text-is("#7")');
    await inThemes(async (name) => {
      await feature.locator('.fg-example .token').first().waitFor();
      expect(await faint(feature, '.head .number, .fg-example .token, h3')).toEqual([]);
      expect(await feature.evaluate(() => document.body.scrollWidth - innerWidth), name).toBeLessThanOrEqual(0);
      await shot(`theme-feature-${name}`);
    });
    await onNotebook('Open Feature Map');
    const panel = await bench.findFrame(`${MAP} .layer`);
    await bench.palette('View: Join All Editor Groups');
    // The feature of the page is lit, and found.
    await panel.locator('.toolbar .search input').fill('#7');
    await inThemes(async (name) => {
      await expect.poll(() => panel.locator('.hits').innerText()).toBe('A 1');
      expect(await faint(panel, '.hits, .heading, .fg-plot .title, .legend text, [role=tab]')).toEqual([]);
      const [stage, all] = await Promise.all([
        panel.locator('.stage').boundingBox(),
        panel.locator('body').boundingBox(),
      ]);
      expect((stage!.width * stage!.height) / (all!.width * all!.height), name).toBeGreaterThan(0.7);
      expect(await panel.evaluate(() => document.body.scrollWidth - innerWidth), name).toBeLessThanOrEqual(0);
      await shot(`theme-map-${name}`);
    });
  }, 240_000);
});

/** Texts that stand out from their ground by less than WCAG's 4.5 : 1 (3 : 1 where they are large). */
async function faint(frame: Frame, selector: string): Promise<string[]> {
  await frame.locator(selector).first().waitFor();
  return frame.locator(selector).evaluateAll((all) => {
    const c = document.createElement('canvas').getContext('2d', { willReadFrequently: true })!;
    const paint = (colours: string[]): number => {
      for (const colour of colours) {
        c.fillStyle = colour;
        c.fillRect(0, 0, 1, 1);
      }
      const [r, g, b] = [...c.getImageData(0, 0, 1, 1).data.subarray(0, 3)].map((v) =>
        v / 255 <= 0.04045 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4,
      );
      return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    return all.flatMap((e) => {
      const box = e.getBoundingClientRect();
      if (!(e.textContent.trim() && box.width > 0 && box.height > 0)) return [];
      const grounds: string[] = [];
      for (let up: Element | null = e; up; up = up.parentElement) grounds.unshift(getComputedStyle(up).backgroundColor);
      const style = getComputedStyle(e);
      const ground = paint(grounds);
      const text = paint([...grounds, e instanceof SVGElement ? style.fill : style.color]);
      const ratio = (Math.max(text, ground) + 0.05) / (Math.min(text, ground) + 0.05);
      return ratio < (parseFloat(style.fontSize) >= 24 ? 3 : 4.5)
        ? [`${e.className} ${e.textContent.trim().slice(0, 30)}: ${ratio.toFixed(2)}`]
        : [];
    });
  });
}

/** Members of each node, read from the bundle. */
function readMembers(folder: string): number[][] {
  const { tensors } = decodeSafetensors(new Uint8Array(readFileSync(path.join(folder, 'columns.safetensors'))));
  const at = tensors.get('0.membersAt')!.data as Int32Array;
  const members = tensors.get('0.members')!.data as Int32Array;
  return Array.from({ length: at.length - 1 }, (_, i) => [...members.subarray(at[i], at[i + 1])]);
}

/** A map's bundle as fixtures' screenOf and isolatedPoint read it. */
function readMap({ id, meta }: MapDescriptor, folder: string): MapFixture {
  const { tensors } = decodeSafetensors(new Uint8Array(readFileSync(path.join(folder, 'columns.safetensors'))));
  const [x, y] = ['0.x', '0.y'].map((name) => tensors.get(name)!.data as Float32Array);
  const dead = Uint8Array.from(tensors.get('0.firings')!.data as Int32Array, (n) => Number(n === 0));
  const feature = tensors.get('0.feature')!.data as Int32Array;
  const none = () => -1;
  return {
    id,
    meta,
    files: {},
    partnerOf: none,
    backOf: none,
    points: [{ x, y, dead }],
    featureOf: (_, i) => feature[i],
  };
}
