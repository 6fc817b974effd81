/** Feature pages of open notebooks: what a click on a number of a feature opens. */
import * as vscode from 'vscode';
import type { FeatureDescriptor } from '../../protocol/feature.js';
import { NOTEBOOK_TYPE } from '../../protocol/notebook.js';
import { notebookFolderOf } from '../notebook/controller.js';
import { shownIn } from '../views/activeNotebook.js';
import type { ViewPanels } from './viewPanels.js';

const notebooksIn = (folder: string): vscode.NotebookDocument[] =>
  vscode.workspace.notebookDocuments.filter(
    (notebook) => notebook.notebookType === NOTEBOOK_TYPE && notebookFolderOf(notebook) === folder,
  );

const pagesOf = (notebook: vscode.NotebookDocument): FeatureDescriptor[] =>
  shownIn(notebook, 'feature').map(({ descriptor }) => descriptor as FeatureDescriptor);

/** The feature pages that open notebooks of a folder show, the last first. */
export const featurePagesIn = (folder: string): FeatureDescriptor[] => notebooksIn(folder).flatMap(pagesOf).reverse();

/** The open notebook of a folder that shows the page of this SAE. */
export const notebookWithPage = (folder: string, sae: string): vscode.NotebookDocument | undefined =>
  notebooksIn(folder).find((notebook) => pagesOf(notebook).some((page) => saeOf(page) === sae));

/** The identity of the SAE that a page is of; its descriptor comes from a file. */
export const saeOf = ({ meta }: FeatureDescriptor): string | undefined => meta.sets?.[0]?.sae?.id;

/** Shows a feature in the page of its SAE; says how to make one where there is none. */
export function openFeaturePage(panels: ViewPanels, folder: string, sae: string, feature: number): void {
  const page = featurePagesIn(folder).find((each) => saeOf(each) === sae);
  if (page) return panels.showFeature(page, folder, feature);
  void vscode.window.showInformationMessage(
    `No open notebook has a page of this SAE's features: run a cell with fg.show.feature(activations, ${feature}).`,
  );
}
