import type * as vscode from 'vscode';
import type { Sessions } from '../notebook/controller.js';
import type { GraphPanels } from '../panels/graphPanel.js';
import type { LabPanels } from '../panels/labPanel.js';
import type { MapPanels } from '../panels/mapPanel.js';

/** The parts that commands act on. */
export interface CommandContext {
  extensionFolder: string;
  /** dist/kernel. */
  kernelFolder: string;
  sessions: Sessions;
  panels: MapPanels;
  graphPanels: GraphPanels;
  labPanels: LabPanels;
  log: vscode.LogOutputChannel;
  doctor: vscode.OutputChannel;
}
