/** Writes a notebook as one HTML file that works without a network and contains the bundles that the notebook shows. */
import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import type { BundleManifest, BundleRef } from '../../protocol/bundle.js';
import { pushAll } from '../../protocol/lists.js';
import type { NotebookFile } from '../../protocol/notebook.js';
import { packBundle } from '../../protocol/packing/pack.js';
import { VIEW_NAMES, viewMime, VIEWS } from '../../protocol/views.js';
import { reportHtml, type PageFile } from '../../protocol/webview.js';
import { bundleMeta, bundlePlace, insideBundle } from '../io/bundlePlace.js';
import { writeFileAtomic } from '../io/files.js';

const compress = promisify(gzip);

/** The page's script, beside the kernel's bundle or in the checkout. */
function reportScript(): string {
  const here = path.dirname(fileURLToPath(import.meta.url));
  const candidates = ['../webviews/report.js', '../../../dist/webviews/report.js'].map((file) => path.join(here, file));
  const found = candidates.find((file) => fs.existsSync(file));
  if (!found) throw new Error(`the report's program is not built: ${candidates[0]} is missing. Run: npm run build`);
  return fs.readFileSync(found, 'utf8');
}

/** Bundles of one mime type that the notebook shows, each id once. */
export function bundlesOf(notebook: NotebookFile, mime: string): BundleRef[] {
  const items = notebook.cells.flatMap((cell) => cell.outputs ?? []).flatMap((output) => output.items);
  const refs = items.filter((item) => item.mime === mime).map((item) => item.json as Partial<BundleRef> | null);
  const valid = refs.filter((ref): ref is BundleRef => typeof ref?.id === 'string' && typeof ref.path === 'string');
  return [...new Map(valid.map((ref) => [ref.id, ref])).values()];
}

async function filesOf(bundle: BundleRef, manifest: BundleManifest, folder: string): Promise<PageFile[]> {
  const { id, path: at } = bundle;
  bundleMeta(bundle, manifest, folder);
  const there = new Set(fs.readdirSync(insideBundle(folder, at, '.')));
  return packBundle(
    manifest,
    { id, where: at },
    {
      gzip: (bytes) => compress(bytes, { level: 9 }),
      read: async (file, maxBytes = Infinity) => {
        if (!there.has(file)) return null;
        const place = bundlePlace(folder, at, file);
        return fs.statSync(place).size > maxBytes ? null : fs.promises.readFile(place);
      },
    },
  );
}

function titleOf(notebook: NotebookFile, fallback: string): string {
  for (const cell of notebook.cells) {
    const heading = cell.kind === 'markdown' ? /^#\s+(.+)$/m.exec(cell.source.join('')) : null;
    if (heading) return heading[1].trim();
  }
  return fallback;
}

/**
 * Writes the report of a notebook from its saved outputs; nothing is run.
 * @param notebookFolder folder that the bundles' paths start from; no file outside it is read.
 * @returns messages on what could not be included: the page shows a picture instead of such a map or graph.
 */
export async function writeReport(notebook: NotebookFile, notebookFolder: string, outFile: string): Promise<string[]> {
  const problems: string[] = [];
  const files: PageFile[] = [];
  for (const view of VIEW_NAMES) {
    const manifest = VIEWS[view].bundle;
    if (!manifest) continue;
    for (const bundle of bundlesOf(notebook, viewMime(view))) {
      try {
        pushAll(files, await filesOf(bundle, manifest, notebookFolder));
      } catch (error) {
        const reason = error instanceof Error ? error.message : String(error);
        problems.push(`${view} ${bundle.path} is not in the report: ${reason}`);
      }
    }
  }
  const html = reportHtml({
    title: titleOf(notebook, path.basename(outFile, path.extname(outFile))),
    script: (await compress(reportScript(), { level: 9 })).toString('base64'),
    notebookJson: JSON.stringify(notebook),
    files,
    nonce: randomBytes(18).toString('base64url'),
  });
  fs.mkdirSync(path.dirname(path.resolve(outFile)), { recursive: true });
  await writeFileAtomic(path.resolve(outFile), html);
  return problems;
}
