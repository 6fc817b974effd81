/** A Mapper graph as one page that works without a network. */
import fs from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { graphFiles, type GraphDescriptor, type GraphMeta } from '../../protocol/graph.js';
import { MIME } from '../../protocol/mime.js';
import type { BundleFolder } from './bundleFiles.js';
import { readInside } from './insideFiles.js';
import { outputPage } from './outputPage.js';
import type { ViewServices } from './requests.js';
import { saveAs } from './saveFile.js';

const compress = promisify(gzip);
/** A page with more in it opens in no browser. */
const MAX_FILE_BYTES = 2 ** 30;

/** Asks where to, then makes and writes the page; its path, or null when cancelled. */
export async function writeGraphPage(
  graph: GraphDescriptor,
  notebookFolder: string,
  services: Pick<ViewServices, 'extensionUri' | 'graphsOf'>,
): Promise<string | null> {
  const bundles = services.graphsOf(notebookFolder);
  // Read first: nobody is asked where to save what is not there.
  const [meta, folder] = [await bundles.meta(graph), await bundles.folder(graph)];
  return saveAs(`${meta.title}.html`, notebookFolder, async () => {
    const descriptor = { version: 1, id: graph.id, path: graph.path, meta };
    const sidecars = await sidecarsOf(graph.id, meta, folder);
    const html = await outputPage({ title: meta.title, mime: MIME.graph, descriptor, sidecars }, services);
    return Buffer.from(html, 'utf8');
  });
}

/** Files of the bundle, as the report's program finds them in its page. */
async function sidecarsOf(mapId: string, meta: GraphMeta, { root, folder }: BundleFolder) {
  const there = new Set(await fs.readdir(folder));
  const files = graphFiles(meta.sets.length).filter((file) => there.has(file));
  return Promise.all(
    files.map(async (file) => {
      const bytes = await compress(await readInside(root, path.join(folder, file), MAX_FILE_BYTES));
      return { mapId, file, gzipBase64: bytes.toString('base64') };
    }),
  );
}
