/** The selection of a map, by hand: conditions, box, undo, lines, mesh, zoom, kept groups, copied cells; its table. */
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Page } from 'playwright-core';
import { afterEach, describe, expect, test } from 'vitest';
import { outputPageHtml } from '#protocol/outputPage.js';
import { viewMime } from '#protocol/views.js';
import { pageFilesOf } from '#test/kit/bundleFiles.js';
import { testFolder } from '#test/kit/folder.js';
import { twinFixture } from './fixtures.js';
import { CHROMIUM, collectComplaints, openPages, screenshots } from './harness.js';

if (!CHROMIUM) console.log('skipped test/e2e/mapSelection.test.ts: no chromium in /usr/bin');

const N = 600;
const map = twinFixture(N);

describe.skipIf(!CHROMIUM)('the selection of a map in an exported page', () => {
  const pages = openPages();
  const folder = testFolder('selection');
  let page: Page | undefined;
  afterEach(async () => {
    await page?.context().close();
    page = undefined;
  });

  async function open(width = 1400, scheme: 'light' | 'dark' = 'light', forced = false, of = map): Promise<Page> {
    const context = await pages.browser.newContext({
      ...{ viewport: { width, height: 900 }, colorScheme: scheme, forcedColors: forced ? 'active' : 'none' },
      permissions: ['clipboard-read', 'clipboard-write'],
    });
    page = await context.newPage();
    const descriptor = { version: 1 as const, id: of.id, path: `.fgnb/${of.id}`, meta: of.meta };
    const html = outputPageHtml({
      ...{ title: of.meta.title, mime: viewMime('map'), descriptor, script: pages.bundles.report, nonce: 'abc123' },
      files: await pageFilesOf({ id: of.id, files: of.files }),
    });
    const file = path.join(folder, `${of.id}.html`);
    writeFileSync(file, html);
    await page.goto(pathToFileURL(file).href);
    await page.locator('.layer').first().waitFor();
    return page;
  }

  const hits = (on: Page) => on.locator('.toolbar .hits');
  const search = (on: Page, query: string) => on.locator('.toolbar .search input').fill(query);
  const tool = (on: Page, name: string) => on.locator('.selection').getByRole('button', { name });

  test('is asked for by conditions, seen, linked, zoomed to, kept, scored and taken back', async () => {
    const on = await open();
    const complaints = collectComplaints(on, 'file:');
    await search(on, 'r>=.9 match:mutual');
    await hits(on)
      .getByText(/^A \d+ · B \d+/)
      .waitFor();
    const first = await hits(on).innerText();
    await tool(on, 'Lines from').click();
    await tool(on, 'Zoom to').click();
    await on.waitForTimeout(500);
    await on.screenshot({ path: path.join(screenshots, 'selection-lines.png') });
    await search(on, '#31 #61 #91 #121');
    await expect.poll(() => hits(on).innerText()).not.toBe(first);
    await tool(on, 'Mesh between').click();
    expect(await on.locator('.selection fgnb-button', { hasText: 'Mesh' }).getAttribute('aria-pressed')).toBe('true');
    await on.screenshot({ path: path.join(screenshots, 'selection-mesh.png') });
    await tool(on, 'Undo').click();
    expect(await hits(on).innerText()).toBe(first);
    expect(await on.locator('.toolbar .search input').inputValue()).toBe('r>=.9 match:mutual');
    await tool(on, 'Keep').click();
    await on.locator('.linked', { hasText: 'Kept as “' }).waitFor();
    await on.locator('.kept-list').waitFor();
    await on.getByRole('tab', { name: 'Groups' }).click();
    await on.getByRole('grid', { name: 'Keyword groups' }).locator('.row', { hasText: 'r>=.9' }).click();
    await on.locator('.group-card').getByText(/ p = \d/).first().waitFor({ timeout: 20_000 }); // prettier-ignore
    expect(complaints.list).toEqual([]);
  });

  test('is kept by a name and with a note, reopened alone, renamed, forgotten, and all that is taken back', async () => {
    const on = await open();
    const complaints = collectComplaints(on, 'file:');
    await search(on, '#31 #64 #91');
    await hits(on).getByText(/^A 3 /).waitFor(); // prettier-ignore
    await tool(on, 'Keep').click();
    const kept = on.locator('.kept');
    const name = kept.locator('input.name');
    // The name is asked for at once.
    await expect.poll(() => name.evaluate((e) => e === (e.getRootNode() as Document).activeElement)).toBe(true);
    await on.keyboard.type('three words');
    await on.keyboard.press('Enter');
    await kept.getByRole('textbox', { name: 'Note on three words' }).fill('look at these again');
    await on.keyboard.press('Enter');
    expect(await kept.locator('.counts').innerText()).toBe('A 3 · B 0');
    await search(on, 'king');
    await expect.poll(() => hits(on).innerText()).not.toMatch(/^A 3 /);
    await kept.getByRole('button', { name: 'Show three words' }).click();
    await expect.poll(() => hits(on).innerText()).toMatch(/^A 3 /);
    expect(await on.locator('.toolbar .search input').inputValue()).toBe('');
    await on.screenshot({ path: path.join(screenshots, 'selection-kept.png') });
    // A name that another group has is refused.
    await name.fill('Royalty');
    await on.keyboard.press('Enter');
    expect(await name.inputValue()).toBe('three words');
    expect(await on.locator('.fg-map > .fg-sr[aria-live]').textContent()).toBe('“Royalty” is a group already');
    await kept.getByRole('button', { name: 'Forget three words' }).click();
    await expect.poll(() => kept.count()).toBe(0);
    await tool(on, 'Undo').click();
    await expect.poll(() => kept.count()).toBe(1);
    expect(await kept.locator('input.note').inputValue()).toBe('look at these again');
    expect(complaints.list).toEqual([]);
  });

  test('leads to all counterparts of each point: arcs of a hovered point, thin lines of a selection, a line in the card', async () => {
    const many = { ...twinFixture(N, 24, [], 2), id: 'fixture-many' };
    const on = await open(1400, 'light', false, many);
    const overlay = () => on.locator('canvas.overlay').evaluate((c: HTMLCanvasElement) => c.toDataURL());
    await search(on, '#31');
    await hits(on).getByText(/^A 1 /).waitFor(); // prettier-ignore
    const plain = await overlay();
    await tool(on, 'Lines from').click();
    await expect.poll(overlay).not.toBe(plain);
    await on.screenshot({ path: path.join(screenshots, 'selection-many.png') });
    await on.locator('.layer').first().focus();
    await on.keyboard.press('n');
    const spoken = on.locator('.fg-map > .fg-sr[aria-live]');
    expect(await spoken.textContent()).toMatch(
      /^A feature 31, .*; counterpart B feature \d+, .*; 2 further counterparts$/,
    );
    const others = on.locator('.fg-tooltip .others');
    // The partner is B's point 73, the others the two after it.
    await expect.poll(() => others.innerText()).toMatch(/^also B: #372 .+ 0\.\d\d · #377 .+ 0\.\d\d$/);
    await on.screenshot({ path: path.join(screenshots, 'selection-many-hover.png') });
  });

  test('of an invalid pattern is nothing, and what is wrong with it is said until it is mended', async () => {
    const on = await open();
    const wrong = on.locator('.toolbar .wrong');
    expect(await wrong.isVisible()).toBe(false);
    await search(on, '/(king/');
    await wrong.getByText(/Invalid regular expression.*Unterminated group/).waitFor();
    expect(await hits(on).innerText()).toMatch(/^A 0 · B 0/);
    await on.screenshot({ path: path.join(screenshots, 'selection-wrong-pattern.png') });
    await search(on, '/(king)/');
    await expect.poll(() => wrong.isVisible()).toBe(false);
  });

  test('of a box is copied as a cell, and Ctrl+Z takes it back', async () => {
    const on = await open();
    const layer = on.locator('.layer').first();
    const box = (await layer.boundingBox())!;
    await on.keyboard.down('Shift');
    await on.mouse.move(box.x + 40, box.y + 40);
    await on.mouse.down();
    await on.mouse.move(box.x + box.width / 2, box.y + box.height / 2, { steps: 4 });
    await on.mouse.up();
    await on.keyboard.up('Shift');
    await hits(on)
      .getByText(/^A \d+ · B 0/)
      .waitFor();
    const count = Number(/^A (\d+)/.exec(await hits(on).innerText())![1]);
    await tool(on, 'Copy').click();
    await on.locator('.linked', { hasText: 'Copied as a cell' }).waitFor();
    const cell = await on.evaluate(() => navigator.clipboard.readText());
    const made = new Function(`${cell}\nreturn selection`)() as Array<{ features: number[] }>;
    expect(made[0].features).toHaveLength(count);
    await layer.focus();
    await on.keyboard.press('Control+z');
    expect(await hits(on).innerText()).toBe('');
  });

  test('by keys goes to neighbours and to the counterpart, and is read out', async () => {
    const on = await open();
    await on.locator('.layer').first().focus();
    await on.keyboard.press('Shift+ArrowRight');
    const spoken = on.locator('.fg-map > .fg-sr[aria-live]');
    expect(await spoken.textContent()).toMatch(/^A feature \d+, .*; counterpart B feature \d+, .*, r /);
    const counterpart = /counterpart B feature (\d+)/.exec((await spoken.textContent())!)![1];
    await on.keyboard.press('c');
    expect(await spoken.textContent()).toMatch(new RegExp(`^B feature ${counterpart},`));
    expect(await on.locator('.layer').nth(1).evaluate((node) => (node.getRootNode() as Document).activeElement === node)).toBe(true); // prettier-ignore
    await on.keyboard.press('Shift+ArrowLeft');
    expect(await spoken.textContent()).toMatch(/^B feature \d+,/);
  });

  test('the table leaves out special tokens until they are asked for, and what is not mutual when asked', async () => {
    const special = twinFixture(N);
    const labels = JSON.parse(Buffer.from(special.files['0.labels.json']).toString()) as string[][];
    const before = [...labels];
    for (const i of [3, 7, 11]) labels[i] = ['<|endoftext|>'];
    special.files['0.labels.json'] = Buffer.from(JSON.stringify(labels));
    expect(before.length).toBe(N);
    const on = await open(1400, 'light', false, { ...special, id: 'fixture-special' });
    await on.getByRole('tab', { name: 'Pairs' }).click();
    const pairs = N - N / 20;
    expect(await on.locator('.summary').innerText()).toBe(`${pairs - 3} of ${pairs} pairs`);
    await on.getByText('special tokens').click();
    expect(await on.locator('.summary').innerText()).toBe(`${pairs} pairs`);
    await on.getByText('mutual only').click();
    expect(await on.locator('.summary').innerText()).toBe(`${pairs} pairs`);
  });

  test.each([
    ['dark', 700, 'dark', false],
    ['forced', 1400, 'dark', true],
  ] as const)('looks right: %s', async (name, width, scheme, forced) => {
    const on = await open(width, scheme, forced);
    await search(on, 'king queen r>.5');
    await hits(on)
      .getByText(/^A \d+ · B \d+/)
      .waitFor();
    await tool(on, 'Lines from').click();
    await on.screenshot({ path: path.join(screenshots, `selection-${name}.png`) });
    expect(await on.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(width);
  });
});
