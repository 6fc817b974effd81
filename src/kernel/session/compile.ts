/**
 * Compiles a cell's TypeScript to a script whose completion value is `async (__fgnb) => value`.
 *
 * Top-level names live on the global object of the kernel, so every cell sees them, may redeclare them, and functions
 * see the newest value: `const x = 1` becomes the assignment `x = 1`. The session declares the names before the run
 * (session/scope.ts). Edits go through magic-string, so every position maps back to the cell exactly.
 */
import {
  parse,
  type AnyNode,
  type ExportAllDeclaration,
  type ExportNamedDeclaration,
  type ImportAttribute,
  type Identifier,
  type ImportDeclaration,
  type Literal,
  type Program,
  type VariableDeclaration,
} from 'acorn';
import MagicString from 'magic-string';
import { placeAt, SourceSyntaxError, type Place } from './place.js';
import { placeMapper, stripTypes, type StrippedCell } from './stripTypes.js';
import { boundNames, isFunction, isReference, isTopLevelName, varNames, walk } from './syntax.js';

export interface CompiledCell {
  /** Script text; evaluates to a function that takes the cell's helpers. */
  code: string;
  /** Top-level names that the cell declares. */
  names: string[];
  /** Those of them that are defined from the start of the cell: `var`s. */
  early: string[];
  /** Maps a place in `code` to the place in the cell, both 1-based. */
  toCell(place: Place): Place;
}

/** Name of the compiled cell's parameter: rewritten syntax calls its members. */
export const HELPERS = '__fgnb';

function parseModule(code: string, toSource: (place: Place) => Place): Program {
  try {
    return parse(code, { ecmaVersion: 'latest', sourceType: 'module', allowAwaitOutsideFunction: true });
  } catch (error) {
    const { message, pos } = error as SyntaxError & { pos?: number };
    const { line, column } = toSource(placeAt(code, pos ?? 0));
    throw new SourceSyntaxError(message.replace(/ \(\d+:\d+\)$/, ''), line, column);
  }
}

/** Whether the children of `node` are statements of the cell itself. */
function isModuleLevel(node: AnyNode | undefined): boolean {
  return node?.type === 'Program' || node?.type === 'ExportNamedDeclaration';
}

/** Name of an export, which may be any string, in quotes too. */
function moduleName(node: Identifier | Literal): string {
  return node.type === 'Identifier' ? node.name : String(node.value);
}

/** Whether an export's name can be the name of a variable. */
function isLocal(name: string): boolean {
  return name !== 'default' && /^[\p{ID_Start}$_][\p{ID_Continue}$]*$/u.test(name);
}

/** `;`, and the `export {}` that marks a module. */
function isEmpty(node: AnyNode): boolean {
  const isMark = node.type === 'ExportNamedDeclaration' && !node.declaration && !node.source;
  return node.type === 'EmptyStatement' || (isMark && node.specifiers.length === 0);
}

class CellRewriter {
  readonly edits: MagicString;
  readonly names = new Set<string>();
  private readonly constants = new Set<string>();
  private readonly used = new Set<string>();
  /** Modules that the cell may require(). */
  readonly required = new Set<string>();
  /** Where hoisted functions and imports go: after those that the cell begins with. */
  private hoistAt = 0;

  constructor(
    readonly stripped: StrippedCell,
    readonly program: Program,
  ) {
    this.edits = new MagicString(stripped.code);
  }

  rewrite(): void {
    for (const name of varNames(this.program)) this.names.add(name);
    for (const node of this.program.body) this.collect(node);
    this.rewriteInside();
    for (const node of this.program.body) {
      if (node.type !== 'ImportDeclaration' && node.type !== 'FunctionDeclaration') break;
      this.hoistAt = node.end;
    }
    for (const node of this.program.body) this.topLevel(node);
    this.returnLast();
  }

  /** Collects names of declarations, before anything is rewritten. */
  private collect(node: AnyNode): void {
    if (node.type === 'ExportNamedDeclaration' && node.declaration) return this.collect(node.declaration);
    if (node.type === 'ExportDefaultDeclaration') return this.collect(node.declaration as AnyNode);
    if (node.type === 'VariableDeclaration') {
      const names = node.declarations.flatMap((d) => boundNames(d.id));
      names.forEach((name) => this.names.add(name));
      if (node.kind === 'const') names.forEach((name) => this.constants.add(name));
    }
    if ((node.type === 'FunctionDeclaration' || node.type === 'ClassDeclaration') && node.id)
      this.names.add(node.id.name);
    if (node.type === 'ExportAllDeclaration' && node.exported?.type === 'Identifier' && isLocal(node.exported.name))
      this.names.add(node.exported.name);
    if (node.type === 'ImportDeclaration') {
      for (const { local } of node.specifiers) {
        this.names.add(local.name);
        this.constants.add(local.name);
      }
    }
  }

  /** Rewrites import(), import.meta, nested `var`s and assignments to the cell's constants, wherever they are. */
  private rewriteInside(): void {
    const scopes = new Map<AnyNode, Set<string>>();
    walk(this.program, (node, parents) => {
      const parent = parents.at(-1);
      if (node.type === 'ImportExpression') {
        this.edits.overwrite(node.start, node.start + 'import'.length, `${HELPERS}.load`);
      } else if (node.type === 'MetaProperty' && node.meta.name === 'import') {
        this.edits.overwrite(node.start, node.end, `${HELPERS}.meta`);
      } else if (
        node.type === 'CallExpression' &&
        node.callee.type === 'Identifier' &&
        node.callee.name === 'require'
      ) {
        const [from] = node.arguments;
        if (from?.type === 'Literal' && typeof from.value === 'string') this.required.add(from.value);
      } else if (node.type === 'Identifier' && isReference(node, parent)) {
        this.used.add(node.name);
      } else if (node.type === 'VariableDeclaration' && node.kind === 'var' && !isModuleLevel(parent)) {
        if (!parents.some((p) => isFunction(p) || p.type === 'StaticBlock')) this.nestedVar(node, parent);
      } else if (node.type === 'AssignmentExpression' || node.type === 'UpdateExpression') {
        const target = node.type === 'AssignmentExpression' ? node.left : node.argument;
        if (
          target.type === 'Identifier' &&
          this.constants.has(target.name) &&
          isTopLevelName(target.name, parents, scopes)
        ) {
          this.edits.prependRight(node.start, `(${HELPERS}.constant(${JSON.stringify(target.name)}),`);
          this.edits.appendLeft(node.end, ')');
        }
      }
    });
  }

  private nestedVar(node: VariableDeclaration, parent: AnyNode | undefined): void {
    const loopHead =
      (parent?.type === 'ForInStatement' || parent?.type === 'ForOfStatement') && parent.left === (node as AnyNode);
    if (loopHead) this.edits.remove(node.start, node.declarations[0].start);
    else this.assign(node, !(parent?.type === 'ForStatement' && parent.init === (node as AnyNode)));
  }

  /**
   * Rewrites `const a = 1, {b} = c` to `void (a = 1, {b} = c);`: `void` can neither join the line before nor end a
   * block.
   */
  private assign(node: VariableDeclaration, statement: boolean): void {
    const { declarations } = node;
    this.edits.overwrite(node.start, declarations[0].start, statement ? 'void (' : '(');
    const { disposed, fresh } = this.stripped;
    for (const d of declarations) {
      const [name] = boundNames(d.id);
      if (d.init && disposed.has(name)) {
        this.edits.prependRight(d.init.start, `${HELPERS}.use(`);
        this.edits.appendLeft(d.end, disposed.get(name) ? ', true)' : ')');
      } else if (d.init) this.markInitializer(d.init, d.end);
      // `var x` keeps a value that x already has; `let x` does not.
      // The compiler's `var E` of an enum starts it anew.
      else if (node.kind !== 'var' || fresh.has(name)) this.edits.appendLeft(d.end, ' = undefined');
      else this.edits.appendLeft(d.end, ` = ${HELPERS}.keep(${JSON.stringify(name)})`);
    }
    this.edits.appendLeft(declarations[declarations.length - 1].end, statement ? ');' : ')');
  }

  /** V8 reports an unknown name in `a = b` at `a`; after a comma it reports `b`, as in a declaration. */
  private markInitializer(init: AnyNode, end: number): void {
    // Functions and classes take their names from the plain assignment.
    if (isFunction(init) || init.type === 'ClassExpression') return;
    this.edits.prependRight(init.start, '(0,');
    this.edits.appendLeft(end, ')');
  }

  private topLevel(node: AnyNode): void {
    switch (node.type) {
      case 'VariableDeclaration':
        return this.assign(node, true);
      case 'ClassDeclaration':
        this.edits.prependRight(node.start, `void (${node.id?.name} = `);
        this.edits.appendLeft(node.end, ');');
        return;
      case 'FunctionDeclaration':
        this.edits.prependRight(node.start, `void (${node.id?.name} = `);
        this.edits.appendLeft(node.end, ');');
        return this.hoist(node);
      case 'ImportDeclaration':
        return this.importNames(node);
      case 'ExportNamedDeclaration':
        return this.exported(node);
      case 'ExportDefaultDeclaration':
        this.edits.remove(node.start, node.declaration.start);
        if ('id' in node.declaration && node.declaration.id) this.topLevel(node.declaration as AnyNode);
        return;
      case 'ExportAllDeclaration':
        return this.exportedAll(node);
      default:
    }
  }

  private exported(node: ExportNamedDeclaration): void {
    if (node.source) return this.exportedFrom(node, String(node.source.value));
    if (!node.declaration) return void this.edits.remove(node.start, node.end);
    this.edits.remove(node.start, node.declaration.start);
    this.topLevel(node.declaration);
  }

  /** `export { a as b } from 'm'`: later cells see b. Names that the module lacks are types. */
  private exportedFrom(node: ExportNamedDeclaration, from: string): void {
    const pairs = node.specifiers
      .map(({ local, exported }) => [moduleName(local), moduleName(exported)])
      .filter(([, name]) => isLocal(name));
    const names = JSON.stringify(pairs);
    this.edits.overwrite(
      node.start,
      node.end,
      `void ${HELPERS}.adopt(${this.imported(from, [], node.attributes)}, ${names});`,
    );
    this.hoist(node);
  }

  /** `export * from 'm'`: later cells see the module's exports; `export * as x from 'm'`: they see x. */
  private exportedAll(node: ExportAllDeclaration): void {
    const module = this.imported(String(node.source.value), [], node.attributes);
    const name = node.exported?.type === 'Identifier' ? node.exported.name : '';
    const adopt = node.exported ? module : `${HELPERS}.adopt(${module})`;
    this.edits.overwrite(node.start, node.end, isLocal(name) ? `void (${name} = ${module});` : `void (${adopt});`);
    this.hoist(node);
  }

  private imported(from: string, required: readonly string[], attributes: readonly ImportAttribute[]): string {
    const given = attributes.map(({ key, value }) => [key.type === 'Identifier' ? key.name : key.value, value.value]);
    const options = given.length > 0 ? `, ${JSON.stringify({ with: Object.fromEntries(given) as object })}` : '';
    return `await ${HELPERS}.import(${JSON.stringify(from)}, ${JSON.stringify(required)}${options})`;
  }

  private importNames(node: ImportDeclaration): void {
    const whole: string[] = [];
    const named: string[] = [];
    const required: string[] = [];
    for (const specifier of node.specifiers) {
      const { local } = specifier;
      if (specifier.type === 'ImportNamespaceSpecifier') {
        whole.push(local.name);
        continue;
      }
      const { imported } = specifier.type === 'ImportSpecifier' ? specifier : { imported: undefined };
      const name = imported ? moduleName(imported) : 'default';
      named.push(`${JSON.stringify(name)}: ${local.name}`);
      // A name that the cell only uses as a type has no value at run time.
      if (this.used.has(local.name)) required.push(name);
    }
    const namespace = this.imported(String(node.source.value), required, node.attributes);
    const value = whole.reduce((rest, name) => `${name} = ${rest}`, namespace);
    const code = named.length > 0 ? `void ({${named.join(', ')}} = ${value});` : `void (${value});`;
    this.edits.overwrite(node.start, node.end, code);
    this.hoist(node);
  }

  /**
   * Moves a statement to the top, so that a function can be called before its definition and an import used before its
   * line.
   */
  private hoist(node: AnyNode): void {
    if (node.start > this.hoistAt) this.edits.move(node.start, node.end, this.hoistAt);
  }

  /** The value of the last statement is the value of the cell. */
  private returnLast(): void {
    const last = this.program.body.filter((node) => !isEmpty(node)).at(-1);
    if (last?.type === 'ExpressionStatement') this.returned(last.start, last.end);
    else if (last?.type === 'ExportDefaultDeclaration' && !('id' in last.declaration && last.declaration.id)) {
      this.returned(last.declaration.start, last.end);
    }
  }

  /** Wraps up to the end of the statement: the end of the expression leaves closing parentheses out. */
  private returned(start: number, end: number): void {
    this.edits.prependRight(start, 'return (');
    this.edits.appendLeft(this.stripped.code[end - 1] === ';' ? end - 1 : end, ');');
  }
}

export interface CompileOptions {
  /** Names of the runtime (URL, process, …) that libraries need untouched: a cell that declares one gets its own. */
  reserved?: ReadonlySet<string>;
  /** Whether an earlier cell declared a reserved name. */
  shadowed?: boolean;
}

/**
 * Compiles a cell.
 * @param name the script name that stack frames will carry.
 * @throws SourceSyntaxError with the place in the cell.
 */
export async function compileCell(source: string, name: string, options: CompileOptions = {}): Promise<CompiledCell> {
  const stripped = await stripTypes(source, name);
  const toSource = stripped.toSource ?? ((place: Place) => place);
  const rewriter = new CellRewriter(stripped, parseModule(stripped.code, toSource));
  rewriter.rewrite();
  const { edits, names } = rewriter;
  const shadowed = options.shadowed || [...names].some((each) => options.reserved?.has(each));
  if (rewriter.required.size > 0) edits.prepend(`await ${HELPERS}.prepare(${JSON.stringify([...rewriter.required])});`);
  // Lookups through `with` are slow, so only sessions that shadow a name of the runtime pay for it.
  edits.prepend(
    shadowed
      ? `(function (${HELPERS}) { with (${HELPERS}.shadows) return (async () => {'use strict';`
      : `(async (${HELPERS}) => {'use strict';`,
  );
  edits.append(shadowed ? '\n})(); })' : '\n})');
  const code = edits.toString();
  let back: ((place: Place) => Place) | undefined;
  return {
    code,
    names: [...names],
    early: varNames(rewriter.program),
    toCell(place) {
      back ??= placeMapper(edits.generateMap({ hires: true, source: name, includeContent: false }), true);
      return toSource(back(place));
    },
  };
}
