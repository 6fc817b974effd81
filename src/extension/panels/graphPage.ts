/** A Mapper graph as one page that works without a network: the report's program around a notebook of one output. */
import { randomBytes } from 'node:crypto';
import fs from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { graphFiles, type GraphDescriptor } from '../../protocol/graph.js';
import { MIME } from '../../protocol/mime.js';
import type { Json, NotebookFile } from '../../protocol/notebook.js';
import { reportHtml } from '../../protocol/webview.js';
import type { ViewServices } from './requests.js';
import { saveFile } from './saveFile.js';

const compress = promisify(gzip);

/** Asks where to, then writes the page; its path, or null when cancelled. */
export async function writeGraphPage(
  graph: GraphDescriptor,
  notebookFolder: string,
  services: ViewServices,
): Promise<string | null> {
  const bundles = services.graphsOf(notebookFolder);
  const [meta, folder] = [await bundles.meta(graph), await bundles.folder(graph)];
  const there = new Set(await fs.readdir(folder));
  const sidecars = await Promise.all(
    graphFiles(meta.sets.length)
      .filter((file) => there.has(file))
      .map(async (file) => {
        const bytes = await compress(await fs.readFile(path.join(folder, file)));
        return { mapId: graph.id, file, gzipBase64: bytes.toString('base64') };
      }),
  );
  const descriptor = JSON.parse(JSON.stringify({ version: 1, id: graph.id, path: graph.path, meta })) as Json;
  const notebook: NotebookFile = {
    fgnb: 1,
    metadata: {},
    cells: [
      { id: 'title', kind: 'markdown', language: 'markdown', source: [`# ${meta.title}\n`] },
      {
        id: 'graph',
        kind: 'code',
        language: 'fgnb-typescript',
        source: [],
        outputs: [{ items: [{ mime: MIME.graph, json: descriptor }] }],
      },
    ],
  };
  const script = path.join(services.extensionUri.fsPath, 'dist', 'webviews', 'report.js');
  const html = reportHtml({
    title: meta.title,
    script: await fs.readFile(script, 'utf8'),
    notebookJson: JSON.stringify(notebook),
    sidecars,
    nonce: randomBytes(18).toString('base64url'),
  });
  return saveFile({ name: `${meta.title}.html`, text: html }, notebookFolder);
}
