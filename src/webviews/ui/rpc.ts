/** Requests from a webview to its host: one reply each, errors as texts, with a time limit. */
import type { Descriptor } from '../../protocol/bundle.js';
import type { ViewName } from '../../protocol/views.js';
import {
  WEBVIEW_PROTOCOL,
  type FromWebview,
  type WebviewMethod,
  type WebviewRequest,
  type WebviewRequests,
} from '../../protocol/webview.js';
import type { BundleFiles } from './bundle.js';
import type { LiveKernel, ViewHost } from './view.js';
import { isRecord } from '../../protocol/objects.js';

interface Waiting {
  resolve(value: unknown): void;
  reject(error: Error): void;
  timer: ReturnType<typeof setTimeout> | undefined;
}

export class RpcClient {
  private readonly waiting = new Map<string, Waiting>();
  private readonly prefix = crypto.randomUUID();
  private next = 0;

  /** `timeoutMs`: how long a reply may take, default 30 s. */
  constructor(
    private readonly post: (message: FromWebview) => void,
    private readonly timeoutMs = 30_000,
  ) {}

  /** `timeoutMs` Infinity: the answer waits for a person (a dialog). */
  request<M extends WebviewMethod>(
    method: M,
    params: WebviewRequests[M]['params'],
    timeoutMs = this.timeoutMs,
  ): Promise<WebviewRequests[M]['value']> {
    const id = `${this.prefix}:${this.next++}`;
    return new Promise<WebviewRequests[M]['value']>((resolve, reject) => {
      const late = () => {
        this.waiting.delete(id);
        reject(new Error(`${method} got no answer from the extension in ${timeoutMs / 1000} s; reload the window.`));
      };
      const timer = timeoutMs === Infinity ? undefined : setTimeout(late, timeoutMs);
      this.waiting.set(id, { resolve: (value) => resolve(value as WebviewRequests[M]['value']), reject, timer });
      this.post({ type: 'request', id, protocol: WEBVIEW_PROTOCOL, method, params } as WebviewRequest);
    });
  }

  /** Takes a message from the host; true when it was the reply to a request of this client. */
  receive(message: unknown): boolean {
    if (!isRecord(message) || message.type !== 'reply' || typeof message.id !== 'string') return false;
    const waiting = this.waiting.get(message.id);
    if (!waiting) return false;
    this.waiting.delete(message.id);
    clearTimeout(waiting.timer);
    if (message.ok === true) waiting.resolve(message.value);
    else
      waiting.reject(new Error(typeof message.error === 'string' ? message.error : 'The extension could not answer.'));
    return true;
  }

  /** Rejects what is still waiting. */
  dispose(): void {
    for (const { reject, timer } of this.waiting.values()) {
      clearTimeout(timer);
      reject(new Error('The view was closed.'));
    }
    this.waiting.clear();
  }
}

export function bytesOfBase64(text: string): Uint8Array<ArrayBuffer> {
  const binary = atob(text);
  const bytes = new Uint8Array(binary.length);
  for (let i = 0; i < binary.length; i++) bytes[i] = binary.charCodeAt(i);
  return bytes;
}

/** The files of a bundle, which the extension host reads. */
export function rpcFiles(rpc: RpcClient, { id, path = '' }: Descriptor): BundleFiles {
  const bundle = { id, path };
  return {
    read: async (file, begin = 0, end = Infinity) => {
      const parts: Uint8Array[] = [];
      for (let at = begin; ;) {
        const part = await rpc.request('bundle.read', { bundle, file, begin: at, ...(end < Infinity && { end }) });
        if (part === null) return null;
        const bytes = typeof part.bytes === 'string' ? bytesOfBase64(part.bytes) : part.bytes;
        parts.push(bytes);
        at += bytes.length;
        if (at >= Math.min(end, part.size) || bytes.length === 0) return joined(parts);
      }
    },
  };
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  if (parts.length === 1) return parts[0];
  const out = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

function rpcLive(rpc: RpcClient): LiveKernel {
  return {
    call: (call) => rpc.request('live.call', call, Infinity),
    state: (view) => rpc.request('live.state', { view }),
  };
}

/** What the extension host does for a view. */
export function hostOf(
  rpc: RpcClient,
  view: ViewName,
  descriptor: Descriptor,
): Required<Pick<ViewHost, 'files' | 'live' | 'saveFile' | 'savePage' | 'featureLink' | 'copyText'>> {
  return {
    files: descriptor.path === undefined ? null : rpcFiles(rpc, descriptor),
    live: rpcLive(rpc),
    saveFile: (file) => rpc.request('file.save', file, Infinity),
    savePage: (shown) => rpc.request('view.page', { view, descriptor: shown }, Infinity),
    featureLink: (sae, feature) => rpc.request('feature.link', { sae, feature }),
    copyText: async (text) => void (await rpc.request('text.copy', { text })),
  };
}
