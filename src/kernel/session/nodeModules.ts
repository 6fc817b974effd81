/**
 * Packages and JavaScript files, as Node loads them.
 *
 * Node loads a module once in a process. One that is stopped meanwhile stays half loaded: every later import of it, or of
 * a module that imports it, waits or fails for ever, and require() gives what it had exported so far. So an interrupt
 * waits some seconds for modules that load (`beginLoading`), and what was stopped all the same is loaded anew, with all
 * that it imports, under addresses of its own. Modules that had loaded stay as they are.
 */
import { createRequire, register } from 'node:module';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import vm from 'node:vm';
import { beginLoading, nativeCall, terminations } from '../compute/nativeCall.js';

export type ModuleNamespace = Record<string, unknown>;
type NativeImport = (specifier: string, options?: unknown) => Promise<ModuleNamespace>;

/** The query that tells apart what is loaded anew; what it imports gets the same. */
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

/** Only a process that needs it has Node ask for every module: that takes a thread and time. */
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

export function isMissing(error: unknown): boolean {
  const code = (error as { code?: unknown } | null)?.code;
  return code === 'ERR_MODULE_NOT_FOUND' || code === 'MODULE_NOT_FOUND';
}

/** import() as seen from a file in `folder`: resolution starts there. */
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

/** A load under way. */
interface Load {
  end: () => void;
}

export class NodeModules {
  private readonly imports = new Map<string, NativeImport>();
  private readonly running = new Set<Load>();
  /** Loads that were stopped and have not ended: what is not loaded yet may import what they left. */
  private readonly stuck = new Set<Load>();
  /** Of what has loaded, by folder and specifier: where Node has it. */
  private readonly loaded = new Map<string, number>();
  /** Times that loads were stopped. */
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
      // An error of its own leaves nothing half loaded; one that a termination made of it does.
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

  /** A cell was stopped, and no JavaScript runs. */
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
