/** What panels and notebook outputs share in one window. */
import type * as vscode from 'vscode';
import type { Descriptor } from '../../protocol/bundle.js';
import type { JsonObject } from '../../protocol/notebook.js';
import type { ViewName } from '../../protocol/views.js';
import type { LinkHub } from './linkHub.js';
import type { LiveCalls } from './liveCalls.js';

/** What all views of this window share. */
export interface ViewServices {
  extensionUri: vscode.Uri;
  log: vscode.LogOutputChannel;
  hub: LinkHub;
  live: LiveCalls;
  /** Shows a view in a panel. */
  open(view: ViewName, descriptor: Descriptor, folder: string, state: JsonObject | undefined): void;
  /** Shows the page of a feature in a panel, where a notebook of the folder has the page of its SAE; else says how to make one. */
  openFeature(folder: string, sae: string, feature: number): void;
  /** The link that reopens this page. */
  featureLink(folder: string, sae: string, feature: number): string;
}
