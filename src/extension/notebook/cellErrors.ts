/** Errors of cells: the output with links to cell lines, and the squiggle at the place. */
import * as vscode from 'vscode';
import type { CellEvent, StackLine } from '../../protocol/kernel.js';
import { findCell } from './cellIds.js';
import { errorText } from './errorText.js';

type ErrorEvent = Extract<CellEvent, { kind: 'error' }>;

/** `orderOf`: execution number of a cell that runs now, which VS Code's summary does not have yet. */
export function errorItem(
  notebook: vscode.NotebookDocument,
  error: ErrorEvent,
  orderOf: (cellId: string) => number | undefined,
): vscode.NotebookCellOutputItem {
  const stack = errorText(error, (cellId) => {
    const cell = findCell(notebook, cellId);
    if (!cell) return undefined;
    const lines = cell.document.getText().split(/\r?\n/);
    return { position: cell.index + 1, order: orderOf(cellId) ?? cell.executionSummary?.executionOrder, lines };
  });
  return vscode.NotebookCellOutputItem.error({ name: error.name, message: error.message, stack });
}

function rangeOf(document: vscode.TextDocument, frame: StackLine): vscode.Range {
  const line = Math.max(0, Math.min(frame.line - 1, document.lineCount - 1));
  const text = document.lineAt(line);
  const column = Math.max(0, Math.min(frame.column - 1, text.range.end.character));
  const word = document.getWordRangeAtPosition(new vscode.Position(line, column));
  return word ?? new vscode.Range(line, column, line, text.range.end.character);
}

/** Marks the place of the error that is nearest to where it was thrown and lies in a cell. */
export function markError(
  diagnostics: vscode.DiagnosticCollection,
  notebook: vscode.NotebookDocument,
  ran: vscode.NotebookCell,
  error: ErrorEvent,
): void {
  for (const frame of error.stack) {
    const cell = frame.cellId === undefined ? undefined : findCell(notebook, frame.cellId);
    if (!cell) continue;
    const message = `${error.name}: ${error.message}`;
    const diagnostic = new vscode.Diagnostic(rangeOf(cell.document, frame), message, vscode.DiagnosticSeverity.Error);
    diagnostic.source = ran === cell ? 'last run' : `last run of cell ${ran.index + 1}`;
    diagnostics.set(cell.document.uri, [diagnostic]);
    return;
  }
}

export function clearErrors(diagnostics: vscode.DiagnosticCollection, cell: vscode.NotebookCell): void {
  diagnostics.delete(cell.document.uri);
}
