/** Folders for the files of tests. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';

/** A new folder, for whoever removes it. */
export function temporaryFolder(name: string): string {
  return mkdtempSync(join(tmpdir(), `fgnb-${name}-`));
}

/** A folder of the test file's own, gone after its tests. */
export function testFolder(name = 'test'): string {
  const folder = temporaryFolder(name);
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}
