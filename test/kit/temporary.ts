/** Temporary folders for whoever removes them: programs of bench/ and scripts/ make theirs here too, without a test runner. */
import { accessSync, constants, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

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
