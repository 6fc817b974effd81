/** A stand-in host for the Mapper graph panel: answers from a fixture's files as the extension does. */
import type { Page } from 'playwright-core';
import type { GraphFixture } from '../support/graphBundle.js';
import type { PageServer } from './fixtures.js';

/** Runs before the page's own script. `window.__saved` collects what is exported, `__links` what is shared. */
export async function installGraphHost(page: Page, server: PageServer, graph: GraphFixture): Promise<void> {
  for (const [file, bytes] of Object.entries(graph.files))
    server.add(`/graph/${graph.id}/${file}`, 'application/octet-stream', bytes);
  await page.addInitScript('globalThis.__name ??= (f) => f');
  await page.addInitScript<Parameters<typeof hostScript>[0]>(hostScript, {
    ...{ version: 1, id: graph.id, path: `artifacts/${graph.id}`, meta: graph.meta },
    files: Object.keys(graph.files),
  });
}

/** Runs in the page. Reads safetensors by hand, so that the page's own reader is not its own judge. */
function hostScript(descriptor: {
  id: string;
  path: string;
  meta: { sets: Array<{ points: number; columns: unknown[] }> };
  files: string[];
}): void {
  const host = window as unknown as Record<string, unknown> & { __links: unknown[]; __saved: unknown[] };
  const read = async (file: string) =>
    new Uint8Array(await (await fetch(`/graph/${descriptor.id}/${file}`)).arrayBuffer());
  const tensors = async () => {
    const bytes = await read('columns.safetensors');
    const length = Number(new DataView(bytes.buffer).getBigUint64(0, true));
    const header = JSON.parse(new TextDecoder().decode(bytes.subarray(8, 8 + length))) as Record<
      string,
      { dtype: 'F32' | 'I32' | 'I64'; data_offsets: [number, number] }
    >;
    const make = { F32: Float32Array, I32: Int32Array, I64: BigInt64Array };
    return Object.fromEntries(
      Object.entries(header).map(([name, { dtype, data_offsets }]) => {
        const part = bytes.slice(8 + length + data_offsets[0], 8 + length + data_offsets[1]).buffer;
        return [name, new make[dtype](part)];
      }),
    );
  };
  const answer = async (
    method: string,
    params: { set: number; point: number; selection: unknown },
  ): Promise<unknown> => {
    if (method === 'graph.meta') return descriptor.meta;
    if (method === 'graph.overlap') return null;
    if (method === 'link.send') return (host.__links.push(params.selection), null);
    if (method === 'file.save' || method === 'graph.html') return (host.__saved.push(params), '/tmp/saved');
    const s = params.set;
    if (method === 'graph.columns') {
      const all = await tensors();
      const names = [
        'x',
        'y',
        'membersAt',
        'members',
        'edges',
        'weight',
        'component',
        'cube',
        'noise',
        'counterpart',
        'r',
      ];
      const { points, columns } = descriptor.meta.sets[s];
      const labels = descriptor.files.includes(`${s}.labels.json`)
        ? (JSON.parse(new TextDecoder().decode(await read(`${s}.labels.json`))) as unknown)
        : Array.from({ length: points }, () => []);
      return {
        ...Object.fromEntries(names.map((n) => [n, all[`${s}.${n}`]])),
        columns: columns.map((_, i) => all[`${s}.column.${i}`]),
        labels,
      };
    }
    if (method !== 'graph.examples' || !descriptor.files.includes(`${s}.examples.jsonl`)) return [];
    const at = (await tensors())[`${s}.examplesAt`] as BigInt64Array;
    const lines = await read(`${s}.examples.jsonl`);
    return JSON.parse(new TextDecoder().decode(lines.subarray(Number(at[params.point]), Number(at[params.point + 1]))));
  };
  host.__state = JSON.parse(sessionStorage.getItem('state') ?? 'null');
  host.__links = [];
  host.__saved = [];
  host.acquireVsCodeApi = () => ({
    getState: () => host.__state ?? undefined,
    setState: (state: unknown) => {
      host.__state = state;
      sessionStorage.setItem('state', JSON.stringify(state));
    },
    postMessage: (message: { type: string; id: string; method: string; params: never }) => {
      if (message.type === 'ready')
        window.postMessage({ type: 'initGraph', graph: descriptor, host: { notebook: 'x.fgnb' } });
      if (message.type === 'request')
        void answer(message.method, message.params).then(
          (value) => window.postMessage({ type: 'reply', id: message.id, ok: true, value }),
          (error: unknown) => window.postMessage({ type: 'reply', id: message.id, ok: false, error: String(error) }),
        );
    },
  });
}
