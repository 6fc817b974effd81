/** Saves what a view exports where the reader says. */
import path from 'node:path';
import * as vscode from 'vscode';

const FILTERS: Record<string, string> = {
  graphml: 'GraphML',
  json: 'JSON',
  html: 'HTML',
  png: 'PNG image',
  svg: 'SVG picture',
  csv: 'CSV',
  tsv: 'TSV',
  tex: 'LaTeX',
  parquet: 'Parquet',
};

/** Bytes of a proposed name without its ending: file systems take 255 in all. */
const LONGEST_STEM = 200;

export interface FileToSave {
  /** Proposed file name. */
  name: string;
  text?: string;
  base64?: string;
}

/** A name without folders and without characters that file systems refuse, not too long for any. */
export function fileName(name: string): string {
  // eslint-disable-next-line no-control-regex
  const plain = name.replace(/[\u0000-\u001f<>:"/\\|?*]+/g, '-').replace(/^[.\s-]+|[.\s-]+$/g, '') || 'export';
  const { name: stem, ext } = path.parse(plain);
  let [kept, bytes] = ['', 0];
  for (const character of stem) {
    bytes += Buffer.byteLength(character);
    if (bytes > LONGEST_STEM) break;
    kept += character;
  }
  return `${kept.trimEnd()}${ext}`;
}

/**
 * Asks where to, then makes the file and writes it; its path, or null when cancelled. `folder`: where the dialog starts.
 * @throws Error when it cannot be made or written, with the path
 */
export async function saveAs(name: string, folder: string, make: () => Promise<Uint8Array>): Promise<string | null> {
  const proposed = fileName(name);
  const extension = path.extname(proposed).slice(1);
  const target = await vscode.window.showSaveDialog({
    defaultUri: vscode.Uri.file(path.join(folder, proposed)),
    ...(FILTERS[extension] && { filters: { [FILTERS[extension]]: [extension] } }),
  });
  if (!target) return null;
  // In a remote window the reader may choose a file of the machine in front of them: VS Code writes there, Node cannot.
  await vscode.workspace.fs.writeFile(target, await make());
  void tellSaved(target);
  return target.fsPath;
}

/** The reader sees that it was saved, and opens a page from there. */
async function tellSaved(target: vscode.Uri): Promise<void> {
  const open = 'Open in Browser';
  const choices = target.path.endsWith('.html') ? [open] : [];
  const choice = await vscode.window.showInformationMessage(`Saved ${path.basename(target.fsPath)}`, ...choices);
  if (choice === open) await vscode.env.openExternal(target);
}

export function saveFile(file: FileToSave, folder: string): Promise<string | null> {
  const { text, base64 } = file;
  const bytes = () => (base64 === undefined ? Buffer.from(text ?? '', 'utf8') : Buffer.from(base64, 'base64'));
  return saveAs(String(file.name), folder, () => Promise.resolve(bytes()));
}
