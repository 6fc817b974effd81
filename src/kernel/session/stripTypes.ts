/** TypeScript to JavaScript at the same positions. `typescript` weighs 9 MB, so it is loaded at the first cell. */
import { SourceMap } from 'node:module';
import type ts from 'typescript';
import { protectedSection } from '../compute/nativeCall.js';

/** Wrong syntax at a place in the given source, 1-based. */
export class SourceSyntaxError extends SyntaxError {
  override name = 'SyntaxError';
  constructor(
    message: string,
    readonly line: number,
    readonly column: number,
  ) {
    super(message);
  }
}

/** Place in a text, both 1-based. */
export interface Place {
  line: number;
  column: number;
}

export interface Stripped {
  code: string;
  /** From a place in `code` to the place in the TypeScript; absent when positions are the same. */
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

/** Line and column (1-based) of an offset. */
export function placeAt(text: string, offset: number): Place {
  const before = text.slice(0, offset);
  const line = before.split('\n').length;
  return { line, column: offset - (before.lastIndexOf('\n') + 1) + 1 };
}

function parse({ ts: typescript }: TypeScriptTools, source: string, name: string): ts.SourceFile {
  return typescript.createSourceFile(
    name,
    source,
    {
      languageVersion: typescript.ScriptTarget.ESNext,
      // A cell without imports is a module too: top-level await is an operator in it, never a name.
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
 * @param everyCharacter the map has every kept character, so what it lacks was inserted and belongs to what follows.
 */
export function placeMapper(map: unknown, everyCharacter = false): (place: Place) => Place {
  // The payload is decoded when the first error asks for a place.
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
  /** CommonJS for files that cells import, ES modules for cells. */
  commonJs?: boolean;
}

/** The compiler's own output, for what cannot be blanked out: enums, parameter properties, namespaces, `using`. */
export async function transpile(source: string, name: string, options: TranspileOptions = {}): Promise<Stripped> {
  const { ts: typescript } = await loadTypeScript();
  const result = typescript.transpileModule(source, {
    fileName: name,
    compilerOptions: {
      target: typescript.ScriptTarget.ES2022,
      module: options.commonJs ? typescript.ModuleKind.CommonJS : typescript.ModuleKind.ESNext,
      verbatimModuleSyntax: !options.commonJs,
      esModuleInterop: true,
      sourceMap: true,
      experimentalDecorators: false,
    },
  });
  const map: unknown = JSON.parse(result.sourceMapText ?? '{}');
  return { code: result.outputText.replace(/\/\/# sourceMappingURL=.*\s*$/, ''), toSource: placeMapper(map) };
}

/**
 * Erases types. Everything that can be blanked out keeps its place; a source with enums, namespaces, parameter
 * properties, `<T>x` casts or `using` goes through the compiler, with a map back.
 * @throws SourceSyntaxError at the first wrong place.
 */
export async function stripTypes(source: string, name: string): Promise<Stripped> {
  const loaded = await loadTypeScript();
  const file = parse(loaded, source, name);
  const [problem] = (file as unknown as { parseDiagnostics: ts.DiagnosticWithLocation[] }).parseDiagnostics;
  if (problem) {
    const { line, column } = placeAt(source, problem.start);
    throw new SourceSyntaxError(loaded.ts.flattenDiagnosticMessageText(problem.messageText, ' '), line, column);
  }
  let blankable = !/\busing\b/.test(source) || !usesUsing(loaded, file);
  const code = blankable
    ? loaded.blankSourceFile(file, () => {
        blankable = false;
      })
    : '';
  return blankable ? { code } : transpile(source, name);
}

function usesUsing({ ts: typescript }: TypeScriptTools, file: ts.SourceFile): boolean {
  let found = false;
  const visit = (node: ts.Node): void => {
    // `using` is 4, `await using` is 6: the bit that const (2) and let (1) do not have.
    if (typescript.isVariableDeclarationList(node) && node.flags & typescript.NodeFlags.Using) found = true;
    if (!found) typescript.forEachChild(node, visit);
  };
  visit(file);
  return found;
}
