/** Names shared with package.json. */
import { GRAPH_PANEL, LAB_PANEL, MAP_PANEL, RENDERER_ID } from '../protocol/webview.js';

export { GRAPH_PANEL, LAB_PANEL, MAP_PANEL, RENDERER_ID };
export const CONTROLLER_ID = 'fgnb.kernel';
export const CONFIGURATION = 'fgnb';

/** Context keys that when-clauses of the manifest read. */
export const CONTEXT = {
  notebookActive: 'fgnb.notebookActive',
  kernelState: 'fgnb.kernelState',
  hasMaps: 'fgnb.hasMaps',
  hasGraphs: 'fgnb.hasGraphs',
  hasLabs: 'fgnb.hasLabs',
  hasKernels: 'fgnb.hasKernels',
  kernelStarted: 'fgnb.kernelStarted',
} as const;

export const COMMAND = {
  newNotebook: 'fgnb.newNotebook',
  openSample: 'fgnb.openSample',
  restartKernel: 'fgnb.restartKernel',
  restartAndRunAll: 'fgnb.restartAndRunAll',
  interruptKernel: 'fgnb.interruptKernel',
  selectDevice: 'fgnb.selectDevice',
  openMap: 'fgnb.openMap',
  openGraph: 'fgnb.openGraph',
  openLab: 'fgnb.openLab',
  exportReport: 'fgnb.exportReport',
  doctor: 'fgnb.doctor',
  showLog: 'fgnb.showLog',
  setUpGpu: 'fgnb.setUpGpu',
  stopAllKernels: 'fgnb.stopAllKernels',
  kernelMenu: 'fgnb.kernelMenu',
  refreshVariables: 'fgnb.refreshVariables',
  refreshArtifacts: 'fgnb.refreshArtifacts',
  revealArtifact: 'fgnb.revealArtifact',
} as const;
