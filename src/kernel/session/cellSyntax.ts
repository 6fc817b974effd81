/**
 * Finds syntax of a cell's TypeScript that neither erasing types nor the compiler handles as a cell needs it: it is
 * marked, replaced by text of the same length, or refused. Positions stay.
 */
import type ts from 'typescript';
import { placeAt, SourceSyntaxError } from './place.js';

type TypeScript = typeof ts;

export interface CellSyntax {
  /** The cell's text, its length unchanged: top-level `using` and `import x = require()` became `const`. */
  text: string;
  /** Names of top-level `using` declarations, with true for `await using`. Disposed at the end of the cell. */
  disposed: ReadonlyMap<string, boolean>;
  /** Names of enums and namespaces: a later run of the cell makes them anew instead of adding to the old ones. */
  fresh: ReadonlySet<string>;
  /** Whether it has decorators, `accessor` or nested `using`, which Node's parser does not know. */
  needsCompiler: boolean;
}

class CellReader {
  readonly disposed = new Map<string, boolean>();
  readonly fresh = new Set<string>();
  needsCompiler = false;
  private text: string;

  constructor(
    private readonly ts: TypeScript,
    private readonly file: ts.SourceFile,
  ) {
    this.text = file.text;
  }

  read(): CellSyntax {
    // A shebang line becomes a comment.
    if (this.text.startsWith('#!')) this.replace(0, 2, '//');
    for (const statement of this.file.statements) this.statement(statement);
    this.ts.forEachChild(this.file, (node) => this.visit(node, this.file));
    const { text, disposed, fresh, needsCompiler } = this;
    return { text, disposed, fresh, needsCompiler };
  }

  private refuse(node: ts.Node, message: string): never {
    const { line, column } = placeAt(this.file.text, node.getStart(this.file));
    throw new SourceSyntaxError(message, line, column);
  }

  private replace(start: number, end: number, by: string): void {
    this.text = this.text.slice(0, start) + by.padEnd(end - start) + this.text.slice(end);
  }

  private erase(node: ts.Node): void {
    const start = node.getStart(this.file);
    this.replace(start, node.end, this.text.slice(start, node.end).replace(/[^\r\n\u2028\u2029]/g, ' '));
  }

  private has(node: ts.Node, kind: ts.SyntaxKind): boolean {
    return this.ts.canHaveModifiers(node) && node.modifiers?.some((modifier) => modifier.kind === kind) === true;
  }

  private statement(node: ts.Statement): void {
    const { ts: typescript } = this;
    if (typescript.isVariableStatement(node)) this.using(node.declarationList);
    else if (typescript.isEnumDeclaration(node)) this.enumeration(node);
    else if (typescript.isModuleDeclaration(node) && typescript.isIdentifier(node.name)) this.fresh.add(node.name.text);
    else if (typescript.isImportEqualsDeclaration(node)) this.importEquals(node);
    else if (typescript.isExportAssignment(node) && node.isExportEquals)
      this.refuse(
        node,
        "'export =' has no meaning in a cell: use 'export default', or leave the value on the last line",
      );
    else if (typescript.isNamespaceExportDeclaration(node))
      this.refuse(node, "'export as namespace' belongs in a declaration file (.d.ts), not in a cell");
    else if (
      typescript.isImportDeclaration(node) &&
      node.importClause?.phaseModifier === typescript.SyntaxKind.DeferKeyword
    )
      this.refuse(node, "'import defer' is not supported: use 'import', or 'await import()' where it is needed");
  }

  private isUsing(list: ts.VariableDeclarationList): boolean {
    // `using` is 4, `await using` is 6: the bit that const (2) and let (1) do not have.
    return (list.flags & this.ts.NodeFlags.Using) !== 0;
  }

  private using(list: ts.VariableDeclarationList): void {
    if (!this.isUsing(list)) return;
    const isAsync = (list.flags & this.ts.NodeFlags.BlockScoped) === this.ts.NodeFlags.AwaitUsing;
    for (const { name } of list.declarations) {
      if (this.ts.isIdentifier(name)) this.disposed.set(name.text, isAsync);
    }
    this.replace(list.getStart(this.file), list.declarations[0].getStart(this.file), 'const');
  }

  private enumeration(node: ts.EnumDeclaration): void {
    this.fresh.add(node.name.text);
    if (!this.has(node, this.ts.SyntaxKind.ConstKeyword)) return;
    // The compiler would inline the values of a `declare const enum`; later cells need the object.
    const declare = node.modifiers?.find((modifier) => modifier.kind === this.ts.SyntaxKind.DeclareKeyword);
    if (declare) this.erase(declare);
  }

  /** Makes `const x = require('m')` of `import x = require('m')`; `import x = A.B` is left to the compiler. */
  private importEquals(node: ts.ImportEqualsDeclaration): void {
    if (node.isTypeOnly) return this.erase(node);
    if (!this.ts.isExternalModuleReference(node.moduleReference)) return;
    const start = this.text.indexOf('import', node.modifiers?.end ?? node.getStart(this.file));
    this.replace(start, start + 'import'.length, 'const');
  }

  private visit(node: ts.Node, parent: ts.Node): void {
    const { ts: typescript } = this;
    if (typescript.isVariableDeclarationList(node) && this.isUsing(node)) {
      const isTop = typescript.isVariableStatement(parent) && this.file.statements.includes(parent);
      if (!isTop) this.needsCompiler = true;
    } else if (typescript.isDecorator(node)) {
      if (typescript.isParameter(parent))
        this.refuse(
          node,
          'Decorators of parameters are not valid here: cells use standard decorators, which have none for parameters',
        );
      this.needsCompiler = true;
    } else if (this.has(node, typescript.SyntaxKind.AccessorKeyword)) this.needsCompiler = true;
    else if (typescript.isMetaProperty(node) && node.name.text === 'defer')
      this.refuse(node, "'import.defer()' is not supported: use 'await import()'");
    typescript.forEachChild(node, (child) => this.visit(child, node));
  }
}

/**
 * Reads a parsed cell.
 * @throws SourceSyntaxError at syntax that no cell can hold
 */
export function readCell(typescript: TypeScript, file: ts.SourceFile): CellSyntax {
  return new CellReader(typescript, file).read();
}

/** Syntax errors: the compiler keeps them in the tree, and its public types do not show it. */
export const mistakesOf = (file: ts.SourceFile): readonly ts.DiagnosticWithLocation[] =>
  (file as ts.SourceFile & { parseDiagnostics: ts.DiagnosticWithLocation[] }).parseDiagnostics;

/** Whether a text that is not valid TypeScript would be valid with JSX. */
export function isJsx(typescript: TypeScript, source: string): boolean {
  const file = typescript.createSourceFile(
    'cell.tsx',
    source,
    typescript.ScriptTarget.ESNext,
    false,
    typescript.ScriptKind.TSX,
  );
  if (mistakesOf(file).length > 0) return false;
  const has = (node: ts.Node): boolean =>
    typescript.isJsxElement(node) ||
    typescript.isJsxSelfClosingElement(node) ||
    typescript.isJsxFragment(node) ||
    typescript.forEachChild(node, has) === true;
  return has(file);
}
