/**
 * Rows of mixed values: in `[['A', sae], ['B', other]].map(([side, s]) => s.id)` the compiler takes every row for an
 * array of `string | Sae`, so that `s` may be either. What such a value is used for is accepted if one of its types fits.
 */
import ts from 'typescript';

/** The innermost node with exactly this span, outermost of those that share it. */
export function nodeAt(file: ts.SourceFile, start: number, end: number): ts.Node | undefined {
  const find = (node: ts.Node): ts.Node | undefined => {
    if (start < node.getStart(file) || end > node.end) return undefined;
    if (node.getStart(file) === start && node.end === end && !ts.isSourceFile(node)) return node;
    return ts.forEachChild(node, find);
  };
  return find(file);
}

/** Whether a name was taken by position from an array (no tuple) of several types. */
function isJoined(checker: ts.TypeChecker, name: ts.Identifier): boolean {
  const symbol = ts.isShorthandPropertyAssignment(name.parent)
    ? checker.getShorthandAssignmentValueSymbol(name.parent)
    : checker.getSymbolAtLocation(name);
  const element = symbol?.valueDeclaration;
  if (!element || !ts.isBindingElement(element) || !ts.isArrayBindingPattern(element.parent)) return false;
  const row = checker.getTypeAtLocation(element.parent);
  const item = checker.isArrayType(row) ? checker.getTypeArguments(row as ts.TypeReference)[0] : undefined;
  return item?.isUnion() === true;
}

/** `s.id` where s is joined and one of its types has id. `node` is the property's name. */
export function isJoinedAccess(checker: ts.TypeChecker, node: ts.Node | undefined): boolean {
  const access = node?.parent;
  if (!node || !ts.isIdentifier(node) || !access || !ts.isPropertyAccessExpression(access) || access.name !== node)
    return false;
  if (!ts.isIdentifier(access.expression) || !isJoined(checker, access.expression)) return false;
  const type = checker.getTypeAtLocation(access.expression);
  return type.isUnion() && type.types.some((each) => checker.getPropertyOfType(each, node.text) !== undefined);
}

/** The expression that a property of an object literal takes its value from. */
function valueOf(property: ts.Symbol): ts.Identifier | undefined {
  const declaration = property.valueDeclaration;
  if (!declaration) return undefined;
  if (ts.isShorthandPropertyAssignment(declaration)) return declaration.name;
  if (ts.isPropertyAssignment(declaration) && ts.isIdentifier(declaration.initializer)) return declaration.initializer;
  return undefined;
}

const DEPTH = 4;

function fits(
  checker: ts.TypeChecker,
  source: ts.Type,
  target: ts.Type,
  from: ts.Identifier | undefined,
  depth = 0,
): boolean {
  if (checker.isTypeAssignableTo(source, target)) return true;
  if (depth > DEPTH) return false;
  if (source.isUnion())
    return (
      from !== undefined &&
      isJoined(checker, from) &&
      source.types.some((each) => checker.isTypeAssignableTo(each, target))
    );
  const item = checker.getIndexTypeOfType(source, ts.IndexKind.Number);
  const wanted = checker.getIndexTypeOfType(target, ts.IndexKind.Number);
  if (item && wanted) return fits(checker, item, wanted, undefined, depth + 1);
  const index = checker.getIndexTypeOfType(target, ts.IndexKind.String);
  const properties = checker.getPropertiesOfType(source);
  if (properties.length === 0 || (source.flags & ts.TypeFlags.Object) === 0) return false;
  return properties.every((property) => {
    const name = checker.getPropertyOfType(target, property.name);
    const type = name ? checker.getTypeOfSymbol(name) : index;
    return type && fits(checker, checker.getTypeOfSymbol(property), type, valueOf(property), depth + 1);
  });
}

/** A value that is passed or assigned, and fits where it goes but for joined values in it. */
export function isJoinedArgument(checker: ts.TypeChecker, node: ts.Node | undefined): boolean {
  if (!node || !ts.isExpression(node)) return false;
  const target = checker.getContextualType(node);
  if (!target) return false;
  return fits(checker, checker.getTypeAtLocation(node), target, ts.isIdentifier(node) ? node : undefined);
}
