/** Squiggles of type and syntax errors, found a moment after the last change, cell by cell. They never stop a run. */
import * as vscode from 'vscode';
import { CONFIGURATION } from '../ids.js';
import { isCodeCell, type LanguageNotebooks } from './notebooks.js';
import type { Problem } from './protocol.js';
import { rangeOf } from './providers.js';

const SETTING = `${CONFIGURATION}.typeCheck`;
const DELAY_MS = 500;

interface Pending {
  timer?: NodeJS.Timeout;
  /** A newer check has begun when it differs. */
  turn: number;
  /** The first cell that changed since the last whole check: it and those below come first. */
  from: number;
}

function diagnosticOf(document: vscode.TextDocument, problem: Problem): vscode.Diagnostic {
  const severity = problem.severity === 'error' ? vscode.DiagnosticSeverity.Error : vscode.DiagnosticSeverity.Warning;
  const diagnostic = new vscode.Diagnostic(rangeOf(document, problem.span), problem.message, severity);
  diagnostic.source = 'ts';
  diagnostic.code = problem.code;
  return diagnostic;
}

export class TypeCheck implements vscode.Disposable {
  private readonly diagnostics = vscode.languages.createDiagnosticCollection('fgnb-types');
  private readonly pending = new Map<vscode.NotebookDocument, Pending>();
  private readonly settings: vscode.Disposable;

  constructor(private readonly notebooks: LanguageNotebooks) {
    this.settings = vscode.workspace.onDidChangeConfiguration(
      (change) => change.affectsConfiguration(SETTING) && this.scheduleAll(),
    );
  }

  /** Checks a notebook soon. @param from index of the cell that changed. */
  schedule(notebook: vscode.NotebookDocument, from = 0): void {
    const pending = this.pending.get(notebook) ?? { turn: 0, from };
    pending.from = Math.min(pending.from, from);
    this.pending.set(notebook, pending);
    clearTimeout(pending.timer);
    pending.turn++;
    pending.timer = setTimeout(() => void this.check(notebook, pending), DELAY_MS);
  }

  scheduleAll(): void {
    for (const notebook of this.pending.keys()) this.schedule(notebook);
  }

  forgetCell(uri: vscode.Uri): void {
    this.diagnostics.delete(uri);
  }

  close(notebook: vscode.NotebookDocument): void {
    const pending = this.pending.get(notebook);
    if (pending) {
      clearTimeout(pending.timer);
      pending.turn++;
      this.pending.delete(notebook);
    }
    for (const cell of notebook.getCells()) this.diagnostics.delete(cell.document.uri);
  }

  dispose(): void {
    for (const { timer } of this.pending.values()) clearTimeout(timer);
    this.pending.clear();
    this.settings.dispose();
    this.diagnostics.dispose();
  }

  /** One question a cell, so that completions asked meanwhile come in between. */
  private async check(notebook: vscode.NotebookDocument, pending: Pending): Promise<void> {
    const { turn } = pending;
    const enabled = vscode.workspace.getConfiguration(CONFIGURATION, notebook.uri).get<boolean>('typeCheck', true);
    const cells = notebook.getCells();
    for (const cell of [...cells.slice(pending.from), ...cells.slice(0, pending.from)]) {
      const { document } = cell;
      if (!enabled || !isCodeCell(cell)) {
        this.diagnostics.delete(document.uri);
        continue;
      }
      const { version } = document;
      const of = { notebook: notebook.uri.toString(), cell: document.uri.toString() };
      const problems = await this.notebooks.ask(notebook, 'problems', of);
      if (pending.turn !== turn) return;
      if (problems && document.version === version)
        this.diagnostics.set(
          document.uri,
          problems.map((problem) => diagnosticOf(document, problem)),
        );
    }
    pending.from = Infinity;
  }
}
