/** Links that reopen a feature's page in this editor: made for the page's button, followed when the editor is given one. */
import { statSync } from 'node:fs';
import path from 'node:path';
import * as vscode from 'vscode';
import { FEATURE_LINK_PATH, featureQuery, readFeatureQuery, type FeatureLink } from '../../protocol/featureLink.js';
import { notebookFolderOf } from '../notebook/controller.js';
import { notebookWithPage, openFeaturePage, saeOf, featurePagesIn } from './featurePages.js';
import type { ViewPanels } from './viewPanels.js';

/** "vscode://…/feature?…": names the notebook of the folder that has the page. */
export function featureLink(extensionId: string, folder: string, sae: string, feature: number): string {
  const notebook = notebookWithPage(folder, sae);
  const link: FeatureLink = { feature, sae, ...(notebook?.uri.scheme === 'file' && { notebook: notebook.uri.fsPath }) };
  // Written by hand: an Uri would decode what stands in the query.
  return `${vscode.env.uriScheme}://${extensionId}${FEATURE_LINK_PATH}?${featureQuery(link)}`;
}

/** @throws Error in words where the link leads nowhere */
async function notebookOf(file: string): Promise<vscode.NotebookDocument> {
  const isNotebook = path.isAbsolute(file) && file.endsWith('.fgnb');
  if (!isNotebook || !statSync(file, { throwIfNoEntry: false })?.isFile())
    throw new Error(`the link names ${JSON.stringify(file.slice(0, 200))}, which is no notebook (.fgnb) on this host`);
  const notebook = await vscode.workspace.openNotebookDocument(vscode.Uri.file(file));
  await vscode.window.showNotebookDocument(notebook);
  return notebook;
}

/** Opens the notebook that a link names, and the page; no cell runs. @throws Error in words where it leads nowhere */
export async function followFeatureLink(
  panels: ViewPanels,
  uri: Pick<vscode.Uri, 'path' | 'query'>,
  folder?: string,
): Promise<void> {
  const link = uri.path === FEATURE_LINK_PATH ? readFeatureQuery(uri.query) : null;
  if (!link) throw new Error(`expected ${FEATURE_LINK_PATH}?feature=12&sae=…&notebook=…`);
  const at = link.notebook === undefined ? folder : notebookFolderOf(await notebookOf(link.notebook));
  if (at === undefined) throw new Error('the link names no notebook, and none is open');
  const sae =
    link.sae ??
    featurePagesIn(at)
      .map(saeOf)
      .find((each) => each !== undefined);
  if (sae === undefined)
    throw new Error('the notebook has no feature page: run a cell with fg.show.feature(activations)');
  openFeaturePage(panels, at, sae, link.feature);
}
