/** Panels with a stand-in for VS Code's windows: what is restored after a reload, and who is refused. */
import { beforeEach, describe, expect, test, vi } from 'vitest';
import type { Descriptor } from '#protocol/bundle.js';
import { WEBVIEW_PROTOCOL, type FromWebview } from '#protocol/webview.js';

interface Serializer {
  deserializeWebviewPanel(panel: unknown, state: unknown): Promise<void>;
}
const registered = vi.hoisted(() => new Map<string, unknown>());
vi.mock('vscode', () => ({
  Uri: { joinPath: (...parts: unknown[]) => parts.filter(Boolean).join('/') },
  Disposable: { from: () => ({ dispose: () => undefined }) },
  window: {
    registerWebviewPanelSerializer: (type: string, serializer: unknown) => {
      registered.set(type, serializer);
      return { dispose: () => undefined };
    },
  },
  workspace: { workspaceFolders: [{ uri: { fsPath: '/work' } }], notebookDocuments: [] },
}));
const { ViewPanels } = await import('#extension/panels/viewPanels.js');

const descriptor: Descriptor = { version: 1, id: 'm', path: '.fgnb/map-1', meta: { title: 'Twin maps' } };
const services = { hub: { join: () => ({ replay: () => undefined, dispose: () => undefined }) }, log: console };

function fakePanel() {
  const posted: unknown[] = [];
  let receive: (message: FromWebview) => void = () => undefined;
  const panel = {
    ...{ title: '', posted, disposed: false },
    dispose: () => (panel.disposed = true),
    onDidDispose: () => undefined,
    send: (message: FromWebview) => receive(message),
    webview: {
      html: '',
      postMessage: (message: unknown) => Promise.resolve(posted.push(message)),
      onDidReceiveMessage: (listener: typeof receive) => (receive = listener),
      asWebviewUri: String,
    },
  };
  return panel;
}

describe('panels after a reload of the window', () => {
  const restore = async (type: string, state: unknown) => {
    const panel = fakePanel();
    await (registered.get(type) as Serializer).deserializeWebviewPanel(panel, state);
    return panel;
  };
  const host = { notebookFolder: '/work/notes' };
  beforeEach(() => void new ViewPanels(services as never));

  test.each([
    ['fgnb.map', 'map', 'map'],
    ['fgnb.graph', 'graph', 'graph'],
    ['fgnb.lab', 'lab', 'interventions'],
  ])('%s shows what version 0.1.0 kept under "%s"', async (type, saved, view) => {
    const panel = await restore(type, { version: 1, [saved]: descriptor, host, view: { query: 'king' } });
    expect(panel.title).toBe('Twin maps');
    expect(panel.webview.html).toContain('dist/webviews/panel.js');
    panel.send({ type: 'ready', protocol: WEBVIEW_PROTOCOL });
    expect(panel.posted).toEqual([{ type: 'init', view, descriptor, host }]);
  });

  test.each([
    ['of a folder that is none of this window’s', { version: 1, map: descriptor, host: { notebookFolder: '/etc' } }],
    ['of another kind', { version: 1, graph: descriptor, host }],
    ['without a bundle', { version: 1, map: { ...descriptor, path: undefined }, host }],
    ['that is nothing', undefined],
  ])('state %s closes the panel', async (_, state) => {
    expect((await restore('fgnb.map', state)).disposed).toBe(true);
  });

  test('a page of another version is refused, and told what to do', async () => {
    const panel = await restore('fgnb.map', { version: 1, map: descriptor, host });
    panel.send({ type: 'ready', protocol: WEBVIEW_PROTOCOL - 1 });
    expect(panel.posted).toEqual([{ type: 'refused', reason: expect.stringContaining('Reload Window') as string }]);
    panel.posted.length = 0;
    const request = { type: 'request', id: '1', method: 'link.send', params: {} } as unknown as FromWebview;
    panel.send(request);
    await vi.waitFor(() => expect(panel.posted).toHaveLength(1));
    expect(panel.posted[0]).toMatchObject({ ok: false, error: expect.stringContaining('Reload Window') as string });
  });
});
