/** The webviews' programs, built from source as scripts/build.mjs builds them, and a browser for them. */
import { createHash } from 'node:crypto';
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

interface Programs {
  panel: string;
  report: string;
  renderer: string;
}

/** Hash of all that the programs are made of. */
function sourcesHash(): string {
  const hash = createHash('sha256');
  const sources = fs.readdirSync(path.join(root, 'src'), { recursive: true, encoding: 'utf8' });
  const files = sources.filter((file) => file.endsWith('.ts')).map((file) => path.join('src', file));
  for (const file of [...files.sort(), 'package-lock.json', 'scripts/inPages.mjs', 'test/kit/webviews.ts'])
    hash.update(`${file}\0`).update(fs.readFileSync(path.join(root, file)));
  return hash.digest('hex');
}

/** The bundles as text; made once for the same sources, since every file of tests asks for them. */
export async function buildWebviews(): Promise<Programs> {
  const folder = path.join(root, 'node_modules/.cache/fgnb-webviews');
  const file = path.join(folder, `${sourcesHash()}.json`);
  if (fs.existsSync(file)) return JSON.parse(fs.readFileSync(file, 'utf8')) as Programs;
  const [panel, report, renderer] = await Promise.all([
    build('panel/main.ts', 'iife'),
    reportScript(),
    build('renderers/main.ts', 'esm'),
  ]);
  fs.mkdirSync(folder, { recursive: true });
  const before = fs.readdirSync(folder).filter((name) => name.endsWith('.json'));
  // Several processes of tests may do this at once.
  fs.writeFileSync(`${file}.${process.pid}`, JSON.stringify({ panel, report, renderer } satisfies Programs));
  fs.renameSync(`${file}.${process.pid}`, file);
  for (const name of before) if (name !== path.basename(file)) fs.rmSync(path.join(folder, name), { force: true });
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
