/**
 * Resolves `import` in cells: `fg` is the session's facade, relative paths start at the notebook's folder, local
 * TypeScript is compiled on the fly and read again when it changed, packages resolve from the notebook's folder first
 * and from the kernel's own after it.
 */
import fs from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import vm from 'node:vm';
import { claimed } from '../compute/work.js';
import { isMissing, NodeModules, type ModuleNamespace } from './nodeModules.js';
import type { Place } from './place.js';
import { IMPORT_META, loadTypeScript, REQUIRE, transpile } from './stripTypes.js';

interface LocalModule {
  /** The exports as importers of ES modules see them. */
  exports: ModuleNamespace;
  /** The value that require() gives: the exports, or what `export =` put in their place. */
  required: unknown;
  stamp: string;
  /** Local TypeScript and JSON files that it imports. */
  imports: string[];
  done: Promise<void>;
}

const LOCAL = /^(\.{1,2}(\/|$)|\/|[A-Za-z]:[\\/])/;
const TYPESCRIPT = /\.[mc]?ts$/;
/** The kernel's own packages are resolved from here. */
const KERNEL_FOLDER = path.dirname(fileURLToPath(import.meta.url));
const GUESSES = ['', '.ts', '.mts', '.cts', '.js', '.mjs', '.cjs', '.json', '/index.ts', '/index.js'];

export interface ModuleLoaderOptions {
  notebookFolder: string;
  /** Modules given by the session: `fg`, `@tensorflow/tfjs`. Asked at each import. */
  provided: (specifier: string) => ModuleNamespace | undefined;
  /** Told how places in a compiled file map back to its source. */
  onCompiled?: (file: string, toSource: (place: Place) => Place) => void;
}

function notInstalled(specifier: string, folder: string): Error {
  const text = `Cannot find package '${specifier}' from ${folder}. Install it there: npm install ${specifier}`;
  return Object.assign(new Error(text), { code: 'ERR_MODULE_NOT_FOUND' });
}

export class ModuleLoader {
  private readonly local = new Map<string, LocalModule>();
  private readonly firstSeen = new Map<string, string>();
  private readonly node = new NodeModules();

  /** `import.meta` of a cell. */
  readonly meta: Readonly<{ url: string; dirname: string; filename: string }>;

  constructor(private readonly options: ModuleLoaderOptions) {
    const filename = path.join(options.notebookFolder, 'notebook.fgnb');
    this.meta = { url: pathToFileURL(filename).href, dirname: options.notebookFolder, filename };
  }

  /** A cell was stopped: modules it was loading may be half loaded, and are loaded anew at their next import. */
  stopped(terminated: boolean): void {
    this.node.stopped(terminated);
  }

  /** Variables that every module has by Node's typings: require, __dirname and __filename, for cells. */
  moduleNames(): Record<string, unknown> {
    return { require: this.requireFrom(), __dirname: this.meta.dirname, __filename: this.meta.filename };
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
    return this.loadScriptFile(file, importOptions);
  }

  /** The `require` of a folder's files, default the notebook's cells. */
  requireFrom(folder = this.options.notebookFolder): NodeJS.Require {
    const native = createRequire(path.join(folder, 'cell.cjs'));
    return Object.assign((specifier: string) => this.require(specifier, folder), {
      resolve: native.resolve,
      cache: native.cache,
      extensions: native.extensions,
      main: native.main,
    });
  }

  private require(specifier: string, folder: string): unknown {
    const provided = this.options.provided(specifier);
    if (provided) return provided;
    const file = this.localFile(specifier, folder);
    if (file === undefined) return this.requirePackage(specifier, folder);
    if (TYPESCRIPT.test(file)) {
      const module = this.local.get(file);
      if (module && this.isFresh(file, new Set())) return module.required;
      throw new Error(`require() cannot load the TypeScript file ${file}: use import, or await import()`);
    }
    if (file.endsWith('.json')) return JSON.parse(fs.readFileSync(file, 'utf8'));
    const now = stamp(file);
    if ((this.firstSeen.get(file) ?? now) !== now) delete createRequire(file).cache[file];
    this.firstSeen.set(file, now);
    return this.node.require(folder, file);
  }

  /** Loads the local TypeScript files that a cell may require(). */
  async prepare(specifiers: readonly string[]): Promise<void> {
    for (const specifier of specifiers) {
      try {
        const file = LOCAL.test(specifier) ? this.localFile(specifier, this.options.notebookFolder) : undefined;
        if (file && TYPESCRIPT.test(file)) await this.loadTypeScriptFile(file);
      } catch (error) {
        // A missing file is reported where it is required.
        if (!isMissing(error)) throw error;
      }
    }
  }

  private requirePackage(specifier: string, folder: string): unknown {
    try {
      return this.node.require(folder, specifier);
    } catch (error) {
      if (!isMissing(error)) throw error;
      try {
        return this.node.require(KERNEL_FOLDER, specifier);
      } catch (second) {
        throw isMissing(second) ? notInstalled(specifier, folder) : second;
      }
    }
  }

  /**
   * A static import: like load, and every name in `required` must be there. CommonJS names that Node could not see
   * statically are taken from the default export.
   */
  async importNames(specifier: string, required: readonly string[], importOptions?: unknown): Promise<ModuleNamespace> {
    const namespace = await this.load(specifier, importOptions);
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
    else if (LOCAL.test(specifier)) target = path.resolve(folder, specifier);
    else return undefined;
    // TypeScript sources import other sources by the name of the compiled file.
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
      return await this.node.import(this.options.notebookFolder, specifier, importOptions);
    } catch (error) {
      if (!isMissing(error)) throw error;
      try {
        return await this.node.import(KERNEL_FOLDER, specifier, importOptions);
      } catch (second) {
        if (!isMissing(second)) throw second;
        throw notInstalled(specifier, this.options.notebookFolder);
      }
    }
  }

  /** Node keeps modules for ever; a changed file is imported under a new query. */
  private async loadScriptFile(file: string, importOptions: unknown): Promise<ModuleNamespace> {
    const now = stamp(file);
    const first = this.firstSeen.get(file) ?? now;
    this.firstSeen.set(file, first);
    const url = pathToFileURL(file);
    if (first !== now) {
      url.searchParams.set('changed', now);
      const require = createRequire(file);
      delete require.cache[file];
    }
    return this.node.import(this.options.notebookFolder, url.href, importOptions);
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

  /** Runs a local TypeScript file once. In a cycle it gets the exports that exist so far, as in CommonJS. */
  private async start(file: string, running: Set<string>): Promise<ModuleNamespace> {
    const existing = this.local.get(file);
    if (existing) {
      if (!running.has(file)) await existing.done;
      return existing.exports;
    }
    const exports: ModuleNamespace = {};
    const module: LocalModule = {
      exports,
      required: exports,
      stamp: stamp(file),
      imports: [],
      done: Promise.resolve(),
    };
    this.local.set(file, module);
    // A cell that is interrupted while it runs the file must not leave a promise that later imports wait for.
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
    const [found, all] = [false, true].map((calls) =>
      ts.preProcessFile(source, true, calls).importedFiles.map((each) => each.fileName),
    );
    const compiled = await transpile(source, file, { commonJs: true });
    const loaded = await this.loadImports(file, module, found, running);
    await this.loadRequired(module, path.dirname(file), all, running);
    const prefix = `((${REQUIRE}) => async (exports, require, module, __filename, __dirname, ${IMPORT_META}) => {`;
    const script = new vm.Script(`${prefix}${compiled.code}\n})`, { filename: file, columnOffset: -prefix.length });
    if (compiled.toSource) this.options.onCompiled?.(file, compiled.toSource);
    const required = this.requireFrom(path.dirname(file));
    const require = (specifier: string): unknown => {
      const entry = loaded.get(specifier);
      if (!entry) return required(specifier);
      if ('error' in entry) throw entry.error;
      return entry.value;
    };
    const make = script.runInThisContext() as (required: unknown) => (...args: unknown[]) => Promise<void>;
    const meta = { url: pathToFileURL(file).href, filename: file, dirname: path.dirname(file) };
    const own: { exports: unknown; require: unknown } = { exports: module.exports, require: required };
    await make(required)(module.exports, require, own, file, path.dirname(file), meta);
    module.required = own.exports;
    // `export =`: files of a cycle that hold the first exports object find the properties there too.
    if (own.exports !== module.exports) Object.assign(module.exports, own.exports, { default: own.exports });
  }

  /** Loads local TypeScript that a file may require(): loading is asynchronous, so it comes first. */
  private async loadRequired(
    module: LocalModule,
    folder: string,
    specifiers: readonly string[],
    running: Set<string>,
  ): Promise<void> {
    for (const specifier of specifiers) {
      if (!LOCAL.test(specifier)) continue;
      try {
        const target = this.localFile(specifier, folder);
        if (!target || !TYPESCRIPT.test(target)) continue;
        if (!module.imports.includes(target)) module.imports.push(target);
        await this.start(target, running);
      } catch {
        // The error is thrown again where the file requires the module.
      }
    }
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
        if (target && TYPESCRIPT.test(target)) {
          await this.start(target, running);
          loaded.set(specifier, { value: this.local.get(target)?.required });
        } else loaded.set(specifier, { value: asCommonJs(await this.load(specifier, undefined, folder)) });
      } catch (error) {
        // Thrown where the file uses it: the import may be optional or for types alone.
        loaded.set(specifier, { error });
      }
    }
    return loaded;
  }
}

/** An ES namespace in the form that the compiler's CommonJS output reads. */
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
