/** Names shared with package.json. */
import type { ViewName } from '../protocol/views.js';

export const CONTROLLER_ID = 'fgnb.kernel';
export const CONFIGURATION = 'fgnb';

/** Context keys that when-clauses of the manifest read. */
export const CONTEXT = {
  notebookActive: 'fgnb.notebookActive',
  kernelState: 'fgnb.kernelState',
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
  exportReport: 'fgnb.exportReport',
  exportJupyter: 'fgnb.exportJupyter',
  exportScript: 'fgnb.exportScript',
  importNotebook: 'fgnb.importNotebook',
  openFeatureById: 'fgnb.openFeatureById',
  doctor: 'fgnb.doctor',
  showLog: 'fgnb.showLog',
  setUpGpu: 'fgnb.setUpGpu',
  stopAllKernels: 'fgnb.stopAllKernels',
  kernelMenu: 'fgnb.kernelMenu',
  refreshVariables: 'fgnb.refreshVariables',
  refreshArtifacts: 'fgnb.refreshArtifacts',
  revealArtifact: 'fgnb.revealArtifact',
} as const;

/** The command that opens a view of a kind, and the context key that says whether the active notebook shows one. */
export const openCommand = (view: ViewName): string => `fgnb.open${view[0].toUpperCase()}${view.slice(1)}`;
export const showsKey = (view: ViewName): string => `fgnb.shows.${view}`;
