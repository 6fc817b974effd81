/** Folders for the files of tests. */
import { accessSync, constants, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';

/** Linux's file system in memory, where there is one: tens of thousands of small files take minutes on a disk. */
const IN_MEMORY = '/dev/shm';

/** The folder of temporary files in memory, or on disk where there is none. */
function memory(): string {
  try {
    accessSync(IN_MEMORY, constants.W_OK);
    return IN_MEMORY;
  } catch {
    return tmpdir();
  }
}

/** A new folder, for whoever removes it. */
export function temporaryFolder(name: string, { inMemory = false } = {}): string {
  return mkdtempSync(join(inMemory ? memory() : tmpdir(), `fgnb-${name}-`));
}

const made: string[] = [];
// Vitest loads this file anew for every test file: here is the end of its tests, wherever in them a folder was made.
afterAll(() => made.splice(0).forEach((folder) => rmSync(folder, { recursive: true, force: true })));

/** A folder of the test file's own, gone after all its tests; `inMemory` for very many small files. */
export function testFolder(name = 'test', options: { inMemory?: boolean } = {}): string {
  const folder = temporaryFolder(name, options);
  made.push(folder);
  return folder;
}
