/** Starts VS Code's own server (out of npm's code-server) on a free loopback port. */
import { spawn } from 'node:child_process';
import { mkdirSync, openSync, closeSync, writeSync, writeFileSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { harnessPaths } from './install.mjs';

const SETTINGS = {
  'security.workspace.trust.enabled': false,
  'workbench.startupEditor': 'none',
  'telemetry.telemetryLevel': 'off',
  'extensions.autoUpdate': false,
  'extensions.autoCheckUpdates': false,
  'workbench.enableExperiments': false,
  'workbench.tips.enabled': false,
  'workbench.welcomePage.walkthroughs.openOnInstall': false,
  'files.autoSave': 'off',
  'git.enabled': false,
  'chat.disableAIFeatures': true,
  'window.autoDetectColorScheme': false,
  'workbench.secondarySideBar.defaultVisibility': 'hidden',
  'workbench.settings.enableNaturalLanguageSearch': false,
};

/** The environment without what belongs to another editor or to npm. */
function cleanEnv(extra) {
  const kept = Object.entries(process.env).filter(([key]) => !/^(VSCODE_|ELECTRON_|npm_|NODE_OPTIONS$)/.test(key));
  return { ...Object.fromEntries(kept), ...extra };
}

/** Runs the server once with `args`, such as --install-extension; throws with its output when it fails. */
export function runServerCommand(args, dir) {
  const { node, vscode } = harnessPaths();
  return new Promise((resolve, reject) => {
    const child = spawn(node, [path.join(vscode, 'out/server-main.js'), ...args], { env: cleanEnv({ HOME: dir }) });
    let output = '';
    child.stdout.on('data', (d) => (output += d));
    child.stderr.on('data', (d) => (output += d));
    child.once('error', reject);
    child.once('close', (code) => (code === 0 ? resolve(output) : reject(new Error(`exit ${code}\n${output}`))));
  });
}

/**
 * Starts a server with its data in `dir`. `smokeTest` makes it accept extension tests and refuse dialogs. `machine`: settings
 * of the host, where those of machine scope belong: of a user's they are of another machine.
 * @returns {Promise<{url: string, port: number, pid: number, logFile: string, stop(): Promise<void>}>}
 */
export async function startServer(
  dir,
  { extensionsDir, env = {}, settings = {}, machine = {}, smokeTest = false, home = dir } = {},
) {
  const { node, vscode } = harnessPaths();
  const [user, host] = ['User', 'Machine'].map((whose) => path.join(dir, 'server/data', whose));
  for (const folder of [user, host]) mkdirSync(folder, { recursive: true });
  mkdirSync(extensionsDir ?? path.join(dir, 'extensions'), { recursive: true });
  writeFileSync(path.join(user, 'settings.json'), JSON.stringify({ ...SETTINGS, ...settings }, null, 2));
  writeFileSync(path.join(host, 'settings.json'), JSON.stringify(machine, null, 2));
  const logFile = path.join(dir, 'server.log');
  const log = openSync(logFile, 'w');
  const args = [
    path.join(vscode, 'out/server-main.js'),
    ...['--host', '127.0.0.1', '--port', '0', '--without-connection-token', '--accept-server-license-terms'],
    ...['--telemetry-level', 'off', '--disable-workspace-trust'],
    ...['--server-data-dir', path.join(dir, 'server'), '--user-data-dir', path.join(dir, 'server/data')],
    ...['--extensions-dir', extensionsDir ?? path.join(dir, 'extensions')],
    // Without this flag the workbench silently ignores the test entry.
    ...(smokeTest ? ['--enable-smoke-test-driver'] : []),
  ];
  const child = spawn(node, args, {
    cwd: dir,
    env: cleanEnv({ HOME: home, ...env }),
    stdio: ['ignore', 'pipe', log],
    detached: true,
  });
  const exited = new Promise((resolve) => child.once('exit', resolve));
  const port = await new Promise((resolve, reject) => {
    let out = '';
    const fail = (why) =>
      reject(new Error(`VS Code's server ${why}\n${out}${readFileSync(logFile, 'utf8').slice(-2000)}`));
    const timer = setTimeout(() => fail('did not start in 60 s'), 60_000);
    child.stdout.on('data', (chunk) => {
      out += chunk;
      writeSync(log, chunk);
      const match = /Extension host agent listening on (\d+)/.exec(out);
      if (!match) return;
      clearTimeout(timer);
      resolve(Number(match[1]));
    });
    child.once('error', (error) => fail(`could not be started: ${error.message}`));
    child.once('exit', (code) => fail(`ended with code ${code}`));
  });
  const signal = (name) => {
    try {
      process.kill(-child.pid, name);
    } catch {
      // It is gone already.
    }
  };
  return {
    port,
    url: `http://127.0.0.1:${port}/`,
    pid: child.pid,
    logFile,
    async stop() {
      signal('SIGTERM');
      const timer = setTimeout(() => signal('SIGKILL'), 3000);
      await exited;
      clearTimeout(timer);
      closeSync(log);
    },
  };
}
