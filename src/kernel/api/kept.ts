/** Results that took work, kept as artifacts: the same call again loads them, and the cell says so. */
import type { JsonObject } from '../../protocol/notebook.js';
import { loadResult, saveResult } from '../artifacts/result.js';
import type { Environment } from '../verb/environment.js';

export interface KeepOptions {
  /** Compute again even when the result is in the artifact folder. */
  fresh?: boolean;
}

export interface KeptKey {
  kind: string;
  parameters: JsonObject;
  /** Identities of what went in. */
  inputs: Record<string, string>;
  codeVersion: number;
}

/** The result of a key, loaded when it was made before. `unfinished`: what a stopped call goes on from (resumable). */
export async function kept<T extends object>(
  env: Environment,
  what: string,
  key: KeptKey,
  options: KeepOptions | undefined,
  make: () => Promise<T>,
  unfinished?: string,
): Promise<T> {
  const { value, cached, record } = await env.store.compute<T>(key, {
    fresh: options?.fresh,
    title: what,
    unfinished,
    make: async (folder) => saveResult(folder, await make()),
    load: loadResult<T>,
  });
  env.tellCached(what, cached, record);
  return value;
}
