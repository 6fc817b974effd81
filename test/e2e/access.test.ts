/** Access on an exported page with a prompt box, two maps and a feature page: names, keys, words, colours, motion. */
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Page } from 'playwright-core';
import { beforeAll, describe, expect, test } from 'vitest';
import type { Json, NotebookCell } from '#protocol/notebook.js';
import { viewMime, type ViewName } from '#protocol/views.js';
import { reportHtml } from '#protocol/webview.js';
import type { Descriptor } from '#protocol/bundle.js';
import { pageFilesOf } from '#test/kit/bundleFiles.js';
import { realFeaturePage, type MadePage } from '#test/kit/featurePage.js';
import { testFolder } from '#test/kit/folder.js';
import { CHROMIUM, collectComplaints, openPages, painted, screenshots } from './harness.js';

if (!CHROMIUM) console.log('skipped test/e2e/access.test.ts: no chromium in /usr/bin');

/** Roles that one acts on. */
const CONTROLS = new Set(['button', 'checkbox', 'combobox', 'link', 'listbox', 'menuitem', 'option', 'radio', 'searchbox', 'slider', 'spinbutton', 'switch', 'tab', 'textbox']); // prettier-ignore
/** Names that say what kind of thing a control is, and not what it is for. */
const EMPTY_NAMES = /^(text field|button|checkbox|combo box|dropdown|slider|search|list ?box|option)?$/i;

interface AxNode {
  role: string;
  name: string;
  pressed: string | undefined;
}

/** What a screen reader is told of the page, shadow trees included. */
async function accessibility(page: Page): Promise<AxNode[]> {
  const session = await page.context().newCDPSession(page);
  const { nodes } = await session.send('Accessibility.getFullAXTree');
  await session.detach();
  return nodes
    .filter(({ ignored }) => !ignored)
    .map(({ role, name, properties }) => ({
      role: String(role?.value ?? ''),
      name: String(name?.value ?? '').trim(),
      pressed: properties?.find((p) => p.name === 'pressed')?.value.value as string | undefined,
    }));
}

describe.skipIf(!CHROMIUM)('access', () => {
  const pages = openPages();
  const folder = testFolder('access');
  let made: MadePage & { feature: number };
  let href: string;

  const cell = (view: ViewName, descriptor: Descriptor): NotebookCell => ({
    ...{ id: view, kind: 'code', language: 'fgnb-typescript', source: [] },
    outputs: [{ items: [{ mime: viewMime(view), json: JSON.parse(JSON.stringify(descriptor)) as Json }] }],
  });

  beforeAll(async () => {
    made = await realFeaturePage();
    const { descriptor, files, twin, box } = made;
    const cells = [cell('prompt', box), cell('map', twin.descriptor), cell('feature', descriptor)];
    const carried = [
      { id: descriptor.id, files },
      { id: twin.descriptor.id, files: twin.files },
    ];
    const html = reportHtml({
      ...{ title: 'Access', script: pages.bundles.report, nonce: 'abc123' },
      notebookJson: JSON.stringify({ fgnb: 1, metadata: {}, cells }),
      files: (await Promise.all(carried.map(pageFilesOf))).flat(),
    });
    const file = path.join(folder, 'page.html');
    writeFileSync(file, html);
    href = pathToFileURL(file).href;
  });

  async function opened(media: Parameters<Page['emulateMedia']>[0] = {}): Promise<Page> {
    const page = await (await pages.browser.newContext({ viewport: { width: 1400, height: 900 } })).newPage();
    await page.emulateMedia(media);
    await page.goto(href);
    await page.locator('.fg-prompt .side').nth(1).waitFor();
    await page.locator('.fg-map .layer.set1').waitFor();
    await page.locator('.fg-feature .head').waitFor();
    return page;
  }

  const spoken = (page: Page) => page.locator('.fg-map > .fg-sr[aria-live="polite"]');
  const layer = (page: Page, side: 0 | 1) => page.locator(`.fg-map .layer.set${side}`);

  test('every control has a name of its own, and toggles say how they stand', async () => {
    const page = await opened();
    // What a selection offers is there once the feature page lights a feature.
    expect(await page.locator('.fg-map .linked').isVisible()).toBe(false);
    await page.getByRole('button', { name: 'Next feature' }).click();
    await page.locator('.fg-map .linked').waitFor();
    const found = async (): Promise<Map<string, AxNode>> => {
      const controls = (await accessibility(page)).filter(({ role }) => CONTROLS.has(role));
      expect(controls.filter(({ name }) => EMPTY_NAMES.test(name))).toEqual([]);
      return new Map(controls.map((each) => [each.name, each]));
    };
    const controls = await found();
    expect(controls.size).toBeGreaterThan(60);
    expect([...controls.values()].filter(({ role }) => role === 'textbox').map(({ name }) => name)).toEqual([
      expect.stringMatching(/^Search/),
      'Find a feature by number or word',
    ]);
    const stand = (of: Map<string, AxNode>): Array<string | undefined> => ['Drag pans', 'Drag selects a box (or Shift+drag)', 'Lines from the whole selection to the counterparts'].map((name) => of.get(name)!.pressed); // prettier-ignore
    expect(stand(controls)).toEqual(['true', 'false', 'false']);
    await page.getByRole('button', { name: 'Drag selects a box (or Shift+drag)' }).click();
    // The toolkit's inner button, which is what is read here, learns of its state in the next animation frame.
    await expect.poll(async () => stand(await found())).toEqual(['false', 'true', 'false']);
    await page.setViewportSize({ width: 650, height: 900 });
    const more = page.getByRole('button', { name: 'More controls' });
    await more.waitFor();
    const expanded = () => page.getByRole('button', { name: 'More controls', expanded: true }).count();
    expect(await expanded()).toBe(0);
    await more.click();
    await expect.poll(expanded).toBe(1);
    await found();
    await page.context().close();
  });

  test('by keys alone one comes to a map, walks to neighbours, over to the counterpart, and hears what is there', async () => {
    const page = await opened();
    const complaints = collectComplaints(page, 'file:');
    const name = (await layer(page, 0).getAttribute('aria-label'))!;
    expect(name).toMatch(/\d+ features/);
    await page.getByRole('button', { name: 'Show the whole maps (0)' }).focus();
    for (let presses = 0; presses < 40; presses++) {
      await page.keyboard.press('Tab');
      if (await layer(page, 0).evaluate((e) => e === document.activeElement)) break;
    }
    expect(await layer(page, 0).evaluate((e) => e === document.activeElement)).toBe(true);
    await page.keyboard.press('Shift+ArrowLeft');
    await expect.poll(() => spoken(page).innerText()).toMatch(/^A feature \d+, .+/);
    const first = await spoken(page).innerText();
    await page.keyboard.press('Shift+ArrowRight');
    await expect.poll(() => spoken(page).innerText()).not.toBe(first);
    // A feature that has a counterpart: across to it, and back to the same.
    for (let step = 0; !/counterpart B feature/.test(await spoken(page).innerText()); step++) {
      expect(step).toBeLessThan(30);
      await page.keyboard.press(step % 2 ? 'Shift+ArrowDown' : 'Shift+ArrowRight');
      await painted(page);
    }
    const b = /counterpart B feature (\d+)/.exec(await spoken(page).innerText())![1];
    await page.keyboard.press('c');
    await expect.poll(() => spoken(page).innerText()).toMatch(new RegExp(`^B feature ${b}\\b`));
    expect(await layer(page, 1).evaluate((e) => e === document.activeElement)).toBe(true);
    await page.keyboard.press('Enter');
    await page.locator('.fg-map .pin').waitFor({ state: 'attached' });
    expect(complaints.list).toEqual([]);
    await page.context().close();
  });

  test('forced colours keep the legend, the bars and the heat of tokens', async () => {
    const colours = async (page: Page): Promise<string[][]> => {
      const select = async (view: string, parts: string): Promise<string[]> => {
        const all = page.locator(`${view} :is(${parts})`);
        return all.evaluateAll((nodes) => nodes.map((e) => getComputedStyle(e).backgroundColor + getComputedStyle(e).backgroundImage).slice(0, 12)); // prettier-ignore
      };
      return Promise.all([
        select('.fg-map .legend', '.bar, .swatch, .gradient'),
        select('.fg-feature', '.tower, .share'),
        select('.fg-feature .fg-example', '.token[style*=background]'),
        select('.fg-try', '.tokens button.on, .share'),
      ]);
    };
    const plain = await opened({ colorScheme: 'dark' });
    const forced = await opened({ colorScheme: 'dark', forcedColors: 'active' });
    const [own, kept] = [await colours(plain), await colours(forced)];
    for (const [i, of] of own.entries()) {
      expect([i, of.length > 0]).toEqual([i, true]);
      expect(new Set(of).size, `group ${i} has more than one colour`).toBeGreaterThan(i === 1 ? 0 : 1);
    }
    expect(kept).toEqual(own);
    await forced.screenshot({ path: path.join(screenshots, 'access-forced.png'), fullPage: true });
    await plain.context().close();
    await forced.context().close();
  });

  test('with reduced motion a jump is made at once, and nothing is animated', async () => {
    /** Frames that are drawn when the whole map is shown again, on a clock that goes on by 20 ms a frame. */
    const frames = async (motion: 'reduce' | 'no-preference'): Promise<number> => {
      const page = await opened({ reducedMotion: motion });
      await layer(page, 0).focus();
      for (let i = 0; i < 4; i++) await page.keyboard.press('+');
      await painted(page);
      const drawn = await page.evaluate(() => {
        let [now, rounds] = [performance.now(), 0];
        const waiting: FrameRequestCallback[] = [];
        performance.now = () => now;
        window.requestAnimationFrame = (frame) => waiting.push(frame);
        document.querySelector<HTMLElement>('.fg-map fgnb-button[aria-label^="Show the whole maps"]')!.click();
        for (; waiting.length > 0 && rounds < 100; rounds++) {
          now += 20;
          for (const frame of waiting.splice(0)) frame(now);
        }
        return rounds;
      });
      const running = () => document.getAnimations().filter(({ playState }) => playState === 'running').length;
      if (motion === 'reduce') expect(await page.evaluate(running)).toBe(0);
      await page.context().close();
      return drawn;
    };
    expect(await frames('no-preference')).toBeGreaterThanOrEqual(10);
    expect(await frames('reduce')).toBeLessThanOrEqual(2);
  });
});
