/** Context keys that the manifest's when-clauses read: all set here, from the sessions and the active editor. */
import * as vscode from 'vscode';
import { VIEW_NAMES, viewMime } from '../../protocol/views.js';
import { CONTEXT, showsKey } from '../ids.js';
import type { Sessions } from '../notebook/controller.js';
import { activeNotebook, onDidChangeActiveNotebook } from './activeNotebook.js';

export function maintainContextKeys(sessions: Sessions): vscode.Disposable {
  const known = new Map<string, unknown>();
  const set = (key: string, value: unknown): void => {
    if (known.get(key) === value) return;
    known.set(key, value);
    void vscode.commands.executeCommand('setContext', key, value);
  };
  const update = (): void => {
    const notebook = activeNotebook();
    set(CONTEXT.notebookActive, notebook !== undefined);
    set(CONTEXT.kernelState, sessions.find(notebook)?.state ?? 'none');
    set(
      CONTEXT.hasKernels,
      sessions.all().some((s) => s.state !== 'none' && s.state !== 'dead'),
    );
    const shows = (mime: string): boolean =>
      notebook?.getCells().some((cell) => cell.outputs.some((o) => o.items.some((item) => item.mime === mime))) ??
      false;
    for (const view of VIEW_NAMES) set(showsKey(view), shows(viewMime(view)));
    if (sessions.all().some((s) => s.state === 'idle' || s.state === 'busy')) set(CONTEXT.kernelStarted, true);
  };
  update();
  return vscode.Disposable.from(
    sessions.onDidChange(update),
    sessions.onDidEndCell(update),
    onDidChangeActiveNotebook(update),
    vscode.workspace.onDidChangeNotebookDocument((e) => e.notebook === activeNotebook() && update()),
  );
}
