/**
 * A notebook as TypeScript modules, one per cell: the user's text first and unchanged, so that every position is the
 * cell's own, and behind it generated imports of the names that earlier cells declare and exports of the cell's own.
 * Imports are hoisted, so they work from the end. A name that a cell declares again is not imported there.
 */
import ts from 'typescript';
import { missingBrackets } from './brackets.js';
import type { CellText, NotebookText } from './protocol.js';

/** Names of the modules, beside the notebook so that relative imports resolve from its folder. */
const PREFIX = '__fgnb_cell_';

export interface CellNames {
  /** Top-level names of the cell, which later cells see. */
  declared: ReadonlySet<string>;
  /** Those that the cell's own text exports already. */
  exported: ReadonlySet<string>;
  /** Whether it has an `export * from`. */
  hasStar: boolean;
  /** Closing brackets that the text lacks, innermost first. */
  missing: readonly string[];
}

function bindingNames(name: ts.BindingName, add: (name: string) => void): void {
  if (ts.isIdentifier(name)) return add(name.text);
  for (const element of name.elements) if (ts.isBindingElement(element)) bindingNames(element.name, add);
}

function importedNames(clause: ts.ImportClause | undefined, add: (name: string) => void): void {
  if (clause?.name) add(clause.name.text);
  const bindings = clause?.namedBindings;
  if (!bindings) return;
  if (ts.isNamespaceImport(bindings)) add(bindings.name.text);
  else for (const element of bindings.elements) add(element.name.text);
}

/** `var`s of blocks and loops belong to the cell; those of functions and classes do not. */
function nestedVars(node: ts.Node, add: (name: string) => void): void {
  if (ts.isFunctionLike(node) || ts.isClassLike(node) || ts.isModuleDeclaration(node)) return;
  if (ts.isVariableDeclarationList(node) && (node.flags & ts.NodeFlags.BlockScoped) === 0)
    for (const declaration of node.declarations) bindingNames(declaration.name, add);
  ts.forEachChild(node, (child) => nestedVars(child, add));
}

function statementNames(statement: ts.Statement, add: (name: string) => void): void {
  if (ts.isVariableStatement(statement)) {
    for (const declaration of statement.declarationList.declarations) bindingNames(declaration.name, add);
  } else if (ts.isImportDeclaration(statement)) importedNames(statement.importClause, add);
  else if (ts.isModuleDeclaration(statement)) {
    if (ts.isIdentifier(statement.name) && (statement.flags & ts.NodeFlags.GlobalAugmentation) === 0)
      add(statement.name.text);
  } else if (
    ts.isFunctionDeclaration(statement) ||
    ts.isClassDeclaration(statement) ||
    ts.isInterfaceDeclaration(statement) ||
    ts.isTypeAliasDeclaration(statement) ||
    ts.isEnumDeclaration(statement) ||
    ts.isImportEqualsDeclaration(statement)
  ) {
    if (statement.name) add(statement.name.text);
  }
}

/** `export { a }` is the cell's own; what comes from a module (`export { a } from 'm'`) later cells see. */
function reexports(statement: ts.ExportDeclaration, declared: Set<string>, exported: Set<string>): void {
  const { exportClause, moduleSpecifier } = statement;
  if (!exportClause) return;
  const names = ts.isNamedExports(exportClause) ? exportClause.elements.map(({ name }) => name) : [exportClause.name];
  for (const { text } of names) {
    exported.add(text);
    if (moduleSpecifier && text !== 'default') declared.add(text);
  }
}

/** Top-level names of a cell. Works on text that does not parse as well. */
export function cellNames(text: string): CellNames {
  const file = ts.createSourceFile('cell.ts', text, ts.ScriptTarget.ESNext);
  const declared = new Set<string>();
  const exported = new Set<string>();
  for (const statement of file.statements) {
    const modifiers = ts.canHaveModifiers(statement) ? (ts.getModifiers(statement) ?? []) : [];
    const kinds = modifiers.map((m) => m.kind);
    const isExported = kinds.includes(ts.SyntaxKind.ExportKeyword) && !kinds.includes(ts.SyntaxKind.DefaultKeyword);
    statementNames(statement, (name) => {
      // What a damaged declaration leaves behind.
      if (name === '') return;
      declared.add(name);
      if (isExported) exported.add(name);
    });
    nestedVars(statement, (name) => declared.add(name));
    if (ts.isExportDeclaration(statement)) reexports(statement, declared, exported);
  }
  const hasStar = file.statements.some((each) => ts.isExportDeclaration(each) && !each.exportClause);
  return { declared, exported, hasStar, missing: missingBrackets(text) };
}

export interface VirtualCell {
  readonly uri: string;
  /** Path of the virtual module. */
  readonly file: string;
  /** 0-based place among the code cells. */
  readonly index: number;
  readonly text: string;
  readonly names: CellNames;
  /** Cells that the names from before come from. */
  readonly visible: ReadonlyMap<string, VirtualCell>;
  /** The user's text and what is generated behind it. */
  readonly code: string;
  /** Changes with `code`. */
  readonly version: number;
}

function trailer(names: CellNames, visible: ReadonlyMap<string, VirtualCell>): string {
  const byCell = new Map<string, string[]>();
  for (const [name, cell] of visible) {
    if (names.declared.has(name)) continue;
    const list = byCell.get(cell.file);
    if (list) list.push(name);
    else byCell.set(cell.file, [name]);
  }
  const imports = [...byCell].map(([file, list]) => `import {${list.join(',')}} from "${specifierOf(file)}";`);
  const own = [...names.declared].filter((name) => !names.exported.has(name));
  // The line break ends a comment on the last line, the semicolon a statement left open. Brackets are closed, as the
  // compiler looks for imports at the top level alone; the mistake is reported all the same.
  return `\n${names.missing.join('')};${imports.join('')}export {${own.join(',')}};`;
}

const specifierOf = (file: string): string => `./${file.slice(file.lastIndexOf('/') + 1)}`;

export class VirtualNotebook {
  /** With forward slashes on every system, as the compiler wants. */
  readonly folder: string;
  private cellsByUri = new Map<string, VirtualCell>();
  private cellsByFile = new Map<string, VirtualCell>();
  private readonly files = new Map<string, string>();
  private readonly parsed = new Map<string, { text: string; names: CellNames }>();
  private versions = 0;

  /** `tag`: its own for each notebook, as parsed files are shared by path. */
  constructor(
    folder: string,
    private readonly tag: string,
  ) {
    const slashes = folder.replaceAll('\\', '/');
    this.folder = slashes.length > 1 ? slashes.replace(/\/$/, '') : slashes;
  }

  /** Takes the present cells. @returns whether any module changed. */
  update(cells: NotebookText['cells']): boolean {
    const before = this.cellsByUri;
    this.cellsByUri = new Map();
    this.cellsByFile = new Map();
    let changed = before.size !== cells.length;
    let visible: ReadonlyMap<string, VirtualCell> = new Map();
    for (const [index, { uri, text }] of cells.entries()) {
      const old = before.get(uri);
      const names = this.namesOf(uri, text);
      const code = text + trailer(names, visible);
      const same = old?.code === code && old.text === text;
      const version = same ? old.version : ++this.versions;
      changed ||= !same || old.index !== index;
      const cell: VirtualCell = { uri, file: this.fileOf(uri), index, text, names, visible, code, version };
      this.cellsByUri.set(uri, cell);
      this.cellsByFile.set(cell.file, cell);
      visible = new Map([...visible, ...[...names.declared].map((name) => [name, cell] as const)]);
    }
    for (const uri of this.parsed.keys()) if (!this.cellsByUri.has(uri)) this.parsed.delete(uri);
    return changed;
  }

  /** Cells in document order. */
  cells(): VirtualCell[] {
    return [...this.cellsByUri.values()];
  }

  cell(uri: string): VirtualCell | undefined {
    return this.cellsByUri.get(uri);
  }

  cellOfFile(file: string): VirtualCell | undefined {
    return this.cellsByFile.get(file);
  }

  /** The module that a generated import means. */
  resolve(specifier: string): string | undefined {
    if (!specifier.startsWith(`./${PREFIX}`)) return undefined;
    const file = this.path(specifier.slice(2));
    return this.cellsByFile.has(file) ? file : undefined;
  }

  /** The first cell after `cell` that declares a name. */
  laterDeclaration(cell: VirtualCell, name: string): VirtualCell | undefined {
    return this.cells()
      .slice(cell.index + 1)
      .find((each) => each.names.declared.has(name));
  }

  private namesOf(uri: string, text: CellText['text']): CellNames {
    const known = this.parsed.get(uri);
    if (known?.text === text) return known.names;
    const names = cellNames(text);
    this.parsed.set(uri, { text, names });
    return names;
  }

  /** A cell keeps its module's name when it moves, so only what changed is checked again. */
  private fileOf(uri: string): string {
    let file = this.files.get(uri);
    if (file === undefined) this.files.set(uri, (file = this.path(`${PREFIX}${this.tag}_${this.files.size}.ts`)));
    return file;
  }

  private path(name: string): string {
    return this.folder.endsWith('/') ? this.folder + name : `${this.folder}/${name}`;
  }
}
