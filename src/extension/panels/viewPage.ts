/** One view as one page that works without a network, with the report's program of this extension. */
import { randomBytes } from 'node:crypto';
import fs from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import {
  MAX_META_BYTES,
  parseMeta,
  type BundleManifest,
  type BundleMeta,
  type Descriptor,
} from '../../protocol/bundle.js';
import { outputPageHtml } from '../../protocol/outputPage.js';
import { packBundle } from '../../protocol/packing/pack.js';
import { viewMime, VIEWS, type ViewName } from '../../protocol/views.js';
import type { PageFile } from '../../protocol/webview.js';
import { readBundleFile } from './bundleFiles.js';
import { saveAs } from './saveFile.js';
import type { ViewServices } from './services.js';

const compress = promisify(gzip);

/** Asks where to, then makes and writes the page; its path, or null when cancelled. */
export async function writeViewPage(
  view: ViewName,
  descriptor: Descriptor,
  folder: string,
  { extensionUri }: Pick<ViewServices, 'extensionUri'>,
): Promise<string | null> {
  const manifest = VIEWS[view].bundle;
  // Read first: the dialog must not open for a file that is missing.
  const meta = manifest && (await readMeta(manifest, descriptor, folder));
  const { title } = meta ?? descriptor.meta;
  return saveAs(`${title}.html`, folder, async () => {
    const program = await fs.readFile(path.join(extensionUri.fsPath, 'dist', 'webviews', 'report.js'));
    const script = (await compress(program, { level: 9 })).toString('base64');
    const files = meta ? await pageFiles(manifest, descriptor, folder) : [];
    const shown = { ...descriptor, ...(meta && { meta }) };
    const nonce = randomBytes(18).toString('base64url');
    return Buffer.from(
      outputPageHtml({ title, mime: viewMime(view), descriptor: shown, script, files, nonce }),
      'utf8',
    );
  });
}

async function readMeta(manifest: BundleManifest, { path: at }: Descriptor, folder: string): Promise<BundleMeta> {
  const where = `${at}/${manifest.meta}`;
  const part = await readBundleFile(folder, at, manifest.meta, { limit: MAX_META_BYTES });
  if (!part) throw new Error(`${where} is not there: run the cell again.`);
  if (part.size > MAX_META_BYTES)
    throw new Error(`${where} has ${part.size} bytes, over the limit of ${MAX_META_BYTES}`);
  return parseMeta(Buffer.from(part.bytes).toString('utf8'), manifest, where);
}

/** Files of the bundle, as the report's program finds them in its page. */
function pageFiles(manifest: BundleManifest, { id, path: at = '' }: Descriptor, folder: string): Promise<PageFile[]> {
  return packBundle(
    manifest,
    { id, where: at },
    {
      gzip: (bytes) => compress(bytes, { level: 9 }),
      read: async (file, maxBytes = Infinity) => {
        const part = await readBundleFile(folder, at, file, { limit: Infinity });
        return part && part.size > maxBytes ? null : (part?.bytes ?? null);
      },
    },
  );
}
