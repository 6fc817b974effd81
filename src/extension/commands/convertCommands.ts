/** Commands that write notebooks in other formats, and read them. The work is `fgnb convert`, in a process of its own. */
import path from 'node:path';
import * as vscode from 'vscode';
import { NOTEBOOK_TYPE } from '../../protocol/notebook.js';
import { kernelConfig } from '../config.js';
import { activeNotebook } from '../views/activeNotebook.js';
import { runCli } from './cli.js';
import type { CommandContext } from './context.js';

const NAMES = { '.ipynb': 'Jupyter Notebook', '.ts': 'TypeScript' } as const;

/**
 * Runs the conversion under a notification that can cancel it; false when it was cancelled. Its notes are shown in short
 * and logged in full. `to` is written over: the caller has asked.
 */
async function convert(context: CommandContext, what: string, from: string, to: string): Promise<boolean> {
  const stop = new AbortController();
  const options = {
    location: vscode.ProgressLocation.Notification,
    title: `${what} ${path.basename(to)}`,
    cancellable: true,
  };
  try {
    const result = await vscode.window.withProgress(options, (_, token) => {
      token.onCancellationRequested(() => stop.abort());
      return runCli(['convert', from, to, '--force'], {
        kernelFolder: context.kernelFolder,
        config: kernelConfig(vscode.Uri.file(from)),
        cwd: path.dirname(from),
        signal: stop.signal,
      });
    });
    if (result.code !== 0) throw new Error(result.stderr.trim().replace(/^fgnb: /, '') || result.stdout.trim());
    tell(context, to, result.stderr.trim());
    return true;
  } catch (error) {
    if (stop.signal.aborted) return false;
    throw error;
  }
}

/** Shows what changed in the conversion; does not wait until the message is closed. */
function tell(context: CommandContext, to: string, notes: string): void {
  context.log.info(`Wrote ${to}`);
  if (notes === '') return;
  context.log.warn(notes);
  const lines = notes.split('\n');
  const more = lines.length > 1 ? ` (${lines.length - 1} more in the log)` : '';
  const showLog = 'Show Log';
  void vscode.window
    .showWarningMessage(`${path.basename(to)}: ${lines[0]}${more}`, showLog)
    .then((choice) => choice === showLog && context.log.show());
}

/** Writes the saved notebook as another format; its path, undefined when cancelled. `target` spares the dialog. */
export async function exportAs(
  context: CommandContext,
  format: keyof typeof NAMES,
  target?: string,
): Promise<string | undefined> {
  const notebook = activeNotebook();
  if (!notebook) return undefined;
  if (notebook.isUntitled) throw new Error('Save the notebook first: the export is made from the saved file.');
  if (notebook.isDirty && !(await notebook.save())) return undefined;
  const source = notebook.uri.fsPath;
  const defaultUri = vscode.Uri.file(source.replace(/\.fgnb$/, '') + format);
  // The dialog asks before a file is written over.
  const filters = { [NAMES[format]]: [format.slice(1)] };
  const file = target ?? (await vscode.window.showSaveDialog({ defaultUri, filters }))?.fsPath;
  if (!file || !(await convert(context, 'Exporting', source, file))) return undefined;
  if (!target) {
    const open = 'Open';
    const choice = await vscode.window.showInformationMessage(`Exported ${path.basename(file)}`, open);
    if (choice === open) await vscode.commands.executeCommand('vscode.open', vscode.Uri.file(file));
  }
  return file;
}

async function chooseSource(): Promise<string | undefined> {
  const chosen = await vscode.window.showOpenDialog({
    title: 'Notebook to import',
    openLabel: 'Import',
    filters: { 'Jupyter Notebook': ['ipynb'], 'TypeScript with cell marks': ['ts'] },
    defaultUri: vscode.workspace.workspaceFolders?.[0]?.uri,
  });
  return chosen?.[0]?.fsPath;
}

async function chooseTarget(source: string): Promise<string | undefined> {
  const defaultUri = vscode.Uri.file(source.replace(/\.(ipynb|ts)$/i, '') + '.fgnb');
  const chosen = await vscode.window.showSaveDialog({
    title: 'Save the imported notebook as',
    defaultUri,
    filters: { 'Feature Geometry Notebook': ['fgnb'] },
  });
  return chosen?.fsPath;
}

/** Reads an .ipynb or a .ts into a new .fgnb and opens it; its path, undefined when cancelled. Paths spare the dialogs. */
export async function importNotebook(
  context: CommandContext,
  given?: string,
  target?: string,
): Promise<string | undefined> {
  const source = given ?? (await chooseSource());
  const file = source && (target ?? (await chooseTarget(source)));
  if (!source || !file || !(await convert(context, 'Importing', source, file))) return undefined;
  await vscode.commands.executeCommand('vscode.openWith', vscode.Uri.file(file), NOTEBOOK_TYPE);
  return file;
}
