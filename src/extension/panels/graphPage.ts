/** A Mapper graph as one page that works without a network: the report's program around a notebook of one output. */
import { randomBytes } from 'node:crypto';
import fs from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { graphFiles, type GraphDescriptor, type GraphMeta } from '../../protocol/graph.js';
import { MIME } from '../../protocol/mime.js';
import type { Json, NotebookFile } from '../../protocol/notebook.js';
import { reportHtml } from '../../protocol/webview.js';
import type { ViewServices } from './requests.js';
import { saveAs } from './saveFile.js';

const compress = promisify(gzip);

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
    const script = path.join(services.extensionUri.fsPath, 'dist', 'webviews', 'report.js');
    const html = reportHtml({
      title: meta.title,
      script: await fs.readFile(script, 'utf8'),
      notebookJson: JSON.stringify(notebookAround(graph, meta)),
      sidecars: await sidecarsOf(graph.id, meta, folder),
      nonce: randomBytes(18).toString('base64url'),
    });
    return Buffer.from(html, 'utf8');
  });
}

/** A notebook of a heading and one output. */
function notebookAround(graph: GraphDescriptor, meta: GraphMeta): NotebookFile {
  const descriptor = JSON.parse(JSON.stringify({ version: 1, id: graph.id, path: graph.path, meta })) as Json;
  const outputs = [{ items: [{ mime: MIME.graph, json: descriptor }] }];
  return {
    fgnb: 1,
    metadata: {},
    cells: [
      { id: 'title', kind: 'markdown', language: 'markdown', source: [`# ${meta.title}\n`] },
      { id: 'graph', kind: 'code', language: 'fgnb-typescript', source: [], outputs },
    ],
  };
}

/** Files of the bundle, as the report's program finds them in its page. */
async function sidecarsOf(mapId: string, meta: GraphMeta, folder: string) {
  const there = new Set(await fs.readdir(folder));
  const files = graphFiles(meta.sets.length).filter((file) => there.has(file));
  return Promise.all(
    files.map(async (file) => {
      const bytes = await compress(await fs.readFile(path.join(folder, file)));
      return { mapId, file, gzipBase64: bytes.toString('base64') };
    }),
  );
}
