/**
 * The extension in the real workbench in a browser: npm run vscode
 * Packages the .vsix when the build is newer, installs it, copies the examples to out/workspace and opens the
 * quickstart. --no-open only prints the address; --headless-check starts, asks for the page once, and stops.
 */
import { execFileSync, spawn } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readFileSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { installHarness } from '../test/harness/install.mjs';
import { runServerCommand, startServer } from '../test/harness/server.mjs';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..');
const out = path.join(root, 'out');
const { name, version } = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8'));
const vsix = path.join(out, `${name}-${process.platform}-${process.arch}-${version}.vsix`);

function newest(folder) {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .reduce((latest, entry) => Math.max(latest, statSync(path.join(entry.parentPath, entry.name)).mtimeMs), 0);
}

/** Packages what the build made, unless the package is newer than all of it. */
export function packageVsix() {
  if (!existsSync(path.join(root, 'dist/extension/extension.cjs')))
    throw new Error('Nothing is built yet: run npm run build first.');
  const parts = ['dist', 'media', 'examples'].map((part) => path.join(root, part)).filter((part) => existsSync(part));
  const files = ['package.json', 'package.nls.json', '.vscodeignore'].map((f) => statSync(path.join(root, f)).mtimeMs);
  const changed = Math.max(...parts.map(newest), ...files);
  if (existsSync(vsix) && statSync(vsix).mtimeMs > changed) return vsix;
  mkdirSync(out, { recursive: true });
  console.log('Packaging the extension');
  // Made beside and renamed: two tests that run at once may both package.
  const beside = `${vsix.slice(0, -'.vsix'.length)}.${process.pid}.vsix`;
  const vsce = path.join(root, 'node_modules/@vscode/vsce/vsce');
  // vsce asks before it packages without a repository field or licence; nobody is there to answer.
  const flags = [
    '--no-dependencies',
    '--target',
    `${process.platform}-${process.arch}`,
    '--allow-missing-repository',
    '--skip-license',
    // The README's picture is in the package, not on a site.
    '--no-rewrite-relative-links',
    '--out',
    beside,
  ];
  execFileSync(process.execPath, [vsce, 'package', ...flags], { cwd: root, stdio: ['ignore', 'ignore', 'inherit'] });
  renameSync(beside, vsix);
  return vsix;
}

/** Folder with the extension installed from the package, made new each time. */
export async function installVsix(folder) {
  const file = packageVsix();
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const data = path.join(out, 'vscode');
  const args = [
    '--install-extension',
    file,
    '--extensions-dir',
    folder,
    '--server-data-dir',
    path.join(data, 'server'),
  ];
  await runServerCommand(args, data);
  return folder;
}

function copyExamples(workspace) {
  mkdirSync(workspace, { recursive: true });
  const examples = path.join(root, 'examples');
  // What the user edited stays; delete out/workspace to start afresh.
  if (existsSync(examples)) cpSync(examples, workspace, { recursive: true, force: false });
}

function openBrowser(url) {
  const command = process.platform === 'darwin' ? 'open' : 'xdg-open';
  if (process.platform === 'linux' && !process.env.DISPLAY && !process.env.WAYLAND_DISPLAY) return;
  spawn(command, [url], { stdio: 'ignore', detached: true })
    .on('error', () => {})
    .unref();
}

async function main() {
  installHarness();
  const data = path.join(out, 'vscode');
  mkdirSync(data, { recursive: true });
  const extensionsDir = await installVsix(path.join(data, 'extensions'));
  const workspace = path.join(out, 'workspace');
  copyExamples(workspace);
  // The user's own HOME: models downloaded from the hub are shared with everything else.
  const server = await startServer(data, {
    extensionsDir,
    home: process.env.HOME,
    // The page opens the file before it knows the extension's notebooks; without this it would be shown as text.
    settings: { 'workbench.editorAssociations': { '*.fgnb': 'fgnb' } },
  });
  const payload = encodeURIComponent(
    JSON.stringify([
      ['openFile', `vscode-remote://127.0.0.1:${server.port}${path.join(workspace, 'quickstart.fgnb')}`],
    ]),
  );
  const url = `${server.url}?folder=${encodeURIComponent(workspace)}&payload=${payload}`;
  console.log(`\nVS Code with Feature Geometry Notebooks:\n\n  ${url}\n\nCtrl-C stops it.`);
  if (process.argv.includes('--headless-check')) {
    const response = await fetch(url);
    await server.stop();
    console.log(`HTTP ${response.status}`);
    return response.ok ? 0 : 1;
  }
  if (!process.argv.includes('--no-open')) openBrowser(url);
  await new Promise((resolve) => {
    process.once('SIGINT', resolve);
    process.once('SIGTERM', resolve);
  });
  await server.stop();
  return 0;
}

if (process.argv[1] && path.resolve(process.argv[1]) === fileURLToPath(import.meta.url)) process.exit(await main());
