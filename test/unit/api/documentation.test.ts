/**
 * What IntelliSense shows of `fg`: every namespace, function and option is documented, of what functions return too.
 * Verbs that rooms declare are looked at in docs.test.ts; here, what they return.
 */
import path from 'node:path';
import ts from 'typescript';
import { describe, expect, it } from 'vitest';

const root = path.resolve(import.meta.dirname, '../../..');
const entry = path.join(root, 'src/kernel/api/index.ts');

/** Paths such as "fg.sae.train(options).lr" of functions and options of the kernel's own types without documentation. */
function undocumented(): string[] {
  const config = ts.readConfigFile(path.join(root, 'src/kernel/tsconfig.json'), ts.sys.readFile).config as object;
  const { options } = ts.parseJsonConfigFileContent(config, ts.sys, path.join(root, 'src/kernel'));
  const program = ts.createProgram([entry], { ...options, composite: false, noEmit: true, skipLibCheck: true });
  const checker = program.getTypeChecker();
  const exported = checker.getExportsOfModule(checker.getSymbolAtLocation(program.getSourceFile(entry)!)!);
  const missing: string[] = [];
  const seen = new Set<ts.Type>();
  const visit = (type: ts.Type, at: string, isOption: boolean): void => {
    if (seen.has(type)) return;
    seen.add(type);
    if (type.isUnionOrIntersection()) for (const part of type.types) visit(part, at, isOption);
    if (checker.isArrayType(type) || type.getSymbol()?.name === 'Promise')
      for (const part of checker.getTypeArguments(type as ts.TypeReference)) visit(part, at, isOption);
    for (const signature of type.getCallSignatures()) {
      for (const parameter of signature.parameters) {
        const { name } = parameter;
        visit(checker.getTypeOfSymbol(parameter), `${at}(${name})`, name === 'options');
      }
      visit(signature.getReturnType(), `${at}()`, false);
    }
    for (const member of type.getProperties()) {
      const [declaration] = member.declarations ?? [];
      const file = declaration?.getSourceFile().fileName ?? '';
      if (!file.startsWith(path.join(root, 'src/kernel'))) continue;
      const hidden = ts.ModifierFlags.Private | ts.ModifierFlags.Protected;
      if (ts.getCombinedModifierFlags(declaration) & hidden) continue;
      const own = checker.getTypeOfSymbol(member);
      const where = `${at}.${member.name}`;
      // An option that is declared by a builder has its words there.
      const isDeclared = /\/fg\w*\.ts$/.test(file) || ts.isPropertyAssignment(declaration);
      const asked = !isDeclared && (isOption || own.getCallSignatures().length > 0 || at === 'fg');
      const comments = [member, own.getSymbol()].flatMap((s) => s?.getDocumentationComment(checker) ?? []);
      if (asked && comments.length === 0) missing.push(`${where} (${path.relative(root, file)})`);
      visit(own, where, false);
    }
  };
  visit(checker.getDeclaredTypeOfSymbol(exported.find((s) => s.name === 'Fg')!), 'fg', false);
  return missing;
}

describe('fg as cells see it', () => {
  it('is documented wherever a cell can see it', () => {
    expect(undocumented()).toEqual([]);
  });
});
