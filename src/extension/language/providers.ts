/** Completions, hover, signatures, definitions and symbols of cells. Each asks the worker and converts the answer. */
import * as vscode from 'vscode';
import { CELL_LANGUAGE, NOTEBOOK_TYPE } from '../../protocol/notebook.js';
import { completionKind, symbolKind } from './kinds.js';
import { notebookOf, type LanguageNotebooks } from './notebooks.js';
import type { CellPlace, CompletionEntry, Description, Span, SymbolEntry, Target } from './protocol.js';

const SELECTOR: vscode.DocumentSelector = { language: CELL_LANGUAGE, notebookType: NOTEBOOK_TYPE };
const COMPLETION_TRIGGERS = ['.', '"', "'", '`', '/', '@'];

interface Place {
  notebook: vscode.NotebookDocument;
  at: CellPlace;
}

class CellCompletion extends vscode.CompletionItem {
  constructor(
    readonly entry: CompletionEntry,
    readonly place: Place,
  ) {
    super(entry.name, completionKind(entry.kind));
  }
}

function placeOf(document: vscode.TextDocument, position: vscode.Position): Place | undefined {
  const notebook = notebookOf(document);
  if (!notebook) return undefined;
  const at = { notebook: notebook.uri.toString(), cell: document.uri.toString(), offset: document.offsetAt(position) };
  return { notebook, at };
}

export function rangeOf(document: vscode.TextDocument, span: Span): vscode.Range {
  return new vscode.Range(document.positionAt(span.start), document.positionAt(span.end));
}

function markdown({ signature, documentation }: Description): vscode.MarkdownString {
  return new vscode.MarkdownString().appendCodeblock(signature, 'typescript').appendMarkdown(documentation);
}

function completionItem(document: vscode.TextDocument, entry: CompletionEntry, place: Place): CellCompletion {
  const item = new CellCompletion(entry, place);
  item.sortText = entry.sortText;
  item.insertText = entry.insertText ?? entry.name;
  item.filterText = entry.filterText ?? entry.name;
  if (entry.replace) {
    // The entry may take the place of the dot before it (`?.name`, `['a name']`), and is matched with what stands there.
    item.range = rangeOf(document, entry.replace);
    const [before] = /^[^\w$]*/.exec(document.getText(item.range)) ?? [''];
    item.filterText = before + (entry.filterText ?? entry.name);
  }
  const modifiers = entry.modifiers.split(',');
  if (modifiers.includes('optional')) item.label = `${entry.name}?`;
  if (modifiers.includes('deprecated')) item.tags = [vscode.CompletionItemTag.Deprecated];
  return item;
}

function completionProvider(notebooks: LanguageNotebooks): vscode.CompletionItemProvider<CellCompletion> {
  return {
    async provideCompletionItems(document, position, token, context) {
      const place = placeOf(document, position);
      if (!place) return undefined;
      const question = { ...place.at, trigger: context.triggerCharacter };
      const entries = await notebooks.ask(place.notebook, 'completions', question);
      if (!entries || token.isCancellationRequested) return undefined;
      return entries.map((entry) => completionItem(document, entry, place));
    },
    async resolveCompletionItem(item) {
      const { entry, place } = item;
      const question = { ...place.at, name: entry.name, source: entry.source };
      const details = await notebooks.ask(place.notebook, 'describe', question);
      if (details) {
        item.detail = details.signature;
        item.documentation = new vscode.MarkdownString(details.documentation);
      }
      return item;
    },
  };
}

function hoverProvider(notebooks: LanguageNotebooks): vscode.HoverProvider {
  return {
    async provideHover(document, position) {
      const place = placeOf(document, position);
      const hover = place && (await notebooks.ask(place.notebook, 'hover', place.at));
      return hover && new vscode.Hover(markdown(hover), rangeOf(document, hover.span));
    },
  };
}

function signatureProvider(notebooks: LanguageNotebooks): vscode.SignatureHelpProvider {
  return {
    async provideSignatureHelp(document, position, _token, context) {
      const place = placeOf(document, position);
      if (!place) return undefined;
      const question = { ...place.at, retrigger: context.isRetrigger, trigger: context.triggerCharacter };
      const found = await notebooks.ask(place.notebook, 'signatures', question);
      if (!found) return undefined;
      const help = new vscode.SignatureHelp();
      help.activeSignature = found.active;
      help.activeParameter = found.parameter;
      help.signatures = found.signatures.map(({ label, documentation, parameters }) => {
        const signature = new vscode.SignatureInformation(label, new vscode.MarkdownString(documentation));
        signature.parameters = parameters.map(
          (each) => new vscode.ParameterInformation(each.label, new vscode.MarkdownString(each.documentation)),
        );
        return signature;
      });
      return help;
    },
  };
}

function linkTo(
  notebook: vscode.NotebookDocument,
  origin: vscode.Range,
  target: Target,
): vscode.LocationLink | undefined {
  if (target.kind === 'file') {
    const { start, end } = target;
    const targetRange = new vscode.Range(start.line, start.character, end.line, end.character);
    return { originSelectionRange: origin, targetUri: vscode.Uri.file(target.file), targetRange };
  }
  const cell = notebook.getCells().find(({ document }) => document.uri.toString() === target.cell);
  if (!cell) return undefined;
  const targetRange = rangeOf(cell.document, target.span);
  return { originSelectionRange: origin, targetUri: cell.document.uri, targetRange };
}

function definitionProvider(notebooks: LanguageNotebooks): vscode.DefinitionProvider {
  return {
    async provideDefinition(document, position) {
      const place = placeOf(document, position);
      const found = place && (await notebooks.ask(place.notebook, 'definition', place.at));
      if (!found) return undefined;
      const origin = rangeOf(document, found.from);
      return found.targets.map((target) => linkTo(place.notebook, origin, target)).filter((link) => link !== undefined);
    },
  };
}

function documentSymbol(document: vscode.TextDocument, entry: SymbolEntry): vscode.DocumentSymbol {
  const kind = symbolKind(entry.kind);
  const symbol = new vscode.DocumentSymbol(
    entry.name,
    '',
    kind,
    rangeOf(document, entry.span),
    rangeOf(document, entry.nameSpan),
  );
  symbol.children = entry.children.map((child) => documentSymbol(document, child));
  return symbol;
}

function symbolProvider(notebooks: LanguageNotebooks): vscode.DocumentSymbolProvider {
  return {
    async provideDocumentSymbols(document) {
      const { version } = document;
      const place = placeOf(document, new vscode.Position(0, 0));
      const symbols = place && (await notebooks.ask(place.notebook, 'symbols', place.at));
      // Ranges of an older text could lie outside the present one.
      if (!symbols || document.version !== version) return undefined;
      return symbols.map((entry) => documentSymbol(document, entry));
    },
  };
}

export function registerProviders(notebooks: LanguageNotebooks): vscode.Disposable {
  const { languages } = vscode;
  return vscode.Disposable.from(
    languages.registerCompletionItemProvider(SELECTOR, completionProvider(notebooks), ...COMPLETION_TRIGGERS),
    languages.registerHoverProvider(SELECTOR, hoverProvider(notebooks)),
    languages.registerSignatureHelpProvider(SELECTOR, signatureProvider(notebooks), '(', ',', '<'),
    languages.registerDefinitionProvider(SELECTOR, definitionProvider(notebooks)),
    languages.registerDocumentSymbolProvider(SELECTOR, symbolProvider(notebooks)),
  );
}
