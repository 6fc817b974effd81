/** A session context for tests of the facade: collects what is shown and printed; artifacts go to a folder of their own. */
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import type { SessionContext } from '../../src/kernel/api/context.js';
import type { OutputItem } from '../../src/protocol/notebook.js';

export interface CollectedContext extends SessionContext {
  readonly shown: OutputItem[][];
  readonly printed: string[];
  readonly figures: Map<string, string>;
  remove(): void;
}

export function collectingContext(notebookFolder?: string): CollectedContext {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'fgnb-api-'));
  const shown: OutputItem[][] = [];
  const printed: string[] = [];
  const figures = new Map<string, string>();
  return {
    notebookFolder: notebookFolder ?? folder,
    outputFolder: folder,
    artifactFolder: path.join(folder, '.fgnb'),
    signal: () => new AbortController().signal,
    progress: () => undefined,
    display: (items) => void shown.push(items),
    print: (text) => void printed.push(text),
    keyFigure: (name, value) => void figures.set(name, value),
    shown,
    printed,
    figures,
    remove: () => fs.rmSync(folder, { recursive: true, force: true }),
  };
}

/** The items of the first output with this mime. */
export function shownJson<T>(context: CollectedContext, mime: string): T {
  const item = context.shown.flat().find((i) => i.mime === mime);
  if (!item?.json)
    throw new Error(
      `nothing of ${mime} was shown; shown: ${context.shown
        .flat()
        .map((i) => i.mime)
        .join(', ')}`,
    );
  return item.json as T;
}
