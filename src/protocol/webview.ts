/**
 * Messages between a webview (map panel, notebook renderer) and the extension host, and the HTML shell of a panel.
 *
 * The webview pulls: it says `ready`, the host answers `init`, and from then on the webview sends requests and the
 * host replies to each exactly once, with an error in words when it cannot. A lost message costs one timeout, never
 * a wrong picture. Panels carry typed arrays as they are (VS Code revives them); renderer messaging is JSON, so there
 * every array is a Base64Array. Replies through renderer messaging may reach every renderer of the editor: ids are
 * unique strings, and a webview ignores ids that it did not send.
 */
import type { GraphDescriptor, GraphMeta } from './graph.js';
import type { LabDescriptor } from './lab.js';
import type { LinkedSelection } from './link.js';
import type { LiveCall } from './live.js';
import type { FeatureExample, MapDescriptor, MapMeta } from './map.js';
import type { Json, JsonObject } from './notebook.js';

export const WEBVIEW_PROTOCOL = 1;

/** View type of the map panel: the id of createWebviewPanel and of registerWebviewPanelSerializer alike. */
export const MAP_PANEL = 'fgnb.map';
/** The same for panels of Mapper graphs. */
export const GRAPH_PANEL = 'fgnb.graph';
/** The same for interventions panels. */
export const LAB_PANEL = 'fgnb.lab';
/** Id of the notebook renderer in package.json (requiresMessaging "optional"). */
export const RENDERER_ID = 'fgnb.renderer';

/** Which bundle: `path` is relative to the folder of the notebook, as in MapDescriptor and GraphDescriptor. */
export interface BundleRef {
  id: string;
  path: string;
}
export type MapRef = BundleRef;
export type GraphRef = BundleRef;

/** Little-endian bytes of a Float32Array ("F32") or Int32Array ("I32"), for channels that carry only JSON. */
export interface Base64Array {
  dtype: 'F32' | 'I32';
  base64: string;
}

export type WireFloats = Float32Array | Base64Array;
export type WireInts = Int32Array | Base64Array;

/** MapColumns on the wire: typed arrays in panels (slice views first: the whole buffer travels), base64 in renderers. */
export interface WireColumns {
  x: WireFloats;
  y: WireFloats;
  feature: WireInts;
  firingRate: WireFloats;
  firings: WireInts;
  partner?: WireInts;
  r?: WireFloats;
  x2?: WireFloats;
  y2?: WireFloats;
  delta?: WireFloats;
  labels: string[][];
}

/** GraphColumns on the wire. */
export interface WireGraphColumns {
  x: WireFloats;
  y: WireFloats;
  membersAt: WireInts;
  members: WireInts;
  edges: WireInts;
  weight: WireInts;
  component: WireInts;
  cube: WireInts;
  noise: WireInts;
  columns: WireFloats[];
  counterpart?: WireInts;
  r?: WireFloats;
  labels: string[][];
}

/** What each request takes and what its reply carries. */
export interface WebviewRequests {
  'map.meta': { params: { map: MapRef }; value: MapMeta };
  'map.columns': { params: { map: MapRef; set: number }; value: WireColumns };
  'map.examples': { params: { map: MapRef; set: number; point: number }; value: FeatureExample[] };
  /** Opens the map in a panel (from a notebook output), showing `state` (a MapViewState) when given. */
  'map.open': { params: { map: MapDescriptor; state?: JsonObject }; value: null };
  'graph.meta': { params: { graph: GraphRef }; value: GraphMeta };
  'graph.columns': { params: { graph: GraphRef; set: number }; value: WireGraphColumns };
  'graph.examples': { params: { graph: GraphRef; set: number; point: number }; value: FeatureExample[] };
  /** Row-major [nodes of set 0, nodes of set 1]; null without a correlation map. */
  'graph.overlap': { params: { graph: GraphRef }; value: WireFloats | null };
  /** Opens the graph in a panel, showing `state` (a GraphViewState) when given. */
  'graph.open': { params: { graph: GraphDescriptor; state?: JsonObject }; value: null };
  /** Asks where to, then writes one self-contained page that shows the graph; its path, null when cancelled. */
  'graph.html': { params: { graph: GraphDescriptor }; value: string | null };
  /** Opens the interventions panel in a panel of its own, showing `state` when given. */
  'lab.open': { params: { lab: LabDescriptor; state?: JsonObject }; value: null };
  /** Asks the kernel of a notebook in this folder that has the view; the answer waits for the cells that run. */
  'live.call': { params: LiveCall; value: Json };
  /** Asks where to, then writes one self-contained page that shows the interventions panel's snapshot; as graph.html. */
  'lab.html': { params: { lab: LabDescriptor }; value: string | null };
  /** What the kernel that has the view does: 'busy' when it runs a cell, 'none' when there is none. */
  'live.state': { params: { view: string }; value: 'none' | 'starting' | 'idle' | 'busy' };
  /** Shares what is lit or picked with the other views of the notebook's folder. */
  'link.send': { params: { selection: LinkedSelection }; value: null };
  /** Asks where to, proposing `name`, then writes the text or the bytes (base64); its path, null when cancelled. */
  'file.save': { params: { name: string; text?: string; base64?: string }; value: string | null };
  /** Puts text on the clipboard where the webview itself may not. */
  'text.copy': { params: { text: string }; value: null };
}
export type WebviewMethod = keyof WebviewRequests;

export type WebviewRequest = {
  [M in WebviewMethod]: { type: 'request'; id: string; method: M; params: WebviewRequests[M]['params'] };
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
      map: MapDescriptor;
      /**
       * Opaque to the webview, which keeps it as `host` in its saved state (PanelState), so that the host's panel
       * serializer finds the notebook again after a reload.
       */
      host: JsonObject;
      /** State to start from when the webview has none of its own (such as the one of the notebook output). */
      state?: JsonObject;
    }
  /** The same for a panel of a Mapper graph. */
  | { type: 'initGraph'; graph: GraphDescriptor; host: JsonObject; state?: JsonObject }
  /** The same for an interventions panel. */
  | { type: 'initLab'; lab: LabDescriptor; host: JsonObject; state?: JsonObject }
  | WebviewReply
  /** What another view of the notebook's folder lit or picked. */
  | { type: 'link'; selection: LinkedSelection }
  /** Pins a feature and brings it into view. */
  | { type: 'showFeature'; set: number; feature: number }
  /** Fills the search box. */
  | { type: 'search'; text: string };

/** What the panel keeps with setState; deserializeWebviewPanel receives it. `view` belongs to the webview. */
export interface PanelState {
  version: 1;
  map: MapDescriptor;
  host: JsonObject;
  view?: JsonObject;
}

/** The same for a panel of a Mapper graph. */
export interface GraphPanelState {
  version: 1;
  graph: GraphDescriptor;
  host: JsonObject;
  view?: JsonObject;
}

/** The same for an interventions panel. */
export interface LabPanelState {
  version: 1;
  lab: LabDescriptor;
  host: JsonObject;
  view?: JsonObject;
}

/** Escapes text for HTML content and double-quoted attributes. */
export function escapeHtml(text: string): string {
  return text.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;').replace(/"/g, '&quot;');
}

/**
 * The page of a panel: no data, one script with a nonce, nothing else allowed to run or load.
 * `scriptUri` is webview.asWebviewUri(dist/webviews/map.js); `cspSource` is webview.cspSource; `nonce` fresh and random.
 * Styles are constructed by the script (adoptedStyleSheets); the toolkit tests :focus-visible with an empty style
 * element, to which it gives the nonce it finds in the meta element "csp-nonce".
 */
export function panelHtml(o: { title: string; scriptUri: string; cspSource: string; nonce: string }): string {
  const csp = `default-src 'none'; script-src 'nonce-${o.nonce}'; style-src ${o.cspSource} 'nonce-${o.nonce}'; font-src ${o.cspSource}; img-src ${o.cspSource} data: blob:`;
  return `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${escapeHtml(csp)}">
<meta property="csp-nonce" content="${escapeHtml(o.nonce)}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeHtml(o.title)}</title>
</head>
<body>
<main id="root"></main>
<script nonce="${escapeHtml(o.nonce)}" src="${escapeHtml(o.scriptUri)}"></script>
</body>
</html>
`;
}

/** Id of the element of an exported report that holds one file of a bundle (map or graph): base64 of its gzip. */
export function sidecarElementId(bundleId: string, file: string): string {
  return `sidecar:${bundleId}:${file}`;
}

/**
 * An exported report: one self-contained page that works from file:// with no network.
 * `script` is the text of dist/webviews/report.js, `notebookJson` the NotebookFile as JSON, each sidecar one file of a
 * map bundle as base64 of its gzip. Data sits in script elements of non-executable types; "<" in JSON is written as a
 * \u escape and "</script" in the program as "<\/script", so nothing in them can end the element.
 */
export function reportHtml(o: {
  title: string;
  script: string;
  notebookJson: string;
  sidecars: Array<{ mapId: string; file: string; gzipBase64: string }>;
  nonce: string;
}): string {
  const csp = `default-src 'none'; script-src 'nonce-${o.nonce}'; style-src 'nonce-${o.nonce}'; img-src data: blob:`;
  const sidecars = o.sidecars.map(
    (s) =>
      `<script type="application/octet-stream" id="${escapeHtml(sidecarElementId(s.mapId, s.file))}">${s.gzipBase64}</script>\n`,
  );
  return [
    `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${escapeHtml(csp)}">
<meta property="csp-nonce" content="${escapeHtml(o.nonce)}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeHtml(o.title)}</title>
</head>
<body>
<div id="app"></div>
<noscript>This report draws itself with the script it contains: allow scripts for this page.</noscript>
<script type="application/json" id="notebook">${o.notebookJson.replace(/</g, '\\u003c')}</script>
`,
    ...sidecars,
    `<script nonce="${escapeHtml(o.nonce)}">${o.script.replace(/<\/script/gi, '<\\/script').replace(/<!--/g, '<\\!--')}</script>
</body>
</html>
`,
  ].join('');
}
