/** What every command is given. */
import type * as vscode from 'vscode';
import type { Sessions } from '../notebook/controller.js';
import type { ViewPanels } from '../panels/viewPanels.js';

/** The parts that commands act on. */
export interface CommandContext {
  extensionFolder: string;
  /** dist/kernel. */
  kernelFolder: string;
  sessions: Sessions;
  panels: ViewPanels;
  log: vscode.LogOutputChannel;
  doctor: vscode.OutputChannel;
}
