/** One output as a page that works without a network: the report's program around a notebook of that output alone. */
import { randomBytes } from 'node:crypto';
import fs from 'node:fs/promises';
import path from 'node:path';
import type { Json, NotebookFile } from '../../protocol/notebook.js';
import { reportHtml } from '../../protocol/webview.js';
import type { ViewServices } from './requests.js';

export interface PageOutput {
  title: string;
  mime: string;
  descriptor: object;
  /** Files of its bundle, each as base64 of its gzip. */
  sidecars?: Parameters<typeof reportHtml>[0]['sidecars'];
}

export async function outputPage(
  { title, mime, descriptor, sidecars = [] }: PageOutput,
  { extensionUri }: Pick<ViewServices, 'extensionUri'>,
): Promise<string> {
  const items = [{ mime, json: JSON.parse(JSON.stringify(descriptor)) as Json }];
  const notebook: NotebookFile = {
    fgnb: 1,
    metadata: {},
    cells: [
      { id: 'title', kind: 'markdown', language: 'markdown', source: [`# ${title}\n`] },
      { id: 'output', kind: 'code', language: 'fgnb-typescript', source: [], outputs: [{ items }] },
    ],
  };
  return reportHtml({
    title,
    script: await fs.readFile(path.join(extensionUri.fsPath, 'dist', 'webviews', 'report.js'), 'utf8'),
    notebookJson: JSON.stringify(notebook),
    sidecars,
    nonce: randomBytes(18).toString('base64url'),
  });
}
