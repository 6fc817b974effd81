/** One graph of a report as a page of its own: this page's program and the graph's files, around that graph alone. */
import { graphFiles, type GraphDescriptor } from '../../protocol/graph.js';
import { MIME } from '../../protocol/mime.js';
import { outputPageHtml } from '../../protocol/outputPage.js';
import { sidecarElementId } from '../../protocol/webview.js';

// Known only while the program starts.
const program = document.currentScript?.textContent ?? '';

export function graphPage(graph: GraphDescriptor): string {
  if (program === '') throw new Error('this page does not carry its program');
  const { title, sets } = graph.meta;
  const sidecars = graphFiles(sets.length).flatMap((file) => {
    const gzipBase64 = document.getElementById(sidecarElementId(graph.id, file))?.textContent?.trim();
    return gzipBase64 ? [{ mapId: graph.id, file, gzipBase64 }] : [];
  });
  const nonce = [...crypto.getRandomValues(new Uint8Array(18))].map((b) => b.toString(16).padStart(2, '0')).join('');
  return outputPageHtml({ title, mime: MIME.graph, descriptor: graph, script: program, sidecars, nonce });
}
