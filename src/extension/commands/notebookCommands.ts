/** Commands that open, copy and export notebooks. */
import fs from 'node:fs/promises';
import path from 'node:path';
import * as vscode from 'vscode';
import { CELL_LANGUAGE, NOTEBOOK_TYPE } from '../../protocol/notebook.js';
import { newCellId } from '../../protocol/notebookCodec.js';
import { kernelConfig } from '../config.js';
import { notebookFolderOf } from '../notebook/controller.js';
import { activeNotebook, graphsOf, labsOf, mapsOf } from '../views/activeNotebook.js';
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
  const names = (await fs.readdir(examples).catch(() => [])).filter((name) => name.endsWith('.fgnb'));
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

interface Choice<D> {
  title: string;
  /** Said when there is none. */
  none: string;
  detail(descriptor: D): string;
  show(descriptor: D, folder: string): void;
}

/** Opens one of the bundles that the active notebook shows; asks which when it has several and `index` does not say. */
async function openBundle<D extends { meta: { title: string } }>(
  bundles: (notebook: vscode.NotebookDocument) => Array<{ descriptor: D; cellIndex: number }>,
  index: number | undefined,
  choice: Choice<D>,
): Promise<boolean> {
  const notebook = activeNotebook();
  const found = notebook ? bundles(notebook) : [];
  if (!notebook || found.length === 0) {
    void vscode.window.showInformationMessage(choice.none);
    return false;
  }
  const items = found.map(({ descriptor, cellIndex }) => ({
    label: descriptor.meta.title,
    description: `cell ${cellIndex + 1}`,
    detail: choice.detail(descriptor),
    descriptor,
  }));
  const chosen =
    typeof index === 'number'
      ? items[index]
      : items.length === 1
        ? items[0]
        : await vscode.window.showQuickPick(items, { title: choice.title, matchOnDetail: true });
  if (!chosen) return false;
  choice.show(chosen.descriptor, notebookFolderOf(notebook));
  return true;
}

/** Opens a feature map of the active notebook. */
export function openMap(context: CommandContext, index?: number): Promise<boolean> {
  return openBundle(mapsOf, index, {
    title: 'Open Feature Map',
    none: 'This notebook has no feature map yet: run a cell with fg.show.map or fg.show.twinMaps.',
    detail: (map) => map.meta.sets.map((set) => `${set.title}: ${set.points} features`).join(' · '),
    show: (map, folder) => context.panels.show(map, folder),
  });
}

/** Opens a Mapper graph of the active notebook. */
export function openGraph(context: CommandContext, index?: number): Promise<boolean> {
  return openBundle(graphsOf, index, {
    title: 'Open Mapper Graph',
    none: 'This notebook has no Mapper graph yet: run a cell with fg.mapper.graph and fg.mapper.show.',
    detail: (graph) => graph.meta.sets.map((set) => `${set.title}: ${set.nodes} nodes`).join(' · '),
    show: (graph, folder) => context.graphPanels.show(graph, folder),
  });
}

/** Opens an interventions panel of the active notebook. */
export function openLab(context: CommandContext, index?: number): Promise<boolean> {
  return openBundle(labsOf, index, {
    title: 'Open Interventions Panel',
    none: 'This notebook has no interventions panel yet: run a cell with fg.interventions.panel.',
    detail: (lab) => `${lab.meta.model.name} · ${lab.meta.sae.name}`,
    show: (lab, folder) => context.labPanels.show(lab, folder),
  });
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
