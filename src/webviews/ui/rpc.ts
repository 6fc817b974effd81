/** Requests from a webview to its host: one reply each, errors in words, never a wait without end. */
import type { GraphColumns, GraphSource } from '../../protocol/graph.js';
import type { MapColumns, MapSource } from '../../protocol/map.js';
import type {
  Base64Array,
  BundleRef,
  FromWebview,
  WebviewMethod,
  WebviewRequest,
  WebviewRequests,
  WireColumns,
  WireFloats,
  WireGraphColumns,
  WireInts,
} from '../../protocol/webview.js';

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
      this.post({ type: 'request', id, method, params } as WebviewRequest);
    });
  }

  /** Takes a message from the host; true when it was the reply to a request of this client. */
  receive(message: unknown): boolean {
    if (!isObject(message) || message.type !== 'reply' || typeof message.id !== 'string') return false;
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

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

export function bytesOfBase64(text: string): Uint8Array<ArrayBuffer> {
  const binary = atob(text);
  const bytes = new Uint8Array(binary.length);
  for (let i = 0; i < binary.length; i++) bytes[i] = binary.charCodeAt(i);
  return bytes;
}

function decode(array: Float32Array | Int32Array | Base64Array, dtype: 'F32' | 'I32'): Float32Array | Int32Array {
  if (array instanceof Float32Array || array instanceof Int32Array) return array;
  if (array.dtype !== dtype) throw new Error(`a column has dtype ${array.dtype}, expected ${dtype}`);
  const bytes = bytesOfBase64(array.base64);
  if (bytes.length % 4) throw new Error(`a column of ${bytes.length} bytes is not a whole number of ${dtype} values`);
  return dtype === 'F32' ? new Float32Array(bytes.buffer) : new Int32Array(bytes.buffer);
}

const floats = (a: WireFloats) => decode(a, 'F32') as Float32Array;
const ints = (a: WireInts) => decode(a, 'I32') as Int32Array;

/** Typed arrays from either form of the wire. */
export function decodeColumns(wire: WireColumns): MapColumns {
  return {
    x: floats(wire.x),
    y: floats(wire.y),
    feature: ints(wire.feature),
    firingRate: floats(wire.firingRate),
    firings: ints(wire.firings),
    partner: wire.partner && ints(wire.partner),
    r: wire.r && floats(wire.r),
    x2: wire.x2 && floats(wire.x2),
    y2: wire.y2 && floats(wire.y2),
    delta: wire.delta && floats(wire.delta),
    labels: wire.labels,
  };
}

/** A map whose data the extension host serves. */
export function rpcMapSource(rpc: RpcClient, map: BundleRef): MapSource {
  const ref = { id: map.id, path: map.path };
  return {
    meta: () => rpc.request('map.meta', { map: ref }),
    columns: async (set) => decodeColumns(await rpc.request('map.columns', { map: ref, set })),
    examples: (set, point) => rpc.request('map.examples', { map: ref, set, point }),
  };
}

/** Typed arrays from either form of the wire. */
export function decodeGraphColumns(wire: WireGraphColumns): GraphColumns {
  return {
    x: floats(wire.x),
    y: floats(wire.y),
    membersAt: ints(wire.membersAt),
    members: ints(wire.members),
    edges: ints(wire.edges),
    weight: ints(wire.weight),
    component: ints(wire.component),
    cube: ints(wire.cube),
    noise: ints(wire.noise),
    columns: wire.columns.map(floats),
    counterpart: wire.counterpart && ints(wire.counterpart),
    r: wire.r && floats(wire.r),
    labels: wire.labels,
  };
}

/** A Mapper graph whose data the extension host serves. */
export function rpcGraphSource(rpc: RpcClient, graph: BundleRef): GraphSource {
  const ref = { id: graph.id, path: graph.path };
  return {
    meta: () => rpc.request('graph.meta', { graph: ref }),
    columns: async (set) => decodeGraphColumns(await rpc.request('graph.columns', { graph: ref, set })),
    examples: (set, point) => rpc.request('graph.examples', { graph: ref, set, point }),
    overlap: async () => {
      const wire = await rpc.request('graph.overlap', { graph: ref });
      return wire && floats(wire);
    },
  };
}
