/** Saves what a view exports where the reader says. */
import fs from 'node:fs/promises';
import path from 'node:path';
import * as vscode from 'vscode';

const FILTERS: Record<string, string> = {
  graphml: 'GraphML',
  json: 'JSON',
  html: 'HTML',
  png: 'PNG image',
};

export interface FileToSave {
  /** Proposed file name. */
  name: string;
  text?: string;
  base64?: string;
}

/** A name without folders and without characters that file systems refuse. */
export function fileName(name: string): string {
  // eslint-disable-next-line no-control-regex
  return name.replace(/[\u0000-\u001f<>:"/\\|?*]+/g, '-').replace(/^[.\s-]+|[.\s-]+$/g, '') || 'export';
}

/** Asks where to, and writes; the path, or null when cancelled. `folder`: where the dialog starts. */
export async function saveFile(file: FileToSave, folder: string): Promise<string | null> {
  const name = fileName(String(file.name));
  const extension = path.extname(name).slice(1);
  const target = await vscode.window.showSaveDialog({
    defaultUri: vscode.Uri.file(path.join(folder, name)),
    ...(FILTERS[extension] && { filters: { [FILTERS[extension]]: [extension] } }),
  });
  if (!target) return null;
  const bytes = file.base64 === undefined ? (file.text ?? '') : Buffer.from(file.base64, 'base64');
  await fs.writeFile(target.fsPath, bytes);
  return target.fsPath;
}
