/** Interventions panels in panels of their own. */
import type { LabDescriptor } from '../../protocol/lab.js';
import { LAB_PANEL, type LabPanelState } from '../../protocol/webview.js';
import { BundlePanels } from './bundlePanels.js';
import type { ViewServices } from './requests.js';

export class LabPanels extends BundlePanels<LabDescriptor> {
  constructor(services: ViewServices) {
    super(
      {
        viewType: LAB_PANEL,
        script: 'lab.js',
        title: 'Interventions',
        init: (lab, host, state) => ({ type: 'initLab', lab, host, ...(state && { state }) }),
        kept: (value) => {
          const state = value as Partial<LabPanelState> | undefined;
          return state?.lab && state.host ? { descriptor: state.lab, host: state.host } : undefined;
        },
      },
      services,
    );
  }
}
