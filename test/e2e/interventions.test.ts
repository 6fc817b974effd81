/** The interventions panel in Chromium, asking a real kernel process through a host that answers as the extension does. */
import path from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { InterventionsDescriptor } from '#protocol/interventions.js';
import type { LiveCall } from '#protocol/live.js';
import { MIME } from '#protocol/mime.js';
import type { Json } from '#protocol/notebook.js';
import { labelWords } from '#protocol/tokens.js';
import { panelHtml, reportHtml } from '#protocol/webview.js';
import { ensureKernelBuilt, startKernel, type KernelProcess, type TestClient } from '#test/kit/kernel.js';
import { servePages, type PageServer } from './fixtures.js';
import { buildWebviews, CHROMIUM, collectComplaints, openBrowser, screenshots, type Complaints } from './harness.js';

if (!CHROMIUM) console.log('skipped test/e2e/interventions.test.ts: no chromium in /usr/bin');

const model = path.resolve(import.meta.dirname, '../../examples/models/tiny-stories-1L');
const CELL = `
const lm = await fg.models.load(${JSON.stringify(model)})
const text = fg.datasets.stories({ seed: 1, stories: 120, context: 64 })
const sae = await fg.sae.train(lm, text, { hook: 'blocks.0.hook_mlp_out', architecture: 'topk', k: 8, features: 128, steps: 60, trainBatchSizeTokens: 512, lr: 2e-3, seed: 0 })
const acts = await fg.activations.save(lm, sae, text)
await fg.interventions.panel(lm, sae, { prompt: 'One day, Lily saw the', activations: acts, kind: 'steer', value: 0, tokens: 8 })`;

let next = 5000;

/** What the extension does with live.call: the kernel's reply, errors in words. */
async function live(client: TestClient, call: LiveCall): Promise<Json> {
  const id = next++;
  client.send({ type: 'request', id, method: 'live', params: { ...call } });
  const reply = await client.until(
    () => client.received.flatMap(({ message: m }) => (m.type === 'reply' && m.id === id ? [m] : [])).at(0),
    60_000,
    `reply to ${call.method}`,
  );
  return reply.ok ? { ok: true, value: reply.value } : { ok: false, error: reply.error };
}

/** Runs in the page: acquireVsCodeApi with kept state and a host. */
function hostScript(lab: unknown): void {
  const host = window as unknown as Record<string, unknown> & {
    liveCall(call: unknown): Promise<{ ok: boolean; value?: unknown; error?: string }>;
  };
  host.__sent = [];
  host.acquireVsCodeApi = () => ({
    getState: () => JSON.parse(sessionStorage.getItem('state') ?? 'null') as unknown,
    setState: (state: unknown) => sessionStorage.setItem('state', JSON.stringify(state)),
    postMessage: (message: { type: string; id: string; method: string; params: unknown }) => {
      (host.__sent as unknown[]).push(message);
      const reply = (answer: object) => window.postMessage({ type: 'reply', id: message.id, ...answer });
      if (message.type === 'ready')
        window.postMessage({ type: 'init', view: 'interventions', descriptor: lab, host: { notebookFolder: '/x' } });
      if (message.type !== 'request') return;
      if (message.method === 'live.call') void host.liveCall(message.params).then(reply);
      else reply({ ok: true, value: message.method === 'live.state' ? 'busy' : null });
    },
  });
}

describe.skipIf(!CHROMIUM)('the interventions panel', () => {
  let kernel: KernelProcess;
  let client: TestClient;
  let lab: InterventionsDescriptor;
  let browser: Browser;
  let server: PageServer;
  let report: string;
  let page: Page;
  let complaints: Complaints;
  const amount = () => page.locator('[data-role=amount]');
  const after = () => page.locator('.texts > div').nth(1);

  async function open(width: number, scheme: 'light' | 'dark', contrast?: 'more'): Promise<Page> {
    const context = await browser.newContext({
      viewport: { width, height: 900 },
      colorScheme: scheme,
      ...(contrast && { contrast }),
    });
    const opened = await context.newPage();
    await opened.exposeFunction('liveCall', (call: LiveCall) => live(client, call));
    await opened.addInitScript('globalThis.__name ??= (f) => f');
    await opened.addInitScript(hostScript, lab);
    return opened;
  }

  beforeAll(async () => {
    ensureKernelBuilt();
    kernel = await startKernel();
    client = await kernel.connect();
    const cell = client.begin(CELL);
    const end = await client.finished(cell, 170_000);
    expect(end.status, JSON.stringify(client.events(cell).filter((e) => e.kind === 'error'))).toBe('ok');
    const items = client.events(cell).flatMap((e) => (e.kind === 'display' ? e.items : []));
    lab = items.find((item) => item.mime === MIME.interventions)!.json as unknown as InterventionsDescriptor;
    const bundles = await buildWebviews();
    report = bundles.report;
    browser = await openBrowser();
    server = await servePages();
    server.add('/favicon.ico', 'image/png', '');
    server.add('/panel.js', 'text/javascript', bundles.panel);
    server.add(
      '/panel',
      'text/html',
      panelHtml({ title: 'Panel', scriptUri: '/panel.js', cspSource: server.origin, nonce: 'n0nce' }),
    );
    page = await open(1400, 'dark');
    complaints = collectComplaints(page, server.origin);
    await page.goto(`${server.origin}/panel`);
    await page.locator('.fg-interventions .chips').first().waitFor();
  }, 180_000);
  afterAll(async () => {
    await browser?.close();
    await server?.close();
    await kernel?.stop();
  });

  test('starts without an effect at α = 0', async () => {
    expect(lab.snapshot.result.runs[0].kl).toBe(0);
    expect(await after().innerText()).toContain('unchanged');
    expect(await page.locator('.chips').first().locator('button').count()).toBe(lab.snapshot.result.tokens.length);
  });

  test('the slider runs the prompt again and changes the text', async () => {
    const last = await amount().getAttribute('max');
    await amount().fill(last!);
    await page.getByText('No probability moved.').waitFor({ state: 'detached' });
    await page.locator('.texts ins').first().waitFor();
    expect(await page.locator('.status').innerText()).toMatch(/^run in /);
    expect(await page.locator('table').first().locator('tbody tr').count()).toBeGreaterThan(5);
    await page.screenshot({ path: path.join(screenshots, 'lab-dark.png') });
  });

  test('what is waited for is said, and then again what was done', async () => {
    await page.evaluate(() => {
      const host = window as unknown as { liveCall(call: LiveCall): Promise<Json> };
      const real = host.liveCall.bind(window);
      Object.assign(window, { __live: real });
      host.liveCall = async (call) => {
        if (call.method === 'generate') await new Promise((resolve) => setTimeout(resolve, 1500));
        return real(call);
      };
    });
    const status = page.locator('.status');
    const before = await amount().inputValue();
    await amount().fill(String(Number(before) / 2));
    await page.locator('.status.waiting').waitFor();
    expect(await status.innerText()).toContain('A cell runs');
    await page.locator('.status:not(.waiting)').waitFor();
    expect(await status.innerText()).toMatch(/^run in /);
    await page.evaluate(() => {
      const host = window as unknown as Record<string, unknown>;
      host.liveCall = host.__live;
    });
    await amount().fill(before);
    await page.locator('.texts ins').first().waitFor();
  });

  test('clicked tokens are the ones that are changed', async () => {
    await page.locator('[data-token="1"]').click();
    await page.locator('[data-token="1"][aria-pressed=true]').waitFor();
    await page.getByText('mean over 5 tokens').waitFor();
    await page.getByRole('radio', { name: 'All tokens' }).click();
    await page.getByText('mean over 6 tokens').waitFor();
  });

  test('what is typed fast is asked for whole, and the card is of the new prompt', async () => {
    const feature = Number((await page.locator('.card .number').innerText()).slice(1));
    const prompts = ['Tom and his mom went to the big park', 'The little girl saw a princess'];
    // The workbench listens here, and would select all once more when the first letters stand.
    const keys = (): Promise<unknown> => page.evaluate(() => (window as unknown as { keys: string[] }).keys);
    await page.evaluate(() => {
      const heard = ((window as unknown as { keys: string[] }).keys = [] as string[]);
      window.addEventListener('keydown', ({ key, ctrlKey }) => ctrlKey && heard.push(key));
    });
    for (const prompt of prompts) {
      await page.locator('.fg-interventions textarea').click();
      await page.keyboard.press('Control+A');
      await page.keyboard.type(prompt);
      // The box is left and results are drawn before the prompt is asked for.
      await page.locator('.fg-interventions h2').click();
      await page.getByRole('radio', { name: 'Last' }).click();
      await page.getByRole('radio', { name: 'All tokens' }).click();
      await expect
        .poll(() => page.locator('.chips').first().innerText(), { timeout: 30_000 })
        .toContain(prompt.slice(-5));
      expect(await page.locator('.fg-interventions textarea').inputValue()).toBe(prompt);
      const answer = await live(client, { view: lab.view, method: 'card', params: { feature, prompt } });
      const { here } = (answer as unknown as { value: { here: number } }).value;
      const words = here > 0 ? `${Number(here.toPrecision(3))} on this prompt` : 'silent on this prompt';
      await page.locator('.card .facts', { hasText: words }).waitFor({ timeout: 15_000 });
    }
    expect(await keys()).not.toContain('A');
    await page.locator('.fg-interventions h2').click();
    await page.keyboard.press('Control+A');
    expect(await keys()).toContain('A');
    await page.locator('.fg-interventions textarea').fill(lab.snapshot.setting.prompt);
    await expect
      .poll(() => page.locator('.chips').first().locator('button').count())
      .toBe(lab.snapshot.result.tokens.length);
  });

  test('pins stand beside the current intervention', async () => {
    await page.getByRole('button', { name: 'Pin' }).click();
    await page.locator('.pin').nth(1).waitFor();
    await page.getByRole('radio', { name: 'Ablate' }).click();
    await page.locator('.pin.current .what', { hasText: 'ablate' }).waitFor();
    expect(await page.locator('.pin').count()).toBe(2);
    const pinned = page.locator('.pin input').first();
    // Answers that come while a name is typed, and while it is sent, take neither the text nor the focus.
    await pinned.fill('str');
    const what = await page.locator('.pin.current .what').innerText();
    await page.evaluate(() => {
      const radios = [...document.querySelector('.fg-interventions')!.querySelectorAll<HTMLElement>('[role=radio]')];
      radios.find(({ textContent }) => textContent === 'Scale')!.click();
    });
    await expect.poll(() => page.locator('.pin.current .what').innerText()).not.toBe(what);
    await page.keyboard.type('ong');
    await page.getByRole('radio', { name: 'Ablate' }).evaluate((radio: HTMLElement) => radio.click());
    await page.keyboard.press('Enter');
    await page.locator('.pin.current .what', { hasText: 'ablate' }).waitFor();
    expect(await pinned.inputValue()).toBe('strong');
    await page.getByRole('button', { name: 'Make current' }).click();
    await page.locator('.kinds [aria-checked=true]', { hasText: 'Steer' }).waitFor();
    expect(await page.locator('.pin input').first().inputValue()).toBe('strong');
  });

  test('features are found by a word of their labels', async () => {
    const word = labelWords(lab.snapshot.card.label)[0].trim();
    await page.locator('.fg-interventions').getByPlaceholder('Find a feature').locator('input').fill(word);
    const others = page.locator('.hit .words').filter({ hasNotText: new RegExp(word, 'i') });
    await expect.poll(() => others.count()).toBe(0);
    expect(await page.locator('.hit .words').count()).toBeGreaterThan(1);
  });

  test('features are found by id and by a click on a map of the same SAE', async () => {
    await page.locator('.fg-interventions').getByPlaceholder('Find a feature').locator('input').fill('#7');
    await page.locator('.hit[data-feature="7"]').click();
    await page.locator('.card .number', { hasText: '#7' }).waitFor();
    const pick = (sae: string, feature: number) =>
      page.evaluate(
        ([id, f]) =>
          window.postMessage({
            type: 'link',
            selection: { source: 'map', kind: 'pick', sets: [{ sae: id, features: [f] }], label: '' },
          }),
        [sae, feature] as const,
      );
    await pick('another', 9);
    await pick(lab.meta.sae.id, 11);
    await page.locator('.card .number', { hasText: '#11' }).waitFor();
  });

  test('a running cell is said, and the answer comes when it is done', async () => {
    const cell = client.begin('await new Promise((r) => setTimeout(r, 2500))');
    await client.started(cell);
    await page.getByRole('radio', { name: 'Clamp' }).click();
    await page.getByText('A cell runs').waitFor();
    await page.getByText(/^run in /).waitFor();
    expect((await client.finished(cell)).status).toBe('ok');
  });

  test('the state is there again after a reload', async () => {
    await page.waitForTimeout(1500);
    await page.reload();
    await page.locator('.card .number', { hasText: '#11' }).waitFor();
    await page.locator('.kinds [aria-checked=true]', { hasText: 'Clamp' }).waitFor();
    expect(await page.locator('.pin input').first().inputValue()).toBe('strong');
  });

  test('the cell it copies makes the same interventions', async () => {
    await page.getByRole('button', { name: 'Copy as Cell' }).click();
    await page.getByText('copied').waitFor();
    const code = await page.evaluate(() => {
      const sent = (window as unknown as { __sent: Array<{ method?: string; params: { text: string } }> }).__sent;
      return sent.find((m) => m.method === 'text.copy')!.params.text;
    });
    // The cell's `sae` is the notebook's own name here.
    const run = await client.run(code.replace('const model = lmA, sae = saeA', 'const model = lm'));
    expect(run.status).toBe('ok');
  });

  test.each([
    ['light', 1400, undefined],
    ['light', 700, undefined],
    ['dark', 700, undefined],
    ['dark', 1400, 'more'],
  ] as const)('is drawn in %s at %i px, contrast %s', async (scheme, width, contrast) => {
    const other = await open(width, scheme, contrast);
    await other.goto(`${server.origin}/panel`);
    await other.locator('.fg-interventions .chips').first().waitFor();
    await other.screenshot({ path: path.join(screenshots, `lab-${scheme}-${width}${contrast ? '-hc' : ''}.png`) });
    const wide = await other.evaluate(() => document.querySelector('.fg-interventions')!.scrollWidth - innerWidth);
    expect(wide).toBeLessThanOrEqual(0);
    await other.context().close();
  });

  test('a report shows the snapshot, with the controls at rest and the reason', async () => {
    const still = await browser.newPage();
    const notebook = {
      fgnb: 1,
      metadata: {},
      cells: [
        {
          id: 'a',
          kind: 'code',
          language: 'typescript',
          source: [''],
          outputs: [{ items: [{ mime: MIME.interventions, json: lab }] }],
        },
      ],
    };
    const html = reportHtml({
      title: 't',
      script: report,
      notebookJson: JSON.stringify(notebook),
      files: [],
      nonce: 'n',
    });
    await still.setContent(html);
    await still.getByText('answer in VS Code').waitFor();
    expect(await still.locator('[data-role=amount]').isDisabled()).toBe(true);
    expect(await still.locator('.chips').first().innerText()).toContain('Lily');
  });

  test('without its kernel it says so, rests, and keeps what was computed', async () => {
    await client.run('0');
    await kernel.stop();
    kernel = await startKernel();
    client = await kernel.connect();
    await page.reload();
    await page.getByText('This view is not alive any more').waitFor();
    expect(await amount().isDisabled()).toBe(true);
    expect(await page.locator('.chips').first().innerText()).toContain('Lily');
    expect(complaints.list).toEqual([]);
  });
});
