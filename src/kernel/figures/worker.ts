/**
 * Draws pictures in a thread of its own: what is drawn may come from an untrusted file, and drawing it may never end.
 */
import { createRequire } from 'node:module';
import { parentPort } from 'node:worker_threads';
import type { JsonObject } from '../../protocol/notebook.js';
import type { ViewName } from '../../protocol/views.js';
import { chartSvg } from './chartSvg.js';
import { png } from './png.js';

/** A bundle's files by name, whole. */
export type BundleBytes = ReadonlyMap<string, Uint8Array>;

export type Job =
  | { kind: 'chart'; spec: JsonObject }
  | { kind: 'view'; view: ViewName; files: BundleBytes; place: string }
  | { kind: 'png'; svg: string; scale: number };

export type Answer = { picture: string | Uint8Array } | { error: string };

/** The views' own drawing, which a build puts beside this file (webviews/figures/main.ts). */
interface ViewFigures {
  viewSvg(view: ViewName, read: (file: string) => Uint8Array | null, place: string): Promise<string>;
}

function viewSvg({ view, files, place }: Extract<Job, { kind: 'view' }>): Promise<string> {
  const figures = createRequire(import.meta.url)('./figures.cjs') as ViewFigures;
  return figures.viewSvg(view, (file) => files.get(file) ?? null, place);
}

function pictureOf(job: Job): Promise<string | Uint8Array> {
  switch (job.kind) {
    case 'chart':
      return chartSvg(job.spec);
    case 'view':
      return viewSvg(job);
    case 'png':
      return png(job.svg, job.scale);
  }
}

parentPort?.on('message', (job: Job) => {
  void pictureOf(job)
    .then(
      (picture): Answer => ({ picture }),
      (error: unknown): Answer => ({ error: error instanceof Error ? error.message : String(error) }),
    )
    .then((answer) => parentPort?.postMessage(answer));
});
