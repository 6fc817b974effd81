/** The webviews' programs, built from source as scripts/build.mjs builds them, and a browser for them. */
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import * as esbuild from 'esbuild';
import { chromium, type Browser } from 'playwright-core';
// @ts-expect-error plain JavaScript: the build's own
import { inPages } from '../../scripts/inPages.mjs';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');
export const CHROMIUM = ['/usr/bin/chromium', '/usr/bin/chromium-browser'].find((f) => fs.existsSync(f));

async function build(entry: string, format: 'iife' | 'esm'): Promise<string> {
  const result = await esbuild.build({
    entryPoints: [path.join(root, 'src/webviews', entry)],
    bundle: true,
    write: false,
    minify: true,
    platform: 'browser',
    target: 'es2022',
    format,
    logLevel: 'silent',
    plugins: [inPages],
  });
  return result.outputFiles[0].text;
}

/** The program of exported pages, as they carry it. */
export const reportScript = async (): Promise<string> =>
  gzipSync(await build('report/main.ts', 'iife'), { level: 9 }).toString('base64');

/** The bundles as text. */
export async function buildWebviews(): Promise<{ panel: string; report: string; renderer: string }> {
  const [panel, report, renderer] = await Promise.all([
    build('panel/main.ts', 'iife'),
    reportScript(),
    build('renderers/main.ts', 'esm'),
  ]);
  return { panel, report, renderer };
}

/** Chromium that reaches no network. @throws Error where there is none */
export function openChromium(): Promise<Browser> {
  if (!CHROMIUM) throw new Error('there is no Chromium in /usr/bin: apt-get install chromium');
  return chromium.launch({
    executablePath: CHROMIUM,
    args: ['--no-sandbox', '--disable-dev-shm-usage', '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1'],
  });
}
