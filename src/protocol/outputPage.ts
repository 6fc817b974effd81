/** One output as a page that works without a network: the report's program around a notebook of that output alone. */
import type { Json, NotebookFile } from './notebook.js';
import { reportHtml, type PageFile } from './webview.js';

export interface OutputPage {
  title: string;
  mime: string;
  descriptor: object;
  /** The report's program, as reportHtml takes it. */
  script: string;
  /** Files of its bundle. */
  files?: readonly PageFile[];
  nonce: string;
}

/** The page's HTML. */
export function outputPageHtml({ title, mime, descriptor, script, files = [], nonce }: OutputPage): string {
  const items = [{ mime, json: JSON.parse(JSON.stringify(descriptor)) as Json }];
  const notebook: NotebookFile = {
    fgnb: 1,
    metadata: {},
    cells: [
      { id: 'title', kind: 'markdown', language: 'markdown', source: [`# ${title}\n`] },
      { id: 'output', kind: 'code', language: 'fgnb-typescript', source: [], outputs: [{ items }] },
    ],
  };
  return reportHtml({ title, script, notebookJson: JSON.stringify(notebook), files, nonce });
}
