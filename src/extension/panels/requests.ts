/** Answers what webviews ask, each request exactly once. */
import * as vscode from 'vscode';
import type { Descriptor } from '../../protocol/bundle.js';
import { LIVE_GONE, LIVE_SUPERSEDED } from '../../protocol/live.js';
import type { LinkedSelection } from '../../protocol/link.js';
import { asDescriptor, VIEW_NAMES, type ViewName } from '../../protocol/views.js';
import {
  MAX_READ_BYTES,
  refusal,
  type FilePart,
  type FromWebview,
  type WebviewReply,
  type WebviewRequest,
  type WebviewRequests,
} from '../../protocol/webview.js';
import { readBundleFile } from './bundleFiles.js';
import type { LinkPort } from './linkHub.js';
import { saveFile } from './saveFile.js';
import type { ViewServices } from './services.js';
import { writeViewPage } from './viewPage.js';

/** One webview that asks. */
export interface RequestHost {
  services: ViewServices;
  /** The notebook's folder: nothing outside is read. */
  folder: string;
  /** The channel carries only JSON: bytes go as base64. */
  jsonOnly: boolean;
  link: Pick<LinkPort, 'send'>;
}

async function filePart(
  { bundle, file, begin, end }: WebviewRequests['bundle.read']['params'],
  { folder, jsonOnly }: RequestHost,
): Promise<FilePart | null> {
  const part = await readBundleFile(folder, bundle.path, file, { begin, end, limit: MAX_READ_BYTES });
  return part && jsonOnly ? { ...part, bytes: Buffer.from(part.bytes.buffer).toString('base64') } : part;
}

/** @throws Error for what is no view of a kind that is known */
function viewOf(params: WebviewRequests['view.page']['params']): [ViewName, Descriptor] {
  const descriptor = VIEW_NAMES.includes(params.view) && asDescriptor(params.view, params.descriptor);
  if (!descriptor) throw new Error(`no view of a known kind: ${JSON.stringify(params.view)}`);
  return [params.view, descriptor];
}

/** A click on the name of a feature opens its page. `selection` was checked by the hub. */
function openAsked({ kind, sets }: LinkedSelection, { services, folder }: RequestHost): void {
  const [{ sae, features }] = kind === 'open' && sets.length > 0 ? sets : [{ sae: '', features: [] }];
  if (features.length > 0) services.openFeature(folder, sae, features[0]);
}

async function valueOf(request: WebviewRequest, host: RequestHost): Promise<unknown> {
  const { services, folder } = host;
  switch (request.method) {
    case 'bundle.read':
      return filePart(request.params, host);
    case 'view.open':
      services.open(...viewOf(request.params), folder, request.params.state);
      return null;
    case 'view.page':
      return writeViewPage(...viewOf(request.params), folder, services);
    case 'live.call':
      return services.live.call(folder, request.params);
    case 'live.state':
      return services.live.state(folder, request.params.view);
    case 'link.send':
      host.link.send(request.params.selection);
      openAsked(request.params.selection, host);
      return null;
    case 'feature.link':
      return services.featureLink(folder, String(request.params.sae), Number(request.params.feature));
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

/** The one reply to a request: its value, or the error in words. Never rejects. */
export async function reply(request: WebviewRequest, host: RequestHost): Promise<WebviewReply> {
  try {
    const refused = refusal(request.protocol);
    if (refused !== null) throw new Error(refused);
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
