/**
 * The Mapper graph view: one or more graphs side by side, with search, colours, pins, lasso, components, findings and
 * noise. The same component is the VS Code panel, the notebook output and the graph of an exported page.
 */
import { GRAPH_BUNDLE, type GraphDescriptor } from '../../protocol/graph.js';
import { openPlot } from '../plot/view.js';
import { BundleReader, noFiles } from '../ui/bundle.js';
import type { OpenView } from '../ui/view.js';
import { LoadedGraph } from './loadedGraph.js';
import { loadGraph, type GraphSource } from './model.js';
import { GRAPH_CSS } from './styles.js';

export const openGraph: OpenView<GraphDescriptor> = (root, descriptor, host) => {
  const source: GraphSource = new BundleReader(GRAPH_BUNDLE, host.files ?? noFiles, descriptor.path);
  const { savePage } = host;
  return openPlot(
    root,
    {
      ...{ noun: 'graph', className: 'fg-graph', css: GRAPH_CSS },
      load: () => loadGraph(source),
      draw: (model) =>
        new LoadedGraph(root, model, source, {
          ...host,
          savePage: savePage && (() => savePage.call(host, descriptor)),
        }),
    },
    host,
  );
};
