/** Answers what webviews ask, each request exactly once. */
import * as vscode from 'vscode';
import type { MapDescriptor } from '../../protocol/map.js';
import type { JsonObject } from '../../protocol/notebook.js';
import type { FromWebview, WebviewReply, WebviewRequest } from '../../protocol/webview.js';
import { columnsAsBase64, type MapData } from './mapData.js';

export interface RequestHost {
  data: MapData;
  /** The channel carries only JSON: arrays go as base64. */
  jsonOnly: boolean;
  openMap(map: MapDescriptor, state: JsonObject | undefined): void;
  log: vscode.LogOutputChannel;
}

async function valueOf(request: WebviewRequest, host: RequestHost): Promise<unknown> {
  switch (request.method) {
    case 'map.meta':
      return host.data.meta(request.params.map);
    case 'map.columns': {
      const columns = await host.data.columns(request.params.map, request.params.set);
      return host.jsonOnly ? columnsAsBase64(columns) : columns;
    }
    case 'map.examples':
      return host.data.examples(request.params.map, request.params.set, request.params.point);
    case 'map.open':
      host.openMap(request.params.map, request.params.state);
      return null;
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
    host.log.warn(`${request.method}: ${message}`);
    return { type: 'reply', id: request.id, ok: false, error: message };
  }
}

export function logFromWebview(message: Extract<FromWebview, { type: 'log' }>, log: vscode.LogOutputChannel): void {
  const text = `webview: ${message.message}`;
  if (message.level === 'error') log.error(text);
  else if (message.level === 'warn') log.warn(text);
  else log.info(text);
}
