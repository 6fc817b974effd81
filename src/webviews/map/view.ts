/**
 * The feature map view: one or two scatter plots with linked hover, search, pins and a table. The same component is
 * the VS Code panel, the notebook output and the map of an exported report; only where its files are differs.
 */
import { MAP_BUNDLE, type MapDescriptor } from '../../protocol/map.js';
import { asPrompt } from '../../protocol/prompt.js';
import { openPlot } from '../plot/view.js';
import { BundleReader, noFiles } from '../ui/bundle.js';
import { HOVER_CARD_CSS } from '../ui/hoverCard.js';
import { TRY_CSS } from '../ui/tryStyles.js';
import type { OpenView } from '../ui/view.js';
import { LoadedMap } from './loadedMap.js';
import { loadModel, type MapSource } from './model.js';
import { MAP_CSS } from './styles.js';

export const openMap: OpenView<MapDescriptor> = (root, descriptor, host) => {
  const source: MapSource = new BundleReader(MAP_BUNDLE, host.files ?? noFiles, descriptor.path);
  const { savePage } = host;
  return openPlot(
    root,
    {
      ...{ noun: 'map', className: 'fg-map', css: `${HOVER_CARD_CSS}${TRY_CSS}${MAP_CSS}` },
      load: () => loadModel(source),
      draw: (model) =>
        new LoadedMap(root, model, source, {
          ...host,
          prompt: asPrompt(descriptor.prompt),
          savePage: savePage && (() => savePage.call(host, descriptor)),
        }),
    },
    host,
  );
};
