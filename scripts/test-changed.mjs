// npm run test:changed: unit and kernel tests that a change touches: those that import a file that differs from the last
// commit, directly or through others, and those that name one (a golden, a page). Tests that call `fg` reach every room
// of the kernel through its list; those that reach a changed file in no other way are counted, and run with --all.
//   node scripts/test-changed.mjs [ref] [--all]   compare with another commit or branch
// What runs in a built kernel or a browser imports nothing of it: npm run test:kernel and test:e2e.
import { execFileSync, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import * as esbuild from 'esbuild';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..');
const git = (...args) => execFileSync('git', args, { cwd: root, encoding: 'utf8' }).split('\n').filter(Boolean);
const { imports: aliases } = JSON.parse(fs.readFileSync(path.join(root, 'package.json'), 'utf8'));

/** Finds `#room/file.js` where package.json says it lies, and its TypeScript. */
const rooms = {
  name: 'rooms',
  setup: (build) =>
    build.onResolve({ filter: /^#/ }, ({ path: from }) => {
      const [room, ...rest] = from.split('/');
      const file = path.join(root, aliases[`${room}/*`].replace('*', rest.join('/')));
      const typed = file.replace(/\.js$/, '.ts');
      return { path: fs.existsSync(typed) ? typed : file };
    }),
};

/** The files of the repository that each test file imports. */
async function importsOf(tests) {
  const { metafile } = await esbuild.build({
    entryPoints: tests,
    absWorkingDir: root,
    outdir: 'unwritten',
    // Split, every module is printed once, not once for each test: 15 times as fast.
    ...{ bundle: true, splitting: true, write: false, metafile: true },
    ...{ packages: 'external', format: 'esm', platform: 'node' },
    loader: { '.json': 'json', '.mjs': 'js' },
    logLevel: 'error',
    plugins: [rooms],
  });
  const inputs = metafile.inputs;
  return (test, stopsAt = () => false) => {
    const seen = new Set([test]);
    for (const file of seen)
      for (const next of stopsAt(file) ? [] : (inputs[file]?.imports ?? [])) if (!next.external) seen.add(next.path);
    return seen;
  };
}

const given = process.argv.slice(2);
const all = given.includes('--all');
const ref = given.find((arg) => !arg.startsWith('-')) ?? 'HEAD';
const changed = [...git('diff', '--name-only', ref, '--'), ...git('ls-files', '--others', '--exclude-standard')];
const tests = ['unit', 'kernel'].flatMap((tier) =>
  fs
    .readdirSync(path.join(root, 'test', tier), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.test.ts'))
    .map((name) => `test/${tier}/${name.replaceAll(path.sep, '/')}`),
);
const closure = await importsOf(tests);
const data = (file) => /^(test|docs|examples)\//.test(file) && !/\.(ts|mjs)$/.test(file);
const named = changed.filter(data).map((file) => path.basename(file));
/** The list of what the rooms declare, from which every room is reached. */
const isFacade = (file) => file.startsWith('src/kernel/api/');
const imports = (test, stopsAt) => {
  const files = closure(test, stopsAt);
  return changed.some((file) => files.has(file));
};
const reads = (test) => {
  const text = named.length > 0 ? fs.readFileSync(path.join(root, test), 'utf8') : '';
  return named.some((name) => text.includes(name));
};
const reached = tests.filter((test) => imports(test) || reads(test));
const touched = all ? reached : reached.filter((test) => imports(test, isFacade) || reads(test));
console.log(`${changed.length} files differ from ${ref}; ${touched.length} of ${tests.length} test files are touched.`);
if (touched.length < reached.length)
  console.log(`${reached.length - touched.length} others reach them through fg alone: npm run test:changed -- --all`);
if (touched.length > 0) {
  const vitest = path.join(root, 'node_modules/vitest/vitest.mjs');
  const args = [vitest, 'run', '--project', 'unit', '--project', 'kernel', ...touched];
  process.exitCode = spawnSync(process.execPath, args, { cwd: root, stdio: 'inherit' }).status ?? 1;
}
