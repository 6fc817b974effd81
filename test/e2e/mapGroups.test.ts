/** Keyword groups beside the map: chosen, typed, saved, compared, read from JSON; in a panel, an output and a page. */
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import type { BrowserContext, Page } from 'playwright-core';
import { afterEach, describe, expect, test } from 'vitest';
import { MAP_BUNDLE, type MapMeta } from '#protocol/map.js';
import { outputPageHtml } from '#protocol/outputPage.js';
import { MIME } from '#protocol/mime.js';
import type { Json, NotebookFile } from '#protocol/notebook.js';
import { reportHtml } from '#protocol/webview.js';
import { pageFilesOf } from '#test/kit/bundleFiles.js';
import { graphFixture } from '#test/kit/graphBundle.js';
import { testFolder } from '#test/kit/folder.js';
import { decodersOf, scoreGroup, type GroupScores } from '#webviews/map/groupScores.js';
import { linkedPairs, loadModel } from '#webviews/map/model.js';
import { BundleReader } from '#webviews/ui/bundle.js';
import { twinFixture } from './fixtures.js';
import {
  CHROMIUM,
  collectComplaints,
  installHost,
  screenshots,
  shownFixture,
  type Complaints,
  openPages,
} from './harness.js';

if (!CHROMIUM) console.log('skipped test/e2e/mapGroups.test.ts: no chromium in /usr/bin');

const map = twinFixture(600);

/** What the view ought to say of a group, by the same code in Node. */
async function expected(words: string[], minR = 0): Promise<GroupScores> {
  const read = (file: string, begin?: number, end?: number) =>
    Promise.resolve(file in map.files ? map.files[file].slice(begin, end) : null);
  const reader = new BundleReader(MAP_BUNDLE, { read }, 'fixture');
  const model = await loadModel(reader as never as { meta(): Promise<MapMeta> } as never);
  const of = { model, links: linkedPairs(model), decoders: decodersOf(model, await reader.matrix()), minR };
  return scoreGroup(of, { name: 'x', words }, 100, new AbortController().signal);
}

describe.skipIf(!CHROMIUM)('keyword groups of a map', () => {
  const pages = openPages();
  let context: BrowserContext | undefined;
  const folder = testFolder('groups');

  afterEach(async () => {
    await context?.close();
    context = undefined;
  });

  async function newPage(width: number, theme: 'light' | 'dark'): Promise<Page> {
    context = await pages.browser.newContext({ viewport: { width, height: 900 }, colorScheme: theme });
    return context.newPage();
  }

  async function openPanel(width = 1400, theme: 'light' | 'dark' = 'dark'): Promise<[Page, Complaints]> {
    const page = await newPage(width, theme);
    const complaints = collectComplaints(page, pages.server.origin);
    await installHost(page, pages.server, shownFixture('map', map));
    await page.goto(`${pages.server.origin}/`);
    await page.locator('.layer').first().waitFor();
    await page.getByRole('tab', { name: 'Groups' }).click();
    return [page, complaints];
  }

  const card = (page: Page) => page.locator('.group-card');
  const finished = (page: Page) =>
    card(page)
      .getByText(/ p = \d/)
      .nth(3)
      .waitFor({ timeout: 20_000 });
  const field = (page: Page) => page.locator('.group-bar .words input');
  const groupRow = (page: Page, name: string) =>
    page.getByRole('grid', { name: 'Keyword groups' }).locator('.row', { hasText: name });

  async function saysWhatIsRight(page: Page, words: string[]): Promise<void> {
    const right = await expected(words);
    const text = await card(page).innerText();
    expect(text).toContain(`${right.pairs} pairs`);
    expect(text).toContain(`mean r ${right.meanR.toFixed(2)}`);
    for (const score of Object.values(right.scores)) {
      if (typeof score === 'string') throw new Error(score);
      expect(text).toContain(score.value.toFixed(3).replace('-', '−'));
      expect(text).toContain(`p = ${Number(score.p.toPrecision(2))}`);
    }
  }

  test('a chosen group is lit, and scored beside its nulls', async () => {
    const [page, complaints] = await openPanel();
    await groupRow(page, 'Royalty').click();
    await finished(page);
    await saysWhatIsRight(page, ['king', 'queen', 'princess', 'knight']);
    expect(await page.locator('.hits').innerText()).toMatch(/^A \d+ · B \d+/);
    await page.screenshot({ path: path.join(screenshots, 'groups-panel-1400-dark.png') });
    // The table of pairs holds what the card counts.
    const { pairs } = await expected(['king', 'queen', 'princess', 'knight']);
    await page.getByRole('tab', { name: 'Pairs' }).click();
    expect(await page.locator('.summary').innerText()).toContain(`${pairs} of`);
    expect(complaints.list).toEqual([]);
  });

  test('a typed group is scored while it is typed, saved under its name, and comes back', async () => {
    const [page] = await openPanel();
    await field(page).fill('weather: rain snow river');
    await finished(page);
    expect(await card(page).locator('header').innerText()).toBe('weather');
    await saysWhatIsRight(page, ['rain', 'snow', 'river']);
    await page.getByRole('button', { name: 'Save group', exact: true }).click();
    await groupRow(page, 'weather').waitFor();
    await page.waitForTimeout(400);
    await page.reload();
    await finished(page);
    expect(await groupRow(page, 'weather').getAttribute('class')).toContain('pinned');
    await page.getByRole('button', { name: 'Forget weather' }).click();
    expect(await groupRow(page, 'weather').count()).toBe(0);
    expect(await page.locator('.hits').innerText()).toBe('');
  });

  test('all groups are compared in one table, which sorts', async () => {
    const [page] = await openPanel(650, 'light');
    await page.getByRole('button', { name: 'Score all groups' }).click();
    const values = async () => {
      const rows = await page.getByRole('grid', { name: 'Keyword groups' }).locator('.row').all();
      return Promise.all(rows.map((row) => row.locator('[role=gridcell]').nth(3).innerText()));
    };
    await expect.poll(async () => (await values()).filter((v) => v !== '–').length, { timeout: 30_000 }).toBe(4);
    const right = (await expected(['mother', 'father', 'daughter'])).scores.SVCCA as { value: number };
    expect(await groupRow(page, 'Family').innerText()).toContain(right.value.toFixed(3));
    await page.getByRole('columnheader', { name: 'SVCCA' }).click();
    const sorted = (await values()).map((text) => parseFloat(text.replace('−', '-')));
    expect(sorted).toEqual([...sorted].sort((a, b) => a - b));
    await groupRow(page, 'Time').click();
    await finished(page);
    await page.screenshot({ path: path.join(screenshots, 'groups-panel-650-light.png') });
  });

  test('groups come from a JSON file and go into one; a damaged file is refused in words', async () => {
    const [page] = await openPanel();
    const file = (name: string, text: string) => ({ name, mimeType: 'application/json', buffer: Buffer.from(text) });
    const input = page.locator('input[type=file]');
    await input.setInputFiles(file('bad.json', '{"months": "May"}'));
    await page.getByText('bad.json is not read: bad.json: group "months" is not a list of words').waitFor();
    await input.setInputFiles(file('mine.json', '{"source": "me", "animals": ["dog", "bird"]}'));
    await groupRow(page, 'animals').click();
    await finished(page);
    await saysWhatIsRight(page, ['dog', 'bird']);
    await page.getByRole('button', { name: 'Save groups and scores as JSON' }).click();
    const saved = () => page.evaluate(() => (window as unknown as { __saved: Array<{ text: string }> }).__saved);
    await expect.poll(async () => (await saved()).length).toBe(1);
    const { groups, scores } = JSON.parse((await saved())[0].text) as { groups: object; scores: GroupScores[] };
    expect(groups).toMatchObject({ animals: ['dog', 'bird'], Pronouns: ['she', 'he', 'it'] });
    expect(scores.map(({ group, pairs }) => [group.name, pairs])).toEqual([
      ['animals', (await expected(['dog', 'bird'])).pairs],
    ]);
    await input.setInputFiles(file('again.json', (await saved())[0].text));
    await page.getByText('again.json is read').waitFor();
  });

  test('a group lights other maps and graphs of the page, their tables too, under its name, until it is let go', async () => {
    const own = twinFixture(600);
    own.meta.sets.forEach((set, s) => (set.sae = { id: `sae-${'ab'[s]}`, name: set.name }));
    own.files['map.json'] = Buffer.from(JSON.stringify(own.meta));
    const graph = graphFixture('none');
    const shown = (mime: string, id: string, meta: unknown): NotebookFile['cells'][number] => ({
      ...{ id, kind: 'code', language: 'fgnb-typescript', source: [] },
      outputs: [{ items: [{ mime, json: { version: 1, id, path: `.fgnb/${id}`, meta } as unknown as Json }] }],
    });
    const other = { ...own, id: 'other' };
    const cells = [shown(MIME.map, own.id, own.meta), shown(MIME.map, other.id, own.meta), shown(MIME.graph, graph.id, graph.meta)]; // prettier-ignore
    const file = path.join(folder, 'linked.html');
    const files = (await Promise.all([own, other, graph].map(pageFilesOf))).flat();
    const notebookJson = JSON.stringify({ fgnb: 1, metadata: {}, cells } satisfies NotebookFile);
    writeFileSync(
      file,
      reportHtml({ title: 'Linked', script: pages.bundles.report, nonce: 'abc123', notebookJson, files }),
    );
    const page = await newPage(1400, 'light');
    await page.goto(pathToFileURL(file).href);
    const maps = page.locator('.fg-map');
    const [first, second] = [maps.nth(0), maps.nth(1)];
    await second.locator('.layer').first().waitFor();
    for (const map of [first, second]) await map.getByRole('button', { name: 'Show or hide the table' }).click();
    await first.getByRole('tab', { name: 'Groups' }).click();
    await first.locator('.group-bar .words input').fill('royal: king queen');
    await second.locator('.toolbar .linked').waitFor();
    const hits = await first.locator('.hits').innerText();
    const [a, b] = /^A (\d+) · B (\d+)/.exec(hits)!.slice(1).map(Number);
    expect(a).toBeGreaterThan(10);
    expect(await second.locator('.toolbar .linked').innerText()).toContain(`Lit elsewhere: royal: ${a + b} features`);
    expect(await second.locator('.hits').innerText()).toBe(hits);
    const { pairs } = await expected(['king', 'queen']);
    expect(await second.locator('.summary').innerText()).toContain(`${pairs} of`);
    expect(await page.locator('.fg-graph .toolbar .linked').first().innerText()).toContain('royal');
    await second.scrollIntoViewIfNeeded();
    await page.screenshot({ path: path.join(screenshots, 'groups-linked.png') });
    await first.locator('.group-bar .words input').fill('');
    await second.locator('.toolbar .linked').waitFor({ state: 'hidden' });
    expect(await second.locator('.hits').innerText()).toBe('');
  });

  for (const [width, theme] of [
    [1400, 'light'],
    [650, 'dark'],
  ] as const)
    test(`an exported page scores groups by itself (${width} px, ${theme})`, async () => {
      const page = await newPage(width, theme);
      const complaints = collectComplaints(page, 'file:');
      const descriptor = { version: 1 as const, id: map.id, path: `.fgnb/${map.id}`, meta: map.meta };
      const file = path.join(folder, `page-${width}.html`);
      const about = { title: 'Groups', mime: MIME.map, descriptor, script: pages.bundles.report, nonce: 'abc123' };
      writeFileSync(file, outputPageHtml({ ...about, files: await pageFilesOf(map) }));
      await page.goto(pathToFileURL(file).href);
      await page.locator('.layer').first().waitFor();
      await page.getByRole('button', { name: 'Show or hide the table' }).click();
      await page.getByRole('tab', { name: 'Groups' }).click();
      await field(page).fill('king queen');
      await finished(page);
      await saysWhatIsRight(page, ['king', 'queen']);
      expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(width);
      await page.screenshot({ path: path.join(screenshots, `groups-page-${width}-${theme}.png`) });
      expect(complaints.list).toEqual([]);
    });
});
