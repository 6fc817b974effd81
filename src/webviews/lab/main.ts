/** The interventions panel of VS Code: shows the one that the host names. */
import type { LabDescriptor } from '../../protocol/lab.js';
import type { LabPanelState } from '../../protocol/webview.js';
import { startPanel } from '../ui/panel.js';
import { rpcLabSource } from './source.js';
import { createLabView, type LabView } from './view.js';

let view: LabView | null = null;
let lab: LabDescriptor;

startPanel<LabPanelState>({
  subject: (message) => {
    if (message.type !== 'initLab') return null;
    const { host, state } = message;
    lab = message.lab;
    return { id: lab.id, kept: { version: 1, lab, host }, state };
  },
  keptId: (kept) => (kept.version === 1 ? kept.lab?.id : undefined),
  open: ({ root, rpc, link, state, keep }) => {
    view?.dispose();
    view = createLabView(root, lab, rpcLabSource(rpc, lab.view), {
      ...{ state, link },
      onState: keep,
      copyText: async (text) => void (await rpc.request('text.copy', { text })),
      savePage: (shown) => rpc.request('lab.html', { lab: shown }, Infinity),
      saveFile: (file) => rpc.request('file.save', file, Infinity),
    });
    return view.ready;
  },
  receive: () => undefined,
});
