/** Identities of results: hashes of how they were made, and the refusal of inputs that do not belong together. */
import { canonicalJson, sha256 } from '../io/hash.js';
import type { ArtifactKey } from './types.js';

/** Two inputs are of different origins. The message names both. */
export class MismatchError extends Error {
  override name = 'MismatchError';
}

/**
 * Throws MismatchError unless both identities agree. `what` says what had to be the same, such as
 * "activations A and B must be of the same tokens".
 */
export function requireSame(what: string, a: { name: string; id: string }, b: { name: string; id: string }): void {
  if (a.id === b.id) return;
  throw new MismatchError(`${what}: ${a.name} has ${a.id} but ${b.name} has ${b.id}`);
}

/** SHA-256 (hex) over kind, parameters, inputs and code version; the order of keys does not matter. */
export function artifactId(key: ArtifactKey): string {
  const { kind, parameters, inputs, codeVersion } = key;
  if (!/^[a-z][a-z0-9-]{0,40}$/.test(kind)) {
    throw new Error(`artifact kind "${kind}": use lower-case letters, digits and dashes`);
  }
  return sha256(['fgnb artifact 1', canonicalJson({ kind, parameters, inputs, codeVersion }, 'artifact')]);
}

/** Folder name inside the store: `<kind>-<first 16 digits of the id>`. */
export function artifactFolderName(kind: string, id: string): string {
  return `${kind}-${id.slice(0, 16)}`;
}
