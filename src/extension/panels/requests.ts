/** Answers what webviews ask, each request exactly once. */
import * as vscode from 'vscode';
import type { GraphDescriptor } from '../../protocol/graph.js';
import type { LabDescriptor } from '../../protocol/lab.js';
import { LIVE_GONE, LIVE_SUPERSEDED } from '../../protocol/live.js';
import type { MapDescriptor } from '../../protocol/map.js';
import type { JsonObject } from '../../protocol/notebook.js';
import type { FromWebview, WebviewReply, WebviewRequest } from '../../protocol/webview.js';
import { toBase64 } from './bundleFiles.js';
import { GraphData, graphColumnsAsBase64 } from './graphData.js';
import { writeGraphPage } from './graphPage.js';
import { writeLabPage } from './labPage.js';
import type { LinkHub, LinkPort } from './linkHub.js';
import type { LiveCalls } from './liveCalls.js';
import { columnsAsBase64, MapData } from './mapData.js';
import { saveFile } from './saveFile.js';

/** What all views of this window share. */
export interface ViewServices {
  extensionUri: vscode.Uri;
  log: vscode.LogOutputChannel;
  hub: LinkHub;
  mapsOf(folder: string): MapData;
  graphsOf(folder: string): GraphData;
  openMap(map: MapDescriptor, folder: string, state: JsonObject | undefined): void;
  openGraph(graph: GraphDescriptor, folder: string, state: JsonObject | undefined): void;
  openLab(lab: LabDescriptor, folder: string, state: JsonObject | undefined): void;
  live: LiveCalls;
}

/** One webview that asks. */
export interface RequestHost {
  services: ViewServices;
  /** The notebook's folder: nothing outside is read. */
  folder: string;
  /** The channel carries only JSON: arrays go as base64. */
  jsonOnly: boolean;
  link: Pick<LinkPort, 'send'>;
}

/** One reader per notebook folder, kept for the window's life: a reader holds headers and offsets, no columns. */
export function perFolder<T>(make: (folder: string) => T): (folder: string) => T {
  const known = new Map<string, T>();
  return (folder) => {
    let value = known.get(folder);
    if (value === undefined) known.set(folder, (value = make(folder)));
    return value;
  };
}

async function valueOf(request: WebviewRequest, host: RequestHost): Promise<unknown> {
  const { services, folder, jsonOnly } = host;
  switch (request.method) {
    case 'map.meta':
      return services.mapsOf(folder).meta(request.params.map);
    case 'map.columns': {
      const columns = await services.mapsOf(folder).columns(request.params.map, request.params.set);
      return jsonOnly ? columnsAsBase64(columns) : columns;
    }
    case 'map.examples':
      return services.mapsOf(folder).examples(request.params.map, request.params.set, request.params.point);
    case 'map.open':
      services.openMap(request.params.map, folder, request.params.state);
      return null;
    case 'graph.meta':
      return services.graphsOf(folder).meta(request.params.graph);
    case 'graph.columns': {
      const columns = await services.graphsOf(folder).columns(request.params.graph, request.params.set);
      return jsonOnly ? graphColumnsAsBase64(columns) : columns;
    }
    case 'graph.examples':
      return services.graphsOf(folder).examples(request.params.graph, request.params.set, request.params.point);
    case 'graph.overlap': {
      const overlap = await services.graphsOf(folder).overlap(request.params.graph);
      return overlap && jsonOnly ? toBase64(overlap) : overlap;
    }
    case 'graph.open':
      services.openGraph(request.params.graph, folder, request.params.state);
      return null;
    case 'graph.html':
      return writeGraphPage(request.params.graph, folder, services);
    case 'lab.open':
      services.openLab(request.params.lab, folder, request.params.state);
      return null;
    case 'lab.html':
      return writeLabPage(request.params.lab, folder, services);
    case 'live.call':
      return services.live.call(folder, request.params);
    case 'live.state':
      return services.live.state(folder, request.params.view);
    case 'link.send':
      host.link.send(request.params.selection);
      return null;
    case 'file.save':
      return saveFile(request.params, folder);
    case 'text.copy':
      await vscode.env.clipboard.writeText(String(request.params.text));
      return null;
    default:
      // What a webview sends is not bound by our types.
      throw new Error(`unknown request ${JSON.stringify((request as { method?: unknown }).method)}`);
  }
}

export async function reply(request: WebviewRequest, host: RequestHost): Promise<WebviewReply> {
  try {
    return { type: 'reply', id: request.id, ok: true, value: await valueOf(request, host) };
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    // A drag of a slider supersedes many calls; a view whose kernel is gone says so itself, and asks again.
    if (message !== LIVE_SUPERSEDED && !message.startsWith(LIVE_GONE))
      host.services.log.warn(`${request.method}: ${message}`);
    return { type: 'reply', id: request.id, ok: false, error: message };
  }
}

export function logFromWebview(message: Extract<FromWebview, { type: 'log' }>, log: vscode.LogOutputChannel): void {
  const text = `webview: ${message.message}`;
  if (message.level === 'error') log.error(text);
  else if (message.level === 'warn') log.warn(text);
  else log.info(text);
}
