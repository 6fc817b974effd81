/** Results kept beside the active notebook: the records that the kernel writes into its artifact folder. */
import fs from 'node:fs/promises';
import path from 'node:path';
import * as vscode from 'vscode';
import { artifactFolder, kernelConfig } from '../config.js';
import { COMMAND } from '../ids.js';
import { notebookFolderOf, type Sessions } from '../notebook/controller.js';
import { readInside } from '../panels/insideFiles.js';
import { activeNotebook, onDidChangeActiveNotebook } from './activeNotebook.js';

interface Artifact {
  file: string;
  id: string;
  kind: string;
  title?: string;
  created?: string;
  wallMs?: number;
}

const RECORD = 'artifact.json';
const MAX_RECORD_BYTES = 64 * 2 ** 20;

/** One folder per artifact, with its record inside; folders without one are still being written. */
async function listArtifacts(folder: string): Promise<Artifact[]> {
  const entries = await fs.readdir(folder, { withFileTypes: true }).catch(() => []);
  const root = await fs.realpath(folder).catch(() => folder);
  const found = await Promise.all(
    entries
      .filter((entry) => entry.isDirectory())
      .map(async (entry): Promise<Artifact[]> => {
        const file = path.join(folder, entry.name, RECORD);
        try {
          const record = JSON.parse(
            (await readInside(root, file, MAX_RECORD_BYTES)).toString('utf8'),
          ) as Partial<Artifact>;
          return [{ ...record, file, id: record.id ?? entry.name, kind: record.kind ?? 'artifact' }];
        } catch {
          return [];
        }
      }),
  );
  return found.flat();
}

function toItem(artifact: Artifact): vscode.TreeItem {
  const item = new vscode.TreeItem(artifact.title || artifact.kind);
  const seconds = artifact.wallMs === undefined ? '' : `${(artifact.wallMs / 1000).toFixed(1)} s`;
  const made = artifact.created ? new Date(artifact.created).toLocaleString() : '';
  item.description = [artifact.title ? artifact.kind : '', artifact.id.slice(0, 8), seconds]
    .filter(Boolean)
    .join(' · ');
  item.tooltip = [`${artifact.kind} ${artifact.id}`, made, path.dirname(artifact.file)].filter(Boolean).join('\n');
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
