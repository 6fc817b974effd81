/** Brackets that a text leaves open, as it does while somebody types. */
import ts from 'typescript';

const CLOSE = new Map<ts.SyntaxKind, string>([
  [ts.SyntaxKind.OpenBraceToken, '}'],
  [ts.SyntaxKind.OpenParenToken, ')'],
  [ts.SyntaxKind.OpenBracketToken, ']'],
  [ts.SyntaxKind.TemplateHead, '}`'],
]);
const CLOSING = new Set([
  ts.SyntaxKind.CloseBraceToken,
  ts.SyntaxKind.CloseParenToken,
  ts.SyntaxKind.CloseBracketToken,
  ts.SyntaxKind.TemplateTail,
]);

/** Behind these a slash divides; elsewhere it begins a regular expression. */
function endsValue(kind: ts.SyntaxKind): boolean {
  return (
    kind === ts.SyntaxKind.Identifier ||
    kind === ts.SyntaxKind.CloseParenToken ||
    kind === ts.SyntaxKind.CloseBracketToken ||
    kind === ts.SyntaxKind.CloseBraceToken ||
    (kind >= ts.SyntaxKind.FirstLiteralToken && kind <= ts.SyntaxKind.LastLiteralToken)
  );
}

/** The closing brackets that are missing at the end, innermost first, by tokens alone. */
function missing(text: string): string[] {
  const scanner = ts.createScanner(ts.ScriptTarget.ESNext, true, ts.LanguageVariant.Standard, text);
  const open: string[] = [];
  let before = ts.SyntaxKind.Unknown;
  for (let kind = scanner.scan(); kind !== ts.SyntaxKind.EndOfFileToken; kind = scanner.scan()) {
    if (kind === ts.SyntaxKind.CloseBraceToken && open.at(-1) === '}`') kind = scanner.reScanTemplateToken(false);
    else if (kind === ts.SyntaxKind.SlashToken && !endsValue(before)) kind = scanner.reScanSlashToken();
    const close = CLOSE.get(kind);
    if (close) open.push(close);
    else if (CLOSING.has(kind)) open.pop();
    before = kind;
  }
  return open.reverse();
}

/** Closing brackets that complete the text; none where the text is right as it is. */
export function missingBrackets(text: string): string[] {
  const brackets = missing(text);
  if (brackets.length === 0) return [];
  // Tokens alone can be misread, as in `a++ / b`, so brackets are added only where the parser finds an error.
  const options = { target: ts.ScriptTarget.ESNext, module: ts.ModuleKind.ESNext };
  const { diagnostics } = ts.transpileModule(`${text}\n;export {};`, {
    reportDiagnostics: true,
    compilerOptions: options,
  });
  return diagnostics && diagnostics.length > 0 ? brackets : [];
}
