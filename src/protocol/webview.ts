/**
 * Messages between a webview (a panel, the notebook renderer) and the extension host, and the HTML shells of pages.
 *
 * The webview pulls: it says `ready`, the host answers `init`, and from then on the webview sends requests and the
 * host replies to each exactly once, with an error in words when it cannot. A lost message costs one timeout, never
 * a wrong picture. Panels carry bytes as they are (VS Code revives them); renderer messaging is JSON, so there
 * bytes are base64. Replies through renderer messaging may reach every renderer of the editor: ids are
 * unique strings, and a webview ignores ids that it did not send.
 */
import type { BundleRef, Descriptor } from './bundle.js';
import type { LinkedSelection } from './link.js';
import type { LiveCall } from './live.js';
import type { Json, JsonObject } from './notebook.js';
import type { ViewName } from './views.js';

/**
 * Version of these messages. A webview sends it with `ready` and with every request, and the host refuses another than its
 * own: after an update the extension host may be new while the pages of an open window are not.
 */
export const WEBVIEW_PROTOCOL = 2;

/** Id of the notebook renderer in package.json (requiresMessaging "optional"). */
export const RENDERER_ID = 'fgnb.renderer';

/** Bytes of a file that one reply may carry. */
export const MAX_READ_BYTES = 32 * 2 ** 20;

/** A part of a file: `bytes` are base64 where the channel carries only JSON. */
export interface FilePart {
  /** Of the whole file. */
  size: number;
  bytes: Uint8Array<ArrayBuffer> | string;
}

/** What each request takes and what its reply carries. */
export interface WebviewRequests {
  /**
   * Bytes begin to end of a file of a bundle, at most MAX_READ_BYTES and not beyond the file's end; null where the bundle has
   * no such file. Default: from the start, as many as may be.
   */
  'bundle.read': { params: { bundle: BundleRef; file: string; begin?: number; end?: number }; value: FilePart | null };
  /** Opens the view in a panel (from a notebook output), showing `state` when given. */
  'view.open': { params: { view: ViewName; descriptor: Descriptor; state?: JsonObject }; value: null };
  /** Asks where to, then writes one self-contained page that shows the view; its path, null when cancelled. */
  'view.page': { params: { view: ViewName; descriptor: Descriptor }; value: string | null };
  /** Asks the kernel of a notebook in this folder that has the view; the answer waits for the cells that run. */
  'live.call': { params: LiveCall; value: Json };
  /** What the kernel that has the view does: 'busy' when it runs a cell, 'none' when there is none. */
  'live.state': { params: { view: string }; value: 'none' | 'starting' | 'idle' | 'busy' };
  /** Shares what is lit or picked with the other views of the notebook's folder. */
  'link.send': { params: { selection: LinkedSelection }; value: null };
  /** Asks where to, proposing `name`, then writes the text or the bytes (base64); its path, null when cancelled. */
  'file.save': { params: { name: string; text?: string; base64?: string }; value: string | null };
  /** The link that reopens the page of a feature in this editor. */
  'feature.link': { params: { sae: string; feature: number }; value: string };
  /** Puts text on the clipboard where the webview itself may not. */
  'text.copy': { params: { text: string }; value: null };
}
export type WebviewMethod = keyof WebviewRequests;

export type WebviewRequest = {
  [M in WebviewMethod]: {
    type: 'request';
    id: string;
    protocol: number;
    method: M;
    params: WebviewRequests[M]['params'];
  };
}[WebviewMethod];

export type WebviewReply =
  { type: 'reply'; id: string; ok: true; value: unknown } | { type: 'reply'; id: string; ok: false; error: string };

/** Webview → host. */
export type FromWebview =
  | { type: 'ready'; protocol: number }
  | WebviewRequest
  /** For the log channel: what went wrong in the webview, in words. */
  | { type: 'log'; level: 'info' | 'warn' | 'error'; message: string };

/** Host → webview. */
export type ToWebview =
  | {
      type: 'init';
      view: ViewName;
      descriptor: Descriptor;
      /**
       * Opaque to the webview, which keeps it as `host` in its saved state (PanelState), so that the host's panel
       * serializer finds the notebook again after a reload.
       */
      host: JsonObject;
      /** State to start from when the webview has none of its own (such as the one of the notebook output). */
      state?: JsonObject;
    }
  /** In place of `init`: the webview is of another version. */
  | { type: 'refused'; reason: string }
  | WebviewReply
  /** What another view of the notebook's folder lit or picked. */
  | { type: 'link'; selection: LinkedSelection };

/**
 * What a panel keeps with setState; deserializeWebviewPanel receives it. `state` belongs to the view. The descriptor stands
 * under its kind's saved word, which views.ts has.
 */
export interface PanelState {
  version: 1;
  host: JsonObject;
  view?: JsonObject;
  [saved: string]: unknown;
}

/** Why a webview of this version of the messages is refused; null for this version's own. */
export function refusal(protocol: unknown): string | null {
  if (protocol === WEBVIEW_PROTOCOL) return null;
  return 'This view was made by another version of the extension: reload the window (Developer: Reload Window).';
}

/** Escapes text for HTML content and double-quoted attributes. */
export function escapeHtml(text: string): string {
  return text.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;').replace(/"/g, '&quot;');
}

/** The head of a page: `csp` says what may run and load; scripts and styles carry the nonce. */
const pageHead = ({ title, csp, nonce }: { title: string; csp: string; nonce: string }): string => `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${escapeHtml(csp)}">
<meta property="csp-nonce" content="${escapeHtml(nonce)}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeHtml(title)}</title>
</head>
`;

/**
 * The page of a panel: no data, one script with a nonce, nothing else allowed to run or load.
 * `scriptUri` is webview.asWebviewUri(dist/webviews/panel.js); `cspSource` is webview.cspSource; `nonce` fresh and random.
 * Styles are constructed by the script (adoptedStyleSheets); the toolkit tests :focus-visible with an empty style
 * element, to which it gives the nonce it finds in the meta element "csp-nonce".
 */
export function panelHtml(o: { title: string; scriptUri: string; cspSource: string; nonce: string }): string {
  const csp = `default-src 'none'; script-src 'nonce-${o.nonce}'; style-src ${o.cspSource} 'nonce-${o.nonce}'; font-src ${o.cspSource}; img-src ${o.cspSource} data: blob:`;
  return `${pageHead({ ...o, csp })}<body>
<main id="root"></main>
<script nonce="${escapeHtml(o.nonce)}" src="${escapeHtml(o.scriptUri)}"></script>
</body>
</html>
`;
}

/** A file of a bundle in an exported page, in an element of its own: its gzip as text (packing/pageText.ts). */
export interface PageFile {
  bundle: string;
  file: string;
  text: string;
}

/** Id of the element that holds a file of a bundle. */
export function pageFileId(bundle: string, file: string): string {
  return `bundle:${bundle}:${file}`;
}

/** Id of the element that holds the program of an exported page. */
export const PROGRAM_ID = 'program';

/** Unpacks the program of a page and runs it. */
const START = `(async () => {
  const { nonce } = document.currentScript;
  try {
    const packed = atob(document.getElementById('${PROGRAM_ID}').textContent);
    const bytes = Uint8Array.from(packed, (c) => c.charCodeAt(0));
    const script = document.createElement('script');
    script.nonce = nonce;
    script.textContent = await new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream('gzip'))).text();
    document.body.append(script);
  } catch (error) {
    document.getElementById('app').textContent = 'This report could not start: ' + error + '. Open it in a current browser.';
  }
})();`;

/**
 * An exported report: one self-contained page that works from file:// with no network.
 * `script` is dist/webviews/report.js as base64 of its gzip, `notebookJson` the NotebookFile as JSON, `files` those of the
 * bundles it shows. Data sits in script elements of non-executable types; "<" in JSON is written as a \u escape, and the
 * texts of files and program have no "<", so nothing in them can end the element.
 */
export function reportHtml(o: {
  title: string;
  script: string;
  notebookJson: string;
  files: readonly PageFile[];
  nonce: string;
}): string {
  const csp = `default-src 'none'; script-src 'nonce-${o.nonce}'; style-src 'nonce-${o.nonce}'; img-src data: blob:`;
  const files = o.files.map(
    ({ bundle, file, text }) =>
      `<script type="application/octet-stream" id="${escapeHtml(pageFileId(bundle, file))}">${text}</script>\n`,
  );
  return [
    `${pageHead({ ...o, csp })}<body>
<div id="app"></div>
<noscript>This report draws itself with the script it contains: allow scripts for this page.</noscript>
<script type="application/json" id="notebook">${o.notebookJson.replace(/</g, '\\u003c')}</script>
`,
    ...files,
    `<script type="application/octet-stream" id="${PROGRAM_ID}">${o.script}</script>
<script nonce="${escapeHtml(o.nonce)}">${START}</script>
</body>
</html>
`,
  ].join('');
}
