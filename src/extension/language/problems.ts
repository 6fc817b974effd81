/** Which of the compiler's reports are mistakes in a notebook. */
import ts from 'typescript';
import { nodeAt, isJoinedAccess, isJoinedArgument } from './joined.js';
import type { Problem, Span } from './protocol.js';
import type { VirtualCell, VirtualNotebook } from './virtualNotebook.js';

const CODE = {
  unknownName: new Set([2304, 2552, 2503, 18004]),
  unknownProperty: new Set([2339, 2551]),
  wrongType: new Set([2345, 2322]),
  possiblyMissing: new Set([2531, 2532, 2533, 18047, 18048, 18049]),
  usedBeforeDeclaration: new Set([2448, 2449, 2450, 2454]),
  /** Assignment to an import: names of earlier cells are variables at run time. */
  assignedImport: 2632,
  /** `import x = require('m')`, which cells may use. */
  importEquals: 1202,
};

/** "Implicitly any": types are optional in a notebook. The option stays on, as `const a = []` is `never[]` without it. */
const isImplicitAny = (code: number): boolean => code >= 7000 && code < 8000;

function spanOf(diagnostic: ts.Diagnostic, text: string): Span | undefined {
  const start = diagnostic.start ?? 0;
  return start < text.length ? { start, end: Math.min(text.length, start + (diagnostic.length ?? 1)) } : undefined;
}

function endOf(text: string): Span {
  const end = text.trimEnd().length;
  return { start: Math.max(0, end - 1), end };
}

function textOf(diagnostic: ts.Diagnostic): string {
  return ts.flattenDiagnosticMessageText(diagnostic.messageText, '\n');
}

function syntaxProblems(cell: VirtualCell, diagnostics: readonly ts.Diagnostic[]): Problem[] {
  const problems: Problem[] = [];
  for (const diagnostic of diagnostics) {
    // An error behind the text means that the text ends too early: it is shown at the end.
    const span = spanOf(diagnostic, cell.text) ?? endOf(cell.text);
    problems.push({ span, message: textOf(diagnostic), code: diagnostic.code, severity: 'error' });
  }
  const [bracket] = cell.names.missing;
  if (problems.length === 0 && bracket)
    problems.push({ span: endOf(cell.text), message: `'${bracket}' expected.`, code: 1005, severity: 'error' });
  return problems;
}

/** A name that a cell above takes over by `export * from 'm'`. */
function isReexported(notebook: VirtualNotebook, cell: VirtualCell, program: ts.Program, name: string): boolean {
  const checker = program.getTypeChecker();
  return notebook
    .cells()
    .slice(0, cell.index)
    .some((above) => {
      const file = above.names.hasStar ? program.getSourceFile(above.file) : undefined;
      const module = file && checker.getSymbolAtLocation(file);
      return module !== undefined && checker.getExportsOfModule(module).some((symbol) => symbol.name === name);
    });
}

function semanticProblem(
  notebook: VirtualNotebook,
  cell: VirtualCell,
  program: ts.Program,
  diagnostic: ts.Diagnostic,
): Problem | undefined {
  const { code, file } = diagnostic;
  const checker = program.getTypeChecker();
  const span = spanOf(diagnostic, cell.text);
  if (!span || !file || diagnostic.category !== ts.DiagnosticCategory.Error || isImplicitAny(code)) return undefined;
  if (code === CODE.importEquals) return undefined;
  const name = cell.text.slice(span.start, span.end);
  const problem: Problem = { span, message: textOf(diagnostic), code, severity: 'error' };
  if (code === CODE.assignedImport && cell.visible.has(name)) return undefined;
  // `const x = f(x)`: until the declaration, x is the earlier cell's.
  if (CODE.usedBeforeDeclaration.has(code) && cell.visible.has(name)) return undefined;
  const node = nodeAt(file, span.start, span.end);
  if (CODE.unknownProperty.has(code) && isJoinedAccess(checker, node)) return undefined;
  if (CODE.wrongType.has(code) && isJoinedArgument(checker, node)) return undefined;
  if (CODE.possiblyMissing.has(code)) return { ...problem, severity: 'warning' };
  if (CODE.unknownName.has(code)) {
    if (isReexported(notebook, cell, program, name)) return undefined;
    const later = notebook.laterDeclaration(cell, name);
    if (later)
      return {
        ...problem,
        message: `'${name}' is declared in a cell below (code cell ${later.index + 1}); it is undefined when cells run in order.`,
        severity: 'warning',
      };
  }
  return problem;
}

/** Mistakes of a cell, syntax first; types are judged only where the syntax is right. */
export function findProblems(notebook: VirtualNotebook, cell: VirtualCell, service: ts.LanguageService): Problem[] {
  const syntax = syntaxProblems(cell, service.getSyntacticDiagnostics(cell.file));
  if (syntax.length > 0) return syntax;
  const program = service.getProgram();
  if (!program) return [];
  return service
    .getSemanticDiagnostics(cell.file)
    .map((diagnostic) => semanticProblem(notebook, cell, program, diagnostic))
    .filter((problem) => problem !== undefined);
}
