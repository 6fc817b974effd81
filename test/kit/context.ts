/** A session context for tests of the facade: collects what is shown and printed; artifacts go to a folder of their own. */
import fs from 'node:fs';
import path from 'node:path';
import type { LiveHandler, SessionContext } from '#kernel/verb/context.js';
import type { Progress } from '#protocol/kernel.js';
import type { OutputItem } from '#protocol/notebook.js';
import { testFolder } from './folder.js';

export interface CollectedContext extends SessionContext {
  readonly shown: OutputItem[][];
  readonly printed: string[];
  readonly figures: Map<string, string>;
  readonly views: Map<string, LiveHandler>;
  /** What the progress line was told, in order; null = cleared. */
  readonly progressed: Array<Progress | null>;
  /** Interrupts the cell that runs; the next call belongs to a new cell. */
  interrupt(): void;
  remove(): void;
}

/** `folders`: other places than one temporary folder, which always goes on remove(). */
export function collectingContext(
  notebookFolder?: string,
  folders: { outputFolder?: string; artifactFolder?: string } = {},
): CollectedContext {
  const folder = testFolder('api');
  const shown: OutputItem[][] = [];
  const printed: string[] = [];
  const figures = new Map<string, string>();
  const views = new Map<string, LiveHandler>();
  const progressed: Array<Progress | null> = [];
  let cell = new AbortController();
  return {
    notebookFolder: notebookFolder ?? folder,
    outputFolder: folders.outputFolder ?? folder,
    artifactFolder: folders.artifactFolder ?? path.join(folder, '.fgnb'),
    signal: () => cell.signal,
    during: () => undefined,
    progress: (progress) => void progressed.push(progress),
    display: (items) => void shown.push(items),
    print: (text) => void printed.push(text),
    live: (view, handler) => void views.set(view, handler),
    keyFigure: (name, value) => void figures.set(name, value),
    shown,
    printed,
    figures,
    views,
    progressed,
    interrupt() {
      cell.abort();
      cell = new AbortController();
    },
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
