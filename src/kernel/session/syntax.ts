/** Helpers of the cell compiler for a program's syntax tree (ESTree, by acorn). */
import type {
  AnyNode,
  ArrowFunctionExpression,
  FunctionDeclaration,
  FunctionExpression,
  Identifier,
  Node,
  Pattern,
} from 'acorn';
import { pushAll } from '../../protocol/lists.js';

export type Visit = (node: AnyNode, parents: readonly AnyNode[]) => void;

/** Children of a node in source order. */
export function children(node: AnyNode): AnyNode[] {
  const found: AnyNode[] = [];
  for (const [key, value] of Object.entries(node)) {
    if (key === 'type' || key === 'loc') continue;
    for (const child of Array.isArray(value) ? (value as unknown[]) : [value as unknown]) {
      if (isNode(child)) found.push(child);
    }
  }
  return found;
}

function isNode(value: unknown): value is AnyNode {
  return typeof value === 'object' && value !== null && typeof (value as { type?: unknown }).type === 'string';
}

/** Calls `visit` on every node, parents first. */
export function walk(root: AnyNode, visit: Visit): void {
  const parents: AnyNode[] = [];
  const go = (node: AnyNode): void => {
    visit(node, parents);
    parents.push(node);
    for (const child of children(node)) go(child);
    parents.pop();
  };
  go(root);
}

/** Names that a declaration's pattern binds. */
export function boundNames(pattern: Pattern): string[] {
  switch (pattern.type) {
    case 'Identifier':
      return [pattern.name];
    case 'ObjectPattern':
      return pattern.properties.flatMap((p) => boundNames(p.type === 'RestElement' ? p.argument : p.value));
    case 'ArrayPattern':
      return pattern.elements.flatMap((element) => (element ? boundNames(element) : []));
    case 'RestElement':
      return boundNames(pattern.argument);
    case 'AssignmentPattern':
      return boundNames(pattern.left);
    default:
      return [];
  }
}

/** Whether a node is a function with a scope of its own; methods hold one as their value. */
export function isFunction(node: Node): boolean {
  return (
    node.type === 'FunctionDeclaration' || node.type === 'FunctionExpression' || node.type === 'ArrowFunctionExpression'
  );
}

type FunctionNode = FunctionDeclaration | FunctionExpression | ArrowFunctionExpression;

/** Names that `var` declares in a function or program, blocks included, inner functions not. */
export function varNames(root: AnyNode): string[] {
  const names: string[] = [];
  walk(root, (node, parents) => {
    if (node.type !== 'VariableDeclaration' || node.kind !== 'var') return;
    if (parents.some((parent) => parent !== root && (isFunction(parent) || parent.type === 'StaticBlock'))) return;
    pushAll(
      names,
      node.declarations.flatMap((d) => boundNames(d.id)),
    );
  });
  return names;
}

/** Names that a scope declares: parameters, its own statements' declarations, and a function's `var`s. */
function declaredIn(scope: AnyNode): Set<string> {
  const names: string[] = [];
  const statement = (node: AnyNode | null | undefined): void => {
    if (node?.type === 'VariableDeclaration')
      pushAll(
        names,
        node.declarations.flatMap((d) => boundNames(d.id)),
      );
    if ((node?.type === 'FunctionDeclaration' || node?.type === 'ClassDeclaration') && node.id)
      names.push(node.id.name);
  };
  if (isFunction(scope)) {
    const fn = scope as FunctionNode;
    pushAll(names, [...fn.params.flatMap(boundNames), ...varNames(scope)]);
  }
  if ((scope.type === 'FunctionExpression' || scope.type === 'ClassExpression') && scope.id) names.push(scope.id.name);
  if (scope.type === 'CatchClause' && scope.param) pushAll(names, boundNames(scope.param));
  if (scope.type === 'BlockStatement' || scope.type === 'StaticBlock') scope.body.forEach(statement);
  if (scope.type === 'ForStatement') statement(scope.init);
  if (scope.type === 'ForInStatement' || scope.type === 'ForOfStatement') statement(scope.left);
  return new Set(names);
}

const SCOPES = new Set([
  'BlockStatement',
  'ForStatement',
  'ForInStatement',
  'ForOfStatement',
  'CatchClause',
  'FunctionDeclaration',
  'FunctionExpression',
  'ArrowFunctionExpression',
  'ClassExpression',
  'StaticBlock',
]);

/** Whether `name`, used below `parents`, refers to the cell's own top-level name rather than to an inner one. */
export function isTopLevelName(name: string, parents: readonly AnyNode[], cache: Map<AnyNode, Set<string>>): boolean {
  return !parents.some((parent) => {
    if (!SCOPES.has(parent.type)) return false;
    let names = cache.get(parent);
    if (!names) cache.set(parent, (names = declaredIn(parent)));
    return names.has(name);
  });
}

/** Whether an identifier node is a use of a variable, and not a property name, label or declaration key. */
export function isReference(node: Identifier, parent: AnyNode | undefined): boolean {
  switch (parent?.type) {
    case 'MemberExpression':
      return parent.object === (node as AnyNode) || parent.computed;
    case 'Property':
      return parent.value === (node as AnyNode) || parent.computed;
    case 'MethodDefinition':
    case 'PropertyDefinition':
      return parent.value === (node as AnyNode) || parent.computed;
    case 'ImportSpecifier':
    case 'ImportDefaultSpecifier':
    case 'ImportNamespaceSpecifier':
    case 'LabeledStatement':
    case 'BreakStatement':
    case 'ContinueStatement':
    case 'MetaProperty':
      return false;
    default:
      return true;
  }
}
