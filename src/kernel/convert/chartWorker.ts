/** Draws charts in a thread of its own: a spec comes from an untrusted file, and drawing it may never end. */
import { parentPort } from 'node:worker_threads';
import type { JsonObject } from '../../protocol/notebook.js';
import { chartSvg } from './chartSvg.js';

export type ChartAnswer = { svg: string } | { error: string };

parentPort?.on('message', (spec: JsonObject) => {
  void chartSvg(spec)
    .then(
      (svg): ChartAnswer => ({ svg }),
      (error: unknown): ChartAnswer => ({ error: error instanceof Error ? error.message : String(error) }),
    )
    .then((answer) => parentPort?.postMessage(answer));
});
