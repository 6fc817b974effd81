/** TypeScript's names of kinds as VS Code's icons. */
import * as vscode from 'vscode';

const COMPLETION = new Map<string, vscode.CompletionItemKind>([
  ['primitive type', vscode.CompletionItemKind.Keyword],
  ['keyword', vscode.CompletionItemKind.Keyword],
  ['const', vscode.CompletionItemKind.Constant],
  ['let', vscode.CompletionItemKind.Variable],
  ['var', vscode.CompletionItemKind.Variable],
  ['local var', vscode.CompletionItemKind.Variable],
  ['alias', vscode.CompletionItemKind.Variable],
  ['parameter', vscode.CompletionItemKind.Variable],
  ['property', vscode.CompletionItemKind.Field],
  ['getter', vscode.CompletionItemKind.Property],
  ['setter', vscode.CompletionItemKind.Property],
  ['accessor', vscode.CompletionItemKind.Property],
  ['function', vscode.CompletionItemKind.Function],
  ['local function', vscode.CompletionItemKind.Function],
  ['method', vscode.CompletionItemKind.Method],
  ['construct', vscode.CompletionItemKind.Method],
  ['call', vscode.CompletionItemKind.Method],
  ['index', vscode.CompletionItemKind.Method],
  ['enum', vscode.CompletionItemKind.Enum],
  ['enum member', vscode.CompletionItemKind.EnumMember],
  ['module', vscode.CompletionItemKind.Module],
  ['external module name', vscode.CompletionItemKind.Module],
  ['class', vscode.CompletionItemKind.Class],
  ['local class', vscode.CompletionItemKind.Class],
  ['type', vscode.CompletionItemKind.Class],
  ['interface', vscode.CompletionItemKind.Interface],
  ['type parameter', vscode.CompletionItemKind.TypeParameter],
  ['warning', vscode.CompletionItemKind.Text],
  ['script', vscode.CompletionItemKind.File],
  ['directory', vscode.CompletionItemKind.Folder],
  ['string', vscode.CompletionItemKind.Constant],
]);

const SYMBOL = new Map<string, vscode.SymbolKind>([
  ['const', vscode.SymbolKind.Constant],
  ['let', vscode.SymbolKind.Variable],
  ['var', vscode.SymbolKind.Variable],
  ['function', vscode.SymbolKind.Function],
  ['local function', vscode.SymbolKind.Function],
  ['method', vscode.SymbolKind.Method],
  ['constructor', vscode.SymbolKind.Constructor],
  ['property', vscode.SymbolKind.Property],
  ['getter', vscode.SymbolKind.Property],
  ['setter', vscode.SymbolKind.Property],
  ['class', vscode.SymbolKind.Class],
  ['interface', vscode.SymbolKind.Interface],
  ['type', vscode.SymbolKind.TypeParameter],
  ['enum', vscode.SymbolKind.Enum],
  ['enum member', vscode.SymbolKind.EnumMember],
  ['module', vscode.SymbolKind.Module],
]);

export const completionKind = (kind: string): vscode.CompletionItemKind =>
  COMPLETION.get(kind) ?? vscode.CompletionItemKind.Property;
export const symbolKind = (kind: string): vscode.SymbolKind => SYMBOL.get(kind) ?? vscode.SymbolKind.Variable;
