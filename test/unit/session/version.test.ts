import fs from 'node:fs';
import path from 'node:path';
import { expect, it } from 'vitest';
import { KERNEL_VERSION } from '#kernel/session/version.js';

const root = path.resolve(import.meta.dirname, '../../..');
const read = (name: string): string => fs.readFileSync(path.join(root, name), 'utf8');

it('package, lock file, kernel and changelog have one version', () => {
  const { version } = JSON.parse(read('package.json')) as { version: string };
  const lock = JSON.parse(read('package-lock.json')) as {
    version: string;
    packages: Record<string, { version: string }>;
  };
  expect([lock.version, lock.packages[''].version, KERNEL_VERSION]).toEqual([version, version, version]);
  expect(/^## (\S+)/m.exec(read('CHANGELOG.md'))?.[1]).toBe(version);
});
