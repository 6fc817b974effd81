/** Artifact stores for tests. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { ArtifactStore, type ArtifactStoreOptions } from '#kernel/artifacts/store.js';
import { testFolder } from './folder.js';

/** Makes stores in folders of their own, which go after the file's tests; `inMemory` for very many small files. */
export function testStores(
  where: { inMemory?: boolean } = {},
): (options?: Partial<ArtifactStoreOptions>) => ArtifactStore {
  const root = testFolder('store', where);
  let count = 0;
  return (options = {}) => {
    const folder = join(root, String(count++));
    mkdirSync(folder);
    return new ArtifactStore(folder, { device: () => 'test', ...options });
  };
}
