/** Graph fixtures as the view's model. */
import { GRAPH_BUNDLE } from '#protocol/graph.js';
import { loadGraph, type GraphModel } from '#webviews/graph/model.js';
import { BundleReader } from '#webviews/ui/bundle.js';
import { memoryFiles } from './bundleFiles.js';
import { graphBundle, type GraphFixture } from './graphBundle.js';

export const open = (fixture: GraphFixture): Promise<GraphModel> =>
  loadGraph(new BundleReader(GRAPH_BUNDLE, memoryFiles(fixture.files), fixture.id));

/** Nodes {0,1,2}, {2,3}, {4}; point 5 is noise. */
export const small = (): GraphFixture =>
  graphBundle('small', 'Small', [
    {
      meta: {
        ...{ name: 'A', title: 'tiny', role: 'data' as const, points: 6, sae: { id: 'sha', name: 'tiny' } },
        description: 'lens & cover',
        columns: [{ name: 'firing rate' }, { name: 'group', classes: ['x', 'y'] }],
        parameters: { seed: 0 },
      },
      nodes: [[0, 1, 2], [2, 3], [4]],
      ...{ x: [0, 1, 5], y: [0, 0, 5], cube: [3, 3, 7] },
      columns: [
        [0.1, 0.4, NaN, 0.2, NaN, 0.9],
        [1, 0, 0, 1, NaN, 0],
      ],
      labels: [[' king', '.'], [' Queen,', ' king'], [' talking'], [' <b>&"'], [], [' rain']],
    },
  ]);
