/** docs/formats.md names, for each format, a test that is there. */
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, it } from 'vitest';
import { FAMILIES } from '#kernel/models/families/index.js';

const root = path.resolve(import.meta.dirname, '../../..');
const page = readFileSync(path.join(root, 'docs/formats.md'), 'utf8');

it('every test that the page names is there, by file and title', () => {
  const named = [...page.matchAll(/`(test\/[\w./-]+\.(?:test\.ts|py|mjs))`(?: "([^"]+)")?/g)];
  expect(named.length).toBeGreaterThan(30);
  for (const [, file, title] of named) {
    expect(existsSync(path.join(root, file)), file).toBe(true);
    if (title !== undefined)
      expect(readFileSync(path.join(root, file), 'utf8').includes(title), `${file} "${title}"`).toBe(true);
  }
});

it('every family of models has a row with a test', () => {
  for (const { name } of FAMILIES) expect(page).toMatch(new RegExp(`\\(\`${name}\`.*test/.*\\.test\\.ts\` "`));
});

it('every code that an inspection may give is explained in docs/inspect.md', () => {
  const types = readFileSync(path.join(root, 'src/kernel/inspect/types.ts'), 'utf8');
  const list = types.slice(types.indexOf('type FindingCode'), types.indexOf('export interface Finding '));
  const codes = [...list.matchAll(/'([a-z0-9-]+)'/g)].map(([, code]) => code);
  const said = readFileSync(path.join(root, 'docs/inspect.md'), 'utf8');
  expect(codes.length).toBeGreaterThan(20);
  expect(codes.filter((code) => !said.includes(`\`${code}\``))).toEqual([]);
});
