// Builds every bundle into dist/, or only the parts named: node scripts/build.mjs [extension|kernel|webviews|tests]... [--watch] [--release]
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import * as esbuild from 'esbuild';
import { buildTypes } from './build-types.mjs';
import { inPages } from './inPages.mjs';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..');
const dist = path.join(root, 'dist');
const asked = process.argv.slice(2).filter((a) => !a.startsWith('-'));
const wanted = (part) => asked.length === 0 || asked.includes(part);
const watch = process.argv.includes('--watch');
const release = process.argv.includes('--release');

const common = {
  bundle: true,
  absWorkingDir: root,
  logLevel: 'warning',
  legalComments: 'linked',
  target: 'es2022',
  treeShaking: true,
  // What ships has none; a breakpoint in the sources needs them.
  sourcemap: release ? false : 'linked',
};
const node = {
  ...common,
  keepNames: true,
  platform: 'node',
  format: 'cjs',
  target: 'node20',
  outExtension: { '.js': '.cjs' },
};
/** Native or large packages that are shipped beside the bundle in dist/node_modules and loaded only when needed. */
const shipped = ['onnxruntime-node', 'onnxruntime-common', 'typescript', 'zeromq'];
/** Resolved at run time from a folder of the host's own, never shipped. */
const optional = ['@tensorflow/tfjs-node-gpu'];

const builds = [];
const add = (part, options) => wanted(part) && builds.push(options);

add('extension', {
  ...node,
  entryPoints: ['src/extension/extension.ts'],
  outdir: 'dist/extension',
  external: ['vscode', ...shipped],
});
const language = 'src/extension/language/worker.ts';
if (fs.existsSync(path.join(root, language)))
  add('extension', {
    ...node,
    entryPoints: { languageWorker: language },
    outdir: 'dist/extension',
    external: ['vscode', ...shipped],
  });
add('kernel', {
  ...node,
  entryPoints: {
    kernel: 'src/kernel/programs.ts',
    control: 'src/kernel/session/control.ts',
    poolWorker: 'src/kernel/compute/poolWorker.ts',
    deviceProcess: 'src/kernel/compute/graphs/process.ts',
    figureWorker: 'src/kernel/figures/worker.ts',
    // The views' own drawing: what a file shows is what a panel shows.
    figures: 'src/webviews/figures/main.ts',
  },
  outdir: 'dist/kernel',
  external: [...shipped, ...optional],
  // vega-lite reaches vega's canvas, whose Node build waits for node-canvas at the top level; nothing is drawn here.
  alias: { 'vega-canvas': './node_modules/vega-canvas/build/vega-canvas.browser.js' },
  // ESM-only packages ask for import.meta.url; the bundle is CommonJS.
  define: { 'import.meta.url': '__bundleUrl' },
  banner: { js: "const __bundleUrl = require('node:url').pathToFileURL(__filename).href;" },
});
const web = { ...common, platform: 'browser', minify: true, plugins: [...(common.plugins ?? []), inPages] };
add('webviews', {
  ...web,
  entryPoints: {
    panel: 'src/webviews/panel/main.ts',
    report: 'src/webviews/report/main.ts',
  },
  outdir: 'dist/webviews',
  format: 'iife',
});
add('webviews', {
  ...web,
  entryPoints: { renderer: 'src/webviews/renderers/main.ts' },
  outdir: 'dist/webviews',
  format: 'esm',
});
if (wanted('tests')) {
  const suite = path.join(root, 'test/vscode');
  const files = fs.existsSync(suite)
    ? fs
        .readdirSync(suite, { recursive: true })
        .map(String)
        .filter((f) => f.endsWith('.ts') && !f.endsWith('.d.ts'))
    : [];
  if (files.length > 0)
    add('tests', {
      ...node,
      entryPoints: files.map((f) => path.join('test/vscode', f)),
      outbase: 'test/vscode',
      outdir: 'dist/test/vscode',
      external: ['vscode', 'mocha', ...shipped],
      outExtension: { '.js': '.cjs' },
    });
}

/** What the packages in dist/node_modules need at run time is there: npm must neither fetch nor build anything for them. */
const OF_INSTALLING = ['scripts', 'bin', 'dependencies', 'devDependencies', 'optionalDependencies', 'peerDependencies'];

/** The manifest of a shipped package. */
function shipManifest(name) {
  const manifest = JSON.parse(fs.readFileSync(path.join(root, 'node_modules', name, 'package.json'), 'utf8'));
  for (const field of OF_INSTALLING) delete manifest[field];
  const file = path.join(dist, 'node_modules', name, 'package.json');
  fs.writeFileSync(`${file}.${process.pid}`, `${JSON.stringify(manifest, null, 2)}\n`);
  fs.renameSync(`${file}.${process.pid}`, file);
  return manifest.version;
}

/** Copies a package's named files into dist/node_modules, beside and then renamed, unless that version is there. */
function ship(name, keep) {
  const from = path.join(root, 'node_modules', name);
  const to = path.join(dist, 'node_modules', name);
  const version = (folder) => {
    const file = path.join(folder, 'package.json');
    return fs.existsSync(file) ? JSON.parse(fs.readFileSync(file, 'utf8')).version : undefined;
  };
  if (version(to) === version(from)) return;
  const beside = `${to}.${process.pid}`;
  fs.cpSync(from, beside, {
    recursive: true,
    filter: (file) => fs.statSync(file).isDirectory() || keep(path.relative(from, file).split(path.sep).join('/')),
  });
  fs.rmSync(to, { recursive: true, force: true });
  fs.renameSync(beside, to);
}

/** Single files of packages into a folder of dist. */
function copyFiles(folder, files) {
  fs.mkdirSync(path.join(dist, folder), { recursive: true });
  for (const [to, from] of Object.entries(files))
    fs.copyFileSync(path.join(root, 'node_modules', from), path.join(dist, folder, to));
}

/** The binary that zeromq's loader tries first here. It is of Node-API: one serves every version of Node. */
function zeromqAddon() {
  const manifest = JSON.parse(fs.readFileSync(path.join(root, 'node_modules/zeromq/build/manifest.json'), 'utf8'));
  const fitting = Object.entries(manifest)
    .map(([config, file]) => ({ ...JSON.parse(config), file }))
    .filter(({ os, arch, libc }) => os === process.platform && arch === process.arch && libc !== 'musl')
    .sort((a, b) => b.abi - a.abi);
  if (fitting.length === 0) throw new Error(`zeromq has no binary for ${process.platform}-${process.arch}`);
  return `build/${fitting[0].file.replaceAll('\\', '/')}`;
}

function shipRuntimeFiles() {
  const native = `bin/napi-v6/${process.platform}/${process.arch}/`;
  ship(
    'onnxruntime-node',
    (f) =>
      f === 'package.json' ||
      f === 'LICENSE' ||
      (f.startsWith('dist/') && f.endsWith('.js')) ||
      (f.startsWith(native) && !/cuda|tensorrt/i.test(f)),
  );
  ship(
    'onnxruntime-common',
    (f) =>
      f === 'package.json' ||
      f === 'LICENSE' ||
      (f.startsWith('dist/cjs/') && (f.endsWith('.js') || f.endsWith('package.json'))),
  );
  ship(
    'typescript',
    (f) => f === 'package.json' || f === 'LICENSE.txt' || f === 'lib/typescript.js' || /^lib\/lib\..*d\.ts$/.test(f),
  );
  const addon = zeromqAddon();
  ship(
    'zeromq',
    (f) =>
      ['package.json', 'LICENSE.txt', 'LICENSE_MPL-2.0.txt', 'build/manifest.json'].includes(f) ||
      /^lib\/\w[\w-]*\.js$/.test(f) ||
      f === addon,
  );
  ship('cmake-ts', (f) => f === 'package.json' || f === 'build/loader.js');
  copyFiles('kernel', {
    'resvg.wasm': '@resvg/resvg-wasm/index_bg.wasm',
    'DejaVuSans.ttf': 'dejavu-fonts-ttf/ttf/DejaVuSans.ttf',
    'DejaVuSans.LICENSE.txt': 'dejavu-fonts-ttf/LICENSE',
  });
  const wasm = path.join(dist, 'wasm');
  fs.mkdirSync(wasm, { recursive: true });
  const from = path.join(root, 'node_modules/@tensorflow/tfjs-backend-wasm/dist');
  for (const f of fs.readdirSync(from))
    if (f.endsWith('.wasm')) fs.copyFileSync(path.join(from, f), path.join(wasm, f));
}

/** Programs of the kernel's one bundle, a file each, and the package that other programs import. */
function writePrograms() {
  const folder = path.join(dist, 'kernel');
  fs.mkdirSync(folder, { recursive: true });
  for (const name of ['main', 'cli'])
    fs.writeFileSync(path.join(folder, `${name}.cjs`), `#!/usr/bin/env node\nrequire('./kernel.cjs').${name}();\n`);
  fs.writeFileSync(
    path.join(folder, 'library.cjs'),
    "exports.openKernel = (options) => require('./kernel.cjs').openKernel(options);\n",
  );
  const dependencies = Object.fromEntries([...shipped, 'cmake-ts'].map((name) => [name, shipManifest(name)]));
  const { version, license, engines } = JSON.parse(fs.readFileSync(path.join(root, 'package.json'), 'utf8'));
  const entry = { types: './types/kernel/library.d.ts', default: './kernel/library.cjs' };
  const manifest = {
    ...{ name: 'feature-geometry', version, license, engines: { node: engines.node }, exports: entry },
    // Binaries are those of the machine that built it.
    ...{ os: [process.platform], cpu: [process.arch], bin: { fgnb: './kernel/cli.cjs' } },
    files: ['kernel', 'types', 'wasm', 'webviews/report.js', '!**/*.map', '!types/stamp'],
    ...{ dependencies, bundleDependencies: Object.keys(dependencies) },
  };
  fs.writeFileSync(path.join(dist, 'package.json'), `${JSON.stringify(manifest, null, 2)}\n`);
}

if (watch) console.log('building');
fs.mkdirSync(dist, { recursive: true });
if (release)
  for (const folder of ['extension', 'kernel', 'webviews'])
    fs.rmSync(path.join(dist, folder), { recursive: true, force: true });
// package.json at the root says "module"; the bundles here name their own format by extension.
if (wanted('kernel')) {
  shipRuntimeFiles();
  writePrograms();
}
if (wanted('extension')) await buildTypes(root, dist);
if (watch) {
  for (const options of builds) await (await esbuild.context(options)).watch();
  console.log('watching');
} else {
  const started = performance.now();
  await Promise.all(builds.map((options) => esbuild.build(options)));
  console.log(
    `built ${asked.length ? asked.join(', ') : 'everything'} in ${((performance.now() - started) / 1000).toFixed(1)} s`,
  );
}
