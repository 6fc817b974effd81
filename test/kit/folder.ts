/** Folders for the files of tests. */
import { rmSync } from 'node:fs';
import { afterAll } from 'vitest';
import { temporaryFolder } from './temporary.js';

export { temporaryFolder };

const made: string[] = [];
// Vitest loads this file anew for every test file: here is the end of its tests, wherever in them a folder was made.
afterAll(() => made.splice(0).forEach((folder) => rmSync(folder, { recursive: true, force: true })));

/** A folder of the test file's own, gone after all its tests; `inMemory` for very many small files. */
export function testFolder(name = 'test', options: { inMemory?: boolean } = {}): string {
  const folder = temporaryFolder(name, options);
  made.push(folder);
  return folder;
}
