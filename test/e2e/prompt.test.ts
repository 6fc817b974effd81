/** Type and see: the prompt box as a panel with a real model behind it, and in exported pages, beside map and feature page. */
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Page } from 'playwright-core';
import { beforeAll, describe, expect, test } from 'vitest';
import type { LiveCall } from '#protocol/live.js';
import type { Json, NotebookCell } from '#protocol/notebook.js';
import { viewMime, type ViewName } from '#protocol/views.js';
import { reportHtml } from '#protocol/webview.js';
import type { Descriptor } from '#protocol/bundle.js';
import type { LinkedSelection } from '#protocol/link.js';
import { pageFilesOf } from '#test/kit/bundleFiles.js';
import { PROMPTS, realFeaturePage, type MadePage } from '#test/kit/featurePage.js';
import { testFolder } from '#test/kit/folder.js';
import { CHROMIUM, collectComplaints, installHost, openPages, screenshots } from './harness.js';

if (!CHROMIUM) console.log('skipped test/e2e/prompt.test.ts: no chromium in /usr/bin');

describe.skipIf(!CHROMIUM)('prompt box', () => {
  const pages = openPages();
  const folder = testFolder('prompt');
  let made: MadePage & { feature: number };

  beforeAll(async () => {
    made = await realFeaturePage();
  });

  const cell = (view: ViewName, descriptor: Descriptor): NotebookCell => ({
    ...{ id: view, kind: 'code', language: 'fgnb-typescript', source: [] },
    outputs: [{ items: [{ mime: viewMime(view), json: JSON.parse(JSON.stringify(descriptor)) as Json }] }],
  });

  /** An exported page with the box, the map and the feature page of the same SAEs. */
  async function report(): Promise<string> {
    const { descriptor, files, twin, box } = made;
    const cells = [cell('prompt', box), cell('map', twin.descriptor), cell('feature', descriptor)];
    const html = reportHtml({
      ...{ title: 'Type and see', script: pages.bundles.report, nonce: 'abc123' },
      notebookJson: JSON.stringify({ fgnb: 1, metadata: {}, cells }),
      files: (
        await Promise.all(
          [descriptor, twin.descriptor].map(({ id }, i) => pageFilesOf({ id, files: [files, twin.files][i] })),
        )
      ).flat(),
    });
    const file = path.join(folder, 'report.html');
    writeFileSync(file, html);
    return pathToFileURL(file).href;
  }

  async function opened(width: number, scheme: 'light' | 'dark', forced = false): Promise<Page> {
    const context = await pages.browser.newContext({
      ...{ viewport: { width, height: 900 }, colorScheme: scheme },
      forcedColors: forced ? 'active' : 'none',
    });
    const page = await context.newPage();
    await page.goto(await report());
    await page.locator('.fg-prompt .side').nth(1).waitFor();
    return page;
  }

  async function panel(view: ViewName, descriptor: Descriptor, files: Record<string, Uint8Array>): Promise<Page> {
    const context = await pages.browser.newContext({ viewport: { width: 1400, height: 900 } });
    const page = await context.newPage();
    const never = new AbortController().signal;
    const answer = (view: string) => (view === made.box.meta.live ? made.ask : made.askPage);
    await page.exposeFunction('liveCall', ({ view: of, method, params }: LiveCall) =>
      answer(of)(method, params, never),
    );
    await installHost(page, pages.server, { view, descriptor, files });
    await page.goto(`${pages.server.origin}/`);
    return page;
  }
  const links = (page: Page) => page.evaluate(() => (window as unknown as { __links: LinkedSelection[] }).__links);

  test('shows what fires on a token in both models as one types, and keeps what is kept', async () => {
    const page = await panel('prompt', made.box, {});
    const complaints = collectComplaints(page, pages.server.origin);
    const box = page.getByLabel('Text to try');
    await box.fill('Once upon a time there was a cat');
    const status = page.locator('.fg-try .status');
    await status.getByText(/^\d+ tokens · \d+ ms \(\d+ in the kernel\)$/).waitFor();
    console.log(`type and see, example models: ${await status.innerText()}`);
    // Not kept yet; Shift+Enter is a new line, Enter keeps.
    const tries = page.locator('.fg-try .tries button');
    expect(await tries.count()).toBe(PROMPTS.length);
    await page.getByRole('button', { name: '" cat"', exact: false }).first().click();
    const sides = page.locator('.fg-try .side');
    expect(await sides.count()).toBe(2);
    for (const s of [0, 1]) {
      const values = (await sides.nth(s).locator('.figures').allInnerTexts()).map(Number);
      expect(values.length).toBeGreaterThan(0);
      expect(values).toEqual([...values].sort((a, b) => b - a));
      expect(await sides.nth(s).locator('.tokens .chosen').innerText()).toBe(' cat');
    }
    const lit = (await links(page)).filter(({ kind }) => kind === 'light').at(-1)!;
    expect(lit.label).toBe('token " cat"');
    expect(lit.sets.map(({ sae }) => sae)).toEqual(made.box.meta.sides.map(({ sae }) => sae.id));
    const ids = await sides.nth(0).locator('.fired .number').allInnerTexts();
    expect(lit.sets[0].features.slice(0, ids.length).map((f) => `#${f}`)).toEqual(ids);
    await box.press('Shift+Enter');
    expect(await box.inputValue()).toContain('\n');
    await box.fill('The cat and the dog');
    await box.press('Enter');
    await expect.poll(() => tries.count()).toBe(PROMPTS.length + 1);
    expect(await tries.first().innerText()).toBe('The cat and the dog');
    // So does Ctrl+Enter, as in cells: no new line, and what is kept already is kept once.
    await box.press('Control+Enter');
    expect(await box.inputValue()).toBe('The cat and the dog');
    await page.getByText(/^\d+ tokens · \d+ ms/).waitFor();
    expect(await tries.count()).toBe(PROMPTS.length + 1);
    // A click on a feature shades by it, and says so to maps and pages.
    const name = sides.nth(0).locator('.fired .fg-ref').nth(1);
    const id = await name.locator('.number').innerText();
    await name.click();
    expect(await sides.nth(0).locator('.shade').innerText()).toContain(`shaded by ${id} `);
    expect((await links(page)).at(-1)).toMatchObject({ kind: 'pick', sets: [{ features: [Number(id.slice(1))] }] });
    await page.screenshot({ path: path.join(screenshots, 'prompt-panel.png') });
    // A page of its own has what was tried.
    await page.getByRole('button', { name: 'Save as a page' }).click();
    const saved = await page.evaluate(() => (window as unknown as { __saved: Array<{ descriptor: { meta: { tries: Array<{ text: string }> } } }> }).__saved[0]); // prettier-ignore
    expect(saved.descriptor.meta.tries.map(({ text }) => text)).toEqual([...PROMPTS, 'The cat and the dog']);
    // And the panel after a reload, also when the kernel is gone.
    await page.reload();
    await expect.poll(() => tries.first().innerText()).toBe('The cat and the dog');
    expect(complaints.list).toEqual([]);
    await page.context().close();
  });

  test('says in words what cannot be tried', async () => {
    const page = await panel('prompt', made.box, {});
    await page.getByLabel('Text to try').fill('word '.repeat(600));
    await page.locator('.fg-try .status.error', { hasText: 'shorten it' }).waitFor();
    await page.context().close();
  });

  test('on a map and on a feature page the box lights what fires there', async () => {
    const page = await panel('map', made.twin.descriptor, made.twin.files);
    await page.getByRole('tab', { name: 'Prompt' }).click();
    await page.locator('.fg-try .tokens button').nth(2).click();
    const chip = page.locator('.fg-map .linked', { hasText: 'Lit elsewhere: token' });
    await chip.waitFor();
    const fired = await page.locator('.fg-try .side').nth(0).locator('.shade').innerText();
    const number = /strongest of (\d+)/.exec(fired)?.[1] ?? String(await page.locator('.fg-try .side').nth(0).locator('.fired li').count()); // prettier-ignore
    expect(await page.locator('.toolbar .hits').innerText()).toMatch(new RegExp(`^A ${number} · B \\d+`));
    await page.screenshot({ path: path.join(screenshots, 'prompt-map.png') });
    await page.context().close();
    const feature = await panel('feature', made.descriptor, made.files);
    await feature.locator('.fg-try .fired .fg-ref').nth(1).click();
    const id = await feature.locator('.fg-feature .head .number').innerText();
    expect(await feature.locator('.fg-try .shade').first().innerText()).toContain(`shaded by ${id}`);
    // Where it lies on a map is a button that lights it there.
    await feature.getByRole('button', { name: /^Show feature \d+ on Map 1$/ }).click();
    expect((await links(feature)).at(-1)).toMatchObject({ kind: 'pick', sets: [{ features: [Number(id.slice(1))] }] });
    await feature.getByRole('button', { name: 'Ablate this feature' }).click();
    await feature.getByText(/^loss \d\.\d{4} → \d\.\d{4} nats: [+−]\d\.\d{4} over n = [\d,]+ tokens of 32 sequences, p = /).waitFor(); // prettier-ignore
    await feature.locator('.fg-feature').evaluate((node) => node.scrollTo(0, 0));
    await feature.screenshot({ path: path.join(screenshots, 'feature-ablation.png') });
    await feature.context().close();
  });

  test('an exported page has what was tried, without the box, and lights map and page', async () => {
    const page = await opened(1400, 'light');
    const complaints = collectComplaints(page, 'file:');
    expect(await page.locator('textarea').count()).toBe(0);
    const box = page.locator('.fg-prompt');
    expect(await box.locator('.tries button').allInnerTexts()).toEqual([...PROMPTS].reverse());
    await box.getByRole('button', { name: PROMPTS[0] }).click();
    const tokens = box.locator('.side').first().locator('.tokens button');
    await tokens.nth(3).click();
    await page.locator('.fg-map .linked', { hasText: 'token ' }).waitFor();
    // Arrow keys go along the text.
    await page.keyboard.press('ArrowRight');
    expect(await tokens.nth(4).getAttribute('aria-pressed')).toBe('true');
    expect(await tokens.nth(4).evaluate((node) => node === document.activeElement)).toBe(true);
    const name = box.locator('.side').first().locator('.fired .fg-ref').first();
    const id = await name.locator('.number').innerText();
    await name.click();
    await page.locator('.fg-feature .head .number', { hasText: new RegExp(`^${id}$`) }).waitFor();
    expect(complaints.list).toEqual([]);
    await page.context().close();
  });

  test.each([
    ['light', 1400, 'light', false],
    ['dark', 700, 'dark', false],
    ['forced', 1400, 'dark', true],
  ] as const)('looks right: %s', async (name, width, scheme, forced) => {
    const page = await opened(width, scheme, forced);
    await page.screenshot({ path: path.join(screenshots, `prompt-page-${name}.png`), fullPage: true });
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(width);
    await page.context().close();
  });
});
