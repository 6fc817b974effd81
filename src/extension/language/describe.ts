/** The compiler's answers as plain data with Markdown documentation. */
import ts from 'typescript';
import type { CompletionEntry, SignatureEntry, Signatures, SymbolEntry } from './protocol.js';
import type { VirtualCell } from './virtualNotebook.js';

/** `(alias) const y: number⏎import y` of a name from an earlier cell, without the traces of the generated import. */
export function declarationText(parts: ts.SymbolDisplayPart[] | undefined, cell: VirtualCell): string {
  const text = ts.displayPartsToString(parts);
  const match = /^\(alias\) ([^]*)\nimport (\S+)$/.exec(text);
  return match && !cell.names.declared.has(match[2]) && cell.visible.has(match[2]) ? match[1] : text;
}

export function documentationText(
  documentation: ts.SymbolDisplayPart[] | undefined,
  tags: ts.JSDocTagInfo[] | undefined,
): string {
  const lines = (tags ?? []).map((tag) => {
    const text = ts.displayPartsToString(tag.text);
    if (tag.name === 'example' && text !== '') return `*@example*\n\`\`\`typescript\n${text}\n\`\`\``;
    return text === '' ? `*@${tag.name}*` : `*@${tag.name}* — ${text}`;
  });
  return [ts.displayPartsToString(documentation), ...lines].filter((line) => line !== '').join('\n\n');
}

export function completionEntry(entry: ts.CompletionEntry): CompletionEntry {
  const { replacementSpan: span } = entry;
  return {
    name: entry.name,
    kind: entry.kind,
    modifiers: entry.kindModifiers ?? '',
    sortText: entry.sortText,
    insertText: entry.insertText,
    filterText: entry.filterText,
    replace: span && { start: span.start, end: span.start + span.length },
    source: entry.source,
  };
}

function signatureEntry(item: ts.SignatureHelpItem): SignatureEntry {
  let label = ts.displayPartsToString(item.prefixDisplayParts);
  const separator = ts.displayPartsToString(item.separatorDisplayParts);
  const parameters = item.parameters.map((parameter, i) => {
    if (i > 0) label += separator;
    const start = label.length;
    label += ts.displayPartsToString(parameter.displayParts);
    return {
      label: [start, label.length] as [number, number],
      documentation: ts.displayPartsToString(parameter.documentation),
    };
  });
  label += ts.displayPartsToString(item.suffixDisplayParts);
  const tags = item.tags.filter((tag) => tag.name !== 'param');
  return { label, parameters, documentation: documentationText(item.documentation, tags) };
}

export function signatureList(items: ts.SignatureHelpItems): Signatures {
  return {
    signatures: items.items.map(signatureEntry),
    active: items.selectedItemIndex,
    parameter: items.argumentIndex,
  };
}

/** Declarations of the cell itself: what lies in the generated part is left out. */
export function symbolList(tree: ts.NavigationTree, cell: VirtualCell): SymbolEntry[] {
  const entries: SymbolEntry[] = [];
  for (const item of tree.childItems ?? []) {
    const span = item.spans[0];
    const name = item.nameSpan ?? span;
    if (!span || span.start + span.length > cell.text.length || item.kind === ts.ScriptElementKind.alias) continue;
    entries.push({
      name: item.text,
      kind: item.kind,
      span: { start: span.start, end: span.start + span.length },
      nameSpan: { start: name.start, end: name.start + name.length },
      children: symbolList(item, cell),
    });
  }
  return entries;
}
