/** Chromium with the built webview bundles: pages behind the real CSP, a host that answers as the extension does. */
import path from 'node:path';
import fs from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, expect } from 'vitest';
import type { Descriptor } from '#protocol/bundle.js';
import { panelHtml } from '#protocol/webview.js';
import type { ViewName } from '#protocol/views.js';
import { buildWebviews, CHROMIUM, openChromium } from '#test/kit/webviews.js';
import { servePages, type PageServer } from './fixtures.js';

export { buildWebviews, CHROMIUM };

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');
export const screenshots = path.join(root, 'test-results/screenshots');

export async function openBrowser(): Promise<Browser> {
  fs.mkdirSync(screenshots, { recursive: true });
  return openChromium();
}

export interface OpenPages {
  browser: Browser;
  /** Serves the page of panels at "/". */
  server: PageServer;
  bundles: Awaited<ReturnType<typeof buildWebviews>>;
}

/** A browser and a server for the tests of a file or `describe`: there from the first test on, closed behind the last. */
export function openPages(): OpenPages {
  const pages = {} as OpenPages;
  beforeAll(async () => {
    const [browser, server, bundles] = await Promise.all([openBrowser(), servePages(), buildWebviews()]);
    Object.assign(pages, { browser, server, bundles });
    servePanel(server, bundles.panel);
  });
  afterAll(async () => {
    await pages.browser?.close();
    await pages.server?.close();
  });
  return pages;
}

/** Two frames later: what observers of sizes place anew has been placed and painted. */
export async function painted(page: Page): Promise<void> {
  await page.evaluate(
    () => new Promise<void>((done) => requestAnimationFrame(() => requestAnimationFrame(() => done()))),
  );
}

export interface Complaints {
  /** Console errors, page errors, CSP violations and requests that left the page's own origin. */
  list: string[];
}

export function collectComplaints(page: Page, origin: string): Complaints {
  const complaints: Complaints = { list: [] };
  page.on('console', (message) => {
    if (message.type() === 'error') complaints.list.push(`console: ${message.text()}`);
  });
  page.on('pageerror', (error) => complaints.list.push(`page: ${error.message}`));
  page.on('request', (request) => {
    if (!/^(data|blob|about):/.test(request.url()) && !request.url().startsWith(origin))
      complaints.list.push(`request: ${request.url()}`);
  });
  return complaints;
}

/** Serves the page of a panel at "/" with the panel program `script`. */
export function servePanel(server: PageServer, script: string): void {
  server.add('/favicon.ico', 'image/png', '');
  server.add('/panel.js', 'text/javascript', script);
  const page = panelHtml({ title: 'Panel', scriptUri: '/panel.js', cspSource: server.origin, nonce: 'n0nce' });
  // The stand-in host reads the fixture's files with fetch; nothing else is loosened.
  server.add('/', 'text/html', page.replace("default-src 'none';", "default-src 'none'; connect-src 'self';"));
}

export interface Shown {
  view: ViewName;
  descriptor: Descriptor;
  /** File name → bytes of its bundle. */
  files: Record<string, Uint8Array>;
}

/** A fixture as what a panel shows. */
export function shownFixture(
  view: ViewName,
  { id, meta, files }: { id: string; meta: Descriptor['meta']; files: Shown['files'] },
): Shown {
  return { view, descriptor: { version: 1, id, path: `artifacts/${id}`, meta }, files };
}

/**
 * Serves the bundle's files under /bundle/<id>/ and makes the page a VS Code panel: acquireVsCodeApi with kept state, a
 * host that answers `ready` with `init` and every request for bytes from the files. Runs before the page's own script.
 * `window.__sent` collects what the page posts, `__saved` what is exported, `__links` what is shared.
 */
export async function installHost(page: Page, server: PageServer, { view, descriptor, files }: Shown): Promise<void> {
  for (const [file, bytes] of Object.entries(files))
    server.add(`/bundle/${descriptor.id}/${file}`, 'application/octet-stream', bytes);
  // Compilers that keep function names wrap them in a helper that the page does not have.
  await page.addInitScript('globalThis.__name ??= (f) => f');
  await page.addInitScript<Parameters<typeof hostScript>[0]>(hostScript, {
    ...{ view, descriptor: { ...descriptor } as { id: string }, files: Object.keys(files) },
  });
}

/** Runs in the page. */
function hostScript(shown: { view: string; descriptor: { id: string }; files: string[] }): void {
  const host = window as unknown as Record<string, unknown> & {
    __sent: unknown[];
    __links: unknown[];
    __saved: unknown[];
  };
  interface Params {
    file: string;
    begin?: number;
    end?: number;
    selection: unknown;
  }
  const answer = async (method: string, params: Params): Promise<unknown> => {
    if (method === 'link.send') return (host.__links.push(params.selection), null);
    if (method === 'file.save' || method === 'view.page') return (host.__saved.push(params), '/tmp/saved');
    // Tests that have a kernel lend it to the page as a function of this name.
    const { liveCall } = host as { liveCall?: (call: unknown) => Promise<unknown> };
    if (method === 'live.state') return liveCall ? 'idle' : 'none';
    if (method === 'live.call' && liveCall) return liveCall(params);
    if (method !== 'bundle.read' || !shown.files.includes(params.file)) return null;
    const response = await fetch(`/bundle/${shown.descriptor.id}/${params.file}`);
    const bytes = new Uint8Array(await response.arrayBuffer());
    return { size: bytes.length, bytes: bytes.slice(params.begin, params.end) };
  };
  host.__state = JSON.parse(sessionStorage.getItem('state') ?? 'null');
  [host.__sent, host.__links, host.__saved] = [[], [], []];
  host.acquireVsCodeApi = () => ({
    getState: () => host.__state ?? undefined,
    setState: (state: unknown) => {
      host.__state = state;
      sessionStorage.setItem('state', JSON.stringify(state));
    },
    postMessage: (message: { type: string; id: string; method: string; params: Params }) => {
      host.__sent.push(message);
      const { view, descriptor } = shown;
      if (message.type === 'ready')
        window.postMessage({ type: 'init', view, descriptor, host: { notebook: 'x.fgnb' } });
      if (message.type === 'request')
        void answer(message.method, message.params).then(
          (value) => window.postMessage({ type: 'reply', id: message.id, ok: true, value }),
          (error: unknown) => window.postMessage({ type: 'reply', id: message.id, ok: false, error: String(error) }),
        );
    },
  });
}

/**
 * Prints a page, whose paper is light: every drawing of it is a picture as wide as the paper that has all of `texts`, and none before or behind.
 * @param path of the PDF, among the screenshots
 */
export async function expectOnPaper(page: Page, o: { texts: readonly string[]; path: string }): Promise<void> {
  // Listeners that come later see what the drawings have put in place.
  await page.evaluate(() =>
    addEventListener('beforeprint', () => {
      const sheets = [...document.querySelectorAll('.fg-plot > .paper')];
      const seen = sheets.map((sheet) => `${sheet.firstElementChild?.nodeName} ${sheet.textContent}`);
      Object.assign(window, { __paper: seen });
    }),
  );
  await page.pdf({ path: path.join(screenshots, o.path), format: 'A4' });
  const printed = await page.evaluate(() => (window as unknown as { __paper: string[] }).__paper);
  expect(printed.length).toBe(await page.locator('.fg-plot').count());
  for (const text of printed) {
    expect(text).toMatch(/^svg /);
    for (const part of o.texts) expect(text).toContain(part);
  }
  expect(await page.locator('.paper > *').count()).toBe(0);
  await page.emulateMedia({ media: 'print' });
  /** Every chart as it is drawn now. */
  const charts = async (): Promise<string[]> => {
    await painted(page);
    return page
      .locator('.fg-chart canvas')
      .evaluateAll((all) => (all as HTMLCanvasElement[]).map((c) => c.toDataURL()));
  };
  const choose = (theme: string) => page.evaluate((t) => void (document.documentElement.dataset.theme = t), theme);
  await choose('light');
  const light = await charts();
  await choose('dark');
  const dark = await charts();
  await page.evaluate(() => dispatchEvent(new Event('beforeprint')));
  expect(await charts()).toEqual(light);
  const sizes = await page.evaluate(() =>
    [...document.querySelectorAll('.fg-plot')].map((plot) => {
      const [sheet, picture] = [plot.querySelector('.paper')!, plot.querySelector('.paper > *')!];
      const shown = [...plot.children].filter((child) => child.getClientRects().length > 0);
      return { alone: shown.length === 1 && shown[0] === sheet, over: picture.scrollWidth - plot.clientWidth };
    }),
  );
  for (const size of sizes) expect(size).toEqual({ alone: true, over: 0 });
  await page.evaluate(() => dispatchEvent(new Event('afterprint')));
  expect(await charts()).toEqual(dark);
  await page.emulateMedia({ media: null });
}
