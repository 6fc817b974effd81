/** Results kept beside the active notebook: the records that the kernel writes into its artifact folder. */
import fs from 'node:fs/promises';
import path from 'node:path';
import * as vscode from 'vscode';
import { artifactFolder, kernelConfig } from '../config.js';
import { COMMAND } from '../ids.js';
import { notebookFolderOf, type Sessions } from '../notebook/controller.js';
import { readInside } from '../panels/insideFiles.js';
import { artifactDetails, artifactLine, artifactOf, type Artifact } from './artifactWords.js';
import { activeNotebook, onDidChangeActiveNotebook } from './activeNotebook.js';

const RECORD = 'artifact.json';
const MAX_RECORD_BYTES = 64 * 2 ** 20;

/** One folder per artifact, with its record inside; folders without one are still being written. */
async function listArtifacts(folder: string): Promise<Artifact[]> {
  const entries = await fs.readdir(folder, { withFileTypes: true }).catch(() => []);
  const root = await fs.realpath(folder).catch(() => folder);
  const found = await Promise.all(
    entries
      .filter((entry) => entry.isDirectory())
      .map(async (entry): Promise<Artifact | Artifact[]> => {
        const file = path.join(folder, entry.name, RECORD);
        try {
          const record: unknown = JSON.parse((await readInside(root, file, MAX_RECORD_BYTES)).toString('utf8'));
          return artifactOf(record, file, entry.name) ?? [];
        } catch {
          return [];
        }
      }),
  );
  return found.flat();
}

function toItem(artifact: Artifact): vscode.TreeItem {
  const { label, description } = artifactLine(artifact);
  const item = new vscode.TreeItem(label);
  item.description = description;
  item.tooltip = [...artifactDetails(artifact), path.dirname(artifact.file)].join('\n');
  item.iconPath = new vscode.ThemeIcon('archive');
  item.contextValue = 'artifact';
  item.command = { command: COMMAND.revealArtifact, title: 'Show Artifact Record', arguments: [artifact] };
  return item;
}

export function createArtifactsView(sessions: Sessions): vscode.Disposable {
  const changed = new vscode.EventEmitter<void>();
  const children = async (): Promise<Artifact[]> => {
    const notebook = activeNotebook();
    if (!notebook) return [];
    const found = await listArtifacts(artifactFolder(kernelConfig(notebook.uri), notebookFolderOf(notebook)));
    return found.sort((a, b) => (b.created ?? '').localeCompare(a.created ?? ''));
  };
  const view = vscode.window.createTreeView<Artifact>('fgnb.artifacts', {
    treeDataProvider: {
      onDidChangeTreeData: changed.event,
      getChildren: (element) => (element ? [] : children()),
      getTreeItem: toItem,
    },
  });
  const refresh = (): void => changed.fire();
  const ifVisible = (): void => {
    if (view.visible) refresh();
  };
  return vscode.Disposable.from(
    view,
    changed,
    vscode.commands.registerCommand(COMMAND.refreshArtifacts, refresh),
    vscode.commands.registerCommand(COMMAND.revealArtifact, (artifact: Artifact) =>
      vscode.window.showTextDocument(vscode.Uri.file(artifact.file), { preview: true }),
    ),
    onDidChangeActiveNotebook(ifVisible),
    sessions.onDidEndCell(ifVisible),
  );
}
