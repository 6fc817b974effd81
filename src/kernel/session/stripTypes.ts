/**
 * Strips types: TypeScript to JavaScript at the same positions. `typescript` is 9 MB, so it is loaded at the first
 * cell.
 */
import { SourceMap } from 'node:module';
import type ts from 'typescript';
import { protectedSection } from '../compute/nativeCall.js';
import { isJsx, mistakesOf, readCell, type CellSyntax } from './cellSyntax.js';
import { placeAt, SourceSyntaxError, type Place } from './place.js';

export interface Stripped {
  code: string;
  /** Maps a place in `code` to the place in the TypeScript; absent when positions are the same. */
  toSource?: (place: Place) => Place;
}

interface TypeScriptTools {
  ts: typeof ts;
  blankSourceFile: (source: ts.SourceFile, onError?: (node: ts.Node) => void) => string;
}

let tools: Promise<TypeScriptTools> | undefined;

/** Loads the compiler; called early by the session so that the first cell does not wait for it. */
export function loadTypeScript(): Promise<TypeScriptTools> {
  // An interrupt must not leave the compiler half loaded: every cell needs it.
  tools ??= protectedSection(async () => {
    const [typescript, blank] = await Promise.all([import('typescript'), import('ts-blank-space')]);
    return { ts: typescript.default, blankSourceFile: blank.blankSourceFile };
  });
  return tools;
}

function parse({ ts: typescript }: TypeScriptTools, source: string, name: string): ts.SourceFile {
  return typescript.createSourceFile(
    name,
    source,
    {
      languageVersion: typescript.ScriptTarget.ESNext,
      // A cell without imports is a module too, so that `await` is an operator and never a name.
      setExternalModuleIndicator: (file) => {
        (file as { externalModuleIndicator?: unknown }).externalModuleIndicator = true;
      },
    },
    false,
    typescript.ScriptKind.TS,
  );
}

/**
 * Place lookup in a version 3 source map.
 * @param everyCharacter whether the map has every kept character, so that a character it lacks was inserted and belongs
 *   to what follows
 */
export function placeMapper(map: unknown, everyCharacter = false): (place: Place) => Place {
  // The map is decoded when an error first asks for a place.
  let decoded: SourceMap | undefined;
  return ({ line, column }) => {
    decoded ??= new SourceMap(map as ConstructorParameters<typeof SourceMap>[0]);
    let entry = decoded.findEntry(line - 1, column - 1);
    for (let ahead = 0; everyCharacter && ahead < 200; ahead++) {
      const next = decoded.findEntry(line - 1, column - 1 + ahead);
      if (!('generatedLine' in next) || next.generatedLine !== line - 1 || next.generatedColumn !== column - 1 + ahead)
        continue;
      entry = next;
      break;
    }
    return 'originalLine' in entry
      ? { line: entry.originalLine + 1, column: entry.originalColumn + 1 }
      : { line, column };
  };
}

interface TranspileOptions {
  /** Whether to write CommonJS, for files that cells import; ES modules are for cells. */
  commonJs?: boolean;
}

/** Names that a local file's wrapper defines: `import.meta`, and the `require` of the file's own text. */
export const IMPORT_META = '__importMeta';
export const REQUIRE = '__require';

/**
 * Renames `import.meta`, and the file's own `require`, which it may declare itself: the one that the compiler writes
 * for `import` gives ES modules.
 */
function ownNames(typescript: typeof ts): ts.TransformerFactory<ts.SourceFile> {
  return (context) => {
    const { factory } = context;
    const isRequire = (node: ts.Node): boolean => typescript.isIdentifier(node) && node.text === 'require';
    const own = (): ts.Identifier => factory.createIdentifier(REQUIRE);
    const visit = (node: ts.Node): ts.Node => {
      if (typescript.isMetaProperty(node) && node.keywordToken === typescript.SyntaxKind.ImportKeyword)
        return factory.createIdentifier(IMPORT_META);
      const seen = typescript.visitEachChild(node, visit, context);
      if (typescript.isCallExpression(seen) && isRequire(seen.expression))
        return factory.updateCallExpression(seen, own(), seen.typeArguments, seen.arguments);
      if (typescript.isPropertyAccessExpression(seen) && isRequire(seen.expression))
        return factory.updatePropertyAccessExpression(seen, own(), seen.name);
      if (typescript.isVariableDeclaration(seen) && isRequire(seen.name))
        return factory.updateVariableDeclaration(seen, own(), seen.exclamationToken, seen.type, seen.initializer);
      if (typescript.isImportEqualsDeclaration(seen)) return importEquals(typescript, factory, seen);
      return seen;
    };
    return (file) => typescript.visitEachChild(file, visit, context);
  };
}

/**
 * Rewrites `import x = require('m')` to `const x = module.require('m')`, which no declaration of the file can shadow.
 */
function importEquals(typescript: typeof ts, factory: ts.NodeFactory, node: ts.ImportEqualsDeclaration): ts.Node {
  const { moduleReference, modifiers, name } = node;
  if (node.isTypeOnly || !typescript.isExternalModuleReference(moduleReference)) return node;
  const require = factory.createPropertyAccessExpression(factory.createIdentifier('module'), 'require');
  const call = factory.createCallExpression(require, undefined, [moduleReference.expression]);
  const declaration = factory.createVariableDeclaration(name, undefined, undefined, call);
  const list = factory.createVariableDeclarationList([declaration], typescript.NodeFlags.Const);
  return typescript.setTextRange(factory.createVariableStatement(modifiers, list), node);
}

/**
 * Compiles with the TypeScript compiler where types cannot just be blanked out: enums, parameter properties,
 * namespaces, decorators, `accessor`, `using`.
 */
export async function transpile(source: string, name: string, options: TranspileOptions = {}): Promise<Stripped> {
  const { ts: typescript } = await loadTypeScript();
  const result = typescript.transpileModule(source, {
    fileName: name,
    compilerOptions: {
      target: typescript.ScriptTarget.ES2022,
      module: options.commonJs ? typescript.ModuleKind.CommonJS : typescript.ModuleKind.ESNext,
      moduleDetection: typescript.ModuleDetectionKind.Force,
      verbatimModuleSyntax: !options.commonJs,
      esModuleInterop: true,
      sourceMap: true,
      // Standard decorators, as the editor checks them, not the experimental ones.
      experimentalDecorators: false,
    },
    transformers: options.commonJs ? { before: [ownNames(typescript)] } : {},
  });
  const map: unknown = JSON.parse(result.sourceMapText ?? '{}');
  return { code: result.outputText.replace(/\/\/# sourceMappingURL=.*\s*$/, ''), toSource: placeMapper(map) };
}

/** The syntax tree of a cell. @throws SourceSyntaxError at the first syntax error */
function parseCell(tools: TypeScriptTools, source: string, name: string): ts.SourceFile {
  const file = parse(tools, source, name);
  const [problem] = mistakesOf(file);
  if (!problem) return file;
  const { line, column } = placeAt(source, problem.start);
  const message = isJsx(tools.ts, source)
    ? 'JSX is not supported in a cell: cells are TypeScript (.ts), not .tsx'
    : tools.ts.flattenDiagnosticMessageText(problem.messageText, ' ');
  throw new SourceSyntaxError(message, line, column);
}

export type StrippedCell = Stripped & Pick<CellSyntax, 'disposed' | 'fresh'>;

/**
 * Erases the types of a cell. Text that can be blanked out leaves positions unchanged; a cell with syntax that
 * JavaScript or Node does not know (enums, namespaces, parameter properties, `<T>x` casts, decorators) goes through the
 * compiler, with a source map.
 * @throws SourceSyntaxError at the first syntax error
 */
export async function stripTypes(source: string, name: string): Promise<StrippedCell> {
  const loaded = await loadTypeScript();
  const parsed = parseCell(loaded, source, name);
  const { text, disposed, fresh, needsCompiler } = readCell(loaded.ts, parsed);
  const file = text === source ? parsed : parseCell(loaded, text, name);
  let blankable = !needsCompiler;
  const code = blankable
    ? loaded.blankSourceFile(file, () => {
        blankable = false;
      })
    : '';
  return { ...(blankable ? { code } : await transpile(text, name)), disposed, fresh };
}
