/** The floor plan: imports make no circle, and docs/architecture.md names what there is. */
import fs from 'node:fs';
import path from 'node:path';
import * as esbuild from 'esbuild';
import ts from 'typescript';
import { describe, expect, it } from 'vitest';
// @ts-expect-error plain JavaScript: the build's own
import { inPages } from '../../scripts/inPages.mjs';

const filesOf = (folder: string): string[] =>
  fs
    .readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts'))
    .map((file) => path.posix.join(folder, file.split(path.sep).join('/')));

const isTypeOnly = (node: ts.ImportDeclaration | ts.ExportDeclaration): boolean => {
  if (ts.isExportDeclaration(node)) return node.isTypeOnly;
  const { importClause } = node;
  if (!importClause || importClause.isTypeOnly) return importClause !== undefined;
  const { name, namedBindings } = importClause;
  return (
    !name && !!namedBindings && ts.isNamedImports(namedBindings) && namedBindings.elements.every((e) => e.isTypeOnly)
  );
};

/** What a file imports of the project's own, types aside unless `withTypes`. */
function importsOf(file: string, withTypes: boolean): string[] {
  const source = ts.createSourceFile(file, fs.readFileSync(file, 'utf8'), ts.ScriptTarget.Latest);
  return source.statements.flatMap((node) => {
    if (!ts.isImportDeclaration(node) && !ts.isExportDeclaration(node)) return [];
    const from = node.moduleSpecifier;
    if (!from || !ts.isStringLiteral(from) || !from.text.startsWith('.')) return [];
    if (!withTypes && isTypeOnly(node)) return [];
    return [path.posix.join(path.posix.dirname(file), from.text.replace(/\.js$/, '.ts'))];
  });
}

/** Groups of nodes that reach each other (Tarjan), those of one node left out. */
function circles(graph: ReadonlyMap<string, Iterable<string>>): string[][] {
  const [index, low] = [new Map<string, number>(), new Map<string, number>()];
  const [stack, found]: [string[], string[][]] = [[], []];
  const visit = (node: string): void => {
    index.set(node, index.size);
    low.set(node, index.get(node)!);
    stack.push(node);
    for (const next of graph.get(node) ?? []) {
      if (!index.has(next)) visit(next);
      if (stack.includes(next)) low.set(node, Math.min(low.get(node)!, low.get(next)!));
    }
    if (low.get(node) !== index.get(node)) return;
    const group = stack.splice(stack.indexOf(node));
    if (group.length > 1) found.push(group.sort());
  };
  for (const node of graph.keys()) if (!index.has(node)) visit(node);
  return found;
}

describe('circles', () => {
  it('are found where there are some, and only there', () => {
    const graph = { a: ['b'], b: ['c'], c: ['b', 'd'], d: ['d'] };
    expect(circles(new Map(Object.entries(graph)))).toEqual([['b', 'c']]);
  });
});

describe('imports', () => {
  it('make no circle between the rooms of the kernel, types included; what a room declares stands above the rooms', () => {
    const rooms = new Map<string, Set<string>>();
    const roomOf = (file: string): string => {
      const [, , room, ...rest] = file.split('/');
      // By these, rooms below verb declare what their functions take.
      if (/^src\/kernel\/verb\/(option|kinds|filled)\.ts$/.test(file)) return 'verb/option.ts';
      return rest.length === 1 && rest[0] === 'fg.ts' ? `${room}/fg.ts` : room;
    };
    // present names the types of the rooms whose results it shows, and calls nothing of them: the linter holds it to that.
    for (const file of filesOf('src/kernel'))
      for (const target of importsOf(file, !file.startsWith('src/kernel/present/'))) {
        if (target.startsWith('src/kernel/') && roomOf(target) !== roomOf(file))
          rooms.set(roomOf(file), (rooms.get(roomOf(file)) ?? new Set()).add(roomOf(target)));
      }
    expect(rooms.size).toBeGreaterThan(15);
    expect(circles(rooms)).toEqual([]);
  });

  it('make no circle between files, types aside', () => {
    const files = filesOf('src');
    expect(files.length).toBeGreaterThan(400);
    expect(circles(new Map(files.map((file) => [file, importsOf(file, false)])))).toEqual([]);
  });
});

describe('docs/architecture.md', () => {
  const text = fs.readFileSync('docs/architecture.md', 'utf8');

  it('names files and folders that there are', () => {
    const written = [...text.matchAll(/`([\w./-]+\/[\w.-]*)`/g)].map(([, name]) => name);
    const named = written.filter((name) => !name.startsWith('.') && !name.startsWith('@') && !/<|>/.test(name));
    const within = (folder: string): string[] =>
      fs
        .readdirSync(folder)
        .filter((name) => fs.statSync(`${folder}/${name}`).isDirectory())
        .map((name) => `${folder}/${name}/`);
    const parts = within('src');
    const roots = ['', 'src/', ...parts, ...parts.flatMap((part) => within(part.slice(0, -1)))];
    const missing = named.filter((name) => !roots.some((root) => fs.existsSync(root + name)));
    expect(named.length).toBeGreaterThan(40);
    expect(missing).toEqual([]);
  });

  it('opens each room at files that it has', () => {
    const rows = [...text.matchAll(/^\| `([\w/]+\/)`[^|]*\|[^|]*\|([^|]*)\|$/gm)];
    expect(rows.length).toBeGreaterThan(20);
    const missing = rows.flatMap(([, room, first]) =>
      [...first.matchAll(/`([\w./]+)`/g)]
        .map(([, file]) => `src/${room}${file}`)
        .filter((file) => !fs.existsSync(file)),
    );
    expect(missing).toEqual([]);
  });
});

it('folders of tests are made by the kit, which removes them', () => {
  const maker = new RegExp(`mk${'dtemp'}`);
  const others = filesOf('test').filter((file) => maker.test(fs.readFileSync(file, 'utf8')));
  expect(others).toEqual(['test/kit/temporary.ts']);
});

it('what pages bundle of the kernel needs no Node', async () => {
  const { errors } = await esbuild
    .build({
      entryPoints: [path.resolve('src/kernel/correlation/inPages.ts')],
      ...{ bundle: true, write: false, platform: 'browser', logLevel: 'silent', plugins: [inPages as esbuild.Plugin] },
    })
    .catch((failure: esbuild.BuildFailure) => failure);
  expect(errors.map(({ text, location }) => `${location?.file}: ${text}`)).toEqual([]);
});

/** Casts past the compiler, by file: a declared type or a guard is better. Each says why it stays. */
const CASTS = {
  'src/kernel/cli/command.ts': 1,
  'src/kernel/compute/wasm.ts': 1,
  'src/kernel/figures/chartSvg.ts': 1,
  'src/kernel/session/processGuard.ts': 1,
  'src/kernel/verb/common.ts': 1,
  'src/kernel/verb/listed.ts': 1,
  'src/kernel/verb/verb.ts': 3,
  'src/protocol/objects.ts': 2,
  'src/webviews/graph/sigmaSurface.ts': 1,
  'src/webviews/plot/vectorPen.ts': 1,
};

it('casts over unknown are those that are known, each behind a comment that says why', () => {
  const found = filesOf('src').flatMap((file) => {
    const lines = fs.readFileSync(file, 'utf8').split('\n');
    return lines.flatMap((line, i) =>
      line.includes('as unknown as') ? [{ file, lines: lines.slice(0, i), line }] : [],
    );
  });
  const counts: Record<string, number> = {};
  for (const { file } of found) counts[file] = (counts[file] ?? 0) + 1;
  expect(counts).toEqual(CASTS);
  // In the doc of the statement, or above the line.
  const bare = found.filter(({ lines }) => !lines.slice(-8).some((line) => /^\s*(\/\/|\*\/?|\/\*\*)/.test(line)));
  expect(bare.map(({ file, line }) => `${file}: ${line.trim()}`)).toEqual([]);
});

/** American words where prose of ours is meant. Names stand in code marks; these are the terms of others. */
const AMERICAN = /(?<!feature |Mutual |mutual )\b(?:colors?|colored|neighbors?|neighborhoods?|centered|gray|behaviors?|optimizers?|regularization|normalized|normalizes|labeled|canceled)\b/g; // prettier-ignore

it('prose of the pages is British English', () => {
  const pages = fs
    .readdirSync('docs', { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.md'))
    .map((file) => path.posix.join('docs', file.split(path.sep).join('/')));
  const found = ['README.md', 'CONTRIBUTING.md', ...pages].flatMap((file) => {
    const text = fs.readFileSync(file, 'utf8').replace(/```[^]*?```|`[^`\n]*`|'[^'\n|]*'|\]\([^)]*\)/g, ' ');
    return [...text.matchAll(AMERICAN)].map(([word]) => `${file}: ${word}`);
  });
  expect(found).toEqual([]);
});
