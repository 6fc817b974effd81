/**
 * What `import` means in a cell: `fg` is the session's facade, relative paths start at the notebook's folder, local
 * TypeScript is compiled on the fly and read again when it changed, packages resolve from the notebook's folder first
 * and from the kernel's own after it.
 */
import fs from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import vm from 'node:vm';
import { claimed } from '../compute/work.js';
import { loadTypeScript, transpile, type Place } from './stripTypes.js';

export type ModuleNamespace = Record<string, unknown>;
type NativeImport = (specifier: string, options?: unknown) => Promise<ModuleNamespace>;

interface LocalModule {
  exports: ModuleNamespace;
  stamp: string;
  /** Local TypeScript and JSON files that it imports. */
  imports: string[];
  done: Promise<void>;
}

const TYPESCRIPT = /\.[mc]?ts$/;
const GUESSES = ['', '.ts', '.mts', '.cts', '.js', '.mjs', '.cjs', '.json', '/index.ts', '/index.js'];

export interface ModuleLoaderOptions {
  notebookFolder: string;
  /** Modules given by the session: `fg`, `@tensorflow/tfjs`. Asked at each import. */
  provided: (specifier: string) => ModuleNamespace | undefined;
  /** Told how places in a compiled file map back to its source. */
  onCompiled?: (file: string, toSource: (place: Place) => Place) => void;
}

/** import() as seen from a file in `folder`: resolution starts there. */
function nativeImportFrom(folder: string): NativeImport {
  const script = new vm.Script('(specifier, options) => import(specifier, options)', {
    filename: path.join(folder, 'cell.mjs'),
    importModuleDynamically: vm.constants.USE_MAIN_CONTEXT_DEFAULT_LOADER,
  });
  return script.runInThisContext() as NativeImport;
}

function isMissing(error: unknown): boolean {
  const code = (error as { code?: unknown } | null)?.code;
  return code === 'ERR_MODULE_NOT_FOUND' || code === 'MODULE_NOT_FOUND';
}

export class ModuleLoader {
  private readonly local = new Map<string, LocalModule>();
  private readonly firstSeen = new Map<string, string>();
  private readonly fromNotebook: NativeImport;
  private readonly fromKernel: NativeImport;

  constructor(private readonly options: ModuleLoaderOptions) {
    this.fromNotebook = nativeImportFrom(options.notebookFolder);
    this.fromKernel = nativeImportFrom(path.dirname(fileURLToPath(import.meta.url)));
  }

  /** import() from a cell, or from a local file when `folder` is given. */
  async load(
    specifier: string,
    importOptions?: unknown,
    folder = this.options.notebookFolder,
  ): Promise<ModuleNamespace> {
    const provided = this.options.provided(specifier);
    if (provided) return provided;
    const file = this.localFile(specifier, folder);
    if (file === undefined) return this.loadPackage(specifier, importOptions);
    if (TYPESCRIPT.test(file)) return this.loadTypeScriptFile(file);
    if (file.endsWith('.json')) return loadJson(file);
    return this.loadScriptFile(file);
  }

  /**
   * A static import: like load, and every name in `required` must be there. CommonJS names that Node could not see
   * statically are taken from the default export.
   */
  async importNames(specifier: string, required: readonly string[]): Promise<ModuleNamespace> {
    const namespace = await this.load(specifier);
    const fallback = namespace.default as ModuleNamespace | null | undefined;
    const missing = required.filter((name) => !(name in namespace));
    if (missing.length === 0) return namespace;
    const canHold = (typeof fallback === 'object' && fallback !== null) || typeof fallback === 'function';
    const absent = missing.filter((name) => !(canHold && name in fallback));
    if (absent.length > 0) {
      const known = Object.keys(namespace).slice(0, 40).join(', ');
      throw new SyntaxError(`'${specifier}' has no export named '${absent.join("', '")}'. It has: ${known || 'none'}`);
    }
    return { ...(fallback as ModuleNamespace), ...namespace };
  }

  private localFile(specifier: string, folder: string): string | undefined {
    let target: string;
    if (specifier.startsWith('file:')) target = fileURLToPath(specifier);
    else if (/^\.{1,2}(\/|$)/.test(specifier) || path.isAbsolute(specifier)) target = path.resolve(folder, specifier);
    else return undefined;
    // TypeScript sources name their imports by the file that a build would make of them.
    const source = target.replace(/\.([mc]?)js$/, '.$1ts');
    for (const guess of [...GUESSES.map((end) => target + end), source]) {
      if (fs.statSync(guess, { throwIfNoEntry: false })?.isFile()) return guess;
    }
    throw Object.assign(
      new Error(`Cannot find '${specifier}': no file ${target} (also tried ${GUESSES.slice(1).join(' ')})`),
      {
        code: 'ERR_MODULE_NOT_FOUND',
      },
    );
  }

  private async loadPackage(specifier: string, importOptions: unknown): Promise<ModuleNamespace> {
    try {
      return await this.fromNotebook(specifier, importOptions);
    } catch (error) {
      if (!isMissing(error)) throw error;
      try {
        return await this.fromKernel(specifier, importOptions);
      } catch (second) {
        if (!isMissing(second)) throw second;
        const where = this.options.notebookFolder;
        throw Object.assign(
          new Error(`Cannot find package '${specifier}' from ${where}. Install it there: npm install ${specifier}`),
          { code: 'ERR_MODULE_NOT_FOUND' },
        );
      }
    }
  }

  /** Node keeps modules for good; a changed file is imported under a new query. */
  private async loadScriptFile(file: string): Promise<ModuleNamespace> {
    const now = stamp(file);
    const first = this.firstSeen.get(file) ?? now;
    this.firstSeen.set(file, first);
    const url = pathToFileURL(file);
    if (first !== now) {
      url.searchParams.set('changed', now);
      const require = createRequire(file);
      delete require.cache[file];
    }
    return this.fromNotebook(url.href);
  }

  private async loadTypeScriptFile(file: string): Promise<ModuleNamespace> {
    if (!this.isFresh(file, new Set())) this.forgetStale();
    await this.start(file, new Set());
    return (this.local.get(file) as LocalModule).exports;
  }

  private isFresh(file: string, seen: Set<string>): boolean {
    if (seen.has(file)) return true;
    seen.add(file);
    const module = this.local.get(file);
    return (
      module !== undefined && module.stamp === stamp(file) && module.imports.every((each) => this.isFresh(each, seen))
    );
  }

  /** A module is stale when it or anything that it imports changed. */
  private forgetStale(): void {
    const stale = [...this.local.keys()].filter((file) => !this.isFresh(file, new Set()));
    for (const file of stale) this.local.delete(file);
  }

  /** Runs a local TypeScript file once. A cycle gets the exports that are there so far, as in CommonJS. */
  private async start(file: string, running: Set<string>): Promise<ModuleNamespace> {
    const existing = this.local.get(file);
    if (existing) {
      if (!running.has(file)) await existing.done;
      return existing.exports;
    }
    const module: LocalModule = { exports: {}, stamp: stamp(file), imports: [], done: Promise.resolve() };
    this.local.set(file, module);
    // A cell that was interrupted while it ran the file leaves no promise that later imports would wait for.
    const forget = (): void => {
      if (this.local.get(file) === module) this.local.delete(file);
    };
    module.done = claimed(() => this.run(file, module, new Set([...running, file])), forget);
    await module.done;
    return module.exports;
  }

  private async run(file: string, module: LocalModule, running: Set<string>): Promise<void> {
    const source = fs.readFileSync(file, 'utf8');
    const { ts } = await loadTypeScript();
    const found = ts.preProcessFile(source).importedFiles.map((each) => each.fileName);
    const compiled = await transpile(source, file, { commonJs: true });
    const loaded = await this.loadImports(file, module, found, running);
    const code = compiled.code.replaceAll('import.meta', '__importMeta');
    const prefix = '(async (exports, require, module, __filename, __dirname, __importMeta) => {';
    const script = new vm.Script(`${prefix}${code}\n})`, { filename: file, columnOffset: -prefix.length });
    if (compiled.toSource) this.options.onCompiled?.(file, compiled.toSource);
    const own = createRequire(file);
    const require = (specifier: string): unknown => {
      const entry = loaded.get(specifier);
      if (!entry) return own(specifier);
      if ('error' in entry) throw entry.error;
      return entry.value;
    };
    const body = script.runInThisContext() as (...args: unknown[]) => Promise<void>;
    const meta = { url: pathToFileURL(file).href, filename: file, dirname: path.dirname(file) };
    // `module.exports = …` replaces nothing: importers may hold the exports object already.
    await body(module.exports, require, { exports: module.exports }, file, path.dirname(file), meta);
  }

  private async loadImports(
    file: string,
    module: LocalModule,
    specifiers: readonly string[],
    running: Set<string>,
  ): Promise<Map<string, { value: unknown } | { error: unknown }>> {
    const loaded = new Map<string, { value: unknown } | { error: unknown }>();
    const folder = path.dirname(file);
    for (const specifier of new Set(specifiers)) {
      try {
        const provided = this.options.provided(specifier);
        const target = provided ? undefined : this.localFile(specifier, folder);
        if (target && (TYPESCRIPT.test(target) || target.endsWith('.json'))) module.imports.push(target);
        const value =
          target && TYPESCRIPT.test(target)
            ? await this.start(target, running)
            : asCommonJs(await this.load(specifier, undefined, folder));
        loaded.set(specifier, { value });
      } catch (error) {
        // Thrown where the file asks for it: the import may be optional or for types alone.
        loaded.set(specifier, { error });
      }
    }
    return loaded;
  }
}

/** An ES namespace as the compiler's CommonJS output reads it. */
function asCommonJs(namespace: ModuleNamespace): ModuleNamespace {
  return Object.create(namespace, { __esModule: { value: true } }) as ModuleNamespace;
}

function stamp(file: string): string {
  const stat = fs.statSync(file, { throwIfNoEntry: false });
  return stat ? `${stat.mtimeMs}-${stat.size}` : 'gone';
}

function loadJson(file: string): ModuleNamespace {
  const value: unknown = JSON.parse(fs.readFileSync(file, 'utf8'));
  const names = typeof value === 'object' && value !== null && !Array.isArray(value) ? value : {};
  return { ...names, default: value };
}
