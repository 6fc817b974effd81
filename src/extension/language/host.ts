/** What the compiler sees: the cells' modules, files on disk, and the declarations that ship with the extension. */
import { isBuiltin } from 'node:module';
import path from 'node:path';
import ts from 'typescript';
import type { VirtualNotebook } from './virtualNotebook.js';

export const COMPILER_OPTIONS: ts.CompilerOptions = {
  target: ts.ScriptTarget.ESNext,
  module: ts.ModuleKind.ESNext,
  moduleResolution: ts.ModuleResolutionKind.Bundler,
  moduleDetection: ts.ModuleDetectionKind.Force,
  customConditions: ['node'],
  lib: ['lib.esnext.d.ts'],
  types: [],
  strict: true,
  // Cells are sketches: these two report what is no mistake at run time.
  strictPropertyInitialization: false,
  useUnknownInCatchVariables: false,
  noImplicitThis: false,
  allowUnreachableCode: true,
  allowUnusedLabels: true,
  allowImportingTsExtensions: true,
  allowJs: true,
  checkJs: false,
  resolveJsonModule: true,
  esModuleInterop: true,
  skipLibCheck: true,
  noEmit: true,
};

/** Modules that the kernel itself provides: a copy in the notebook's folder is not what a cell gets. */
const PROVIDED = new Set(['fg', '@tensorflow/tfjs', '@tensorflow/tfjs-core']);

interface DiskFile {
  version: string;
  snapshot: ts.IScriptSnapshot;
}

/** Files and module lookups that all notebooks share. */
export class Disk {
  readonly globalsFile: string;
  private readonly typesFolder: string;
  private readonly files = new Map<string, DiskFile>();
  private modules = this.newCache();
  /** Part of every version that a new file can concern, so that imports are looked up again. */
  private generation = 0;

  constructor(typesFolder: string) {
    this.typesFolder = typesFolder.replaceAll(path.sep, '/');
    this.globalsFile = `${this.typesFolder}/globals.d.ts`;
  }

  /** Files may have come or gone. */
  changed(): void {
    this.modules = this.newCache();
    this.generation++;
  }

  /** Version of a cell's module, or of another text of the user's. */
  stamp(version: number): string {
    return `${version}.${this.generation}`;
  }

  /** Shipped and installed files are read once; the user's own are looked at again whenever the program is renewed. */
  version(file: string): string {
    if (this.isFixed(file)) return '1';
    return this.stamp(ts.sys.getModifiedTime?.(file)?.getTime() ?? -1);
  }

  snapshot(file: string): ts.IScriptSnapshot | undefined {
    const version = this.version(file);
    const known = this.files.get(file);
    if (known?.version === version) return known.snapshot;
    const text = ts.sys.readFile(file);
    if (text === undefined) {
      this.files.delete(file);
      return undefined;
    }
    const snapshot = ts.ScriptSnapshot.fromString(text);
    this.files.set(file, { version, snapshot });
    return snapshot;
  }

  /** Looks from the importing file first and in the shipped declarations after it, as the kernel does. */
  resolve(specifier: string, from: string, mode: ts.ResolutionMode): ts.ResolvedModuleFull | undefined {
    const look = (file: string): ts.ResolvedModuleFull | undefined =>
      ts.resolveModuleName(specifier, file, COMPILER_OPTIONS, ts.sys, this.modules, undefined, mode).resolvedModule;
    // Node's typings declare its modules; a package of the same name never comes in their place.
    if (isBuiltin(specifier)) return undefined;
    if (PROVIDED.has(specifier)) return look(this.globalsFile);
    return look(from) ?? look(this.globalsFile);
  }

  /** One set of Node's typings: a second one, reached through a package, would declare every global twice. */
  resolveTypes(name: string, from: string, mode: ts.ResolutionMode): ts.ResolvedTypeReferenceDirective | undefined {
    const file = name === 'node' ? this.globalsFile : from;
    const options = { ...COMPILER_OPTIONS, typeRoots: [`${this.typesFolder}/node_modules/@types`] };
    return ts.resolveTypeReferenceDirective(name, file, options, ts.sys, undefined, undefined, mode)
      .resolvedTypeReferenceDirective;
  }

  private isFixed(file: string): boolean {
    return file.includes('/node_modules/') || file.startsWith(this.typesFolder);
  }

  private newCache(): ts.ModuleResolutionCache {
    const canonical = (name: string): string => (ts.sys.useCaseSensitiveFileNames ? name : name.toLowerCase());
    return ts.createModuleResolutionCache(ts.sys.getCurrentDirectory(), canonical, COMPILER_OPTIONS);
  }
}

export function createHost(notebook: VirtualNotebook, disk: Disk, version: () => string): ts.LanguageServiceHost {
  return {
    getCompilationSettings: () => COMPILER_OPTIONS,
    getProjectVersion: version,
    getScriptFileNames: () => [disk.globalsFile, ...notebook.cells().map((cell) => cell.file)],
    getScriptVersion: (file) => {
      const cell = notebook.cellOfFile(file);
      return cell ? disk.stamp(cell.version) : disk.version(file);
    },
    getScriptSnapshot: (file) => {
      const cell = notebook.cellOfFile(file);
      return cell ? ts.ScriptSnapshot.fromString(cell.code) : disk.snapshot(file);
    },
    getCurrentDirectory: () => notebook.folder,
    getDefaultLibFileName: (options) => ts.getDefaultLibFilePath(options),
    useCaseSensitiveFileNames: () => ts.sys.useCaseSensitiveFileNames,
    fileExists: (file) => notebook.cellOfFile(file) !== undefined || ts.sys.fileExists(file),
    readFile: (file) => notebook.cellOfFile(file)?.code ?? ts.sys.readFile(file),
    directoryExists: ts.sys.directoryExists,
    getDirectories: ts.sys.getDirectories,
    readDirectory: ts.sys.readDirectory,
    realpath: ts.sys.realpath,
    resolveModuleNameLiterals: (literals, from, _redirected, options, source) =>
      literals.map((literal) => {
        const cell = notebook.resolve(literal.text);
        if (cell) return { resolvedModule: { resolvedFileName: cell, extension: ts.Extension.Ts } };
        const mode = ts.getModeForUsageLocation(source, literal, options);
        return { resolvedModule: disk.resolve(literal.text, from, mode) };
      }),
    resolveTypeReferenceDirectiveReferences: (references, from) =>
      references.map((reference) => {
        const name = typeof reference === 'string' ? reference : reference.fileName;
        const mode = typeof reference === 'string' ? undefined : reference.resolutionMode;
        return { resolvedTypeReferenceDirective: disk.resolveTypes(name, from, mode) };
      }),
  };
}
