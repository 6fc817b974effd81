import fs from 'node:fs';
import { describe, expect, it } from 'vitest';

const table = fs.readFileSync('docs/formats.md', 'utf8');
const rows = [...table.matchAll(/^\| [\w ]+\| (\d+) *\| `(\w+)`, `([\w/.]+)`/gm)];

describe('versions in docs/formats.md', () => {
  it('are the constants of the code', () => {
    expect(rows).toHaveLength(3);
    for (const [, version, name, file] of rows)
      expect(fs.readFileSync(`src/${file}`, 'utf8'), name).toContain(`export const ${name} = ${version};`);
  });
});
