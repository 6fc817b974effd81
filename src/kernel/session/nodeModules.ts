/**
 * Packages and JavaScript files, as Node loads them.
 *
 * Node loads a module once in a process. One that is stopped meanwhile stays half loaded: every later import of it, or
 * of a module that imports it, waits or fails for ever, and require() gives the exports it had so far. So an interrupt
 * waits some seconds for modules that load (`beginLoading`), and modules that are stopped anyway are loaded anew under
 * other addresses, with all that they import. Modules that had finished loading stay as they are.
 */
import { createRequire, register } from 'node:module';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import vm from 'node:vm';
import { beginLoading, nativeCall, terminations } from '../compute/nativeCall.js';

export type ModuleNamespace = Record<string, unknown>;
type NativeImport = (specifier: string, options?: unknown) => Promise<ModuleNamespace>;

/** Query that marks the address of a module that is loaded anew; its imports get the same query. */
const AGAIN = 'loaded-again';

const HOOKS = `
export async function resolve(specifier, context, next) {
  const found = await next(specifier, context);
  const again = context.parentURL?.startsWith('file:') && new URL(context.parentURL).searchParams.get('${AGAIN}');
  if (!again || !found.url.startsWith('file:')) return found;
  const url = new URL(found.url);
  url.searchParams.set('${AGAIN}', again);
  return { ...found, url: url.href };
}`;

let hooked = false;

/** Installed only when needed: from then on Node asks a thread for every module, which takes time. */
function hookResolution(): void {
  if (hooked) return;
  nativeCall(() => register(`data:text/javascript,${encodeURIComponent(HOOKS)}`));
  hooked = true;
}

/** Node asks for `with { type: 'json' }`; TypeScript does not. */
const JSON_OPTIONS = { with: { type: 'json' } };

function lacksJsonAttribute(error: unknown): boolean {
  const { code } = (error ?? {}) as { code?: unknown };
  // Before Node 22 attributes were called assertions.
  return code === 'ERR_IMPORT_ATTRIBUTE_MISSING' || code === 'ERR_IMPORT_ASSERTION_TYPE_MISSING';
}

/** Whether an error of import or require says that a module was not found. */
export function isMissing(error: unknown): boolean {
  const code = (error as { code?: unknown } | null)?.code;
  return code === 'ERR_MODULE_NOT_FOUND' || code === 'MODULE_NOT_FOUND';
}

/** import() as a file in `folder` would call it: resolution starts there. */
function nativeImportFrom(folder: string, generation: number): NativeImport {
  const file = path.join(folder, 'cell.mjs');
  const url = pathToFileURL(file);
  if (generation > 0) {
    hookResolution();
    url.searchParams.set(AGAIN, String(generation));
  }
  const script = new vm.Script('(specifier, options) => import(specifier, options)', {
    filename: generation > 0 ? url.href : file,
    importModuleDynamically: vm.constants.USE_MAIN_CONTEXT_DEFAULT_LOADER,
  });
  const load = script.runInThisContext() as NativeImport;
  return async (specifier, options) => {
    try {
      return await load(specifier, options);
    } catch (error) {
      if (!lacksJsonAttribute(error)) throw error;
      return load(specifier, JSON_OPTIONS);
    }
  };
}

/** A load that has not ended. */
interface Load {
  end: () => void;
}

export class NodeModules {
  private readonly imports = new Map<string, NativeImport>();
  private readonly running = new Set<Load>();
  /** Loads that were stopped and have not ended: modules that are not loaded yet may import the half-loaded ones. */
  private readonly stuck = new Set<Load>();
  /** Generation under which Node has each loaded module, by folder and specifier. */
  private readonly loaded = new Map<string, number>();
  /** Number of loads that were stopped so far. */
  private generation = 0;

  /** import() from a file in `folder`. */
  async import(folder: string, specifier: string, options?: unknown): Promise<ModuleNamespace> {
    const key = JSON.stringify([folder, specifier]);
    const generation = this.loaded.get(key) ?? (this.stuck.size > 0 ? this.generation : 0);
    const load: Load = { end: beginLoading() };
    const begun = terminations();
    this.running.add(load);
    try {
      const namespace = await this.importFrom(folder, generation)(specifier, options);
      this.loaded.set(key, generation);
      this.stuck.delete(load);
      return namespace;
    } catch (error) {
      // A module's own error leaves nothing half loaded; an error caused by a termination does.
      if (terminations() === begun) this.stuck.delete(load);
      else this.leave(load);
      throw error;
    } finally {
      load.end();
      this.running.delete(load);
    }
  }

  /** require() in a file of `folder`. */
  require(folder: string, specifier: string): unknown {
    const end = beginLoading();
    try {
      return createRequire(path.join(folder, 'cell.cjs'))(specifier);
    } finally {
      end();
    }
  }

  /** Called when a cell was stopped and no JavaScript runs. */
  stopped(terminated: boolean): void {
    for (const load of this.running) this.leave(load);
    if (!terminated) return;
    const { cache } = createRequire(path.join(process.cwd(), 'cell.cjs'));
    for (const [file, module] of Object.entries(cache)) if (module && !module.loaded) delete cache[file];
  }

  private leave(load: Load): void {
    if (!this.stuck.has(load)) this.generation++;
    this.stuck.add(load);
    load.end();
    this.running.delete(load);
  }

  private importFrom(folder: string, generation: number): NativeImport {
    const key = JSON.stringify([folder, generation]);
    const known = this.imports.get(key);
    if (known) return known;
    const made = nativeImportFrom(folder, generation);
    this.imports.set(key, made);
    return made;
  }
}
