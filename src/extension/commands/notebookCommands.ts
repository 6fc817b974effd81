/** Commands that open, copy and export notebooks. */
import fs from 'node:fs/promises';
import path from 'node:path';
import * as vscode from 'vscode';
import type { FeatureDescriptor } from '../../protocol/feature.js';
import { CELL_LANGUAGE, NOTEBOOK_TYPE } from '../../protocol/notebook.js';
import { newCellId } from '../../protocol/notebookCodec.js';
import { VIEWS, type ViewKind, type ViewName } from '../../protocol/views.js';
import { kernelConfig } from '../config.js';
import { notebookFolderOf } from '../notebook/controller.js';
import { featurePagesIn, saeOf } from '../panels/featurePages.js';
import { activeNotebook, shownIn } from '../views/activeNotebook.js';
import { runCli } from './cli.js';
import type { CommandContext } from './context.js';
import { FIRST_CELLS } from './firstCells.js';

export async function newNotebook(): Promise<vscode.NotebookDocument> {
  const cells = FIRST_CELLS.map(([kind, text]) => {
    const cell =
      kind === 'markdown'
        ? new vscode.NotebookCellData(vscode.NotebookCellKind.Markup, text, 'markdown')
        : new vscode.NotebookCellData(vscode.NotebookCellKind.Code, text, CELL_LANGUAGE);
    cell.metadata = { id: newCellId() };
    return cell;
  });
  const notebook = await vscode.workspace.openNotebookDocument(NOTEBOOK_TYPE, new vscode.NotebookData(cells));
  await vscode.window.showNotebookDocument(notebook);
  return notebook;
}

async function chooseFolder(): Promise<string | undefined> {
  const chosen = await vscode.window.showOpenDialog({
    canSelectFiles: false,
    canSelectFolders: true,
    openLabel: 'Copy Samples Here',
    title: 'Folder for a copy of the samples',
    defaultUri: vscode.workspace.workspaceFolders?.[0]?.uri,
  });
  return chosen?.[0]?.fsPath;
}

/** Copies what is not there yet: a sample that was edited is never written over. */
async function copyMissing(from: string, to: string): Promise<void> {
  await fs.mkdir(to, { recursive: true });
  for (const entry of await fs.readdir(from, { withFileTypes: true })) {
    const [source, target] = [path.join(from, entry.name), path.join(to, entry.name)];
    if (entry.isDirectory()) await copyMissing(source, target);
    else
      await fs.copyFile(source, target, fs.constants.COPYFILE_EXCL).catch((error: NodeJS.ErrnoException) => {
        if (error.code !== 'EEXIST') throw error;
      });
  }
}

/** `targetFolder` spares the dialog; returns the notebook's path. */
export async function openSample(context: CommandContext, targetFolder?: string): Promise<string | undefined> {
  const examples = path.join(context.extensionFolder, 'examples');
  const names = (await fs.readdir(examples).catch(() => [])).filter((name) => path.extname(name) === '.fgnb');
  if (names.length === 0) throw new Error(`This installation has no samples in ${examples}.`);
  const first = names.includes('quickstart.fgnb') ? 'quickstart.fgnb' : names[0];
  const name =
    names.length === 1 || targetFolder
      ? first
      : await vscode.window.showQuickPick([first, ...names.filter((n) => n !== first)], { title: 'Open Sample' });
  if (!name) return undefined;
  const folder = targetFolder ?? (await chooseFolder());
  if (!folder) return undefined;
  await copyMissing(examples, folder);
  const file = path.join(folder, name);
  const notebook = await vscode.workspace.openNotebookDocument(vscode.Uri.file(file));
  await vscode.window.showNotebookDocument(notebook);
  return file;
}

/** Opens one of the views of a kind that the active notebook shows; asks which when it has several and `index` does not say. */
export async function openView(context: CommandContext, view: ViewName, index?: number): Promise<boolean> {
  const notebook = activeNotebook();
  const { title, none, detail } = VIEWS[view].open as ViewKind['open'];
  const found = notebook ? shownIn(notebook, view) : [];
  if (!notebook || found.length === 0) {
    void vscode.window.showInformationMessage(none);
    return false;
  }
  const items = found.map(({ descriptor, cellIndex }) => ({
    label: descriptor.meta.title,
    description: `cell ${cellIndex + 1}`,
    detail: detail(descriptor),
    descriptor,
  }));
  const chosen =
    typeof index === 'number'
      ? items[index]
      : items.length === 1
        ? items[0]
        : await vscode.window.showQuickPick(items, { title, matchOnDetail: true });
  if (!chosen) return false;
  context.panels.show({ view, descriptor: chosen.descriptor, folder: notebookFolderOf(notebook) });
  return true;
}

/** Opens the page of a feature by its number; asks for it, and of which SAE, where that is not said. */
export async function openFeatureById(context: CommandContext, feature?: number): Promise<boolean> {
  const notebook = activeNotebook();
  const folder = notebook && notebookFolderOf(notebook);
  const pages = folder === undefined ? [] : featurePagesIn(folder);
  if (folder === undefined || pages.length === 0) {
    void vscode.window.showInformationMessage(VIEWS.feature.open.none);
    return false;
  }
  const bySae = [...new Map(pages.map((page) => [saeOf(page), page]).reverse() as Array<[string, FeatureDescriptor]>).values()]; // prettier-ignore
  const items = bySae.map((page) => ({ label: page.meta.sets[0].title, page }));
  const title = 'Open Feature by Id';
  const chosen = items.length === 1 ? items[0] : await vscode.window.showQuickPick(items, { title });
  if (!chosen) return false;
  const last = chosen.page.meta.sets[0].points - 1;
  const isFeature = (text: string): boolean => /^\s*#?\d+\s*$/.test(text) && Number(text.replace('#', '')) <= last;
  const typed =
    feature === undefined
      ? await vscode.window.showInputBox({
          ...{ title, prompt: `${chosen.label}: a number from 0 to ${last}` },
          validateInput: (text) => (isFeature(text) ? undefined : `expected a number from 0 to ${last}`),
        })
      : String(feature);
  if (typed === undefined || !isFeature(typed)) return false;
  context.panels.showFeature(chosen.page, folder, Number(typed.replace('#', '')));
  return true;
}

/** Writes the report of the saved notebook; returns its path. `target` spares the dialog. */
export async function exportReport(context: CommandContext, target?: string): Promise<string | undefined> {
  const notebook = activeNotebook();
  if (!notebook) return undefined;
  if (notebook.isUntitled) throw new Error('Save the notebook first: the report is made from the saved file.');
  if (notebook.isDirty && !(await notebook.save())) return undefined;
  const source = notebook.uri.fsPath;
  const proposed = vscode.Uri.file(source.replace(/\.fgnb$/, '') + '.html');
  const html =
    target ?? (await vscode.window.showSaveDialog({ defaultUri: proposed, filters: { HTML: ['html'] } }))?.fsPath;
  if (!html) return undefined;
  const result = await vscode.window.withProgress(
    { location: vscode.ProgressLocation.Notification, title: `Exporting ${path.basename(html)}` },
    () =>
      runCli(['export', source, '--html', html], {
        kernelFolder: context.kernelFolder,
        config: kernelConfig(notebook.uri),
        cwd: path.dirname(source),
      }),
  );
  if (result.code !== 0) throw new Error(`The export failed: ${(result.stderr || result.stdout).trim()}`);
  context.log.info(`Exported ${html}`);
  if (!target) {
    const open = 'Open in Browser';
    const choice = await vscode.window.showInformationMessage(`Exported ${path.basename(html)}`, open);
    if (choice === open) await vscode.env.openExternal(vscode.Uri.file(html));
  }
  return html;
}
