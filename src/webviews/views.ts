/** How each kind of view is drawn: one entry for each, beside that of protocol/views.ts. */
import type { Descriptor } from '../protocol/bundle.js';
import type { Descriptors, ViewName } from '../protocol/views.js';
import { openFeature } from './feature/view.js';
import { openGraph } from './graph/view.js';
import { openInterventions } from './interventions/view.js';
import { openMap } from './map/view.js';
import { openPrompt } from './prompt/view.js';
import { ownSelectAll } from './ui/selectAll.js';
import type { OpenView, View, ViewHost } from './ui/view.js';

const OPEN: { readonly [K in ViewName]: OpenView<Descriptors[K]> } = {
  map: openMap,
  graph: openGraph,
  interventions: openInterventions,
  feature: openFeature,
  prompt: openPrompt,
};

/** Draws a descriptor of a kind inside `root`. */
export function openView(view: ViewName, root: HTMLElement, descriptor: Descriptor, host: ViewHost): View {
  const opened = (OPEN[view] as OpenView<Descriptor>)(root, descriptor, host);
  const release = ownSelectAll(root);
  return {
    ready: opened.ready,
    dispose() {
      release();
      opened.dispose();
    },
  };
}
