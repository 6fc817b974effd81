/** Mapper graphs in panels of their own. */
import type { GraphDescriptor } from '../../protocol/graph.js';
import { GRAPH_PANEL, type GraphPanelState } from '../../protocol/webview.js';
import { BundlePanels } from './bundlePanels.js';
import type { ViewServices } from './requests.js';

export class GraphPanels extends BundlePanels<GraphDescriptor> {
  constructor(services: ViewServices) {
    super(
      {
        viewType: GRAPH_PANEL,
        script: 'graph.js',
        title: 'Mapper graph',
        init: (graph, host, state) => ({ type: 'initGraph', graph, host, ...(state && { state }) }),
        kept: (value) => {
          const state = value as Partial<GraphPanelState> | undefined;
          return state?.graph && state.host ? { descriptor: state.graph, host: state.host } : undefined;
        },
      },
      services,
    );
  }
}
