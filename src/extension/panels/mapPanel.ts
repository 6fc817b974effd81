/** Feature maps in panels of their own. */
import type { MapDescriptor } from '../../protocol/map.js';
import { MAP_PANEL, type PanelState } from '../../protocol/webview.js';
import { BundlePanels } from './bundlePanels.js';
import type { ViewServices } from './requests.js';

export class MapPanels extends BundlePanels<MapDescriptor> {
  constructor(services: ViewServices) {
    super(
      {
        viewType: MAP_PANEL,
        script: 'map.js',
        title: 'Feature map',
        init: (map, host, state) => ({ type: 'init', map, host, ...(state && { state }) }),
        kept: (value) => {
          const state = value as Partial<PanelState> | undefined;
          return state?.map && state.host ? { descriptor: state.map, host: state.host } : undefined;
        },
      },
      services,
    );
  }
}
