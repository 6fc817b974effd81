/** Chromium with the built webview bundles: pages behind the real CSP, a host that answers as the extension does. */
import path from 'node:path';
import fs from 'node:fs';
import { fileURLToPath } from 'node:url';
import * as esbuild from 'esbuild';
import { chromium, type Browser, type Page } from 'playwright-core';
import type { MapFixture, PageServer } from './fixtures.js';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');
export const CHROMIUM = ['/usr/bin/chromium', '/usr/bin/chromium-browser'].find((f) => fs.existsSync(f));
export const screenshots = path.join(root, 'test-results/screenshots');

/** The bundles as text, built from source as scripts/build.mjs builds them. */
export async function buildWebviews(): Promise<{
  map: string;
  graph: string;
  lab: string;
  report: string;
  renderer: string;
}> {
  const build = async (entry: string, format: 'iife' | 'esm') => {
    const result = await esbuild.build({
      entryPoints: [path.join(root, 'src/webviews', entry)],
      bundle: true,
      write: false,
      minify: true,
      platform: 'browser',
      target: 'es2022',
      format,
      logLevel: 'silent',
    });
    return result.outputFiles[0].text;
  };
  const [map, graph, lab, report, renderer] = await Promise.all([
    build('map/main.ts', 'iife'),
    build('mapper/main.ts', 'iife'),
    build('lab/main.ts', 'iife'),
    build('report/main.ts', 'iife'),
    build('renderers/main.ts', 'esm'),
  ]);
  return { map, graph, lab, report, renderer };
}

export async function openBrowser(): Promise<Browser> {
  fs.mkdirSync(screenshots, { recursive: true });
  return chromium.launch({
    executablePath: CHROMIUM,
    args: ['--no-sandbox', '--disable-dev-shm-usage', '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1'],
  });
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

/**
 * Serves a fixture's files under /map/<id>/ and makes the page a VS Code panel: acquireVsCodeApi with kept state, a
 * host that answers `ready` with `init` and every request from the files. Runs before the page's own script.
 */
export async function installHost(page: Page, server: PageServer, map: MapFixture): Promise<void> {
  for (const [file, bytes] of Object.entries(map.files))
    server.add(`/map/${map.id}/${file}`, 'application/octet-stream', bytes);
  // Compilers that keep function names wrap them in a helper that the page does not have.
  await page.addInitScript('globalThis.__name ??= (f) => f');
  await page.addInitScript(hostScript, { id: map.id, meta: map.meta, path: `artifacts/${map.id}` });
}

/** Runs in the page. Reads safetensors by hand, so that the page's own reader is not its own judge. */
function hostScript(descriptor: { id: string; meta: unknown; path: string }): void {
  const host = window as unknown as Record<string, unknown>;
  const read = async (file: string) =>
    new Uint8Array(await (await fetch(`/map/${descriptor.id}/${file}`)).arrayBuffer());
  const tensors = async () => {
    const bytes = await read('columns.safetensors');
    const length = Number(new DataView(bytes.buffer).getBigUint64(0, true));
    const header = JSON.parse(new TextDecoder().decode(bytes.subarray(8, 8 + length))) as Record<
      string,
      { dtype: string; data_offsets: [number, number] }
    >;
    return Object.fromEntries(
      Object.entries(header)
        .filter(([name]) => name !== '__metadata__')
        .map(
          ([
            name,
            {
              dtype,
              data_offsets: [from, to],
            },
          ]) => {
            const part = bytes.slice(8 + length + from, 8 + length + to).buffer;
            const make = { F32: Float32Array, I32: Int32Array, I64: BigInt64Array }[dtype] as typeof Float32Array;
            return [name, new make(part)];
          },
        ),
    ) as Record<string, Float32Array>;
  };
  const answer = async (method: string, params: { set: number; point: number }): Promise<unknown> => {
    if (method === 'map.meta') return descriptor.meta;
    if (method !== 'map.columns' && method !== 'map.examples') return null;
    const all = await tensors();
    if (method === 'map.columns') {
      const names = ['x', 'y', 'feature', 'firingRate', 'firings', 'partner', 'r', 'x2', 'y2', 'delta'];
      const labels = JSON.parse(new TextDecoder().decode(await read(`${params.set}.labels.json`))) as unknown;
      return { ...Object.fromEntries(names.map((n) => [n, all[`${params.set}.${n}`]])), labels };
    }
    const at = all[`${params.set}.examplesAt`] as unknown as BigInt64Array;
    const lines = await read(`${params.set}.examples.jsonl`);
    return JSON.parse(new TextDecoder().decode(lines.subarray(Number(at[params.point]), Number(at[params.point + 1]))));
  };
  host.__state = JSON.parse(sessionStorage.getItem('state') ?? 'null');
  host.__sent = [];
  host.acquireVsCodeApi = () => ({
    getState: () => host.__state ?? undefined,
    setState: (state: unknown) => {
      host.__state = state;
      sessionStorage.setItem('state', JSON.stringify(state));
    },
    postMessage: (message: { type: string; id: string; method: string; params: { set: number; point: number } }) => {
      (host.__sent as unknown[]).push(message);
      if (message.type === 'ready') window.postMessage({ type: 'init', map: descriptor, host: { notebook: 'x.fgnb' } });
      if (message.type === 'request')
        void answer(message.method, message.params).then(
          (value) => window.postMessage({ type: 'reply', id: message.id, ok: true, value }),
          (error: unknown) => window.postMessage({ type: 'reply', id: message.id, ok: false, error: String(error) }),
        );
    },
  });
}
